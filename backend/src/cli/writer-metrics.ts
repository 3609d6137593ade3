/** Metrics of the writers beside the store; they are there when the writer is configured. */
import type { Registry } from 'prom-client';
import type { LaggingWriter, NdjsonWriter, VictoriaMetricsWriter } from '../storage/writers/index.js';
import { counted, countedBy, gauged } from './metrics.js';

export type VictoriaMetricsFigures = Pick<
  VictoriaMetricsWriter,
  'counters' | 'queueBytes' | 'series' | 'folded' | 'status'
>;

export function registerVictoriaMetricsMetrics(registry: Registry, writer: VictoriaMetricsFigures): void {
  const { counters } = writer;
  counted(
    registry,
    'netspectra_victoria_metrics_samples_sent_total',
    'Samples that VictoriaMetrics took',
    () => counters.sent,
  );
  countedBy(
    registry,
    'netspectra_victoria_metrics_samples_dropped_total',
    'Samples that VictoriaMetrics did not get: dropped from a full queue or at the end, or refused. The counts are in later ones',
    'reason',
    () => ({ queue: counters.dropped, refused: counters.refused }),
  );
  counted(
    registry,
    'netspectra_victoria_metrics_retries_total',
    'Requests to VictoriaMetrics that were tried again',
    () => counters.retries,
  );
  counted(
    registry,
    'netspectra_victoria_metrics_rows_folded_total',
    'Rows of counters that found no room for a series of their own and are in other="1"',
    () => writer.folded,
  );
  counted(
    registry,
    'netspectra_victoria_metrics_flushes_repeated_total',
    'Flushes that came twice and were counted once',
    () => counters.repeated,
  );
  gauged(registry, 'netspectra_victoria_metrics_series', 'Series that are sent', () => writer.series);
  gauged(
    registry,
    'netspectra_victoria_metrics_queue_bytes',
    'Samples that wait to be sent, compressed',
    () => writer.queueBytes,
  );
  gauged(
    registry,
    'netspectra_victoria_metrics_ok',
    '1 when the last request was taken, 0 when it was not',
    () => Number(writer.status().ok),
    'min',
  );
}

export interface FileFigures {
  readonly files: Pick<NdjsonWriter, 'counters' | 'bytes' | 'files'>;
  readonly queue: Pick<LaggingWriter, 'counters' | 'queueBytes' | 'status'>;
}

export function registerFileMetrics(registry: Registry, { files, queue }: FileFigures): void {
  const counter = (name: string, help: string, read: () => number): void =>
    counted(registry, `netspectra_files_${name}`, help, read);
  const gauge = (name: string, help: string, read: () => number): void =>
    gauged(registry, `netspectra_files_${name}`, help, read);
  const { counters } = files;
  counter('flushes_total', 'Flushes written to NDJSON files', () => counters.flushes);
  counter('flushes_repeated_total', 'Flushes that were in the files already', () => counters.repeated);
  counter(
    'flushes_dropped_total',
    'Flushes that are not in the files: the queue was full, or writing failed',
    () => queue.counters.dropped,
  );
  counter('rows_total', 'Rows written to NDJSON files', () => counters.rows);
  counter('rows_dropped_total', 'Rows of the flushes that were dropped', () => queue.counters.droppedRows);
  counter('written_bytes_total', 'Bytes written to NDJSON files, before compression', () => counters.bytes);
  counter('failures_total', 'Tries to write a flush that failed, as on a full disk', () => counters.failures);
  counter('rotated_total', 'NDJSON files closed because they were large or old enough', () => counters.rotated);
  counter('deleted_total', 'NDJSON files deleted to keep the limits', () => counters.deleted);
  counter('compress_failures_total', 'Closed files that could not be compressed yet', () => counters.compressFailures);
  counter(
    'torn_bytes_total',
    'Bytes cut off at the start, of flushes that a kill interrupted',
    () => counters.tornBytes,
  );
  gauge('queue_bytes', 'Rows that wait for the disk', () => queue.queueBytes);
  gauge('size_bytes', 'Bytes of all NDJSON files', () => files.bytes);
  gauge('count', 'NDJSON files', () => files.files);
  gauged(
    registry,
    'netspectra_files_ok',
    '1 when the last flush was written, 0 when it could not be',
    () => Number(queue.status().ok),
    'min',
  );
}
