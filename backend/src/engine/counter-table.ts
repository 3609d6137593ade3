/**
 * Small additive table: a key of a few u32 words -> a few float64 sums. Open addressing in typed arrays, bounded: when
 * it is full its owner writes it out (the rows are additive, so nothing is lost) and goes on with an empty one.
 */
export class CounterTable {
  readonly values: Float64Array;
  /** entries in use */
  count = 0;
  private readonly keys: Uint32Array;
  private readonly order: Uint32Array;
  private readonly mask: number;
  private readonly used: Uint8Array;
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
    this.keys = new Uint32Array(capacity * 4);
    this.values = new Float64Array(capacity * valueWords);
    this.order = new Uint32Array(capacity);
    this.used = new Uint8Array(capacity);
    this.mask = capacity - 1;
  }

  get full(): boolean {
    return this.count * 2 > this.mask;
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
    let hash = Math.imul(
      a ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f),
      0x9e3779b1,
    );
    hash ^= hash >>> 15;
    let slot = hash & this.mask;
    while (this.used[slot] === 1) {
      const base = slot * 4;
      if (keys[base] === a && keys[base + 1] === b && keys[base + 2] === c && keys[base + 3] === d) {
        this.last = slot;
        return slot * this.valueWords;
      }
      slot = (slot + 1) & this.mask;
    }
    if (this.count >= this.mask) throw new Error('counter table: used past `full`');
    this.used[slot] = 1;
    keys[slot * 4] = a;
    keys[slot * 4 + 1] = b;
    keys[slot * 4 + 2] = c;
    keys[slot * 4 + 3] = d;
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
}
