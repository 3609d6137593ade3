/** The shapes of requests and answers: what validates is what the OpenAPI document shows. */
import { Type } from '@sinclair/typebox';
import type { Static, TSchema } from '@sinclair/typebox';
import { filterLimits, queryLimits } from '@netspectra/query';

const time = (description: string) =>
  Type.Union([Type.String({ maxLength: 64 }), Type.Integer({ minimum: 0 })], {
    description: `${description}: RFC 3339 with an offset, or milliseconds since 1970`,
    examples: ['2026-01-31T12:00:00Z', 1_769_860_800_000],
  });

const id = (description: string) => Type.String({ minLength: 1, maxLength: 64, description });

/** Text of a filter; its own limit is in the filter language. */
export const filterText = Type.String({
  maxLength: filterLimits.lengthMax,
  description: 'filter language, see docs/query-language.md',
  examples: ['src_ip in 192.0.2.0/24 and dst_port = 443'],
});

export const querySchema = Type.Object(
  {
    refId: Type.String({
      minLength: 1,
      maxLength: queryLimits.refIdLengthMax,
      description: 'names the answer in `results`',
    }),
    type: Type.Union([Type.Literal('timeseries'), Type.Literal('table'), Type.Literal('flows')]),
    measures: Type.Optional(
      Type.Array(id('id of a measure, see /api/v1/measures'), {
        maxItems: queryLimits.measuresMax,
        description: 'what is computed',
      }),
    ),
    groupBy: Type.Optional(
      Type.Array(id('id of a dimension, see /api/v1/dimensions'), {
        maxItems: queryLimits.groupByMax,
        description: 'by what; none: in all',
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
      Type.Boolean({ description: 'with a limit: everything outside the first groups as one more, "other"' }),
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
      Type.Union([Type.Literal('both'), Type.Literal('client'), Type.Literal('server')], {
        description: 'count what both sides of a flow sent (default), or only one of them',
      }),
    ),
    units: Type.Optional(
      Type.Union([Type.Literal('base'), Type.Literal('display')], {
        description: 'display: times in milliseconds, shares in percent; base (default): nanoseconds and 0..1',
      }),
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
      interval: Type.Optional(Type.Number({ description: 'milliseconds between points' })),
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

export const problemErrorSchema = Type.Object({
  pointer: Type.String({ description: 'JSON pointer into the request, as a URI fragment' }),
  detail: Type.String(),
  position: Type.Optional(
    Type.Object({
      offset: Type.Integer(),
      length: Type.Integer(),
      line: Type.Integer(),
      column: Type.Integer(),
    }),
  ),
  suggestion: Type.Optional(Type.String()),
});

export const metaSchema = Type.Object(
  {
    tables: Type.Array(Type.String(), { description: 'the tables that answered' }),
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
    intervalMs: Type.Union([Type.Integer(), Type.Null()], { description: 'width of a bucket; null unless timeseries' }),
    filter: Type.Union([Type.String(), Type.Null()], { description: 'the filter in canonical form' }),
    rowsRead: Type.Integer(),
    elapsedMs: Type.Number({ description: 'time the store took' }),
    nextCursor: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    sql: Type.String({ description: 'the statement that ran; values stay parameters' }),
    params: Type.Record(Type.String(), Type.Unknown(), { description: 'the values bound to them' }),
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

export const problemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(problemErrorSchema)),
  },
  { description: 'RFC 9457 problem details' },
);

const problemResponse = {
  description: 'A problem (RFC 9457)',
  content: { 'application/problem+json': { schema: problemSchema } },
};

/**
 * Loosely typed on purpose: answers are typed by the query model, and tests hold them against these schemas.
 */
type ResponseSchemas = Record<string, object>;

/** Responses of a route: its answer, and a problem for everything else. */
export const answers = (description: string, schema: TSchema): ResponseSchemas => ({
  200: { description, content: { 'application/json': { schema } } },
  default: problemResponse,
});

/** Responses of a route that answers with text. */
export const textAnswers = (description: string, mediaType: string): ResponseSchemas => ({
  200: { description, content: { [mediaType]: { schema: Type.String() } } },
  default: problemResponse,
});

export const rangeQuerystring = {
  from: time('start of the range, included'),
  to: time('end of the range, not included'),
};

export const flowsQuerystring = Type.Object(
  {
    ...rangeQuerystring,
    filter: Type.Optional(filterText),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100, description: 'flows of a page' })),
    order: Type.Optional(
      Type.Union([Type.Literal('desc'), Type.Literal('asc')], {
        default: 'desc',
        description: 'by time of the first packet: newest or oldest first',
      }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 512, description: '`next` of the page before' })),
  },
  { additionalProperties: false },
);

