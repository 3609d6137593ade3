/** Takes rows out of a packet batch: marks in, a batch of the rows that are kept out. */
import { outerColumns, packetColumns } from '@netspectra/proto';
import type { PacketBatch, PacketColumn } from '@netspectra/proto';

const columnNames = Object.keys(packetColumns) as PacketColumn[];
const outerNames = (Object.keys(outerColumns) as (keyof typeof outerColumns)[]).filter((name) => name !== 'outerRow');

export class RowCompactor {
  /** new place of each row, 0xffffffff where it was dropped */
  private places = new Uint32Array(0);

  /**
   * Takes the rows out of the batch that are not marked; those kept move together, in their order, with their outer
   * 5-tuples. Payload offsets stay as they are.
   * @param kept a mark for each row, 1 = kept, as PacketFilter.mark writes them
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
