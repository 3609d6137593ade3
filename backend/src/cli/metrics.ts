/** Prometheus metrics of `netspectra up`: what was read, what was stored, what was not understood. */
import { collectDefaultMetrics, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { AccountingReport } from '../engine/accounting.js';
import type { RunProgress } from '../engine/manager.js';
import type { ClickHouseWriter } from '../storage/index.js';

/**
 * Register all metrics. Values are read when they are asked for. Counters that live elsewhere are exposed as gauges by
 * prom-client, so the type says gauge; they only rise within one process.
 */
export function registerMetrics(
  registry: Registry,
  writer: ClickHouseWriter,
  stored: () => AccountingReport,
  progress: () => RunProgress | null,
  limits: () => Readonly<Record<string, number>>,
): void {
  collectDefaultMetrics({ register: registry });
  const value = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  value('netspectra_packets_stored_total', 'Packets whose counts are in the store', () => stored().packets);
  value('netspectra_bytes_stored_total', 'Bytes on the wire of these packets', () => stored().bytes);
  value(
    'netspectra_packets_undecodable_total',
    'Packets that could not be decoded to the end',
    () => stored().undecodable,
  );
  value('netspectra_capture_packets_read', 'Packets read of the capture at hand', () => progress()?.packets ?? 0);
  value('netspectra_capture_bytes_read', 'Bytes read of the capture at hand', () => progress()?.read ?? 0);
  value('netspectra_store_flushes_total', 'Flushes stored', () => writer.counters.flushes);
  value('netspectra_store_inserts_total', 'Inserts stored', () => writer.counters.inserts);
  value('netspectra_store_rows_total', 'Rows stored', () => writer.counters.rows);
  value('netspectra_store_bytes_total', 'Bytes of rows stored', () => writer.counters.bytes);
  value('netspectra_store_retries_total', 'Inserts tried again', () => writer.counters.retries);
  value('netspectra_store_failures_total', 'Flushes given up', () => writer.counters.failures);
  new Gauge({
    name: 'netspectra_decode_errors_total',
    help: 'Packets that could not be decoded to the end, by reason',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      for (const [reason, count] of Object.entries(stored().reasons)) this.set({ reason }, count);
    },
  });
  new Gauge({
    name: 'netspectra_engine_limits_total',
    help: 'How often the engine met a limit, by which one',
    labelNames: ['limit'],
    registers: [registry],
    collect() {
      for (const [limit, count] of Object.entries(limits())) this.set({ limit }, count);
    },
  });
}
