/** POST /query: requests, frames and the meta of answers. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { queryDirections, queryLimits, queryTypes } from '@netspectra/query';
import { filterText, id, problemErrorSchema, time } from './common.js';

export const querySchema = Type.Object(
  {
    refId: Type.String({
      minLength: 1,
      maxLength: queryLimits.refIdLengthMax,
      description: 'names the answer in `results`',
    }),
    type: Type.Union(
      queryTypes.map((type) => Type.Literal(type)),
      {
        description:
          'timeseries: values over time; table: a row for each group; flows: flow records; graph: nodes and edges along the levels of groupBy; explain: which values account for a change',
      },
    ),
    measures: Type.Optional(
      Type.Array(id('id of a measure, see /api/v1/measures'), {
        maxItems: queryLimits.measuresMax,
        description: 'what is computed',
      }),
    ),
    groupBy: Type.Optional(
      Type.Array(id('id of a dimension, see /api/v1/dimensions; addresses also by network: src_ip/24'), {
        maxItems: Math.max(queryLimits.groupByMax, queryLimits.explainDimensionsMax),
        description: 'by what; none: in all. graph: the levels; explain: where to look, none: everywhere sensible',
      }),
    ),
    filter: Type.Optional(filterText),
    intervalMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: queryLimits.intervalMsMax,
        description: 'width of a time bucket, milliseconds; raised to what the table can give',
      }),
    ),
    maxDataPoints: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: 'points wanted; chooses the interval when there is no intervalMs',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: queryLimits.limitMax,
        description: `groups (series, rows) or flows at most; ${queryLimits.limitDefault} when absent`,
      }),
    ),
    other: Type.Optional(
      Type.Boolean({
        description:
          'with a limit: everything outside the first groups as one more, "other"; absent: no, for graph yes',
      }),
    ),
    orderBy: Type.Optional(
      Type.Array(
        Type.Object(
          {
            measure: Type.Optional(id('a measure of this query')),
            dimension: Type.Optional(id('a dimension of this query')),
            direction: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
          },
          { additionalProperties: false },
        ),
        { maxItems: queryLimits.orderByMax, description: 'default: the first measure, largest first' },
      ),
    ),
    direction: Type.Optional(
      Type.Union(
        queryDirections.map((direction) => Type.Literal(direction)),
        {
          description:
            'count what both sides of a flow sent (default), or only client or server; in, out: only what came into, or left, the configured local networks',
        },
      ),
    ),
    units: Type.Optional(
      Type.Union([Type.Literal('base'), Type.Literal('display')], {
        description: 'display: times in milliseconds, shares in percent; base (default): nanoseconds and 0..1',
      }),
    ),
    compareTo: Type.Optional(
      Type.Union(
        [
          Type.Object(
            {
              offset: Type.String({
                maxLength: 16,
                description: 'so much before the range: a whole number with s, m, h, d or w; previous: its own length',
              }),
            },
            { additionalProperties: false },
          ),
          Type.Object(
            { from: time('start of the earlier period'), to: time('its end; it is as long as the range') },
            { additionalProperties: false },
          ),
        ],
        { description: 'timeseries, table, explain: an earlier period beside the range' },
      ),
    ),
    explain: Type.Optional(
      Type.Union(
        [
          Type.Object(
            {
              baseline: Type.Object(
                { from: time('start of the range before the change'), to: time('its end') },
                { additionalProperties: false },
              ),
            },
            { additionalProperties: false },
          ),
          Type.Object(
            {
              at: time('when something changed'),
              width: Type.Optional(
                Type.String({
                  maxLength: 16,
                  description: 'so much before `at` is compared with as much after it; absent: `at` divides the range',
                }),
              ),
            },
            { additionalProperties: false },
          ),
        ],
        { description: 'explain: the ranges; absent: the range is compared with the equally long one before it' },
      ),
    ),
    mergeNodes: Type.Optional(
      Type.Boolean({ description: 'graph: a value that stands on several levels is one node; absent: one on each' }),
    ),
  },
  { additionalProperties: false, description: 'One query' },
);

export const queryRequestSchema = Type.Object(
  {
    from: time('start of the range, included'),
    to: time('end of the range, not included'),
    queries: Type.Array(querySchema, { minItems: 1, maxItems: queryLimits.queriesMax }),
  },
  {
    additionalProperties: false,
    examples: [
      {
        from: '2026-01-31T12:00:00Z',
        to: '2026-01-31T13:00:00Z',
        queries: [
          { refId: 'A', type: 'timeseries', measures: ['bits_per_second'], groupBy: ['application'], limit: 5 },
        ],
      },
    ],
  },
);

const fieldSchema = Type.Object({
  name: Type.String(),
  type: Type.Union([Type.Literal('time'), Type.Literal('number'), Type.Literal('string'), Type.Literal('boolean')]),
  typeInfo: Type.Optional(Type.Object({ frame: Type.String(), nullable: Type.Optional(Type.Boolean()) })),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  config: Type.Optional(
    Type.Object({
      unit: Type.Optional(Type.String()),
      displayName: Type.Optional(Type.String()),
      description: Type.Optional(Type.String()),
      displayNameFromDS: Type.Optional(Type.String()),
      interval: Type.Optional(Type.Number({ description: 'milliseconds between points' })),
      custom: Type.Optional(Type.Object({}, { additionalProperties: true })),
    }),
  ),
});

export const frameSchema = Type.Object(
  {
    schema: Type.Object({
      refId: Type.Optional(Type.String()),
      name: Type.Optional(Type.String()),
      meta: Type.Optional(Type.Object({}, { additionalProperties: true })),
      fields: Type.Array(fieldSchema),
    }),
    data: Type.Object({
      values: Type.Array(Type.Array(Type.Unknown()), { description: 'one array per field, all equally long' }),
    }),
  },
  { description: "Grafana's data frame: columns, not rows" },
);

export const metaSchema = Type.Object(
  {
    tables: Type.Array(Type.String(), { description: 'the tables that answered' }),
    plan: Type.String({ description: 'which table answered, how it was read and why' }),
    watermarkMs: Type.Union([Type.Integer(), Type.Null()], {
      description: 'event time up to which all is stored, ms; null when nothing is',
    }),
    partial: Type.Boolean({ description: 'the stored data may still grow in this range' }),
    samplingRate: Type.Number({ description: '1: every packet; n: one of n, counters multiplied by n' }),
    drops: Type.Object(
      {
        kernelDropped: Type.Integer(),
        undecodable: Type.Integer(),
        flowsFolded: Type.Integer(),
        latePackets: Type.Integer(),
      },
      { description: 'what the probes lost in this range' },
    ),
    errorBounds: Type.Array(
      Type.Object({
        measure: Type.String(),
        kind: Type.Union([Type.Literal('exact'), Type.Literal('relative'), Type.Literal('absolute')]),
        error: Type.Number(),
        confidence: Type.Number(),
      }),
      { description: 'measures that are estimates, and how far from the truth they may be; all others are exact' },
    ),
    truncated: Type.Boolean({ description: 'groups or records were left out by the limit' }),
    fromMs: Type.Integer({ description: 'start of what was asked for, after rounding to windows' }),
    toMs: Type.Integer({ description: 'end of it' }),
    before: Type.Optional(
      Type.Object(
        { fromMs: Type.Integer(), toMs: Type.Integer() },
        { description: 'the earlier range, after rounding' },
      ),
    ),
    sampleMs: Type.Optional(
      Type.Integer({ description: 'width of the samples of which peaks and percentiles of rates were taken' }),
    ),
    intervalMs: Type.Union([Type.Integer(), Type.Null()], { description: 'width of a bucket; null unless timeseries' }),
    filter: Type.Union([Type.String(), Type.Null()], { description: 'the filter in canonical form' }),
    rowsRead: Type.Integer(),
    elapsedMs: Type.Number({ description: 'time the store took' }),
    nextCursor: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    sql: Type.String({ description: 'the statement that ran; values stay parameters' }),
    params: Type.Record(Type.String(), Type.Unknown(), { description: 'the values bound to them' }),
    further: Type.Optional(
      Type.Array(Type.Object({ sql: Type.String(), params: Type.Record(Type.String(), Type.Unknown()) }), {
        description: 'further statements of the same answer',
      }),
    ),
  },
  { additionalProperties: false },
);

export const queryResponseSchema = Type.Object(
  {
    results: Type.Record(
      Type.String(),
      Type.Union([
        Type.Object({ frames: Type.Array(frameSchema), meta: metaSchema }),
        Type.Object({
          error: Type.String(),
          status: Type.Integer(),
          errors: Type.Optional(Type.Array(problemErrorSchema)),
        }),
      ]),
    ),
  },
  { description: 'one answer, or one error, per refId' },
);

export type QueryBody = Static<typeof querySchema>;
export type QueryRequestBody = Static<typeof queryRequestSchema>;
