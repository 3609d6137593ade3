/**
 * Where the tables of a store lie: on one server, copied to every server of a cluster, or spread over its shards. What
 * follows from it for names, statements and settings stands here and in schema.ts, and nowhere else
 * (docs/decisions/012-clickhouse-cluster.md).
 */

/** A cluster of the server's `remote_servers`. */
export interface ClusterLayout {
  /** replicated: each server has all rows. sharded: each shard has the rows of its partitions, on all its replicas */
  readonly kind: 'replicated' | 'sharded';
  readonly cluster: string;
  /** the database, which statements that run on other servers must name */
  readonly database: string;
  /** where in Keeper a table's replicas find each other: the server's macros, and {database} and {table} */
  readonly replicaPath: string;
  /** replicas that must have a block before an insert counts as done; below 2: the one that took it */
  readonly insertQuorum: number;
}

export type StoreLayout = { readonly kind: 'single' } | ClusterLayout;

/** One server, or the embedded engine. */
export const singleServer: StoreLayout = { kind: 'single' };

const localSuffix = '_local';

/** What a table that is spread is called on the servers where its rows lie; its own name stands for all of them together. */
export function localName(layout: StoreLayout, table: string): string {
  return layout.kind === 'sharded' ? `${table}${localSuffix}` : table;
}

/** A ClickHouse string literal. */
export const literal = (text: string): string => `'${text.replace(/[\\']/g, (c) => `\\${c}`)}'`;

/**
 * Rows of a table on every replica that can be reached, so several times over: for `max` and the like, and to be read with
 * `everyReplicaSettings`.
 */
export function everyReplica(layout: ClusterLayout, table: string): string {
  const { cluster, database } = layout;
  return `clusterAllReplicas(${literal(cluster)}, ${literal(database)}, ${literal(localName(layout, table))})`;
}

/** A replica that is down does not keep the others from answering. */
export const everyReplicaSettings = { skip_unavailable_shards: 1 } as const;

/** Settings of every query. */
export function querySettings(layout: StoreLayout): Readonly<Record<string, string | number>> {
  if (layout.kind === 'single') return {};
  return {
    // A subquery over a spread table means all its rows, not those of the shard that happens to run it.
    distributed_product_mode: 'global',
    // Half an answer is none, whatever a settings profile says.
    skip_unavailable_shards: 0,
  };
}

/** Settings of every insert. */
export function insertSettings(layout: StoreLayout): Readonly<Record<string, string | number>> {
  if (layout.kind === 'single') return {};
  return {
    // The answer comes when the shard has the rows: a queue on the server would outlive the engine that wrote them.
    ...(layout.kind === 'sharded' && { distributed_foreground_insert: 1 }),
    insert_quorum: layout.insertQuorum,
    insert_quorum_parallel: 1,
  };
}

/** Settings of every other statement: it is done when all servers have done it, and an error when one does not answer. */
export function statementSettings(layout: StoreLayout): Readonly<Record<string, string | number>> {
  if (layout.kind === 'single') return {};
  return { distributed_ddl_task_timeout: 60, distributed_ddl_output_mode: 'throw' };
}
