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

const dependencySchema = Type.Object({
  name: Type.String(),
  ok: Type.Boolean(),
  optional: Type.Optional(Type.Boolean({ description: 'not being ok is a warning' })),
  detail: Type.String(),
});

const liveSchema = Type.Object(
  {
    state: Type.Union([Type.Literal('live'), Type.Literal('silent')], {
      description: 'silent: nothing was heard of it for five seconds',
    }),
    heard: time('clock time at which it last told how it is'),
    health: Type.Union([Type.Literal('ok'), Type.Literal('warn'), Type.Literal('error')]),
    dependencies: Type.Array(dependencySchema, { description: 'as its /readyz says' }),
    lost_share: Type.Number({ description: "of the last minute's packets, 0 to 1" }),
    interfaces: Type.Array(Type.Object({ name: Type.String(), state: Type.String() })),
    filter: Type.String({ description: 'its own filter; rules only narrow it' }),
    capture_rules: Type.Object(
      {
        state: Type.Union([Type.Literal('applied'), Type.Literal('pending'), Type.Literal('failed')], {
          description: 'failed: `error` says why; those before stay in force',
        }),
        rules: count('rules in force'),
        applied: Type.String({ description: 'version in force; empty: it never heard of rules' }),
        wanted: Type.String({
          description: 'version it should have; empty: no rule was ever made, or it cannot be told',
        }),
        error: Type.String(),
        refused: count('control messages that it refused since it started'),
      },
      { description: 'the state of its capture rules' },
    ),
    packets: count('since it started, those its kernel dropped included'),
    bytes: count('on the wire, of the packets it decoded'),
    drops: Type.Object({
      kernel: count('the ring had no room'),
      filtered: count('left out by filter and capture rules, so far as the kernel did not do it'),
      undecodable: count('not decoded to the end'),
      publish: count('the bus took no more'),
    }),
    held: count('packets of messages that are not confirmed yet'),
    cpu_seconds: count('processor time since it started'),
    memory_bytes: count('resident memory'),
  },
  { description: 'what it says of itself once a second over the bus' },
);

const probeSchema = Type.Object({
  id: Type.String(),
  live: Type.Union([liveSchema, Type.Null()], {
    description: 'null: not heard for an hour, or this process has no connection to the bus (api.bus)',
  }),
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
  id: Type.String({ description: "of this process: its probe; of `netspectra engine`: the engine's" }),
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
  engines: Type.Array(engineSchema, { description: 'of this process, and those that Redis knows of' }),
});
