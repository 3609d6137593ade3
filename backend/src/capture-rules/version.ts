/**
 * What a state of the capture rules of a probe is called: `<since>-<changes>-<digest>`. `since` is when the first rule
 * ever was made in that store (ms), `changes` how many there were in all, `digest` names the content. They are ordered in
 * this sequence, so that of two states every probe and every API process knows which one is newer: a later change, or, for a
 * store that was made anew, its later begin.
 */
import { createHash } from 'node:crypto';
import type { CaptureRule } from '@netspectra/collector/probe';

/** How far the rules in a store have come. */
export interface RulesRevision {
  /** when the first rule was made, ms since 1970; 0 when there never was one */
  readonly since: number;
  /** changes so far: made, replaced and deleted rules */
  readonly changes: number;
}

const pattern = /^(0|[1-9]\d{0,14})-(0|[1-9]\d{0,9})-([0-9a-f]{16})$/;

/** For schemas. */
export const versionPattern = pattern.source;

/** The name of rules at a revision. */
export const versionOf = ({ since, changes }: RulesRevision, rules: readonly CaptureRule[]): string =>
  `${since}-${changes}-${digestOf(rules)}`;

/** Whether a version names this content. */
export const namesContent = (version: string, rules: readonly CaptureRule[]): boolean =>
  pattern.exec(version)?.[3] === digestOf(rules);

/** Negative when `a` is older than `b`, 0 when they are the same. '' is older than all. @throws nothing; other texts are older */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [pattern.exec(a), pattern.exec(b)];
  if (!x || !y) return Number(x !== null) - Number(y !== null);
  const difference = Number(x[1]) - Number(y[1]) || Number(x[2]) - Number(y[2]);
  if (difference !== 0) return difference;
  return x[3]! < y[3]! ? -1 : Number(x[3]! > y[3]!);
}

function digestOf(rules: readonly CaptureRule[]): string {
  const content = rules.map(({ filter, action }) => {
    if (action.type === 'sample') return [filter, action.type, action.rate];
    return action.type === 'payload' ? [filter, action.type, action.snapLength] : [filter, action.type];
  });
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
}
