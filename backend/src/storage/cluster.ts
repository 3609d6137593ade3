/** What must be true of a cluster, and of the tables that are there, before a process writes to it. */
import { UserError } from '../errors.js';
import type { StoreLayout } from './layout.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';

/** Engine of the accounting table by layout. Others (of a managed service) are its own business. */
const layoutOfEngine: Readonly<Record<string, StoreLayout['kind']>> = {
  MergeTree: 'single',
  ReplicatedMergeTree: 'replicated',
  Distributed: 'sharded',
};
const words: Readonly<Record<StoreLayout['kind'], string>> = {
  single: 'one server',
  replicated: 'a cluster whose servers all have everything',
  sharded: 'a cluster with shards',
};

/**
 * Refuse a cluster that the server does not know or that is made otherwise than configured, and tables that were made for
 * another layout: a writer that took one for the other would count twice.
 * @throws UserError NS_CONFIG_INVALID, and those of Store.query
 */
export async function checkLayout(store: Store): Promise<void> {
  const { layout } = store;
  if (layout.kind !== 'single') await checkCluster(store, layout.cluster, layout.kind === 'sharded');
  const found = await store.query(
    "SELECT engine FROM system.tables WHERE database = {database:String} AND name = 'probe_stats'",
    { database: store.database },
  );
  const made = layoutOfEngine[String(found.columns[0]?.values[0])];
  if (made !== undefined && made !== layout.kind) {
    throw new UserError(
      'NS_CONFIG_INVALID',
      `the tables in ${store.location}, database ${store.database}, are those of ${words[made]}, and ${words[layout.kind]} is ` +
        'configured: set storage.clickhouse.cluster and sharded as when they were made, or choose another database',
    );
  }
}

async function checkCluster(store: Store, cluster: string, sharded: boolean): Promise<void> {
  const rows = rowsOf<{ name: string; shards: number; copying: number }>(
    await store.query(
      // Replicas copy from each other; a Distributed table that also writes to each would write twice.
      'SELECT cluster AS name, uniqExact(shard_num) AS shards, ' +
        'max(replica_num > 1 AND NOT internal_replication) AS copying FROM system.clusters GROUP BY cluster ORDER BY cluster',
    ),
  );
  const found = rows.find((row) => row.name === cluster);
  const refuse = (what: string): UserError =>
    new UserError('NS_CONFIG_INVALID', `the ClickHouse server ${store.location} ${what}`);
  if (!found) {
    const known = rows.slice(0, 20).map((row) => row.name);
    throw refuse(
      `knows no cluster ${cluster} (${known.length === 0 ? 'it knows none' : `it knows ${known.join(', ')}`}): check ` +
        'storage.clickhouse.cluster, and remote_servers on the server',
    );
  }
  if (!sharded && found.shards > 1) {
    throw refuse(
      `has ${found.shards} shards in the cluster ${cluster}: set storage.clickhouse.sharded, or name a cluster of one shard`,
    );
  }
  if (sharded && found.copying > 0) {
    throw refuse(
      `has shards in the cluster ${cluster} without internal_replication: set it to true in remote_servers, or each row is ` +
        'sent to every replica',
    );
  }
}
