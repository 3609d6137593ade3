/** GET /probes and /engines. */
import { Type } from '@sinclair/typebox';

const time = (description: string) =>
  Type.Union([Type.Number(), Type.Null()], { description: `${description}, milliseconds since 1970` });
const count = (description: string) => Type.Number({ description });

const counters = {
  packets: count('packets that were looked at'),
  bytes: count('their length on the wire'),
  decoded: count('packets decoded to the end'),
  drops: Type.Object(
    {
      kernel: count('dropped by the kernel before they were read'),
      filtered: count('left out by a capture rule'),
      undecodable: count('not decoded to the end; `undecodable_reasons` says why'),
    },
    { description: 'packets that are not in the flows, by reason' },
  ),
  undecodable_reasons: Type.Record(Type.String(), Type.Number()),
  late_packets: count('counted, but older than their window'),
  flows_folded: count('flows that were folded into "other" because a flow table was full'),
};

const sourceSchema = Type.Object({
  source: Type.String({ description: 'capture file or interface' }),
  epoch: Type.String({ description: 'names the content; 64 bits in decimal' }),
  partitions: Type.Integer({ description: 'slices of its flows, each handled by one worker' }),
  position: count('offset in the source up to which all is stored'),
  complete: Type.Boolean({ description: 'it was read to its end' }),
  first_packet: time('first packet'),
  last_packet: time('latest packet'),
  packets: count('of it'),
});

const probeSchema = Type.Object({
  id: Type.String(),
  last_seen: time('clock time at which it last stored something'),
  lag_seconds: Type.Union([Type.Number(), Type.Null()], {
    description: 'clock time between its latest packet and now; large for a capture file of the past',
  }),
  first_packet: time('first packet'),
  last_packet: time('latest packet'),
  flows_live: count('flows in its flow tables at the last flush of its latest source'),
  ...counters,
  sources: Type.Array(sourceSchema, { description: 'what it read, the latest first; at most 20' }),
});

export const probesResponseSchema = Type.Object({ probes: Type.Array(probeSchema) });

const engineSchema = Type.Object({
  id: Type.String({ description: 'its probe' }),
  state: Type.Union(['starting', 'reading', 'idle', 'stopping'].map((state) => Type.Literal(state))),
  source: Type.Union([Type.String(), Type.Null()], { description: 'what it reads now' }),
  workers: Type.Integer({ description: 'threads, each with a partition of the flows' }),
  packets_read: count('of the source at hand'),
  packets_stored: count('since the process began'),
  bytes_stored: count('since the process began'),
  flows_live: count('flows in its flow tables at the last flush'),
  watermark: time('event time up to which all is stored'),
  lag_seconds: Type.Union([Type.Number(), Type.Null()], { description: 'clock time between the watermark and now' }),
  memory_bytes: count('resident memory of the process, the embedded database with it'),
  limits: Type.Record(Type.String(), Type.Number(), { description: 'how often limits were met, by name' }),
});

export const enginesResponseSchema = Type.Object({
  engines: Type.Array(engineSchema, { description: 'of this process; none where only the API runs' }),
});
