/** GET /hosts/active. */
import { Type } from '@sinclair/typebox';
import type { Static, TNumber } from '@sinclair/typebox';
import { filterText } from './common.js';

/** Longest look back, seconds. */
export const activeSecondsMax = 86_400;

export const activeHostsQuerystring = Type.Object(
  {
    seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: activeSecondsMax,
        default: 300,
        description: 'how far back from the latest stored packet',
      }),
    ),
    filter: Type.Optional(filterText),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100, description: 'hosts' })),
  },
  { additionalProperties: false },
);

const nullable = (type: TNumber, description: string) =>
  Type.Union([type, Type.Null()], { description: `${description}; null when real-time state answers` });

const hostSchema = Type.Object({
  address: Type.String({ description: 'IPv4 dotted, or IPv6' }),
  bytes: Type.Number({ description: 'sent and received' }),
  packets: Type.Number({ description: 'sent and received' }),
  bytes_sent: Type.Number(),
  bytes_received: Type.Number(),
  packets_sent: Type.Number(),
  packets_received: Type.Number(),
  flows: nullable(Type.Number(), 'different flows it took part in'),
  as_client: nullable(Type.Number(), 'of these, the ones it began'),
  first: nullable(Type.Number(), 'first packet in the range, ms since 1970'),
  last: Type.Number({ description: 'latest packet, ms since 1970' }),
});

export const activeHostsResponseSchema = Type.Object({
  hosts: Type.Array(hostSchema, { description: 'those that moved most bytes first' }),
  from: Type.Union([Type.Number(), Type.Null()], { description: 'ms since 1970; null when nothing is stored' }),
  to: Type.Union([Type.Number(), Type.Null()]),
  truncated: Type.Boolean({ description: 'there are more hosts than the limit, or than real-time state keeps' }),
  source: Type.Union(
    ['store', 'process', 'redis'].map((source) => Type.Literal(source)),
    { description: 'who answers: the store, or real-time state in this process or in Redis' },
  ),
});

export type ActiveHostsQuery = Static<typeof activeHostsQuerystring>;
