/** GET /api/v1/probes and /engines: who captures and who reckons, how far they are, and what they lost. */
import type { LiveProbe } from '../../capture-rules/index.js';
import type { EngineBeat } from '../../realtime/index.js';
import type { Columns } from '../planner/index.js';
import { answers, enginesResponseSchema, probesResponseSchema } from '../schemas/index.js';
import type { App, RouteContext } from './context.js';

/** Sources that are listed of a probe. */
const sourcesMax = 20;
/** Engines that are listed. */
const enginesMax = 1_000;
/** Probes that are listed. */
const probesMax = 1_000;

const summed = [
  'packets',
  'bytes',
  'decoded',
  'undecodable',
  'filtered',
  'kernel_dropped',
  'late_packets',
  'flows_folded',
] as const;

/**
 * One row a (probe, epoch). The inner query puts a partition's reports together: counters add up, position and live flows are
 * those of its last one. Aliases differ from columns, or the engine would take one for the other.
 */
const sourcesSql = `
SELECT probe, toString(epoch) AS epoch_text, any(source_name) AS source_last, max(partition_count) AS partitions_max,
       min(position_last) AS position_min, count() = max(partition_count) AND min(done) = 1 AS complete_all,
       toUnixTimestamp64Nano(minIf(first_seen, p_packets > 0)) / 1e6 AS first_ms, toUnixTimestamp64Nano(max(last_seen)) / 1e6 AS last_ms,
       toUnixTimestamp(max(stored_last)) * 1000 AS stored_ms, sum(live) AS flows_live_now,
       ${summed.map((name) => `sum(p_${name}) AS s_${name}`).join(', ')}, sumMap(why) AS reasons_all
FROM (
  SELECT probe, epoch, partition, argMax(source, last_seq) AS source_name, max(partitions) AS partition_count,
         argMax(position, last_seq) AS position_last, max(complete) AS done, minIf(first_packet, packets > 0) AS first_seen,
         max(last_packet) AS last_seen, max(stored_at) AS stored_last, argMax(flows_live, last_seq) AS live,
         ${summed.map((name) => `sum(${name}) AS p_${name}`).join(', ')}, sumMap(reasons) AS why
  FROM probe_stats GROUP BY probe, epoch, partition
) GROUP BY probe, epoch ORDER BY probe, stored_ms DESC, epoch
LIMIT {probe_sources:UInt32} BY probe LIMIT {rows:UInt32}`;

/** What a probe did in all, whether or not each of its sources is listed. */
const probesSql = `
SELECT probe, ${summed.map((name) => `sum(${name}) AS s_${name}`).join(', ')}, sumMap(reasons) AS reasons_all,
       toUnixTimestamp64Nano(minIf(first_packet, packets > 0)) / 1e6 AS first_ms, toUnixTimestamp64Nano(max(last_packet)) / 1e6 AS last_ms,
       toUnixTimestamp(max(stored_at)) * 1000 AS stored_ms
FROM probe_stats GROUP BY probe ORDER BY probe LIMIT {rows:UInt32}`;

const secondsSince = (millis: number | null): number | null =>
  millis === null ? null : Math.max(0, Math.round((Date.now() - millis) / 100) / 10);

/** Rows without a packet say 0. */
const packetTime = (millis: number | null): number | null => (millis === 0 ? null : millis);

function sourceOf(columns: Columns, row: number) {
  return {
    source: String(columns.get('source_last')[row]),
    epoch: String(columns.get('epoch_text')[row]),
    partitions: columns.number('partitions_max', row),
    position: columns.number('position_min', row),
    complete: columns.number('complete_all', row) === 1,
    first_packet: packetTime(columns.number('first_ms', row)),
    last_packet: packetTime(columns.number('last_ms', row)),
    packets: columns.number('s_packets', row),
  };
}

function probeOf(columns: Columns, row: number) {
  const sum = (name: (typeof summed)[number]): number => columns.number(`s_${name}`, row) ?? 0;
  const lastPacket = packetTime(columns.number('last_ms', row));
  return {
    id: String(columns.get('probe')[row]),
    last_seen: columns.number('stored_ms', row),
    lag_seconds: secondsSince(lastPacket),
    first_packet: packetTime(columns.number('first_ms', row)),
    last_packet: lastPacket,
    packets: sum('packets'),
    bytes: sum('bytes'),
    decoded: sum('decoded'),
    drops: { kernel: sum('kernel_dropped'), filtered: sum('filtered'), undecodable: sum('undecodable') },
    undecodable_reasons: columns.get('reasons_all')[row] as Record<string, number>,
    late_packets: sum('late_packets'),
    flows_folded: sum('flows_folded'),
  };
}

/** What a probe says of itself, as it is answered. */
function liveOf({ status, heardAt, live, wanted, error }: LiveProbe) {
  const { health, capture_rules: rules } = status;
  const state = error !== '' ? 'failed' : rules.version === wanted || wanted === '' ? 'applied' : 'pending';
  return {
    state: live ? 'live' : 'silent',
    heard: heardAt,
    health: health.status,
    dependencies: health.dependencies,
    lost_share: health.lostShare,
    interfaces: status.interfaces,
    filter: status.filter,
    capture_rules: {
      state,
      rules: rules.rules,
      applied: rules.version,
      wanted,
      error,
      refused: rules.refused,
    },
    packets: status.received,
    bytes: status.bytes,
    drops: {
      kernel: status.kernelDropped,
      filtered: status.filtered,
      undecodable: status.undecodable,
      publish: status.publishDropped,
    },
    held: status.held,
    cpu_seconds: status.cpu_seconds,
    memory_bytes: status.memory_bytes,
  };
}

