/** Shapes of alert rules and their back-test. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { filterLimits, queryDirections } from '@netspectra/query';
import { bandSides, changeUnits, noDataMeanings, operators } from '../../alerting/index.js';
import { severities } from '../../management/index.js';
import { filterText, id, time } from './common.js';
import { bodySchema, historySchema, managedSchema, nextSchema, oneOf, pageQuerystring } from './managed.js';

const duration = (description: string) =>
  Type.String({
    pattern: '^(0|[1-9]\\d{0,8})[smhdw]$',
    description: `${description}: a number with s, m, h, d or w`,
    examples: ['5m'],
  });

const threshold = {
  operator: oneOf(operators, { description: 'holds when the value stands so to `value`' }),
  value: Type.Number(),
};

const changeUnit = Type.Optional(
  oneOf(changeUnits, {
    default: 'percent',
    description: 'the difference itself, or in percent of the earlier value',
  }),
);

export const conditionSchema = Type.Union(
  [
    Type.Object(
      { type: Type.Literal('threshold'), ...threshold },
      { additionalProperties: false, description: 'the value against a number' },
    ),
    Type.Object(
      {
        type: Type.Literal('rate_of_change'),
        over: duration('compared with the value so long ago; a multiple of the interval'),
        unit: changeUnit,
        ...threshold,
      },
      { additionalProperties: false, description: 'how much it changed, against a number' },
    ),
    Type.Object(
      {
        type: Type.Literal('seasonal'),
        period: Type.Optional(duration('compared with the value so long ago; 1w when absent')),
        unit: changeUnit,
        ...threshold,
      },
      { additionalProperties: false, description: 'against the same time last week' },
    ),
    Type.Object(
      {
        type: Type.Literal('band'),
        learn: Type.Optional(duration('learned from so long before; 1d when absent')),
        sensitivity: Type.Optional(
          Type.Number({
            exclusiveMinimum: 0,
            maximum: 100,
            default: 4,
            description: 'half width, in standard deviations',
          }),
        ),
        side: Type.Optional(oneOf(bandSides, { default: 'both', description: 'which side of the band counts' })),
        minimumWidth: Type.Optional(
          Type.Number({ minimum: 0, default: 0, description: 'half width at least, in units of the measure' }),
        ),
      },
      { additionalProperties: false, description: 'outside of what is usual: median and quartiles of the time before' },
    ),
  ],
  { description: 'when the alert holds' },
);

const label = Type.String({ maxLength: 512 });

/** What back-test and rule share. */
const evaluation = {
  query: Type.Object(
    {
      measure: id('id of the measure that is judged, see /api/v1/measures'),
      groupBy: Type.Optional(
        Type.Array(id('id of a dimension'), { maxItems: 5, description: 'each group is judged alone' }),
      ),
      filter: Type.Optional(filterText),
      direction: Type.Optional(oneOf(queryDirections, { default: 'both' })),
      limit: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 500,
          default: 50,
          description: 'groups that are judged: those with the most',
        }),
      ),
    },
    { additionalProperties: false, description: 'what is watched' },
  ),
  condition: conditionSchema,
  interval: duration('how often it is evaluated, and over how long a time each'),
  for: Type.Optional(duration('the condition must hold so long before it fires; 0s when absent')),
  keepFiringFor: Type.Optional(duration('goes on firing so long after the condition held last; 0s when absent')),
  noData: Type.Optional(
    oneOf(noDataMeanings, {
      default: 'normal',
      description: 'an interval without data: the condition does not hold, holds, or is as before',
    }),
  ),
  exclusions: Type.Optional(
    Type.String({ maxLength: filterLimits.lengthMax, description: 'a filter: traffic that it keeps is left out' }),
  ),
};

const ruleProperties = {
  name: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }),
  description: Type.Optional(Type.String({ maxLength: 4_000 })),
  enabled: Type.Optional(Type.Boolean({ default: true })),
  ...evaluation,
  severity: oneOf(severities, {}),
  labels: Type.Optional(
    Type.Record(Type.String({ pattern: '^[a-zA-Z_][a-zA-Z0-9_]{0,63}$' }), label, {
      maxProperties: 32,
      additionalProperties: false,
      description: 'go with each alert, for routing',
    }),
  ),
  annotations: Type.Optional(
    Type.Record(Type.String({ pattern: '^[a-zA-Z_][a-zA-Z0-9_]{0,63}$' }), Type.String({ maxLength: 4_000 }), {
      maxProperties: 16,
      additionalProperties: false,
      description:
        'texts for people; {{ value }}, {{ threshold }}, {{ rule }}, {{ severity }}, {{ start }} and {{ labels.src_ip }} are filled in',
    }),
  ),
  recoveryMessage: Type.Optional(
    Type.String({ maxLength: 4_000, description: 'sent when it ends; filled in like annotations' }),
  ),
  silence: Type.Optional(
    Type.Union(
      [
        Type.Object(
          {
            until: Type.String({ maxLength: 64, description: 'RFC 3339' }),
            reason: Type.String({ minLength: 1, maxLength: 1_000 }),
          },
          { additionalProperties: false },
        ),
        Type.Null(),
      ],
      { description: 'nobody is told until then' },
    ),
  ),
};

