/**
 * Count-Min sketch of bytes and packets (Cormode and Muthukrishnan, "An improved data stream summary: the count-min
 * sketch and its applications", 2005).
 *
 * An estimate is never below the truth, and above it by at most e / 2^log2Width of the total with probability
 * 1 - e^-depth. Cells are float64: whole numbers up to 2^53 (9 PB), nothing wraps at 4 GiB.
 *
 * The plain update, not the conservative one: cells then are sums, so that the sketch is the same whatever way the stream
 * was cut into windows, flushes and partitions, and ClickHouse merges rows by sumForEach.
 *
 * Row r of a key stands at cell r * 2^log2Width + `countMinCell(high, low, r, log2Width)`.
 */
import { countMinCell } from '../../sketch-math/index.js';

export const log2WidthMin = 4;
export const log2WidthMax = 20;
export const depthMin = 1;
export const depthMax = 16;

export class CountMin {
  readonly depth: number;
  readonly log2Width: number;
  /** depth rows of 2^log2Width cells, one after the other; a cell is bytes and packets, so that a key costs a line a row */
  private readonly cells: Float64Array;
  totalBytes = 0;
  totalPackets = 0;

  constructor(depth = 4, log2Width = 12) {
    if (!Number.isInteger(depth) || depth < depthMin || depth > depthMax) {
      throw new RangeError(`Count-Min depth ${depth} is not ${depthMin}..${depthMax}`);
    }
    if (!Number.isInteger(log2Width) || log2Width < log2WidthMin || log2Width > log2WidthMax) {
      throw new RangeError(`Count-Min width 2^${log2Width} is not 2^${log2WidthMin}..2^${log2WidthMax}`);
    }
    this.depth = depth;
    this.log2Width = log2Width;
    this.cells = new Float64Array(2 * (depth << log2Width));
  }

  /** A copy of the cells' bytes, row after row. */
  get bytes(): Float64Array {
    return this.column(0);
  }

  /** A copy of the cells' packets, row after row. */
  get packets(): Float64Array {
    return this.column(1);
  }

  /** Add to a key by its 64-bit hash. */
  add(high: number, low: number, bytes: number, packets: number): void {
    const { cells, depth, log2Width } = this;
    for (let row = 0; row < depth; row += 1) {
      const at = ((row << log2Width) + countMinCell(high, low, row, log2Width)) << 1;
      cells[at] = cells[at]! + bytes;
      cells[at + 1] = cells[at + 1]! + packets;
    }
    this.totalBytes += bytes;
    this.totalPackets += packets;
  }

  /** At least the key's bytes. */
  estimateBytes(high: number, low: number): number {
    return this.least(0, high, low);
  }

  /** At least the key's packets. */
  estimatePackets(high: number, low: number): number {
    return this.least(1, high, low);
  }

  /** An estimate is above the truth by at most this part of the total ... */
  get errorRatio(): number {
    return Math.E / (1 << this.log2Width);
  }

  /** ... with this probability. */
  get confidence(): number {
    return 1 - Math.exp(-this.depth);
  }

  /** Add all that `other` holds; throws when it has another shape. */
  merge(other: CountMin): void {
    if (other.depth !== this.depth || other.log2Width !== this.log2Width) throw new Error('Count-Min of another shape');
    for (let i = 0; i < this.cells.length; i += 1) this.cells[i] = this.cells[i]! + other.cells[i]!;
    this.totalBytes += other.totalBytes;
    this.totalPackets += other.totalPackets;
  }

  reset(): void {
    this.cells.fill(0);
    this.totalBytes = 0;
    this.totalPackets = 0;
  }

  private column(field: number): Float64Array {
    const values = new Float64Array(this.cells.length / 2);
    for (let i = 0; i < values.length; i += 1) values[i] = this.cells[i * 2 + field]!;
    return values;
  }

  /** @param field 0 bytes, 1 packets */
  private least(field: number, high: number, low: number): number {
    const { cells, depth, log2Width } = this;
    let least = Infinity;
    for (let row = 0; row < depth; row += 1) {
      const value = cells[(((row << log2Width) + countMinCell(high, low, row, log2Width)) << 1) + field]!;
      if (value < least) least = value;
    }
    return least;
  }
}
