/** GET /flows: parameters, records and pages. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { filterText, rangeQuerystring } from './common.js';
import { metaSchema } from './query.js';

/** Flows of one page; exports have a limit of their own. */
export const flowPageMax = 10_000;

export const flowsQuerystring = Type.Object(
  {
    ...rangeQuerystring,
    filter: Type.Optional(filterText),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000_000,
        description: `flows of a page, at most ${flowPageMax} (absent: 100); of an export, all of it (absent: as many as the server allows)`,
      }),
    ),
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

export type FlowsQuery = Static<typeof flowsQuerystring>;
