/**
 * Which messages of a stream are stored, to the number: what an engine asks when it takes a partition. Every flush
 * covers a stretch of sequences, and its accounting row, written last, says which.
 */
import { readReplicas } from './position.js';
import type { Store } from './store.js';

export interface StoredStretches {
  /** last sequence that is stored; -1 = none */
  readonly lastSeq: number;
  /** sequences before it that are not, ascending; the newest 256 ranges */
  readonly gaps: readonly { readonly first: number; readonly last: number }[];
  /** sums over the stored stretches: what the probe left out, and what the kernel lost */
  readonly filtered: number;
  readonly kernelDropped: number;
}

const gapsMax = 256;

/**
 * Of one (probe, epoch) in one partition. On a cluster what any replica has is stored: one that lags behind would show gaps.
 * Rejects as `Store.query` does.
 */
export async function readStretches(
  store: Store,
  probe: string,
  epoch: bigint,
  partition: number,
): Promise<StoredStretches> {
  const read = async <Row extends object>(sql: (stretches: string) => string): Promise<Row[]> => {
    const { rows, ofEveryReplica } = await readReplicas<Row>(
      store,
      // Replicas tell the same stretch each; an accounting row is told by its stretch.
      (from) =>
        sql(`(SELECT DISTINCT first_seq, last_seq, filtered, kernel_dropped FROM ${from('probe_stats')}
               WHERE probe = {probe:String} AND epoch = {epoch:UInt64} AND partition = {partition:UInt16})`),
      { probe, epoch, partition },
    );
    return ofEveryReplica ?? rows;
  };
  const [sum] = await read<{ stretches: string; last: string; left_out: string; lost: string }>(
    (stretches) =>
      `SELECT count() AS stretches, max(last_seq) AS last, sum(filtered) AS left_out, sum(kernel_dropped) AS lost
         FROM ${stretches}`,
  );
  if (!sum || sum.stretches === '0') return { lastSeq: -1, gaps: [], filtered: 0, kernelDropped: 0 };
  // The frame of the first row is empty, whose maximum is 0: what is expected first.
  const found = await read<{ first: string; last: string }>(
    (stretches) =>
      `SELECT expected AS first, first_seq - 1 AS last
         FROM (SELECT first_seq,
                      max(last_seq + 1) OVER (ORDER BY first_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS expected
                 FROM ${stretches})
        WHERE first_seq > expected
        ORDER BY first DESC
        LIMIT ${gapsMax}`,
  );
  return {
    lastSeq: Number(sum.last),
    gaps: found.map(({ first, last }) => ({ first: Number(first), last: Number(last) })).reverse(),
    filtered: Number(sum.left_out),
    kernelDropped: Number(sum.lost),
  };
}
