/** POST /filter/…: a filter and what is known of it. */
import { Type } from '@sinclair/typebox';
import { filterText, problemErrorSchema } from './common.js';

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
