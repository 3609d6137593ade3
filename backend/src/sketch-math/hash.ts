/**
 * The 64-bit hash all sketches use. It is part of the stored format: sketches of different engines, runs and versions
 * merge only because every one hashes a key alike. Never change it without a new `sketch` name in the tables.
 *
 * Two 32-bit lanes take in each word by a multiplication and a shift, and end in MurmurHash3's 32-bit finaliser (Austin
 * Appleby, public domain constants) after being crossed. Not keyed: who knows it can make addresses that collide.
 */

/** Result of the last `hashWords` or `hashWord`: high and low half, as signed 32-bit numbers. */
export const hashResult = new Int32Array(2);

const seedHigh = 0x2545f491;
const seedLow = 0x6c078965;

function finish(a: number, b: number): void {
  a = (a + b) | 0;
  b = (b + ((a << 16) | (a >>> 16))) | 0;
  a ^= a >>> 16;
  a = Math.imul(a, 0x85ebca6b);
  b ^= b >>> 15;
  b = Math.imul(b, 0x2c1b3c6d);
  a ^= a >>> 13;
  a = Math.imul(a, 0xc2b2ae35);
  b ^= b >>> 12;
  b = Math.imul(b, 0x297a2d39);
  hashResult[0] = a ^ (a >>> 16);
  hashResult[1] = b ^ (b >>> 15);
}

/**
 * Hash `count` words into `hashResult`.
 * @param words key words; addresses as in a PacketBatch (four words that hold the bytes in network order)
 */
export function hashWords(words: Uint32Array, offset: number, count: number): void {
  let a = seedHigh ^ count;
  let b = seedLow;
  for (let i = 0; i < count; i += 1) {
    const word = words[offset + i]!;
    a = Math.imul(a ^ word, 0x9e3779b1);
    a ^= a >>> 15;
    b = Math.imul((b + word) | 0, 0x85ebca77);
    b ^= b >>> 13;
  }
  finish(a, b);
}

/** Hash one word (a port or protocol number) into `hashResult`; the same as `hashWords` of that one word. */
export function hashWord(word: number): void {
  let a = Math.imul(seedHigh ^ 1 ^ word, 0x9e3779b1);
  a ^= a >>> 15;
  let b = Math.imul((seedLow + word) | 0, 0x85ebca77);
  b ^= b >>> 13;
  finish(a, b);
}
