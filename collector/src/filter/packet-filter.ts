/**
 * A filter over the rows of packet batches: which rows it keeps.
 *
 * A fragment that was not put together does not tell ports or ICMP types. It is kept when it could belong to a datagram
 * that the filter keeps, so that `port 53` does not tear big answers apart. A tunnelled frame is judged by its innermost
 * packet.
 */
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { compilePredicate, packetProblems, relaxFilter, transportFields } from '@netspectra/query';
import type { FieldProblem, FilterNode, Predicate } from '@netspectra/query';
import { PacketReader } from './packet-reader.js';

export interface PacketFilterOptions {
  /** what the field `probe` is; absent: the empty text */
  readonly probe?: string;
}

export type PacketFilterResult =
  | { readonly ok: true; readonly filter: PacketFilter }
  /** the fields that a packet cannot answer, with the reason */
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

export class PacketFilter {
  private readonly whole: Predicate;
  private readonly fragment: Predicate;
  private reader: PacketReader | undefined;

  /** Use compilePacketFilter, which says what a packet cannot answer. */
  constructor(
    filter: FilterNode,
    private readonly probe: string,
  ) {
    this.whole = compilePredicate(filter);
    this.fragment = compilePredicate(relaxFilter(filter, transportFields));
  }

  /**
   * Judges every row: `kept[row]` becomes 1 or 0.
   * @param kept at least batch.count long
   * @returns how many rows are kept
   */
  mark(batch: PacketBatch, kept: Uint8Array): number {
    const { count, layers } = batch;
    if (kept.length < count) throw new RangeError(`room for ${kept.length} marks, ${count} rows`);
    const { whole, fragment } = this;
    const reader = this.readerOf(batch);
    let sum = 0;
    for (let row = 0; row < count; row += 1) {
      reader.row = row;
      const keep = ((layers[row]! & Layer.Fragment) === 0 ? whole : fragment)(reader) ? 1 : 0;
      kept[row] = keep;
      sum += keep;
    }
    return sum;
  }

  /** Whether one row is kept; as `mark` judges all of them. */
  keeps(batch: PacketBatch, row: number): boolean {
    const reader = this.readerOf(batch);
    reader.row = row;
    return ((batch.layers[row]! & Layer.Fragment) === 0 ? this.whole : this.fragment)(reader);
  }

  private readerOf(batch: PacketBatch): PacketReader {
    this.reader ??= new PacketReader(batch, this.probe);
    this.reader.batch = batch;
    return this.reader;
  }
}

/**
 * A filter to be asked of packets. Not ok when it tests what one packet does not tell: flow counters, client and server,
 * names out of applications.
 */
export function compilePacketFilter(filter: FilterNode, options: PacketFilterOptions = {}): PacketFilterResult {
  const problems = packetProblems(filter);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, filter: new PacketFilter(filter, options.probe ?? '') };
}
