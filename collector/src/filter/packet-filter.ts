/**
 * A filter over the rows of packet batches: which rows it keeps, and a batch made of those only.
 *
 * A fragment that was not put together does not tell ports or ICMP types. It is kept when it could belong to a datagram
 * that the filter keeps, so that `port 53` does not tear big answers apart. A tunnelled frame is judged by its innermost
 * packet.
 */
import { Layer, outerColumns, packetColumns } from '@netspectra/proto';
import type { PacketBatch, PacketColumn } from '@netspectra/proto';
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

const columnNames = Object.keys(packetColumns) as PacketColumn[];
const outerNames = (Object.keys(outerColumns) as (keyof typeof outerColumns)[]).filter((name) => name !== 'outerRow');

export class PacketFilter {
  private readonly whole: Predicate;
  private readonly fragment: Predicate;
  private reader: PacketReader | undefined;
  /** new place of each row, 0xffffffff where it was dropped */
  private places = new Uint32Array(0);

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

  /**
   * Takes the rows that `mark` did not keep out of the batch; those kept move together, in their order, with their outer
   * 5-tuples. Payload offsets stay as they are.
   * @param kept a mark for each row, as `mark` wrote them
   * @returns how many rows are left, batch.count
   */
  compact(batch: PacketBatch, kept: Uint8Array): number {
    const { count } = batch;
    if (this.places.length < count) this.places = new Uint32Array(batch.capacity);
    const { places } = this;
    let left = 0;
    for (let row = 0; row < count; row += 1) places[row] = kept[row] === 1 ? left++ : dropped;
    if (left === count) return left;
    for (const name of columnNames) moveRows(batch[name], packetColumns[name].width, places, count);
    compactOuter(batch, places);
    batch.count = left;
    return left;
  }

  private readerOf(batch: PacketBatch): PacketReader {
    this.reader ??= new PacketReader(batch, this.probe);
    this.reader.batch = batch;
    return this.reader;
  }
}

const dropped = 0xffffffff;

type Column = Uint8Array | Uint16Array | Uint32Array;

/** Rows only move towards the front, so that one pass in order overwrites nothing that is still needed. */
function moveRows(column: Column, width: number, places: Uint32Array, count: number): void {
  for (let row = 0; row < count; row += 1) {
    const place = places[row]!;
    if (place === dropped || place === row) continue;
    for (let i = 0; i < width; i += 1) column[place * width + i] = column[row * width + i]!;
  }
}

function compactOuter(batch: PacketBatch, places: Uint32Array): void {
  const { outerRow, outerCount } = batch;
  let left = 0;
  for (let at = 0; at < outerCount; at += 1) {
    const place = places[outerRow[at]!] ?? dropped;
    if (place === dropped) continue;
    for (const name of outerNames) {
      const { width } = outerColumns[name];
      const column: Column = batch[name];
      for (let i = 0; i < width; i += 1) column[left * width + i] = column[at * width + i]!;
    }
    outerRow[left] = place;
    left += 1;
  }
  batch.outerCount = left;
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
