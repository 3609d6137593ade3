/** The store of the configuration. Apart from `service.ts`, so that who serves no API does not load one. */
import type { Logger } from 'pino';
import type { Config } from '../config/index.js';
import { openStore } from '../storage/index.js';
import type { ServerOptions, Store, StoreTarget } from '../storage/index.js';

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
