/**
 * The heaviest keys with bounds: Space-Saving (Metwally, Agrawal, El Abbadi 2005) with its evictions done half a table at a
 * time, as in Anderson et al., "A high-performance algorithm for identifying frequent items in data streams" (2017): a
 * look-up and an addition, no heap, no list.
 *
 * Every key in the table is counted exactly from when it came in. What it may have had before is its error: the greatest
 * upper bound among all keys evicted by then. So for each key in the table
 *   counted <= truth <= counted + error,  and for a key that is not in it  truth <= evicted.
 * While no more than `capacity` keys were seen nothing was evicted and every count is exact. After that the error in bytes
 * is at most 2 * total bytes / capacity: let M be the evicted bound and P the sum over entries of (upper - M). Adding b bytes
 * raises P by at most b; a purge that raises M by d takes d from each of the capacity/2 survivors, whose upper bounds are
 * all at least the new M. P never is negative, so M <= total / (capacity / 2). Purges go by bytes: the bound on packets
 * holds as well but has no such promise.
 *
 * Merging adds counts and errors; a key that one side lacks gets that side's `evicted` as error. All is deterministic.
 */
import { nthSmallest } from './nth-smallest.js';
import type { CountMin } from './count-min.js';
import { hashResult, hashWords } from '../../sketch-math/index.js';

/** Fields of a key in `counters`. */
export const countedBytes = 0;
export const countedPackets = 1;
export const errorBytes = 2;
export const errorPackets = 3;
export const counterFields = 4;
/** Words of a record after its counters. */
const hashWordAt = 2 * counterFields;
const keyWord = hashWordAt + 2;

export const capacityMin = 16;
/** Entry numbers fit 16 bits. */
export const capacityMax = 65_536;

/** What a table holds, structured-clonable. */
export interface HeavyKeysState {
  /** words a key */
  width: number;
  size: number;
  words: Uint32Array;
  counters: Float64Array;
  evictedBytes: number;
  evictedPackets: number;
}

export class HeavyKeys {
  readonly width: number;
  readonly capacity: number;
  size = 0;
  /** a key that is not in the table has at most so much */
  evictedBytes = 0;
  evictedPackets = 0;
  /** rises when entries change their numbers */
  purges = 0;
  /** the entry number each entry had before the last purge, rising */
  movedFrom = new Uint32Array(0);
  /** where the counts of evicted keys are added */
  private readonly overflow: CountMin | undefined;
  /**
   * `stride` words an entry: counterFields float64 counters, the hash (high, low), the key. One record and not an array of
   * each, so that to find and count an address touches one cache line (64 bytes).
   */
  private records: Uint32Array;
  /** the same memory */
  private counters: Float64Array;
  private readonly stride: number;
  /** open addressing: pairs of a hash's low half and entry number + 1 (0 = free), so that a probe touches one line */
  private index: Uint32Array;
  /** for purges: upper bounds, and room to select among them */
  private uppers = new Float64Array(0);
  private scratch = new Float64Array(0);
  private room: number;
  /** Keeps the reads of `addRows` that only fetch from being optimised away. */
  touched = 0;

  /**
   * @param width words a key: 1 port, 4 address, 8 pair of addresses
   * @param capacity most keys at a time, 16..65536
   * @param overflow gets what is evicted, so that it and the table together hold every byte
   */
  constructor(width: number, capacity: number, overflow?: CountMin) {
    if (!Number.isInteger(capacity) || capacity < capacityMin || capacity > capacityMax) {
      throw new RangeError(`${capacity} candidate keys are not ${capacityMin}..${capacityMax}`);
    }
    this.width = width;
    this.capacity = capacity;
    this.overflow = overflow;
    this.room = Math.min(capacity, 1024);
    this.stride = Math.ceil((keyWord + width) / 4) * 4;
    this.records = new Uint32Array(this.room * this.stride);
    this.counters = new Float64Array(this.records.buffer);
    this.index = new Uint32Array(indexLength(this.room));
  }

