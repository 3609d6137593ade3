/**
 * `netspectra engine`: takes packets from the bus, counts them, and writes to a ClickHouse server. As many engines as
 * are wanted share the partitions; each may be killed at any time. SIGINT or SIGTERM ends one: what it took is stored and
 * its partitions are given back, then exit code 0.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import type { BusErrorCode } from '@netspectra/collector/bus';
import { keepMemorySmall, shrinkHeap } from '@netspectra/collector/probe';
import pino from 'pino';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { loadConfig } from '../config/index.js';
import type { Config } from '../config/index.js';
import { taskSchemas } from '../engine/tasks/index.js';
import { UserError } from '../errors.js';
import { busUserError, openConfiguredBus, prepareStreams } from './bus.js';
import { EngineHealth } from './engine-health.js';
import { EngineThreads } from './engine-threads.js';
import { openConfiguredEnrichment } from './enrichment.js';
import { registerEnrichmentMetrics, registerProcessMetrics } from './metrics.js';
import { stopSignals, version } from './process.js';
import { openConfiguredStore } from './store.js';
import { serveStatus } from './status-http.js';

export interface EngineCommandOptions {
  config?: string;
  listen?: string;
}

const connectMilliseconds = 10_000;
const sampleMilliseconds = 1_000;
const giveBackMilliseconds = 500;
/** What waiting does not mend: an engine that went on would stand there doing nothing, or refuse every message. */
const withoutEngineCannotRun: readonly BusErrorCode[] = [
  'NS_BUS_NO_JETSTREAM',
  'NS_BUS_PERMISSION',
  'NS_BUS_CONFIGURATION',
];
/** beyond `engine.drain_timeout`, for leases and connections */
const endMilliseconds = 10_000;

/** @returns exit code */
export async function engine(options: EngineCommandOptions): Promise<number> {
  const loaded = loadConfig({ path: options.config, env: process.env, taskSchemas: taskSchemas() });
  const config = { ...loaded, engine: { ...loaded.engine, listen: options.listen ?? loaded.engine.listen } };
  if (config.storage.clickhouse.url === '') {
    throw new UserError(
      'NS_USAGE',
      'engine needs a ClickHouse server, because the embedded database belongs to one process: set storage.clickhouse.url ' +
        '(NETSPECTRA_STORAGE_CLICKHOUSE_URL=http://host:8123), or use "netspectra up", which does everything itself',
    );
  }
  const logger = pino({ name: 'netspectra', level: config.log.level }, pino.destination({ dest: 2, sync: true }));
  const stop = stopSignals();
  try {
    await prepare(config, logger);
    return await run(config, logger, stop.asked);
  } catch (error) {
    throw busUserError(error);
  } finally {
    stop.release();
  }
}

/** Bring schema and streams up to date, once for all threads; what is wrong with the configuration shows here. */
async function prepare(config: Config, logger: Logger): Promise<void> {
  const store = await openConfiguredStore(config, logger, true);
  await store.close();
  const bus = openConfiguredBus(config, 'netspectra engine', logger);
  try {
    await bus.ready(connectMilliseconds);
    await prepareStreams(bus, logger, withoutEngineCannotRun);
  } finally {
    await bus.close();
  }
}

async function run(config: Config, logger: Logger, asked: Promise<void>): Promise<number> {
  const id =
    config.engine.id ||
    `${hostname()
      .replace(/[^A-Za-z0-9_-]/g, '-')
      .slice(0, 63)}-${process.pid}-${randomBytes(3).toString('hex')}`;
  const count = config.engine.workers || availableParallelism();
  const giveBack = await keepMemorySmall(); // before there are threads
  const enrichment = await openConfiguredEnrichment(config, logger);
  await shrinkHeap();
  const threads = new EngineThreads(
    Array.from({ length: count }, (_, index) => ({
      config,
      id: `${id}-${index}`,
      index,
      threads: count,
      enrichment: enrichment.source.data,
    })),
  );
  const forget = enrichment.source.onChange((data) => threads.enrich(data));
  const givingBack = setInterval(giveBack, giveBackMilliseconds);
  const health = new EngineHealth(() => threads.states, config);
  const sampling = setInterval(() => health.sample(), sampleMilliseconds);
  const metrics = new Registry();
  registerProcessMetrics(metrics, version);
  registerEnrichmentMetrics(metrics, enrichment);
  try {
    const http = await serveStatus({
      listen: config.engine.listen,
      setting: 'engine.listen',
      metrics: {
        contentType: metrics.contentType,
        metrics: async () => `${await metrics.metrics()}\n${await threads.metrics()}`,
      },
      health: () => health.report(),
    });
    try {
      logger.info({ engine: id, threads: count, address: http.address }, 'engine runs');
      process.stderr.write(`netspectra: engine ${id}, ${http.address}/metrics; Ctrl-C ends\n`);
      await Promise.race([asked, threads.failed]);
      return await end(threads, config, logger);
    } finally {
      await http.close();
    }
  } finally {
    clearInterval(sampling);
    clearInterval(givingBack);
    forget();
    enrichment.close();
    await threads.terminate();
  }
}

async function end(threads: EngineThreads, config: Config, logger: Logger): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), config.engine.drain_timeout * 1000 + endMilliseconds);
  });
  const ended = await Promise.race([threads.stop(), late]);
  clearTimeout(timer);
  if (ended !== 'late' && ended.stored) {
    logger.info({}, 'engine ended');
    return 0;
  }
  logger.warn({}, 'not everything could be stored in time; it stays on the bus for the next engine');
  return 1;
}
