/**
 * Distinct keys, exact while they are few: a set of 64-bit hashes up to `exactMax` keys beside a HyperLogLog, which
 * answers alone from then on. Two of 16,384 keys share a 64-bit hash with probability below 10^-11: called exact here.
 */
import { HyperLogLog } from './hyper-log-log.js';
import type { Estimate } from './hyper-log-log.js';

/** What a counter knows, structured-clonable. */
export interface DistinctState {
  log2Registers: number;
  registers: Uint8Array;
  /** while the count is exact: the table of hashes, pairs (high, low); (0, 0) = free */
  exact: Uint32Array | undefined;
  /** hashes in it */
  size: number;
  exactMax: number;
}

export class DistinctCounter {
  readonly sketch: HyperLogLog;
  private readonly exactMax: number;
  /** open addressing, pairs (high, low); (0, 0) = free */
  private slots: Uint32Array | undefined = new Uint32Array(128);
  private size = 0;

  /** @param exactMax keys up to which the count is exact; memory up to 32 bytes a key */
  constructor(log2Registers: number, exactMax: number) {
    this.sketch = new HyperLogLog(log2Registers);
    this.exactMax = exactMax;
  }

  /** Count a key by its 64-bit hash. */
  add(high: number, low: number): void {
    this.sketch.add(high, low);
    if (this.slots) this.insert(high >>> 0, low >>> 0);
  }

  /**
   * Count rows of a column of hashes (high and low half by turns), those with packets.
   * @param packets undefined: all of them
   */
  addRows(hashes: Int32Array, packets: Float64Array | undefined, from: number, to: number): void {
    this.sketch.addRows(hashes, packets, from, to);
    for (let row = from; row < to && this.slots; row += 1) {
      if (packets !== undefined && packets[row] === 0) continue;
      this.insert(hashes[row << 1]! >>> 0, hashes[(row << 1) + 1]! >>> 0);
    }
  }

  merge(state: DistinctState): void {
    this.sketch.merge(new HyperLogLog(state.log2Registers, state.registers));
    if (!state.exact) this.slots = undefined;
    else if (this.slots && this.size === 0 && state.size <= this.exactMax) {
      this.slots = state.exact.slice();
      this.size = state.size;
    } else this.insertAll(state.exact);
  }

  bounds(): Estimate {
    return this.slots ? { estimate: this.size, lower: this.size, upper: this.size } : this.sketch.bounds();
  }

  reset(): void {
    this.sketch.reset();
    this.slots = new Uint32Array(128);
    this.size = 0;
  }

  state(): DistinctState {
    const { exactMax, size } = this;
    const { log2Registers, registers } = this.sketch;
    return { log2Registers, registers: registers.slice(), exact: this.slots?.slice(), size, exactMax };
  }

  /** Insert what a table holds. */
  private insertAll(table: Uint32Array): void {
    for (let i = 0; i < table.length && this.slots; i += 2) {
      if (table[i] !== 0 || table[i + 1] !== 0) this.insert(table[i]!, table[i + 1]!);
    }
  }

  private insert(high: number, low: number): void {
    const slots = this.slots!;
    if (high === 0 && low === 0) low = 1;
    const mask = slots.length - 2;
    let at = (low << 1) & mask;
    while (slots[at] !== 0 || slots[at + 1] !== 0) {
      if (slots[at] === high && slots[at + 1] === low) return;
      at = (at + 2) & mask;
    }
    if (this.size === this.exactMax) {
      this.slots = undefined;
      return;
    }
    slots[at] = high;
    slots[at + 1] = low;
    this.size += 1;
    if (this.size * 4 > slots.length) this.grow();
  }

  private grow(): void {
    const old = this.slots!;
    this.slots = new Uint32Array(old.length * 2);
    this.size = 0;
    this.insertAll(old);
  }
}

/** A counter that goes on from what one or more others know; throws on another precision, or without any. */
export function mergeDistinct(states: readonly DistinctState[]): DistinctCounter {
  const first = states[0];
  if (!first) throw new Error('nothing to merge');
  const counter = new DistinctCounter(first.log2Registers, first.exactMax);
  for (const state of states) counter.merge(state);
  return counter;
}