const example = {
  name: 'Much traffic from one host',
  query: { measure: 'bits_per_second', groupBy: ['src_ip'], filter: 'not dst_port = 443' },
  condition: { type: 'threshold', operator: '>', value: 100_000_000 },
  interval: '1m',
  for: '5m',
  severity: 'warning',
  annotations: { summary: '{{ labels.src_ip }} sends {{ value }} bit/s' },
};

export const ruleBodySchema = bodySchema(ruleProperties, {}, { examples: [example] });
export const ruleSchema = managedSchema(ruleProperties, 'An alert rule');
export const ruleListSchema = Type.Object({ rules: Type.Array(ruleSchema), next: nextSchema });
export const ruleHistorySchema = historySchema(ruleProperties);
export const ruleKeys: readonly string[] = Object.keys(ruleProperties);

export const ruleListQuerystring = Type.Object(
  {
    search: Type.Optional(Type.String({ maxLength: 200, description: 'part of the name, in any case' })),
    enabled: Type.Optional(Type.Boolean()),
    severity: Type.Optional(oneOf(severities, {})),
    ...pageQuerystring,
  },
  { additionalProperties: false },
);

export const historyQuerystring = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
    before: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 0xffffffff, description: 'versions older than this one' }),
    ),
  },
  { additionalProperties: false },
);

export const ruleTestSchema = Type.Object(
  {
    from: time('start of the range, included'),
    to: time('end of the range, not included'),
    rule: Type.Object(
      {
        ...evaluation,
        ...Object.fromEntries(
          [...Object.keys(ruleProperties), 'id', 'version', 'createdAtMs', 'updatedAtMs', 'updatedBy']
            .filter((key) => !(key in evaluation))
            .map((key) => [key, Type.Optional(Type.Unknown())]),
        ),
      } as typeof evaluation,
      { additionalProperties: false, description: 'a rule; what does not bear on when it fires is not looked at' },
    ),
  },
  {
    additionalProperties: false,
    examples: [{ from: '2026-01-31T00:00:00Z', to: '2026-02-01T00:00:00Z', rule: example }],
  },
);

const numberOrNull = (description: string) => Type.Union([Type.Number(), Type.Null()], { description });

export const ruleTestResponseSchema = Type.Object({
  firings: Type.Array(
    Type.Object({
      labels: Type.Record(Type.String(), Type.String(), { description: 'the group' }),
      pendingSinceMs: Type.Integer({ description: 'when the condition began to hold, ms since 1970' }),
      startMs: Type.Integer({ description: 'when it fired' }),
      endMs: Type.Union([Type.Integer(), Type.Null()], {
        description: 'when it ended; null: it still fires at the end of the range',
      }),
      peak: numberOrNull('the value (or its change) furthest beyond its bound; null: it fired without data'),
      peakAtMs: Type.Integer(),
      lower: numberOrNull('the bound below at the peak'),
      upper: numberOrNull('the bound above at the peak'),
    }),
    { description: 'by start' },
  ),
  firingsInAll: Type.Integer({ description: 'at most 1,000 are listed' }),
  groups: Type.Integer({ description: 'groups that were judged' }),
  truncated: Type.Boolean({ description: 'there are more groups than were judged' }),
  evaluations: Type.Integer({ description: 'intervals in the range' }),
  fromMs: Type.Integer({ description: 'start of what was judged, after rounding to intervals' }),
  toMs: Type.Integer(),
  summary: Type.Union(
    [
      Type.Object({
        min: Type.Number(),
        median: Type.Number(),
        p95: Type.Number(),
        p99: Type.Number(),
        max: Type.Number(),
      }),
      Type.Null(),
    ],
    { description: 'the values of all groups and intervals' },
  ),
  quietThreshold: numberOrNull(
    'threshold conditions with < or >: with this value, or one further out, nothing would have fired',
  ),
  unit: Type.String({ description: "unit of the measure, Grafana's id" }),
});

export type RuleInput = Static<typeof ruleBodySchema>;
export type RuleTestInput = Static<typeof ruleTestSchema>;