  /**
   * The entry of a key, which comes in with counts of 0 when it is new. May purge first: entry numbers from before then are
   * void (`purges` rises).
   */
  entry(words: Uint32Array, offset: number): number {
    hashWords(words, offset, this.width);
    return this.entryHashed(words, offset, hashResult[0]!, hashResult[1]!);
  }

  /** `entry` for who has the key's hash (`hashResult` of its words) already. */
  entryHashed(words: Uint32Array, offset: number, high: number, signedLow: number): number {
    const { width } = this;
    const low = signedLow >>> 0;
    const found = this.find(words, offset, low);
    if (found >= 0) return found;
    if (this.size === this.room) {
      if (this.room < this.capacity) this.grow();
      else this.purge();
    }
    const entry = this.size;
    this.size += 1;
    const { records, counters } = this;
    const record = entry * this.stride;
    for (let i = 0; i < width; i += 1) records[record + keyWord + i] = words[offset + i]!;
    records[record + hashWordAt] = high;
    records[record + hashWordAt + 1] = low;
    const at = record >>> 1;
    counters[at + countedBytes] = 0;
    counters[at + countedPackets] = 0;
    counters[at + errorBytes] = this.evictedBytes;
    counters[at + errorPackets] = this.evictedPackets;
    this.place(entry, low);
    return entry;
  }

  /** Words of a key, a view that a purge makes void. */
  keyOf(entry: number): Uint32Array {
    const at = entry * this.stride + keyWord;
    return this.records.subarray(at, at + this.width);
  }

  add(entry: number, bytes: number, packets: number): void {
    const at = (entry * this.stride) >>> 1;
    this.counters[at] = this.counters[at]! + bytes;
    this.counters[at + countedPackets] = this.counters[at + countedPackets]! + packets;
  }

  /**
   * Add rows of columns; rows without packets are passed over. Two passes: the first only reads the index and what it
   * points at, its cache misses do not wait for each other; the second finds everything near.
   * @param words keys, `width` words a row
   * @param hashes their hashes, high and low half by turns
   */
  addRows(
    words: Uint32Array,
    hashes: Int32Array,
    bytes: Float64Array,
    packets: Float64Array,
    from: number,
    to: number,
  ): void {
    const { index, records, stride, width } = this;
    const mask = index.length - 1;
    let touched = 0;
    for (let row = from; row < to; row += 1) {
      if (packets[row] === 0) continue;
      const stored = index[((hashes[(row << 1) + 1]! << 1) & mask) + 1]!;
      if (stored !== 0) touched ^= records[(stored - 1) * stride]!;
    }
    this.touched = touched;
    for (let row = from; row < to; row += 1) {
      if (packets[row] === 0) continue;
      const entry = this.entryHashed(words, row * width, hashes[row << 1]!, hashes[(row << 1) + 1]!);
      const at = (entry * stride) >>> 1;
      const { counters } = this;
      counters[at] = counters[at]! + bytes[row]!;
      counters[at + countedPackets] = counters[at + countedPackets]! + packets[row]!;
    }
  }

  /** Add all counts (not errors) to a sketch. */
  addTo(sketch: CountMin): void {
    for (let entry = 0; entry < this.size; entry += 1) this.addEntryTo(sketch, entry);
  }

  reset(): void {
    this.size = 0;
    this.evictedBytes = 0;
    this.evictedPackets = 0;
    this.purges += 1;
    this.index.fill(0);
  }