export const valuesQuerystring = Type.Object(
  {
    dimension: id('id of a dimension'),
    prefix: Type.Optional(Type.String({ maxLength: 256, description: 'what was typed so far; case does not matter' })),
    ...rangeQuerystring,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 20 })),
  },
  { additionalProperties: false },
);

const ip = Type.String({ description: 'IPv4 dotted, or IPv6' });
const direction = (word: string) => ({
  [`${word}_packets`]: Type.Number(),
  [`${word}_bytes`]: Type.Number(),
});

export const flowSchema = Type.Object(
  {
    flow_id: Type.String({ description: '64 bits, in decimal: more than a JSON number holds' }),
    probe: Type.String(),
    first: Type.Number({ description: 'ms since 1970, with fractions' }),
    last: Type.Number(),
    client_ip: ip,
    client_port: Type.Integer(),
    server_ip: ip,
    server_port: Type.Integer(),
    protocol: Type.String(),
    application: Type.String(),
    vlan: Type.Integer({ description: '0: untagged' }),
    ...direction('client'),
    ...direction('server'),
  },
  { additionalProperties: true },
);

export const flowsResponseSchema = Type.Object({
  flows: Type.Array(flowSchema),
  next: Type.Union([Type.String(), Type.Null()], { description: 'cursor of the next page; null: this was the last' }),
  meta: metaSchema,
});

export const valuesResponseSchema = Type.Object({
  dimension: Type.String(),
  values: Type.Array(
    Type.Object({
      value: Type.Union([Type.String(), Type.Number()]),
      /** how much of it there was */
      count: Type.Number({ description: 'bytes, or records where the table counts records' }),
    }),
  ),
});

const tableNames = Type.Array(Type.String(), { description: 'tables that have it, cheapest first' });

export const dimensionsResponseSchema = Type.Object({
  dimensions: Type.Array(
    Type.Object({
      id: Type.String(),
      label: Type.String(),
      description: Type.String(),
      type: Type.String({ description: 'ip, port, number, text or enum' }),
      scope: Type.String({ description: 'directed: a flow has a value for each direction' }),
      tables: tableNames,
      aliases: Type.Array(Type.String(), { description: 'other words for it in filters' }),
      high_cardinality: Type.Boolean(),
    }),
  ),
});

export const measuresResponseSchema = Type.Object({
  measures: Type.Array(
    Type.Object({
      id: Type.String(),
      label: Type.String(),
      description: Type.String(),
      unit: Type.String({ description: "Grafana's unit id" }),
      kind: Type.String({ description: 'sum, rate, ratio, distinct, average or quantile' }),
      tables: tableNames,
    }),
  ),
});

export const filterValidateSchema = Type.Object(
  { filter: filterText },
  { additionalProperties: false, examples: [{ filter: 'src_ip in 192.0.2.0/24 and dst_port = 443' }] },
);

const tokens = Type.Array(Type.Object({}, { additionalProperties: true }), { description: 'parts, for highlighting' });

export const filterValidateResponseSchema = Type.Union([
  Type.Object({
    ok: Type.Literal(true),
    canonical: Type.String(),
    fields: Type.Array(Type.String()),
    tables: Type.Array(Type.String(), { description: 'tables that can answer it' }),
    directed: Type.Boolean({ description: 'uses fields that differ by direction, such as src_ip' }),
    tokens,
  }),
  Type.Object({ ok: Type.Literal(false), errors: Type.Array(problemErrorSchema), tokens }),
]);

export const healthResponseSchema = Type.Object({
  status: Type.Literal('ok'),
  version: Type.String(),
  uptime_seconds: Type.Integer(),
  dependencies: Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() })),
  watermarkMs: Type.Union([Type.Integer(), Type.Null()]),
});

export const openApiResponseSchema = Type.Object({ openapi: Type.String() }, { additionalProperties: true });

export type QueryBody = Static<typeof querySchema>;
export type QueryRequestBody = Static<typeof queryRequestSchema>;
export type FlowsQuery = Static<typeof flowsQuerystring>;
export type ValuesQuery = Static<typeof valuesQuerystring>;
