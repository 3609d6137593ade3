/**
 * Who talks to many: per key (an address) a small HyperLogLog of distinct others, for a bounded number of keys. When the
 * table is full the half whose registers rose least often goes, so that a flood of one-off sources does not hide a scanner.
 * A key that comes again after that starts from nothing: its count is then too low, never too high beyond the sketch's error.
 */
import { HeavyKeys } from './heavy-keys.js';
import { estimateRegisters } from '../../sketch-math/index.js';
import { addToRegisters, boundsOf } from './hyper-log-log.js';
import type { Estimate } from './hyper-log-log.js';

export interface Spreader extends Estimate {
  /** entry number, for `keyOf` */
  entry: number;
}

export class SuperSpreaders {
  readonly log2Registers: number;
  /** keys given up */
  evicted = 0;
  private readonly keys: HeavyKeys;
  private registers: Uint8Array;

  /** @param keysMax keys at a time, each 2^log2Registers bytes */
  constructor(keysMax: number, log2Registers: number) {
    this.keys = new HeavyKeys(4, keysMax);
    this.log2Registers = log2Registers;
    this.registers = new Uint8Array(Math.min(keysMax, 64) << log2Registers);
  }

  get size(): number {
    return this.keys.size;
  }

  /** The four words of an entry's address. */
  keyOf(entry: number): Uint32Array {
    return this.keys.keyOf(entry).slice();
  }

  /**
   * Count a 64-bit hash (high, low) under the address at `offset`.
   * @param keyHigh the address' own hash, with keyLow
   */
  add(words: Uint32Array, offset: number, keyHigh: number, keyLow: number, high: number, low: number): void {
    const { keys, log2Registers: p } = this;
    const purges = keys.purges;
    const sizeBefore = keys.size;
    const entry = keys.entryHashed(words, offset, keyHigh, keyLow);
    if (keys.purges !== purges) this.move(sizeBefore, entry);
    if ((entry + 1) << p > this.registers.length) this.grow();
    keys.add(entry, addToRegisters(this.registers, entry << p, p, high, low), 0);
  }

  /** Registers of an entry, a view. */
  registersOf(entry: number): Uint8Array {
    return this.registers.subarray(entry << this.log2Registers, (entry + 1) << this.log2Registers);
  }

  /** The `count` keys with the most others, at least `least` each, most first. */
  top(count: number, least: number): Spreader[] {
    const p = this.log2Registers;
    const found: Spreader[] = [];
    for (let entry = 0; entry < this.size; entry += 1) {
      let occupied = 0;
      // Thousands of entries a window: no view and no iterator for each.
      for (let at = entry << p; at < (entry + 1) << p; at += 1) if (this.registers[at] !== 0) occupied += 1;
      const bounds = boundsOf(estimateRegisters(this.registers, entry << p, p), p, occupied);
      if (bounds.estimate >= least) found.push({ entry, ...bounds });
    }
    return found.sort((a, b) => b.estimate - a.estimate || a.entry - b.entry).slice(0, count);
  }

  reset(): void {
    this.keys.reset();
    this.registers.fill(0);
  }

  /** After a purge the survivors have new numbers, in the old order. `entry` is the newcomer behind them. */
  private move(sizeBefore: number, entry: number): void {
    const p = this.log2Registers;
    for (let to = 0; to < entry; to += 1) {
      const from = this.keys.movedFrom[to]!;
      if (from !== to) this.registers.copyWithin(to << p, from << p, (from + 1) << p);
    }
    this.registers.fill(0, entry << p);
    this.evicted += sizeBefore - entry;
  }

  private grow(): void {
    const grown = new Uint8Array(Math.min(this.registers.length * 2, this.keys.capacity << this.log2Registers));
    grown.set(this.registers);
    this.registers = grown;
  }
}