  /** Count what another table counted too; throws when its keys are of another width. */
  merge(state: HeavyKeysState): void {
    if (state.width !== this.width) throw new Error('keys of another width');
    const { counters: theirs } = state;
    // First as if the other side had none of our keys; what it does have is put right below.
    if (state.evictedBytes > 0 || state.evictedPackets > 0) {
      for (let entry = 0; entry < this.size; entry += 1) {
        const at = (entry * this.stride) >>> 1;
        this.counters[at + errorBytes] = this.counters[at + errorBytes]! + state.evictedBytes;
        this.counters[at + errorPackets] = this.counters[at + errorPackets]! + state.evictedPackets;
      }
      this.evictedBytes += state.evictedBytes;
      this.evictedPackets += state.evictedPackets;
    }
    for (let other = 0; other < state.size; other += 1) {
      const at = (this.entry(state.words, other * this.width) * this.stride) >>> 1;
      const from = other * counterFields;
      const { counters } = this;
      counters[at] = counters[at]! + theirs[from]!;
      counters[at + countedPackets] = counters[at + countedPackets]! + theirs[from + countedPackets]!;
      counters[at + errorBytes] = counters[at + errorBytes]! + theirs[from + errorBytes]! - state.evictedBytes;
      counters[at + errorPackets] = counters[at + errorPackets]! + theirs[from + errorPackets]! - state.evictedPackets;
    }
  }

  /** A copy of what the table holds. */
  state(): HeavyKeysState {
    const { size, width, evictedBytes, evictedPackets } = this;
    const words = new Uint32Array(size * width);
    const counters = new Float64Array(size * counterFields);
    this.copyTo(words, counters);
    return { width, size, words, counters, evictedBytes, evictedPackets };
  }

  // The loops of what runs once or twice in a run are functions of their own: V8 compiles a loop while it runs, before it has seen
  // what comes behind it in the function, and throws what it compiled away when it gets there.

  private copyTo(words: Uint32Array, counts: Float64Array): void {
    const { counters, records, size, stride, width } = this;
    for (let entry = 0; entry < size; entry += 1) {
      const record = entry * stride;
      for (let i = 0; i < width; i += 1) words[entry * width + i] = records[record + keyWord + i]!;
      for (let i = 0; i < counterFields; i += 1) counts[entry * counterFields + i] = counters[(record >>> 1) + i]!;
    }
  }

  private find(words: Uint32Array, offset: number, low: number): number {
    const { index, records, stride, width } = this;
    const mask = index.length - 1;
    for (let at = (low << 1) & mask; ; at = (at + 2) & mask) {
      const stored = index[at + 1]!;
      if (stored === 0) return -1;
      if (index[at] !== low) continue;
      const base = (stored - 1) * stride + keyWord;
      let same = 0;
      while (same < width && records[base + same] === words[offset + same]) same += 1;
      if (same === width) return stored - 1;
    }
  }

  private place(entry: number, low: number): void {
    const { index } = this;
    const mask = index.length - 1;
    let at = (low << 1) & mask;
    while (index[at + 1] !== 0) at = (at + 2) & mask;
    index[at] = low;
    index[at + 1] = entry + 1;
  }

  private rebuildIndex(): void {
    this.index.fill(0);
    for (let entry = 0; entry < this.size; entry += 1) {
      this.place(entry, this.records[entry * this.stride + hashWordAt + 1]!);
    }
  }

  private grow(): void {
    this.room = Math.min(this.capacity, this.room * 4);
    const records = new Uint32Array(this.room * this.stride);
    records.set(this.records);
    this.records = records;
    this.counters = new Float64Array(records.buffer);
    this.index = new Uint32Array(indexLength(this.room));
    this.rebuildIndex();
  }

