/**
 * The one template every table's DDL comes from, so that a cluster (ON CLUSTER, Replicated engines) changes one function
 * and not twenty statements.
 */

export type MergeTreeFamily = 'MergeTree' | 'ReplacingMergeTree' | 'SummingMergeTree';

export interface DdlContext {
  /** engine name for a MergeTree family member, with its arguments */
  readonly engine: (family: MergeTreeFamily, args: readonly string[]) => string;
  /** stands after the table's name; ' ON CLUSTER name' on a cluster */
  readonly onCluster: string;
}

/** One server or the embedded engine. */
export const singleNode: DdlContext = {
  engine: (family, args) => `${family}(${args.join(', ')})`,
  onCluster: '',
};

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
}

/**
 * Inserts whose tokens are remembered per table. It must exceed the inserts between a first try and its last retry
 * (measured: with a window of 5, a retry after 6 others was inserted again). 64 partitions that flush every second are
 * at 10,000 after two and a half minutes; the writer gives up long before.
 */
export const deduplicationWindow = 10_000;

/**
 * CREATE TABLE for rows of the engine: partitioned by UTC day of the event, dropped part by part when too old. The zone
 * of that day is explicit: without it the day would follow the server's own.
 *
 * No skip indexes: bloom filters on the addresses made inserts 1.7 times as expensive, did not help "client or server is
 * X", and kept the engine's query condition cache from doing better (docs/storage.md).
 */
export function createRowTable(table: TableDdl, ddl: DdlContext): string {
  const lines = table.columns
    .trim()
    .split('\n')
    .map((line) => line.trim());
  return [
    `CREATE TABLE IF NOT EXISTS ${table.name}${ddl.onCluster} (`,
    lines.map((line) => `  ${line}`).join(',\n'),
    table.summed
      ? `) ENGINE = ${ddl.engine('SummingMergeTree', [`(${table.summed.join(', ')})`])}`
      : `) ENGINE = ${ddl.engine('MergeTree', [])}`,
    `PARTITION BY toYYYYMMDD(${table.time}, 'UTC')`,
    `ORDER BY (${table.orderBy})`,
    ...(table.primaryKey === undefined ? [] : [`PRIMARY KEY (${table.primaryKey})`]),
    `SETTINGS non_replicated_deduplication_window = ${deduplicationWindow}, ttl_only_drop_parts = 1, ` +
      'materialize_ttl_recalculate_only = 1',
  ].join('\n');
}

/**
 * ALTER TABLE for further columns, one a line (name, type, default, codec), placed behind `after` in their order. Harmless
 * when run twice. Rows that are there already get the default when they are read.
 */
export function addColumns(table: string, columns: string, after: string, ddl: DdlContext): string {
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
  return `ALTER TABLE ${table}${ddl.onCluster}\n${added.join(',\n')}`;
}