/** A probe of which nothing is stored yet. */
const unstored = (id: string) => ({
  id,
  last_seen: null,
  lag_seconds: null,
  first_packet: null,
  last_packet: null,
  packets: 0,
  bytes: 0,
  decoded: 0,
  drops: { kernel: 0, filtered: 0, undecodable: 0 },
  undecodable_reasons: {},
  late_packets: 0,
  flows_folded: 0,
  flows_live: 0,
  sources: [],
});

/** What the store knows and what probes say of themselves, by id. */
async function allProbes(context: RouteContext, signal: AbortSignal) {
  const heard = context.captureControl?.probes() ?? new Map<string, LiveProbe>();
  const stored = await askProbes(context, signal);
  const known = new Set(stored.map(({ id }) => id));
  const others = [...heard.keys()].filter((id) => !known.has(id)).sort();
  return [...stored, ...others.map(unstored)].slice(0, probesMax).map((probe) => {
    const live = heard.get(probe.id);
    return { ...probe, live: live ? liveOf(live) : null };
  });
}

async function askProbes({ runner }: RouteContext, signal: AbortSignal) {
  const params = { rows: probesMax };
  const [probes, sources] = await Promise.all([
    runner.run('probe_stats', { sql: probesSql, params }, signal),
    runner.run(
      'probe_stats',
      { sql: sourcesSql, params: { rows: probesMax * sourcesMax, probe_sources: sourcesMax } },
      signal,
    ),
  ]);
  const rowsBy = new Map<string, number[]>();
  sources.columns.get('probe').forEach((probe, row) => {
    const rows = rowsBy.get(String(probe));
    if (rows) rows.push(row);
    else rowsBy.set(String(probe), [row]);
  });
  return Array.from({ length: probes.columns.rows }, (_, row) => {
    const probe = probeOf(probes.columns, row);
    const rows = rowsBy.get(probe.id) ?? [];
    return {
      ...probe,
      flows_live: rows[0] === undefined ? 0 : (sources.columns.number('flows_live_now', rows[0]) ?? 0),
      sources: rows.map((each) => sourceOf(sources.columns, each)),
    };
  });
}

/** An engine of another process, as it told real-time state. */
const engineOf = (engine: EngineBeat) => ({
  id: engine.id,
  state: engine.state,
  source: engine.source,
  workers: engine.workers,
  packets_read: engine.packetsRead,
  packets_stored: engine.packetsStored,
  bytes_stored: engine.bytesStored,
  flows_live: engine.flowsLive,
  watermark: engine.watermarkMs,
  lag_seconds: secondsSince(engine.watermarkMs),
  memory_bytes: engine.memoryBytes,
  limits: engine.limits,
});

export function probesRoutes(app: App, context: RouteContext): void {
  const { runner, status } = context;
  app.get(
    '/api/v1/probes',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['operation'],
        summary: 'Probes: what they read, how far they are, and what they dropped by reason',
        description:
          'From the accounting rows in the store, so it covers every probe that ever stored something there; `live` is what ' +
          'a probe says of itself over the bus (`api.bus`), and which capture rules it has.',
        response: answers('All probes', probesResponseSchema),
      },
    },
    async (_request, reply) => reply.send({ probes: await allProbes(context, runner.signalOf(reply)) }),
  );
  app.get(
    '/api/v1/engines',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['operation'],
        summary: 'Engines: state, workers, live flows, memory and lag',
        description:
          'The one of this process, and all that told of themselves in the last ten seconds over Redis or the bus (`api.bus`). ' +
          'Without any of these the list is empty: ask /api/v1/probes.',
        response: answers('The engines', enginesResponseSchema),
      },
    },
    async (_request, reply) => {
      const { engines = [], watermarkMs } = status();
      const probes = engines.length === 0 ? [] : await askProbes(context, runner.signalOf(reply));
      const told = await context.realtime?.ask((view) => view.engines());
      const here = new Set(engines.map(({ id }) => id));
      const heard = [...(told?.value ?? []), ...(context.heardEngines?.() ?? [])].map(
        (beat) => [beat.id, beat] as const,
      );
      const others = [...new Map(heard).values()]
        .filter(({ id }) => !here.has(id))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      const own = engines.map((engine) => ({
        id: engine.id,
        state: engine.state,
        source: engine.source,
        workers: engine.workers,
        packets_read: engine.packetsRead,
        packets_stored: engine.packetsStored,
        bytes_stored: engine.bytesStored,
        flows_live: probes.find(({ id }) => id === engine.id)?.flows_live ?? 0,
        watermark: watermarkMs,
        lag_seconds: secondsSince(watermarkMs),
        memory_bytes: process.memoryUsage.rss(),
        limits: engine.limits,
      }));
      return reply.send({ engines: [...own, ...others.map(engineOf)].slice(0, enginesMax) });
    },
  );
}