  /** Evict the lighter half (by upper bound of bytes; of equals the older ones). */
  private purge(): void {
    const { counters, records, stride } = this;
    const count = this.size;
    const evict = count >> 1;
    if (this.uppers.length < this.capacity) {
      this.uppers = new Float64Array(this.capacity);
      this.scratch = new Float64Array(this.capacity);
      this.movedFrom = new Uint32Array(this.capacity);
    }
    const { uppers } = this;
    for (let entry = 0; entry < count; entry += 1) {
      const at = (entry * stride) >>> 1;
      uppers[entry] = counters[at]! + counters[at + errorBytes]!;
    }
    const threshold = nthSmallest(uppers, count, evict, this.scratch);
    let below = 0;
    for (let entry = 0; entry < count; entry += 1) below += uppers[entry]! < threshold ? 1 : 0;
    let equals = evict - below; // so many of those at the threshold go too
    let kept = 0;
    for (let entry = 0; entry < count; entry += 1) {
      const at = (entry * stride) >>> 1;
      const upper = uppers[entry]!;
      if (upper < threshold || (upper === threshold && equals > 0)) {
        if (upper === threshold) equals -= 1;
        if (upper > this.evictedBytes) this.evictedBytes = upper;
        const packets = counters[at + countedPackets]! + counters[at + errorPackets]!;
        if (packets > this.evictedPackets) this.evictedPackets = packets;
        if (this.overflow) this.addEntryTo(this.overflow, entry);
        continue;
      }
      if (kept < entry) {
        // Word by word: so few cost less than a call of copyWithin.
        const to = (kept * stride) >>> 1;
        for (let i = 0; i < counterFields; i += 1) counters[to + i] = counters[at + i]!;
        for (let i = hashWordAt; i < stride; i += 1) records[kept * stride + i] = records[entry * stride + i]!;
      }
      this.movedFrom[kept] = entry;
      kept += 1;
    }
    this.size = kept;
    this.purges += 1;
    this.rebuildIndex();
  }

  private addEntryTo(sketch: CountMin, entry: number): void {
    const record = entry * this.stride;
    const at = record >>> 1;
    const bytes = this.counters[at]!;
    const packets = this.counters[at + countedPackets]!;
    if (packets === 0 && bytes === 0) return;
    sketch.add(this.records[record + hashWordAt]!, this.records[record + hashWordAt + 1]!, bytes, packets);
  }
}

/** A power of two: two words for each of at least twice the entries. */
function indexLength(entries: number): number {
  return 1 << (34 - Math.clz32(entries - 1));
}

/** A table that holds all that one or more others hold, with room for every key of theirs as far as 65,536. */
export function mergeHeavyKeys(states: readonly HeavyKeysState[]): HeavyKeys {
  const first = states[0];
  if (!first) throw new Error('nothing to merge');
  const keys = states.reduce((sum, state) => sum + state.size, 0);
  const merged = new HeavyKeys(first.width, Math.min(capacityMax, Math.max(capacityMin, keys)));
  for (const state of states) merged.merge(state);
  return merged;
}

/**
 * Numbers of the `count` heaviest entries, heaviest first: by upper bound of bytes, then packets, then key bytes, so that
 * the answer does not depend on the order packets came in.
 */
export function heaviest(state: HeavyKeysState, count: number): number[] {
  const { counters, size, width } = state;
  const uppers = new Float64Array(size);
  readUppers(counters, uppers);
  const threshold = size > count ? nthSmallest(uppers, size, size - count) : 0;
  const entries: number[] = [];
  pushAtLeast(uppers, threshold, entries);
  const upper = (entry: number) => uppers[entry]!;
  const bytes = new Uint8Array(state.words.buffer, state.words.byteOffset, state.words.byteLength);
  const keyBytes = width * 4;
  const compareKeys = (a: number, b: number): number => {
    for (let i = 0; i < keyBytes; i += 1) {
      const difference = bytes[a * keyBytes + i]! - bytes[b * keyBytes + i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const packets = (entry: number) => counters[entry * counterFields + countedPackets]!;
  return entries.sort((a, b) => upper(b) - upper(a) || packets(b) - packets(a) || compareKeys(a, b)).slice(0, count);
}

function readUppers(counters: Float64Array, uppers: Float64Array): void {
  for (let entry = 0; entry < uppers.length; entry += 1) {
    uppers[entry] = counters[entry * counterFields]! + counters[entry * counterFields + errorBytes]!;
  }
}

function pushAtLeast(uppers: Float64Array, threshold: number, entries: number[]): void {
  for (let entry = 0; entry < uppers.length; entry += 1) if (uppers[entry]! >= threshold) entries.push(entry);
}
