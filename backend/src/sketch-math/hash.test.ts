import { expect, it } from 'vitest';
import { hashResult, hashWord, hashWords } from './hash.js';

/** Four address words of an IPv4 address given as a number, as a PacketBatch holds them. */
function ipv4Words(address: number): Uint32Array {
  const bytes = new Uint8Array(16);
  bytes.set([0xff, 0xff, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255], 10);
  return new Uint32Array(bytes.buffer);
}

const hash = (words: Uint32Array): [number, number] => {
  hashWords(words, 0, words.length);
  return [hashResult[0]!, hashResult[1]!];
};

it('is part of the stored format: these values must never change', () => {
  expect(hash(ipv4Words(0xc0000207))).toMatchInlineSnapshot(`
    [
      -1474324757,
      -429200112,
    ]
  `);
  expect(hash(Uint32Array.of(443))).toMatchInlineSnapshot(`
    [
      944436304,
      -1629657522,
    ]
  `);
});

it('hashes one word as hashWords does', () => {
  for (const port of [0, 1, 443, 65535]) {
    hashWord(port);
    expect([...hashResult]).toEqual(hash(Uint32Array.of(port)));
  }
});

it('flips about half of all output bits for every input bit', () => {
  for (let bit = 0; bit < 128; bit += 1) {
    const flips = new Float64Array(64);
    const samples = 400;
    for (let sample = 0; sample < samples; sample += 1) {
      const words = ipv4Words(0x0a000000 + sample);
      const [high, low] = hash(words);
      words[bit >>> 5] = words[bit >>> 5]! ^ (1 << (bit & 31));
      const [otherHigh, otherLow] = hash(words);
      for (let out = 0; out < 32; out += 1) {
        flips[out] = flips[out]! + (((high ^ otherHigh) >>> out) & 1);
        flips[32 + out] = flips[32 + out]! + (((low ^ otherLow) >>> out) & 1);
      }
    }
    for (const count of flips) expect(Math.abs(count / samples - 0.5), `input bit ${bit}`).toBeLessThan(0.2);
  }
});

it('does not collide on a million sequential addresses, nor in 20-bit parts beyond chance', () => {
  const seen = new Set<bigint>();
  const buckets = new Uint16Array(1 << 16);
  const words = ipv4Words(0);
  const bytes = new Uint8Array(words.buffer);
  for (let i = 0; i < 1_000_000; i += 1) {
    bytes[12] = 10;
    bytes[13] = i >>> 16;
    bytes[14] = i >>> 8;
    bytes[15] = i;
    hashWords(words, 0, 4);
    if (i < 300_000) seen.add((BigInt(hashResult[0]! >>> 0) << 32n) | BigInt(hashResult[1]! >>> 0));
    // top bits of one half with low bits of the other: what HLL and Count-Min look at
    const bucket = ((hashResult[0]! >>> 24) << 8) | (hashResult[1]! & 255);
    buckets[bucket] = buckets[bucket]! + 1;
  }
  expect(seen.size).toBe(300_000);
  const mean = 1_000_000 / buckets.length;
  let chi = 0;
  for (const count of buckets) chi += (count - mean) ** 2 / mean;
  // chi-squared with 65,535 degrees of freedom: standard deviation 362
  expect(Math.abs(chi - 65_535)).toBeLessThan(5 * 362);
});
