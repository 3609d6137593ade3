/** Opens the store: engine or server, schema, retention. */
import { openChdb } from './chdb.js';
import { ClientStore, defaultLimits } from './client-store.js';
import type { StoreLimits } from './client-store.js';
import { checkLayout } from './cluster.js';
import { singleServer } from './layout.js';
import { migrate } from './migrate.js';
import { applyRetention } from './retention.js';
import type { Retention } from './retention.js';
import { layoutOf, openServer } from './server.js';
import type { ServerOptions } from './server.js';
import type { Store } from './store.js';

/** Where the data is: a folder for the embedded engine, or a ClickHouse server. */
export type StoreTarget = { readonly dataDir: string } | ServerOptions;

/** The part of a pino logger that is used here. */
export interface StoreLogger {
  info(fields: object, message: string): void;
}

export interface OpenStoreOptions {
  readonly logger?: StoreLogger | undefined;
  readonly limits?: Partial<StoreLimits> | undefined;
  /** seconds to keep rows, per table */
  readonly retention?: Retention | undefined;
  /** false leaves the schema as it is */
  readonly migrate?: boolean | undefined;
}

/**
 * Open the store and bring its schema up to date.
 * @throws UserError NS_CHDB_MISSING, NS_DATA_DIR_IN_USE, NS_DATA_DIR_UNUSABLE, NS_STORE_UNAVAILABLE,
 * NS_STORE_REJECTED, NS_CONFIG_NOT_FOUND, NS_CONFIG_INVALID, NS_SCHEMA_NEWER, NS_SCHEMA_CHANGED, NS_SCHEMA_LOCKED
 */
export async function openStore(target: StoreTarget, options: OpenStoreOptions = {}): Promise<Store> {
  const limits = { ...defaultLimits, ...options.limits };
  const backend =
    'dataDir' in target ? await openChdb(target.dataDir) : await openServer(target, limits.queryTimeoutMs);
  const store = new ClientStore(backend, limits, 'dataDir' in target ? singleServer : layoutOf(target));
  try {
    const version = await store.query('SELECT version() AS version');
    store.version = String(version.columns[0]?.values[0]);
    await checkLayout(store);
    if (options.migrate !== false) {
      const applied = await migrate(store);
      const changed = await applyRetention(store, options.retention ?? {});
      options.logger?.info(
        { store: store.kind, location: store.location, version: store.version, applied, retention: changed },
        'store opened',
      );
    }
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
