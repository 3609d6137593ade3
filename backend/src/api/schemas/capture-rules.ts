/** Shapes of capture rules. */
import { Type } from '@sinclair/typebox';
import { filterText } from './common.js';
import { bodySchema, historySchema, managedSchema, nextSchema, pageQuerystring } from './managed.js';

const properties = {
  name: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }),
  description: Type.Optional(Type.String({ maxLength: 4_000 })),
  enabled: Type.Optional(Type.Boolean({ default: true })),
  probes: Type.Array(Type.String({ pattern: '^[A-Za-z0-9._*-]{1,63}$' }), {
    minItems: 1,
    maxItems: 100,
    description: 'ids of probes; * is any run of characters',
    examples: [['edge-*']],
  }),
  filter: filterText,
  action: Type.Union(
    [
      Type.Object({ type: Type.Literal('capture') }, { additionalProperties: false, description: 'take them' }),
      Type.Object({ type: Type.Literal('drop') }, { additionalProperties: false, description: 'leave them out' }),
      Type.Object(
        {
          type: Type.Literal('sample'),
          rate: Type.Integer({ minimum: 2, maximum: 1_000_000, description: 'one of so many' }),
        },
        { additionalProperties: false, description: 'take one of `rate`' },
      ),
      Type.Object(
        {
          type: Type.Literal('payload'),
          snapLength: Type.Integer({ minimum: 64, maximum: 65_535, description: 'bytes of each packet' }),
        },
        { additionalProperties: false, description: 'take them and keep their first bytes' },
      ),
    ],
    { description: 'what is done with packets that the filter keeps' },
  ),
  priority: Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    description: 'of the rules that keep a packet the one with the highest priority decides',
  }),
};

const kernel = Type.Union(
  [
    Type.Object({
      ok: Type.Literal(true),
      text: Type.String({ description: 'the filter in the language of libpcap; empty: every packet' }),
      exact: Type.Boolean({ description: 'false: the kernel keeps more, and the probe leaves the rest out' }),
      reasons: Type.Array(Type.String(), { description: 'why it is not exact' }),
    }),
    Type.Object({
      ok: Type.Literal(false),
      reasons: Type.Array(Type.String(), { description: 'why the kernel cannot do it' }),
    }),
  ],
  { description: 'whether the filter can run in the kernel' },
);

export const captureRuleBodySchema = bodySchema(
  properties,
  { kernel },
  {
    examples: [{ name: 'No backups', probes: ['*'], filter: 'port 873', action: { type: 'drop' }, priority: 100 }],
  },
);
export const captureRuleSchema = managedSchema({ ...properties, kernel }, 'A capture rule');
export const captureRuleListSchema = Type.Object({ captureRules: Type.Array(captureRuleSchema), next: nextSchema });
export const captureRuleHistorySchema = historySchema(properties);
export const captureRuleKeys: readonly string[] = Object.keys(properties);
export const captureRuleListQuerystring = Type.Object(
  {
    search: Type.Optional(Type.String({ maxLength: 200, description: 'part of the name, in any case' })),
    enabled: Type.Optional(Type.Boolean()),
    ...pageQuerystring,
  },
  { additionalProperties: false },
);
