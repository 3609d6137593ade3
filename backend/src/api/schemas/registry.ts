/** GET /dimensions, /measures and /values. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { id, rangeQuerystring } from './common.js';

export const valuesQuerystring = Type.Object(
  {
    dimension: id('id of a dimension'),
    prefix: Type.Optional(Type.String({ maxLength: 256, description: 'what was typed so far; case does not matter' })),
    ...rangeQuerystring,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 20 })),
  },
  { additionalProperties: false },
);

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
      kind: Type.String({ description: 'sum, rate, rate_quantile, share, ratio, distinct, average or quantile' }),
      tables: tableNames,
    }),
  ),
});

export type ValuesQuery = Static<typeof valuesQuerystring>;
