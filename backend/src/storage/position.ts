/**
 * How far a stream was stored: read from the accounting table, which is written last in every flush, so that everything
 * up to the position found there is in the store.
 */
import { tables } from '../tables/index.js';
import type { TableName } from '../tables/index.js';
import { everyReplica, everyReplicaSettings } from './layout.js';
import { rowsOf } from './store.js';
import type { QueryParam, Store } from './store.js';

export interface PartitionPosition {
  readonly partition: number;
  readonly lastSeq: number;
  /** where the source goes on after lastSeq (capture file: byte offset of the next record) */
  readonly position: number;
  /** the stream ended with this flush */
  readonly complete: boolean;
}

export interface StreamPosition {
  /** sequence up to which EVERY partition is stored whole; -1 = some partition has nothing yet. Read on from `position` */
  readonly lastSeq: number;
  readonly position: number;
  /** number of partitions the stream was cut into; 0 = not known, no accounting row was written yet */
  readonly partitions: number;
  /** every partition has seen the end of the stream */
  readonly complete: boolean;
  /** each partition's own position: one that is ahead skips what it has */
  readonly byPartition: readonly PartitionPosition[];
  /**
   * The largest sequence in any table. Past `lastSeq` it is the end of a flush that was cut off: who repeats exactly
   * that flush (same stretch, same rows) doubles nothing, because its inserts carry the same tokens.
   */
  readonly aheadSeq: number;
}

/** The stored position of (probe, epoch), or null when no table has anything of it. */
export async function readPosition(store: Store, probe: string, epoch: bigint): Promise<StreamPosition | null> {
  const ahead = await readNewest<{ tables: string; last: string }>(
    store,
    (from) =>
      `SELECT count() AS tables, max(last) AS last FROM (${tableNames
        .map(
          (name) =>
            `SELECT max(last_seq) AS last FROM ${from(name)} WHERE probe = {probe:String} AND epoch = {epoch:UInt64} HAVING count() > 0`,
        )
        .join(' UNION ALL ')})`,
    { probe, epoch },
  );
  const found = ahead.filter((row) => row.tables !== '0').map((row) => Number(row.last));
  if (found.length === 0) return null;
  const rows = await readNewest<{
    partition: number;
    last: string;
    at: string;
    partition_count: number;
    done: number;
  }>(
    store,
    (from) =>
      `SELECT partition, max(last_seq) AS last, argMax(position, last_seq) AS at, max(partitions) AS partition_count,
              max(complete) AS done
         FROM ${from('probe_stats')}
        WHERE probe = {probe:String} AND epoch = {epoch:UInt64}
        GROUP BY partition
        ORDER BY partition`,
    { probe, epoch },
  );
  const byPartition = newestByPartition(
    rows.map((row) => ({
      partition: row.partition,
      lastSeq: Number(row.last),
      position: Number(row.at),
      complete: row.done === 1,
    })),
  );
  const partitions = Math.max(0, ...rows.map((row) => row.partition_count));
  const all = partitions > 0 && byPartition.length >= partitions;
  const behind = all ? byPartition.reduce((least, one) => (one.lastSeq < least.lastSeq ? one : least)) : null;
  return {
    lastSeq: behind?.lastSeq ?? -1,
    position: behind?.position ?? 0,
    partitions,
    complete: all && byPartition.every((one) => one.complete),
    byPartition,
    aheadSeq: Math.max(...found),
  };
}

/**
 * What a table has of (probe, epoch): the last sequence per partition. A flush that was cut off leaves side tables ahead
 * of the accounting table; a reader that cannot repeat the same flush skips what a table already has.
 */
export async function readTablePosition(
  store: Store,
  table: TableName,
  probe: string,
  epoch: bigint,
): Promise<ReadonlyMap<number, number>> {
  const rows = await readNewest<{ partition: number; last: string }>(
    store,
    (from) =>
      `SELECT partition, max(last_seq) AS last FROM ${from(table)}
        WHERE probe = {probe:String} AND epoch = {epoch:UInt64} GROUP BY partition`,
    { probe, epoch },
  );
  const newest = newestByPartition(rows.map((row) => ({ partition: row.partition, lastSeq: Number(row.last) })));
  return new Map(newest.map((row) => [row.partition, row.lastSeq]));
}

const tableNames = Object.keys(tables) as TableName[];

/**
 * The rows of a statement. On a cluster those of two: one asks every replica that can be reached, because the one that took the
 * last insert may be the only one that shows it yet; the other fails when a shard has none that can be reached, because what
 * is there would pass for never stored.
 * @param sql makes the statement; `from` gives what stands after FROM for a table
 */
async function readNewest<Row extends object>(
  store: Store,
  sql: (from: (table: TableName) => string) => string,
  params: Readonly<Record<string, QueryParam>>,
): Promise<Row[]> {
  const { rows, ofEveryReplica } = await readReplicas<Row>(store, sql, params);
  return [...rows, ...(ofEveryReplica ?? [])];
}

/** The same, apart: what one replica of each shard answers, and on a cluster what all of them together do. */
export async function readReplicas<Row extends object>(
  store: Store,
  sql: (from: (table: TableName) => string) => string,
  params: Readonly<Record<string, QueryParam>>,
): Promise<{ readonly rows: Row[]; readonly ofEveryReplica: Row[] | null }> {
  const { layout } = store;
  const rows = rowsOf<Row>(
    await store.query(
      sql((table) => tables[table].name),
      params,
      { exactIntegers: true },
    ),
  );
  if (layout.kind === 'single') return { rows, ofEveryReplica: null };
  const replicas = await store.query(
    sql((table) => everyReplica(layout, table)),
    params,
    { exactIntegers: true, settings: everyReplicaSettings },
  );
  return { rows, ofEveryReplica: rowsOf<Row>(replicas) };
}

/** Of each partition the row that is furthest, partitions ascending. */
function newestByPartition<Row extends { readonly partition: number; readonly lastSeq: number }>(
  rows: readonly Row[],
): Row[] {
  const newest = new Map<number, Row>();
  for (const row of rows) {
    const other = newest.get(row.partition);
    if (other === undefined || row.lastSeq > other.lastSeq) newest.set(row.partition, row);
  }
  return [...newest.values()].sort((a, b) => a.partition - b.partition);
}
