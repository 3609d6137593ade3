/** Shapes of alert events and of the audit. */
import { Type } from '@sinclair/typebox';
import { eventKinds, eventStates, severities } from '../../management/index.js';
import { time } from './common.js';
import { nextSchema, oneOf, pageQuerystring } from './managed.js';

const labelPattern = Type.String({ pattern: '^[^=]{1,64}=.{0,512}$' });
const numberOrNull = Type.Union([Type.Number(), Type.Null()]);

export const alertsQuerystring = Type.Object(
  {
    from: Type.Optional(time('alerts that lasted beyond this time')),
    to: Type.Optional(time('alerts that began before this time')),
    kind: Type.Optional(oneOf(eventKinds)),
    source: Type.Optional(Type.String({ maxLength: 64, description: 'id of a rule, or name of a detector' })),
    state: Type.Optional(oneOf(eventStates)),
    severity: Type.Optional(oneOf(severities)),
    search: Type.Optional(Type.String({ maxLength: 200, description: 'part of name or summary, in any case' })),
    label: Type.Optional(
      Type.Union([labelPattern, Type.Array(labelPattern, { maxItems: 8 })], {
        description: 'name=value; several: all of them',
      }),
    ),
    ...pageQuerystring,
  },
  { additionalProperties: false },
);

export const alertsResponseSchema = Type.Object({
  alerts: Type.Array(
    Type.Object({
      id: Type.String(),
      kind: oneOf(eventKinds),
      source: Type.String(),
      name: Type.String(),
      severity: oneOf(severities),
      state: oneOf(eventStates),
      labels: Type.Record(Type.String(), Type.String()),
      value: numberOrNull,
      threshold: numberOrNull,
      startedAtMs: Type.Integer(),
      endedAtMs: Type.Union([Type.Integer(), Type.Null()], { description: 'null while it goes on' }),
      changedAtMs: Type.Integer(),
      summary: Type.String(),
    }),
    { description: 'latest beginning first' },
  ),
  next: nextSchema,
});

export const auditQuerystring = Type.Object(
  {
    from: Type.Optional(time('from this time on')),
    to: Type.Optional(time('before this time')),
    action: Type.Optional(
      Type.String({ maxLength: 64, description: 'rule, capture_rule, token, or one action as rule.update' }),
    ),
    actor: Type.Optional(Type.String({ maxLength: 512, description: 'id of a token, name of a certificate' })),
    object: Type.Optional(Type.String({ maxLength: 64, description: 'id of what was changed' })),
    result: Type.Optional(oneOf(['done', 'refused'])),
    ...pageQuerystring,
  },
  { additionalProperties: false },
);

export const auditResponseSchema = Type.Object({
  entries: Type.Array(
    Type.Object({
      timeMs: Type.Integer(),
      id: Type.String(),
      action: Type.String(),
      result: oneOf(['done', 'refused']),
      actor: Type.Object({
        kind: Type.String({ description: 'token, configured, certificate, loopback, system or unknown' }),
        id: Type.String(),
        name: Type.String(),
        role: Type.String(),
        onBehalfOf: Type.String(),
      }),
      address: Type.String({ description: 'where it came from' }),
      requestId: Type.String(),
      object: Type.String({ description: 'id of what was changed' }),
      versionBefore: Type.Union([Type.Integer(), Type.Null()], { description: '0: there was none; null: refused' }),
      versionAfter: Type.Union([Type.Integer(), Type.Null()], { description: '0: deleted; null: refused' }),
      detail: Type.String({ description: 'why it was refused' }),
    }),
    { description: 'newest first' },
  ),
  next: nextSchema,
});
