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
  /** sequence up to which EVERY partition found in the store is stored; read on from `position` */
  readonly lastSeq: number;
  readonly position: number;
  /** number of partitions the stream was cut into */
  readonly partitions: number;
  /** every partition found in the store has seen the end of the stream */
  readonly complete: boolean;
  /** each partition's own position: one that is ahead skips what it has */
  readonly byPartition: readonly PartitionPosition[];
}

/**
 * The stored position of (probe, epoch), or null when nothing of it is in the store.
 *
 * A partition that never flushed has no row: a reader that gives every partition its own accounting rows must take
 * `byPartition.length < partitions` for "some partition begins at the start".
 */
export async function readPosition(store: Store, probe: string, epoch: bigint): Promise<StreamPosition | null> {
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
  if (result.rows === 0) return null;
  const rows = rowsOf<{ partition: number; last: string; at: string; partition_count: number; done: number }>(result);
  const byPartition = rows.map((row) => ({
    partition: row.partition,
    lastSeq: Number(row.last),
    position: Number(row.at),
    complete: row.done === 1,
  }));
  const behind = byPartition.reduce((least, one) => (one.lastSeq < least.lastSeq ? one : least));
  return {
    lastSeq: behind.lastSeq,
    position: behind.position,
    partitions: Math.max(...rows.map((row) => row.partition_count)),
    complete: byPartition.every((one) => one.complete),
    byPartition,
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
