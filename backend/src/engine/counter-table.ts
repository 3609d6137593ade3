/**
 * Small additive table: a key of a few u32 words -> a few float64 sums. Open addressing in typed arrays, bounded: when
 * it is full its owner writes it out (the rows are additive, so nothing is lost) and goes on with an empty one. It begins small,
 * because an engine has several for each stream, and most of them hold a few keys.
 */
const initialCapacity = 64;
const growth = 4;

export class CounterTable {
  /** sums of all keys; another array after a call of `at` that made the table grow */
  values: Float64Array;
  /** entries in use */
  count = 0;
  private keys: Uint32Array;
  private order: Uint32Array;
  private mask: number;
  private used: Uint8Array;
  private readonly capacity: number;
  private readonly keyWords: number;
  private readonly valueWords: number;
  private last = -1;

  /**
   * @param keyWords 1..4
   * @param valueWords sums per key
   * @param capacity most keys; a power of two; `full` turns true at half of it
   */
  constructor(keyWords: number, valueWords: number, capacity: number) {
    this.keyWords = keyWords;
    this.valueWords = valueWords;
    this.capacity = capacity;
    const room = Math.min(capacity, initialCapacity);
    this.keys = new Uint32Array(room * 4);
    this.values = new Float64Array(room * valueWords);
    this.order = new Uint32Array(room);
    this.used = new Uint8Array(room);
    this.mask = room - 1;
  }

  get full(): boolean {
    return this.count * 2 >= this.capacity;
  }

  /** Offset in `values` of the key's sums; a new key starts with zeros. */
  at(a: number, b: number, c: number, d: number): number {
    const keys = this.keys;
    const last = this.last;
    if (last >= 0) {
      const base = last * 4;
      if (keys[base] === a && keys[base + 1] === b && keys[base + 2] === c && keys[base + 3] === d) {
        return last * this.valueWords;
      }
    }
    const hash = hashOf(a, b, c, d);
    let slot = hash & this.mask;
    while (this.used[slot] === 1) {
      const base = slot * 4;
      if (keys[base] === a && keys[base + 1] === b && keys[base + 2] === c && keys[base + 3] === d) {
        this.last = slot;
        return slot * this.valueWords;
      }
      slot = (slot + 1) & this.mask;
    }
    if (this.count * 2 > this.mask) {
      if (this.full) throw new Error('counter table: used past `full`');
      this.grow();
      slot = this.freeSlot(hash);
    }
    this.used[slot] = 1;
    const base = slot * 4;
    this.keys[base] = a;
    this.keys[base + 1] = b;
    this.keys[base + 2] = c;
    this.keys[base + 3] = d;
    this.order[this.count] = slot;
    this.count += 1;
    this.last = slot;
    return slot * this.valueWords;
  }

  /** Calls back for every key in order of arrival (key words, offset in `values`) and empties the table. */
  drain(each: (key: Uint32Array, offset: number) => void): void {
    for (let i = 0; i < this.count; i += 1) {
      const slot = this.order[i]!;
      each(this.keys.subarray(slot * 4, slot * 4 + this.keyWords), slot * this.valueWords);
      this.used[slot] = 0;
      this.values.fill(0, slot * this.valueWords, (slot + 1) * this.valueWords);
    }
    this.count = 0;
    this.last = -1;
  }

  private freeSlot(hash: number): number {
    let slot = hash & this.mask;
    while (this.used[slot] === 1) slot = (slot + 1) & this.mask;
    return slot;
  }

  private grow(): void {
    const { keys, values, order, count, valueWords } = this;
    const room = Math.min(this.capacity, order.length * growth);
    this.keys = new Uint32Array(room * 4);
    this.values = new Float64Array(room * valueWords);
    this.order = new Uint32Array(room);
    this.used = new Uint8Array(room);
    this.mask = room - 1;
    for (let i = 0; i < count; i += 1) {
      const from = order[i]!;
      const key = from * 4;
      const slot = this.freeSlot(hashOf(keys[key]!, keys[key + 1]!, keys[key + 2]!, keys[key + 3]!));
      this.used[slot] = 1;
      this.order[i] = slot;
      this.keys.set(keys.subarray(key, key + 4), slot * 4);
      this.values.set(values.subarray(from * valueWords, (from + 1) * valueWords), slot * valueWords);
    }
  }
}

function hashOf(a: number, b: number, c: number, d: number): number {
  const hash = Math.imul(
    a ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f),
    0x9e3779b1,
  );
  return hash ^ (hash >>> 15);
}
