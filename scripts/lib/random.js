/**
 * Seeded random numbers, so that a capture is the same bytes wherever it is made. The sequence is that of sfc32
 * (PractRand's "small fast counter", 128 bits of state), seeded by running the seed through it a few rounds.
 */
export class Random {
  /** @param {number} seed any 32-bit number */
  constructor(seed) {
    this.a = 0x9e3779b9;
    this.b = 0x243f6a88;
    this.c = seed >>> 0;
    this.counter = 1;
    for (let i = 0; i < 12; i += 1) this.next();
  }

  /** @returns {number} 0 .. 2^32 - 1 */
  next() {
    const sum = (this.a + this.b + this.counter) >>> 0;
    this.counter = (this.counter + 1) >>> 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** @returns {number} 0 <= x < 1 */
  fraction() {
    return this.next() / 4294967296;
  }

  /**
   * @param {number} low
   * @param {number} high
   * @returns {number} whole number, low <= x <= high
   */
  between(low, high) {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /**
   * @template T
   * @param {readonly T[]} values
   * @returns {T}
   */
  pick(values) {
    return values[Math.floor(this.fraction() * values.length)];
  }

  /**
   * @param {number} length
   * @returns {Uint8Array}
   */
  bytes(length) {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i += 1) out[i] = this.next() >>> 24;
    return out;
  }
}
