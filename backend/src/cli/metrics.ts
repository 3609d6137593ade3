/**
 * Prometheus metrics of a process: the process itself, its engine, and what it writes. The API adds its own to the same
 * registry (backend/src/api). docs/metrics.md lists them all and is made from them by metrics.test.ts.
 *
 * Names end in their unit, counters in _total, and nothing that comes from the wire is a label: every label has a fixed
 * set of values (tables, reasons, limits), so that no capture can make time series without bound.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram } from 'prom-client';
import type { Aggregator, Registry } from 'prom-client';
import type { AccountingReport } from '../engine/accounting.js';
import type { EngineHeld } from '../engine/manager.js';
import type { EnrichmentSource, ReverseDns } from '../enrichment/index.js';
import type { WriterCounters, WriterObserver } from '../storage/index.js';
import { tables } from '../tables/index.js';

/** Gauges of prom-client that are named like counters, against the naming rules that promtool holds. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

const durationBuckets = [0.005, 0.02, 0.1, 0.3, 1, 3, 10, 30];

/** CPU, memory, event loop and garbage collection, and what runs. */
export function registerProcessMetrics(registry: Registry, version: string): void {
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  new Gauge({
    name: 'netspectra_build_info',
    help: 'Always 1; its labels say which version of NetSpectra and Node.js runs',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1);
}

/** What every engine tells; read when the metrics are asked for. */
export interface EngineFigures {
  /** accounts of what is in the store, since the process began */
  stored(): AccountingReport;
  /** how often limits were met, by name */
  limits(): Readonly<Record<string, number>>;
  /** flows in the tables */
  flows(): number;
}

export function registerEngineMetrics(registry: Registry, figures: EngineFigures): void {
  const counter = (name: string, help: string, read: () => number): void => counted(registry, name, help, read);
  counter('netspectra_packets_stored_total', 'Packets whose counts are in the store', () => figures.stored().packets);
  counter('netspectra_bytes_stored_total', 'Bytes on the wire of these packets', () => figures.stored().bytes);
  counter(
    'netspectra_packets_undecodable_total',
    'Packets that could not be decoded to the end; they are counted nevertheless',
    () => figures.stored().undecodable,
  );
  countedBy(
    registry,
    'netspectra_decode_errors_total',
    'Packets that could not be decoded to the end, by reason',
    'reason',
    () => figures.stored().reasons,
  );
  countedBy(
    registry,
    'netspectra_engine_limits_total',
    'How often the engine met a limit or had to guess around a loss, by which one',
    'limit',
    () => figures.limits(),
  );
  gauged(registry, 'netspectra_engine_flows', 'Flows in the flow tables, as of the last flush', () => figures.flows());
}

/** What an engine that reads captures itself tells besides. */
export interface CaptureFigures {
  /** packets read since the process began, whether stored or not */
  packetsRead(): number;
  /** bytes read of the capture at hand */
  captureBytesRead(): number;
  /** bytes of the capture at hand; 0 when not known */
  captureBytes(): number;
  held(): EngineHeld;
}

export function registerCaptureMetrics(registry: Registry, figures: CaptureFigures): void {
  counted(registry, 'netspectra_packets_read_total', 'Packets read from captures', () => figures.packetsRead());
  const gauge = (name: string, help: string, read: () => number): void => gauged(registry, name, help, read);
  gauge('netspectra_capture_read_bytes', 'Bytes read of the capture at hand', () => figures.captureBytesRead());
  gauge('netspectra_capture_size_bytes', 'Size of the capture at hand; 0 when not known', () => figures.captureBytes());
  gauge(
    'netspectra_engine_chunks',
    'Chunks of the capture that were begun and that not every worker has taken its packets of',
    () => figures.held().chunks,
  );
  gauge(
    'netspectra_engine_flushes_waiting',
    'Flushes that wait for the store or are being written',
    () => figures.held().flushes,
  );
}

/** What a process knows about addresses: how old its databases are, and what became of questions to DNS. */
export interface EnrichmentFigures {
  readonly source: Pick<EnrichmentSource, 'counters' | 'databases' | 'enricher'>;
  /** null: it is off */
  readonly reverseDns: Pick<ReverseDns, 'counters' | 'size'> | null;
}

export function registerEnrichmentMetrics(registry: Registry, { source, reverseDns }: EnrichmentFigures): void {
  counted(
    registry,
    'netspectra_enrichment_reloads_total',
    'Changed enrichment databases that were taken',
    () => source.counters.reloads,
  );
  counted(
    registry,
    'netspectra_enrichment_refused_total',
    'Changed enrichment databases that could not be used; the one before stays',
    () => source.counters.refused,
  );
  counted(
    registry,
    'netspectra_enrichment_damaged_records_total',
    'Records of the databases that could not be read when answers asked for them; the engine counts its own among its limits',
    () => source.enricher.counters.damagedRecords,
  );
  new Gauge({
    name: 'netspectra_enrichment_database_built_timestamp_seconds',
    help: 'When the enrichment database in use was built, as it says, by the key that names it',
    labelNames: ['database'],
    registers: [registry],
    collect() {
      for (const { key, built } of source.databases) this.set({ database: key }, built.getTime() / 1000);
    },
  });
  countedBy(
    registry,
    'netspectra_reverse_dns_answers_total',
    'Questions for names of addresses, by what became of them: found, absent, failed, refused (no host name), dropped (too many waited)',
    'result',
    () => {
      const { found = 0, absent = 0, failed = 0, refused = 0, dropped = 0 } = reverseDns?.counters ?? {};
      return { found, absent, failed, refused, dropped };
    },
  );
  new Gauge({
    name: 'netspectra_reverse_dns_remembered',
    help: 'Addresses whose names (or that they have none) are remembered',
    registers: [registry],
    collect() {
      this.set(reverseDns?.size ?? 0);
    },
  });
}

/** @returns what the writer is to tell; give it to createClickHouseWriter */
export function registerStoreMetrics(registry: Registry, counters: () => WriterCounters): WriterObserver {
  const read = (name: string, help: string, value: () => number): void => counted(registry, name, help, value);
  read('netspectra_store_flushes_total', 'Flushes stored', () => counters().flushes);
  read('netspectra_store_failures_total', 'Flushes given up', () => counters().failures);
  read('netspectra_store_retries_total', 'Inserts tried again', () => counters().retries);
  const rows = new Counter({
    name: 'netspectra_store_rows_total',
    help: 'Rows stored, by table',
    labelNames: ['table'],
    registers: [registry],
  });
  const bytes = new Counter({
    name: 'netspectra_store_bytes_total',
    help: 'Bytes of rows stored, as text before compression, by table',
    labelNames: ['table'],
    registers: [registry],
  });
  const insertSeconds = new Histogram({
    name: 'netspectra_store_insert_duration_seconds',
    help: 'Time of an insert that was stored, by table',
    labelNames: ['table'],
    buckets: durationBuckets,
    registers: [registry],
  });
  const flushSeconds = new Histogram({
    name: 'netspectra_store_flush_duration_seconds',
    help: 'Time of a flush, all its inserts with their retries',
    buckets: durationBuckets,
    registers: [registry],
  });
  // So that a rate can be asked for before the first row comes.
  for (const table of Object.keys(tables)) {
    rows.inc({ table }, 0);
    bytes.inc({ table }, 0);
  }
  return {
    inserted(table, rowCount, byteCount, seconds) {
      rows.inc({ table }, rowCount);
      bytes.inc({ table }, byteCount);
      insertSeconds.observe({ table }, seconds);
    },
    flushed: (seconds) => flushSeconds.observe(seconds),
  };
}

/** A gauge whose value lives elsewhere. @param aggregator what several threads' values make together; else their sum */
export function gauged(
  registry: Registry,
  name: string,
  help: string,
  read: () => number,
  aggregator: Aggregator = 'sum',
): void {
  new Gauge({
    name,
    help,
    aggregator,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** A counter whose value lives elsewhere. */
export function counted(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

/** The same, by a label with a fixed set of values. */
export function countedBy<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  label: Label,
  read: () => Readonly<Record<string, number>>,
): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of Object.entries(read())) {
        this.inc({ [label]: value } as Record<Label, string>, count);
      }
    },
  });
}
