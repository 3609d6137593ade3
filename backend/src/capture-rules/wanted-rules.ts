/** What the capture rules in the store mean for one probe: which are for it, and in which order they decide. */
import { captureRuleLimits } from '@netspectra/collector/probe';
import type { RuleSet } from '@netspectra/collector/probe';
import type { CaptureRuleBody } from '../management/index.js';
import { encodeControl } from './messages.js';
import { versionOf } from './version.js';
import type { RulesRevision } from './version.js';

/** The rules of a store at a revision. */
export interface StoredRules {
  readonly revision: RulesRevision;
  readonly rules: readonly { readonly id: string; readonly body: CaptureRuleBody }[];
}

/** What a probe is to have; `error`: it cannot be told, because its rules are too many or too long. */
export type WantedRules =
  (RuleSet & { readonly error: '' }) | { readonly version: ''; readonly rules: null; readonly error: string };

/**
 * The enabled rules whose patterns fit a probe, highest priority first; of the same priority by their ids, so that every
 * process has one order.
 */
export function wantedRules({ revision, rules }: StoredRules, probe: string): WantedRules {
  const mine = rules
    .filter(({ body }) => body.enabled !== false && body.probes.some((pattern) => fits(pattern, probe)))
    .sort((a, b) => b.body.priority - a.body.priority || (a.id < b.id ? -1 : 1))
    .map(({ body: { filter, action } }) => ({ filter, action }));
  if (mine.length > captureRuleLimits.rules) {
    return refused(
      `${mine.length} capture rules are for this probe; it takes ${captureRuleLimits.rules}: delete or disable some`,
    );
  }
  const wanted = { version: versionOf(revision, mine), rules: mine, error: '' as const };
  const { length } = encodeControl(probe, wanted);
  if (length > captureRuleLimits.bytes) {
    return refused(
      `its capture rules take ${length} bytes; a probe takes ${captureRuleLimits.bytes}: shorten their filters`,
    );
  }
  return wanted;
}

const refused = (error: string): WantedRules => ({ version: '', rules: null, error });

/** Whether a pattern (`*` is any run of characters) fits an id. Linear in both, whatever the pattern. */
export function fits(pattern: string, id: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  if (parts.length === 0) return pattern === id;
  const last = parts.pop()!;
  if (!id.startsWith(first) || id.length < first.length + last.length || !id.endsWith(last)) return false;
  const end = id.length - last.length;
  let at = first.length;
  for (const part of parts) {
    const found = id.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
