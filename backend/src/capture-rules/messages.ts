/**
 * What goes over the bus: `netspectra.control.probe.<id>` brings a probe all its capture rules at once, so that a message
 * may be lost, doubled or late; `netspectra.live.probe.<id>` tells once a second how the probe is, and which rules it has.
 * Everything that comes is untrusted: size, shape, sender and content are checked.
 */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { subjectToken } from '@netspectra/collector/bus';
import { captureRuleLimits } from '@netspectra/collector/probe';
import type { CaptureRule, RuleSet } from '@netspectra/collector/probe';
import { filterLimits } from '@netspectra/query';
import { namesContent, versionPattern } from './version.js';

const controlPrefix = 'netspectra.control.probe.';
const statusPrefix = 'netspectra.live.probe.';

/** Where a probe hears its rules. */
export const controlSubject = (probe: string): string => controlPrefix + subjectToken(probe);
/** Where a probe tells how it is. */
export const statusSubject = (probe: string): string => statusPrefix + subjectToken(probe);
/** All of them. */
export const everyStatus = `${statusPrefix}>`;

/** of a status message */
const statusBytesMax = 32 * 1024;

const strict = { additionalProperties: false };
const ruleSchema = Type.Object(
  {
    filter: Type.String({ maxLength: filterLimits.lengthMax }),
    action: Type.Union([
      Type.Object({ type: Type.Literal('capture') }, strict),
      Type.Object({ type: Type.Literal('drop') }, strict),
      Type.Object(
        { type: Type.Literal('sample'), rate: Type.Integer({ minimum: 2, maximum: captureRuleLimits.rate }) },
        strict,
      ),
      Type.Object(
        {
          type: Type.Literal('payload'),
          snapLength: Type.Integer({ minimum: 64, maximum: captureRuleLimits.snapLength }),
        },
        strict,
      ),
    ]),
  },
  strict,
);
const controlSchema = Type.Object(
  {
    kind: Type.Literal('capture_rules'),
    probe: Type.String({ maxLength: 255 }),
    version: Type.String({ pattern: versionPattern }),
    rules: Type.Array(ruleSchema, { maxItems: captureRuleLimits.rules }),
  },
  strict,
);

/** Why a message or file was not taken. */
export type RefusedControl = 'too_large' | 'malformed' | 'foreign';

/** A message with all rules of a probe. */
export const encodeControl = (probe: string, { version, rules }: RuleSet): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ kind: 'capture_rules', probe, version, rules }));

/** What a message says, or why it is not taken. Never throws. */
export function parseControl(
  probe: string,
  bytes: Uint8Array,
): { readonly rules: RuleSet } | { readonly refused: RefusedControl } {
  if (bytes.length > captureRuleLimits.bytes) return { refused: 'too_large' };
  const message = parsed(bytes);
  if (!Value.Check(controlSchema, message)) return { refused: 'malformed' };
  if (message.probe !== probe) return { refused: 'foreign' };
  const rules: readonly CaptureRule[] = message.rules;
  if (!namesContent(message.version, rules)) return { refused: 'malformed' };
  return { rules: { version: message.version, rules } };
}

const count = Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const line = Type.String({ maxLength: 1_000 });
const statusSchema = Type.Object({
  probe: Type.String({ minLength: 1, maxLength: 255 }),
  time: Type.String({ maxLength: 40 }),
  received: count,
  kernelDropped: count,
  filtered: count,
  decoded: count,
  undecodable: count,
  bytes: count,
  publishDropped: count,
  held: count,
  health: Type.Object({
    status: Type.Union([Type.Literal('ok'), Type.Literal('warn'), Type.Literal('error')]),
    dependencies: Type.Array(
      Type.Object({ name: line, ok: Type.Boolean(), optional: Type.Optional(Type.Boolean()), detail: line }),
      { maxItems: 32 },
    ),
    lostShare: Type.Number({ minimum: 0 }),
  }),
  cpu_seconds: count,
  memory_bytes: count,
  filter: Type.String({ maxLength: filterLimits.lengthMax }),
  interfaces: Type.Array(Type.Object({ name: line, state: line }), { maxItems: 256 }),
  capture_rules: Type.Object({
    version: Type.String({ maxLength: 64 }),
    rules: count,
    error: line,
    failed_version: Type.String({ maxLength: 64 }),
    refused: count,
  }),
});

/** How a probe is, as it tells once a second. */
export type ProbeStatus = Static<typeof statusSchema>;

/** What a probe tells, for the bus. */
export const encodeStatus = (status: ProbeStatus): Uint8Array => new TextEncoder().encode(JSON.stringify(status));

/** What a status says, or why it is not taken. Never throws. */
export function parseStatus(
  subject: string,
  bytes: Uint8Array,
): { readonly status: ProbeStatus } | { readonly refused: RefusedControl } {
  if (bytes.length > statusBytesMax) return { refused: 'too_large' };
  const message = parsed(bytes);
  if (!Value.Check(statusSchema, message)) return { refused: 'malformed' };
  // A server with the permissions of docs/bus.md lets a probe speak for itself only; others are told apart here.
  if (subject !== subjectOf(message.probe)) return { refused: 'foreign' };
  return { status: message };
}

function subjectOf(probe: string): string | undefined {
  try {
    return statusSubject(probe);
  } catch {
    return undefined; // half a surrogate pair
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
