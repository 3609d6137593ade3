/**
 * The one template every table's DDL comes from: for one server, for a cluster whose servers all have everything, and for one
 * whose shards share the rows (docs/decisions/012-clickhouse-cluster.md). What differs is in `ddlFor`.
 */
import { literal, localName, singleServer } from './layout.js';
import type { StoreLayout } from './layout.js';

export type MergeTreeFamily = 'MergeTree' | 'ReplacingMergeTree' | 'SummingMergeTree';

/** `shards`: rows of captures, which a cluster may spread. `everywhere`: what each server has whole, because it is looked up. */
export type TablePlacement = 'shards' | 'everywhere';

export interface DdlContext {
  /** stands after the name of what is made or changed; ' ON CLUSTER ...' on a cluster */
  readonly onCluster: string;
  /** the rows of these tables are spread over shards, behind a table that stands for all of them */
  readonly sharded: boolean;
  /** engine name for a MergeTree family member, with its arguments */
  readonly engine: (family: MergeTreeFamily, args: readonly string[], placement: TablePlacement) => string;
  /** table settings: how many tokens of inserts are remembered, and on a cluster at least how long */
  readonly deduplication: (window: number) => string;
  /** name of the table that holds the rows of a table with placement `shards` */
  readonly rowsOf: (table: string) => string;
  /** CREATE TABLE for the one that stands for all shards. @param shardBy column that names the shard; null: read only */
  readonly spread: (table: string, shardBy: string | null) => readonly string[];
  /** CREATE TABLE for one that stands for a table of `system` on all shards. @param columns those of it that are wanted, with types */
  readonly catalogue: (table: string, source: string, columns: string) => readonly string[];
}

/** How long replicated tables remember a token, seconds, as long as there are not more than the window. */
const deduplicationSeconds = 7 * 86_400;

/** What is particular to a layout. */
export function ddlFor(layout: StoreLayout): DdlContext {
  if (layout.kind === 'single') {
    return {
      onCluster: '',
      sharded: false,
      engine: (family, args) => `${family}(${args.join(', ')})`,
      deduplication: (window) => `non_replicated_deduplication_window = ${window}`,
      rowsOf: (table) => table,
      spread: () => [],
      catalogue: () => [],
    };
  }
  const { cluster, database, replicaPath } = layout;
  const sharded = layout.kind === 'sharded';
  const onCluster = ` ON CLUSTER ${literal(cluster)}`;
  // One path for all servers: whatever their shard, they are replicas of one another.
  const everywhere = [replicaPath.replaceAll('{shard}', 'all'), sharded ? '{shard}-{replica}' : '{replica}'];
  return {
    onCluster,
    sharded,
    engine: (family, args, placement) => {
      const replica = sharded && placement === 'shards' ? [replicaPath, '{replica}'] : everywhere;
      return `Replicated${family}(${[...replica.map(literal), ...args].join(', ')})`;
    },
    deduplication: (window) =>
      `replicated_deduplication_window = ${window}, replicated_deduplication_window_seconds = ${deduplicationSeconds}`,
    rowsOf: (table) => localName(layout, table),
    spread: (table, shardBy) =>
      sharded
        ? [
            `CREATE TABLE IF NOT EXISTS ${table}${onCluster} AS ${localName(layout, table)}\n` +
              `ENGINE = Distributed(${[cluster, database, localName(layout, table)].map(literal).join(', ')}` +
              `${shardBy === null ? '' : `, ${shardBy}`})`,
          ]
        : [],
    catalogue: (table, source, columns) =>
      sharded
        ? [
            `CREATE TABLE IF NOT EXISTS ${table}${onCluster} (${columns})\n` +
              `ENGINE = Distributed(${[cluster, 'system', source].map(literal).join(', ')})`,
          ]
        : [],
  };
}

/** One server or the embedded engine. */
export const singleNode: DdlContext = ddlFor(singleServer);

export interface TableDdl {
  readonly name: string;
  /** one column a line: name, type, default, codec */
  readonly columns: string;
  /** column whose UTC day is the table partition */
  readonly time: string;
  readonly orderBy: string;
  /** beginning of `orderBy` that the index in memory holds; absent: all of it */
  readonly primaryKey?: string;
  /** columns that rows of one sort key are added up in when the engine merges them; absent: rows stay apart */
  readonly summed?: readonly string[];
  /**
   * Column whose value, modulo the weights of the shards, names the shard of a row. All rows of an insert have the same: it
   * is one block on one shard, and the token of it is checked there. Absent: nobody inserts but the store's own views.
   */
  readonly shardBy?: string;
}

/**
 * Inserts whose tokens are remembered per table. It must exceed the inserts between a first try and its last retry
 * (measured: with a window of 5, a retry after 6 others was inserted again). Migration 006 raises it for the tables of captures.
 */
export const deduplicationWindow = 10_000;

/**
 * CREATE TABLE for rows of the engine: partitioned by UTC day of the event, dropped part by part when too old. The zone
 * of that day is explicit: without it the day would follow the server's own. On shards a second one follows, the table
 * that stands for all of them.
 *
 * No skip indexes: bloom filters on the addresses made inserts 1.7 times as expensive, did not help "client or server is
 * X", and kept the engine's query condition cache from doing better (docs/storage.md).
 */
export function createRowTable(table: TableDdl, ddl: DdlContext): string[] {
  const lines = table.columns
    .trim()
    .split('\n')
    .map((line) => line.trim());
  const engine = table.summed
    ? ddl.engine('SummingMergeTree', [`(${table.summed.join(', ')})`], 'shards')
    : ddl.engine('MergeTree', [], 'shards');
  const rows = [
    `CREATE TABLE IF NOT EXISTS ${ddl.rowsOf(table.name)}${ddl.onCluster} (`,
    lines.map((line) => `  ${line}`).join(',\n'),
    `) ENGINE = ${engine}`,
    `PARTITION BY toYYYYMMDD(${table.time}, 'UTC')`,
    `ORDER BY (${table.orderBy})`,
    ...(table.primaryKey === undefined ? [] : [`PRIMARY KEY (${table.primaryKey})`]),
    `SETTINGS ${ddl.deduplication(deduplicationWindow)}, ttl_only_drop_parts = 1, ` +
      'materialize_ttl_recalculate_only = 1',
  ].join('\n');
  return [rows, ...ddl.spread(table.name, table.shardBy ?? null)];
}

/**
 * ALTER TABLE for further columns, one a line (name, type, default, codec), placed behind `after` in their order. Harmless
 * when run twice. Rows that are there already get the default when they are read. On shards the rows' table goes first: the
 * one that stands for all must not name a column that a shard lacks.
 */
export function addColumns(table: string, columns: string, after: string, ddl: DdlContext): string[] {
  let before = after;
  const added = columns
    .trim()
    .split('\n')
    .map((line) => {
      const column = line.trim();
      const clause = `  ADD COLUMN IF NOT EXISTS ${column} AFTER ${before}`;
      before = column.slice(0, column.indexOf(' '));
      return clause;
    });
  const names = ddl.sharded ? [ddl.rowsOf(table), table] : [table];
  return names.map((name) => `ALTER TABLE ${name}${ddl.onCluster}\n${added.join(',\n')}`);
}
