/**
 * How far a stream was stored: read from the accounting table, which is written last in every flush, so that everything
 * up to the position found there is in the store.
 */
import { tables } from '../tables/index.js';
import type { TableName } from '../tables/index.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';

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
  const ahead = await store.query(
    `SELECT count() AS tables, max(last) AS last FROM (${(Object.keys(tables) as TableName[])
      .map(
        (name) =>
          `SELECT max(last_seq) AS last FROM ${name} WHERE probe = {probe:String} AND epoch = {epoch:UInt64} HAVING count() > 0`,
      )
      .join(' UNION ALL ')})`,
    { probe, epoch },
    { exactIntegers: true },
  );
  const [found] = rowsOf<{ tables: string; last: string }>(ahead);
  if (!found || found.tables === '0') return null;
  const result = await store.query(
    `SELECT partition, max(last_seq) AS last, argMax(position, last_seq) AS at, max(partitions) AS partition_count,
            max(complete) AS done
       FROM probe_stats
      WHERE probe = {probe:String} AND epoch = {epoch:UInt64}
      GROUP BY partition
      ORDER BY partition`,
    { probe, epoch },
    { exactIntegers: true },
  );
  const rows = rowsOf<{ partition: number; last: string; at: string; partition_count: number; done: number }>(result);
  const byPartition = rows.map((row) => ({
    partition: row.partition,
    lastSeq: Number(row.last),
    position: Number(row.at),
    complete: row.done === 1,
  }));
  const partitions = Math.max(0, ...rows.map((row) => row.partition_count));
  const all = partitions > 0 && byPartition.length >= partitions;
  const behind = all ? byPartition.reduce((least, one) => (one.lastSeq < least.lastSeq ? one : least)) : null;
  return {
    lastSeq: behind?.lastSeq ?? -1,
    position: behind?.position ?? 0,
    partitions,
    complete: all && byPartition.every((one) => one.complete),
    byPartition,
    aheadSeq: Number(found.last),
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
  const result = await store.query(
    `SELECT partition, max(last_seq) AS last FROM ${tables[table].name}
      WHERE probe = {probe:String} AND epoch = {epoch:UInt64} GROUP BY partition`,
    { probe, epoch },
    { exactIntegers: true },
  );
  return new Map(rowsOf<{ partition: number; last: string }>(result).map((row) => [row.partition, Number(row.last)]));
}
