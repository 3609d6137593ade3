/**
 * `netspectra api`: the API alone, over a ClickHouse server. It reads no captures and runs no engine; how far the data goes
 * it learns from the store. As many as are wanted may run over one server, beside the processes that write to it. SIGINT or
 * SIGTERM ends it: running requests are answered, their queries cancelled, then exit code 0.
 */
import pino from 'pino';
import { Registry } from 'prom-client';
import { loadConfig } from '../config/index.js';
import { taskSchemas } from '../engine/tasks/index.js';
import { UserError } from '../errors.js';
import { accessConfig } from './access.js';
import { openConfiguredEnrichment } from './enrichment.js';
import { registerEnrichmentMetrics, registerProcessMetrics } from './metrics.js';
import { stopSignals, version } from './process.js';
import { openConfiguredRealtime, registerRealtimeMetrics } from './realtime.js';
import { serviceOf } from './service.js';
import { openConfiguredStore, storeEndMilliseconds } from './store.js';

export interface ApiOptions {
  config?: string;
  listen?: string;
}

/**
 * Serve until asked to end.
 * @returns exit code
 * @throws UserError NS_USAGE without a ClickHouse server in the configuration, and those of the configuration and the store
 */
export async function serveApi(options: ApiOptions): Promise<number> {
  const loaded = loadConfig({ path: options.config, env: process.env, taskSchemas: taskSchemas() });
  const config = { ...loaded, api: { ...loaded.api, listen: options.listen ?? loaded.api.listen } };
  if (config.storage.clickhouse.url === '') {
    throw new UserError(
      'NS_USAGE',
      'api needs a ClickHouse server, because the embedded database belongs to one process: set storage.clickhouse.url ' +
        '(NETSPECTRA_STORAGE_CLICKHOUSE_URL=http://host:8123), or use "netspectra up", which serves the API itself',
    );
  }
  accessConfig(config);
  const logger = pino({ name: 'netspectra', level: config.log.level }, pino.destination({ dest: 2, sync: true }));
  const enrichment = await openConfiguredEnrichment(config, logger);
  const stop = stopSignals();
  try {
    const realtime = await openConfiguredRealtime(config, logger, false);
    const store = await openConfiguredStore(config, logger, false).catch((error: unknown) => {
      realtime.close();
      throw error;
    });
    let givingUp: NodeJS.Timeout | undefined;
    try {
      const metrics = new Registry();
      registerProcessMetrics(metrics, version);
      registerEnrichmentMetrics(metrics, enrichment);
      registerRealtimeMetrics(metrics, realtime);
      const { api, guard, close } = serviceOf(config, store, logger, {
        metrics,
        hosts: enrichment.hosts,
        realtime,
        status: () => ({ dependencies: [], watermarkMs: null }),
      });
      try {
        await guard.announceFirstToken();
        const { address } = await api.start();
        logger.info({ address, store: store.location }, 'API listens');
        process.stderr.write(`netspectra: serving ${address} (API reference: ${address}/docs); Ctrl-C ends\n`);
        await stop.asked;
        // A server that does not answer holds up no end: requests are answered, if only that it failed.
        givingUp = setTimeout(() => void store.abandon(), storeEndMilliseconds);
        await api.stop();
      } finally {
        await close();
      }
    } finally {
      realtime.close();
      await store.close();
      clearTimeout(givingUp);
    }
  } finally {
    enrichment.close();
    stop.release();
  }
  return 0;
}
