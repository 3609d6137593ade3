/** What `up` and `api` share: the store of the configuration, and the API over it. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createApi } from '../api/index.js';
import type { Api, ApiDeps, StatusProvider } from '../api/index.js';
import type { Config } from '../config/index.js';
import { openStore } from '../storage/index.js';
import type { ServerOptions, Store, StoreTarget } from '../storage/index.js';
import { guardApi } from './access.js';
import type { ApiGuard } from './access.js';
import { openApiBus, registerApiBusMetrics } from './api-bus.js';
import type { ProbeSignals } from './api-bus.js';
import { version } from './process.js';

/** When a process ends, what still waits for the store may wait so long: requests under way, rows beside the source's. */
export const storeEndMilliseconds = 5_000;

/** The server of the configuration. */
export function serverOptions({ storage }: Config): ServerOptions {
  const { url, user, password, database, cluster, sharded, tls } = storage.clickhouse;
  const files = { caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file };
  const { replica_path: replicaPath, insert_quorum: insertQuorum } = storage.clickhouse;
  return {
    url,
    user,
    password,
    database,
    ...(cluster !== '' && { cluster: { name: cluster, sharded, replicaPath, insertQuorum } }),
    tls: files,
  };
}

const storeTarget = (config: Config): StoreTarget =>
  config.storage.clickhouse.url === '' ? { dataDir: config.storage.data_dir } : serverOptions(config);

/**
 * Open the store that the configuration names and bring its schema up to date.
 * @param keepsRetention sets how long rows are kept: one process of a store should, the one that writes
 * @throws UserError, as openStore
 */
export function openConfiguredStore(config: Config, logger: Logger, keepsRetention: boolean): Promise<Store> {
  return openStore(storeTarget(config), {
    logger,
    limits: { queryMemoryBytes: config.storage.query_memory, queryTimeoutMs: config.api.query_timeout * 1000 },
    ...(keepsRetention && { retention: config.storage.ttl }),
  });
}

/** The same for a thread whose process has brought the schema up to date. */
export function openMigratedStore(config: Config): Promise<Store> {
  return openStore(storeTarget(config), { migrate: false });
}

/** What differs between the processes that serve the API. */
export type ServiceDeps = Omit<ApiDeps, 'store' | 'management' | 'logger' | 'version' | 'metrics'> & {
  readonly metrics: Registry;
  /** of a probe in this process; without it probes are told over the bus, where the configuration says so */
  readonly signals?: ProbeSignals | null;
};

export interface Service {
  readonly api: Api;
  readonly guard: ApiGuard;
  /** Ends the connection to the bus, where there is one; after the API has stopped. */
  close(): Promise<void>;
}

/** The API over a store, guarded as the configuration says. Nothing listens before `api.start()`. */
export function serviceOf(config: Config, store: Store, logger: Logger, deps: ServiceDeps): Service {
  const { windows } = config.engine;
  const guard = guardApi(config, store, logger);
  const bus = openApiBus(config, guard.management.captureRules, logger, deps.signals ?? null);
  registerApiBusMetrics(deps.metrics, () => bus);
  const status: StatusProvider = () => {
    const told = deps.status();
    const busStatus = bus?.status();
    return busStatus ? { ...told, dependencies: [...told.dependencies, busStatus] } : told;
  };
  const control = bus ? { captureControl: bus.director, heardEngines: () => bus.engines.engines() } : {};
  const api = createApi(
    { ...deps, ...control, status, store, management: guard.management, logger, version },
    {
      listen: config.api.listen,
      access: guard.access,
      limits: {
        rowsMax: config.api.max_rows,
        exportRowsMax: config.api.max_export_rows,
        flowRowsMax: config.api.max_flow_rows,
        rangeSecondsMax: config.api.max_range,
        queryMillisMax: config.api.query_timeout * 1000,
        concurrency: config.api.concurrency,
      },
      windows: {
        counterSeconds: windows.counter_seconds,
        flowSeconds: windows.flow_seconds,
        sketchSeconds: windows.sketch_seconds,
      },
    },
  );
  return { api, guard, close: async () => bus?.close() };
}
