/** The writers of a configuration: the store, which decides, and what is configured beside it. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from '../config/index.js';
import type { DependencyStatus } from '../health.js';
import { createClickHouseWriter } from '../storage/index.js';
import type { Store, WriterOptions } from '../storage/index.js';
import {
  createFanOutWriter,
  createLaggingWriter,
  createVictoriaMetricsWriter,
  openNdjsonWriter,
} from '../storage/writers/index.js';
import type { LaggingWriter, NdjsonWriter, SideWriter, VictoriaMetricsWriter } from '../storage/writers/index.js';
import type { Writer } from '../tables/index.js';
import { registerStoreMetrics } from './metrics.js';
import { registerFileMetrics, registerVictoriaMetricsMetrics } from './writer-metrics.js';

/** Longest wait for what writers beside the store still hold when the process ends, milliseconds. */
const drainMs = 5_000;

/** A writer to all targets. Closing it waits for flushes under way, then for the others within a bound. */
export interface Writers extends Writer {
  /** rows may still be read when `write` has returned: others beside the store take their time */
  readonly readsLater: boolean;
  /** what is beside the store, for /readyz */
  status(): readonly DependencyStatus[];
}

export interface WritersOptions {
  /** of the store's writer */
  readonly store?: WriterOptions;
  /** the folder below storage.files.dir: for each of several writers of a process another one */
  readonly subfolder?: string;
}

/**
 * Open the writers and register their metrics.
 * @throws UserError NS_DATA_DIR_IN_USE, NS_DATA_DIR_UNUSABLE (storage.files.dir), NS_CONFIG_NOT_FOUND, NS_CONFIG_INVALID
 *   (certificates)
 */
export async function openWriters(
  config: Config,
  store: Store,
  metrics: Registry,
  logger: Logger,
  options: WritersOptions = {},
): Promise<Writers> {
  const beside: SideWriter[] = [];
  const victoriaMetrics = victoriaMetricsWriter(config, logger);
  if (victoriaMetrics) {
    registerVictoriaMetricsMetrics(metrics, victoriaMetrics);
    beside.push(victoriaMetrics);
  }
  const files = await fileWriter(config, logger, options).catch(async (error: unknown) => {
    await victoriaMetrics?.close();
    throw error;
  });
  if (files) {
    registerFileMetrics(metrics, files);
    beside.push(files.queue);
  }
  const observer = registerStoreMetrics(metrics, () => first.counters);
  const first = createClickHouseWriter(store, { ...options.store, observer });
  const all = createFanOutWriter(first, beside);
  return {
    readsLater: beside.length > 0,
    write: (flush, mayWrite) => all.write(flush, mayWrite),
    close: () => all.close(),
    status: () => beside.map((writer) => writer.status()),
  };
}

function victoriaMetricsWriter({ storage }: Config, logger: Logger): VictoriaMetricsWriter | null {
  const { url, user, password, token, tls, labels, vlan, interval, max_series, queue_bytes } = storage.victoria_metrics;
  if (url === '') return null;
  return createVictoriaMetricsWriter({
    ...{ url, user, password, token },
    tls: { caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file },
    labels: Object.fromEntries(
      labels.map((label) => [label.slice(0, label.indexOf('=')), label.slice(label.indexOf('=') + 1)]),
    ),
    vlan,
    intervalMs: interval * 1000,
    seriesMax: max_series,
    queueBytesMax: queue_bytes,
    drainMs,
    logger,
  });
}

/** The files, and the queue before them. */
export interface FileWriters {
  readonly files: NdjsonWriter;
  readonly queue: LaggingWriter;
}

async function fileWriter(
  { storage }: Config,
  logger: Logger,
  { subfolder }: WritersOptions,
): Promise<FileWriters | null> {
  const { dir, tables, rotate_bytes, rotate_interval, compress, max_files, max_bytes, queue_bytes } = storage.files;
  if (dir === '') return null;
  const files = await openNdjsonWriter({
    dir: subfolder === undefined ? dir : join(dir, subfolder),
    tables,
    rotateBytes: rotate_bytes,
    rotateMs: rotate_interval * 1000,
    compress,
    filesMax: max_files,
    bytesMax: max_bytes,
  });
  return {
    files,
    queue: createLaggingWriter(files, { name: 'files', tables, queueBytesMax: queue_bytes, drainMs, logger }),
  };
}
