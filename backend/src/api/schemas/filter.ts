/** POST /filter/…: a filter and what is known of it. */
import { Type } from '@sinclair/typebox';
import { filterLimits } from '@netspectra/query';
import { filterText, problemErrorSchema } from './common.js';

export const filterValidateSchema = Type.Object(
  { filter: filterText },
  { additionalProperties: false, examples: [{ filter: 'src_ip in 192.0.2.0/24 and dst_port = 443' }] },
);

const tokens = Type.Array(
  Type.Object({
    role: Type.String({
      description: 'field, keyword, operator, punctuation, number, address, name, text, regex or invalid',
    }),
    offset: Type.Integer(),
    length: Type.Integer(),
  }),
  { description: 'parts, for highlighting; every character that is no space is in one' },
);

const capture = Type.Union(
  [
    Type.Object({
      ok: Type.Literal(true),
      text: Type.String({ description: 'pcap-filter expression; empty keeps everything' }),
      exact: Type.Boolean({ description: 'false: the kernel keeps more, and the probe filters the rest' }),
      notes: Type.Array(Type.String(), { description: 'why it is not exact' }),
    }),
    Type.Object({ ok: Type.Literal(false), reasons: Type.Array(problemErrorSchema) }),
  ],
  { description: 'the filter as a capture filter of the kernel, or why it cannot be one' },
);

export const filterValidateResponseSchema = Type.Union([
  Type.Object({
    ok: Type.Literal(true),
    canonical: Type.String(),
    fields: Type.Array(Type.String()),
    tables: Type.Array(Type.String(), { description: 'tables that can answer it' }),
    directed: Type.Boolean({ description: 'uses fields that differ by direction, such as src_ip' }),
    tokens,
    capture,
  }),
  Type.Object({ ok: Type.Literal(false), errors: Type.Array(problemErrorSchema), tokens }),
]);

export const filterCompleteSchema = Type.Object(
  {
    filter: Type.String({ maxLength: filterLimits.lengthMax, description: 'the text so far, also a wrong one' }),
    offset: Type.Optional(
      Type.Integer({ minimum: 0, description: 'where the cursor is, UTF-16 units; absent: at the end' }),
    ),
    values: Type.Optional(
      Type.Array(Type.Union([Type.String(), Type.Number()]), {
        maxItems: 1000,
        description: 'values of the dimension that an earlier answer wanted, to be offered too',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ filter: 'src_ip in 192.0.2.0/24 and dst_p', offset: 32 }] },
);

export const filterCompleteResponseSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      label: Type.String(),
      kind: Type.String({ description: 'field, operator, value, keyword, function or snippet' }),
      insert: Type.String({ description: 'text to put in place of replaceFrom .. replaceTo' }),
      replaceFrom: Type.Integer(),
      replaceTo: Type.Integer(),
      detail: Type.String(),
      documentation: Type.String(),
    }),
  ),
  wantsValues: Type.Optional(
    Type.Object(
      { dimension: Type.String(), prefix: Type.String() },
      { description: 'what to ask GET /values for; send its answers as `values`' },
    ),
  ),
});
