/** What an engine on the bus tells Prometheus, thread by thread; the process adds them up. docs/metrics.md lists it. */
import { Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { CounterName, EngineWorkerState, RunnerState } from '../cluster/index.js';
import { addCounts, mergeAccounting } from '../engine/accounting.js';
import type { AccountingReport } from '../engine/accounting.js';
import { counted, countedBy, gauged, registerEngineMetrics } from './metrics.js';

const latencyBuckets = [0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5, 10, 30, 60, 300];
const millisecondsPerSecond = 1000;

export interface BusEngineObserver {
  /** of what is stored, since the start */
  readonly accounts: AccountingReport;
  /** A stretch is stored. @param latencyMs from its last packet's time */
  stored(accounting: AccountingReport, latencyMs: number | null): void;
}

/** A scrape asks for every metric by itself; adding all streams up once for all of them is enough. */
const freshMs = 100;

function sometimes<T>(read: () => T): () => T {
  let last: { readonly value: T; readonly atMs: number } | undefined;
  return () => {
    const now = performance.now();
    if (!last || now - last.atMs > freshMs) last = { value: read(), atMs: now };
    return last.value;
  };
}

/** @param read called when the metrics are asked for */
export function registerBusEngineMetrics(registry: Registry, read: () => EngineWorkerState): BusEngineObserver {
  const state = sometimes(read);
  let accounts = mergeAccounting([]);
  const runners = (): RunnerState[] => state().partitions.map((one) => one.state);
  const sum = (read: (runner: RunnerState) => number): number =>
    runners().reduce((total, runner) => total + read(runner), 0);
  const newest = (): number => runners().reduce((most, { storedUntilMs }) => Math.max(most, storedUntilMs ?? 0), 0);
  const counter = (name: string, help: string, what: CounterName): void =>
    counted(registry, name, help, () => state().before[what] + sum((runner) => runner[what]));
  registerEngineMetrics(registry, {
    stored: () => accounts,
    limits: () => withSums(state().before.limits, runners(), ({ limits }) => limits),
    flows: () => state().flowsLive,
  });
  counter('netspectra_engine_messages_total', 'Messages read from the bus', 'messages');
  counter('netspectra_engine_message_bytes_total', 'Bytes of these messages', 'bytes');
  counter('netspectra_engine_packets_total', 'Packets taken from the bus, whether stored or not', 'packets');
  counter(
    'netspectra_engine_duplicate_messages_total',
    'Messages that were in the store already and were passed over',
    'duplicates',
  );
  counter(
    'netspectra_engine_missing_messages_total',
    'Messages of probes that did not come in time; the engine went on without them',
    'gaps',
  );
  counter('netspectra_engine_late_messages_total', 'Of these, messages that came after all and were taken', 'late');
  counter(
    'netspectra_engine_stream_missing_messages_total',
    "Messages that were gone from a partition's stream when they were asked for",
    'missing',
  );
  counter('netspectra_engine_flushes_total', 'Flushes of partitions that are stored', 'flushes');
  counter(
    'netspectra_engine_retries_total',
    'Times that the store or the bus did not answer and was asked again',
    'flushRetries',
  );
  counter(
    'netspectra_engine_streams_evicted_total',
    'Streams of probes that were let go because there were too many (engine.max_streams)',
    'streamsEvicted',
  );
  counter(
    'netspectra_engine_duplicate_packets_total',
    'Packets that another probe had brought already (engine.duplicates)',
    'duplicatePackets',
  );
  counter(
    'netspectra_engine_duplicates_late_packets_total',
    'Packets that came to the bus later than engine.duplicates.window after they were captured: copies may count twice',
    'duplicatesLatePackets',
  );
  counter(
    'netspectra_engine_duplicates_unjudged_packets_total',
    'Packets that could not be compared with those of other probes: without addresses, sampled, or of too many probes',
    'duplicatesUnjudgedPackets',
  );
  counter(
    'netspectra_engine_duplicates_overflows_total',
    'Times that remembered packets were forgotten early (engine.duplicates.max_packets, bus.stream_bytes)',
    'duplicatesOverflows',
  );
  gauged(registry, 'netspectra_engine_remembered_packets', 'Packets remembered to recognise copies of them', () =>
    sum(({ rememberedPackets }) => rememberedPackets),
  );
  countedBy(
    registry,
    'netspectra_engine_refused_messages_total',
    'Messages without packets for us, by why: not decodable, too large, or not what their name says',
    'reason',
    () => withSums(state().before.refused, runners(), ({ refused }) => refused),
  );
  counted(
    registry,
    'netspectra_engine_leases_lost_total',
    'Partitions that were lost to another engine because this one was silent for too long',
    () => state().leasesLost,
  );
  gauged(registry, 'netspectra_engine_partitions', 'Partitions that this engine works on', () => runners().length);
  gauged(registry, 'netspectra_engine_streams', 'Streams (probe, epoch, partition) that are remembered', () =>
    sum(({ streams }) => streams),
  );
  gauged(registry, 'netspectra_engine_waiting_messages', 'Messages that wait for one before them', () =>
    sum(({ waiting }) => waiting),
  );
  gauged(
    registry,
    'netspectra_engine_lag_messages',
    'Messages of its partitions on the bus that are not stored yet, read or not',
    () => sum(({ lag }) => lag),
  );
  gauged(registry, 'netspectra_engine_workers_seen', 'Workers of all engines on the bus', () => state().engines, 'max');
  gauged(
    registry,
    'netspectra_engine_stored_until_timestamp_seconds',
    'Time of the newest packet that is stored; 0 before the first',
    () => newest() / millisecondsPerSecond,
    'max',
  );
  const latency = new Histogram({
    name: 'netspectra_engine_latency_seconds',
    help: "From a packet's time to its row in the store, for the last packet of every stored stretch",
    buckets: latencyBuckets,
    registers: [registry],
  });
  return {
    get accounts() {
      return accounts;
    },
    stored(accounting, latencyMs) {
      accounts = mergeAccounting([accounts, accounting]);
      if (latencyMs !== null) latency.observe(Math.max(0, latencyMs / millisecondsPerSecond));
    },
  };
}

function withSums(
  before: Readonly<Record<string, number>>,
  runners: readonly RunnerState[],
  read: (runner: RunnerState) => Readonly<Record<string, number>>,
): Record<string, number> {
  const sums = { ...before };
  for (const runner of runners) addCounts(sums, read(runner));
  return sums;
}
