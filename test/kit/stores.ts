/** The two kinds of store behind one interface, for tests that hold both to the same promises. */
import { join } from 'node:path';
import { openStore } from '../../backend/src/storage/index.js';
import type { OpenStoreOptions, StoreTarget } from '../../backend/src/storage/connect.js';
import type { Store } from '../../backend/src/storage/index.js';
import { temporaryDataDir } from '../../backend/src/storage/testing.js';
import { startClickHouse } from './clickhouse.js';
import type { ClickHouse } from './clickhouse.js';

/** Somewhere to keep data, of one kind. */
export interface TestTarget {
  readonly target: StoreTarget;
  /** the server; null when the store is embedded */
  readonly server: ClickHouse | null;
  /** Open it; the caller closes. */
  open(options?: OpenStoreOptions): Promise<Store>;
  /** End the server and remove the data. Close the stores first. */
  remove(): Promise<void>;
}

export interface StoreKind {
  readonly kind: Store['kind'];
  start(): Promise<TestTarget>;
}

async function startEmbedded(): Promise<TestTarget> {
  const folder = temporaryDataDir();
  const target = { dataDir: folder.path };
  return {
    target,
    server: null,
    open: (options) => openStore(target, options),
    remove: async () => folder.remove(),
  };
}

async function startServer(): Promise<TestTarget> {
  const folder = temporaryDataDir();
  const server = await startClickHouse({ dataDir: join(folder.path, 'server'), users: ['writer:se%cret'] });
  const target = { url: server.url, user: 'writer', password: 'se%cret', database: 'traffic' };
  return {
    target,
    server,
    open: (options) => openStore(target, options),
    remove: async () => {
      await server.stop();
      folder.remove();
    },
  };
}

/** A server that is the only one of a cluster `main`, and a store on it with shards. */
export async function startCluster(): Promise<TestTarget> {
  const folder = temporaryDataDir();
  const server = await startClickHouse({ dataDir: join(folder.path, 'server'), cluster: 'main' });
  const target = {
    url: server.url,
    database: 'traffic',
    cluster: {
      name: 'main',
      sharded: true,
      replicaPath: '/clickhouse/tables/{shard}/{database}/{table}',
      insertQuorum: 0,
    },
  };
  return {
    target,
    server,
    open: (options) => openStore(target, options),
    remove: async () => {
      await server.stop();
      folder.remove();
    },
  };
}

/** For `describe.each(storeKinds)('... of the $kind store', ({ start }) => ...)`. */
export const storeKinds: readonly StoreKind[] = [
  { kind: 'embedded', start: startEmbedded },
  { kind: 'server', start: startServer },
];
