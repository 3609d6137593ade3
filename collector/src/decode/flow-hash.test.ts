import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flowHash, partitionOf } from './index.js';

const mapped = 0xffff0000;
const word = fc.integer({ min: 0, max: 0xffffffff });
const port = fc.integer({ min: 0, max: 65_535 });
const protocol = fc.integer({ min: 0, max: 255 });
type Tuple = [number, number, number, number, number, number, number, number, number, number, number];
const hash4 = (source: number, destination: number, sourcePort: number, destinationPort: number, of = 6): number =>
  flowHash(0, 0, mapped, source, 0, 0, mapped, destination, sourcePort, destinationPort, of);
/** a.b.c.d as the little-endian word of the columns */
const address = (a: number, b: number, c: number, d: number): number => (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;

describe('flowHash', () => {
  it('is the same for both directions, for signed and unsigned words', () => {
    fc.assert(
      fc.property(word, word, word, word, word, word, word, word, port, port, protocol, (...t) => {
        const [a, b, c, d, e, f, g, h, p, q, r] = t as Tuple;
        const there = flowHash(a, b, c, d, e, f, g, h, p, q, r);
        expect(flowHash(e, f, g, h, a, b, c, d, q, p, r)).toBe(there);
        expect(flowHash(a | 0, b | 0, c | 0, d | 0, e | 0, f | 0, g | 0, h | 0, p, q, r)).toBe(there);
        expect(there).toBe(there >>> 0);
      }),
    );
  });

  it('flips about half its bits when one input bit flips', () => {
    // Per input bit, over 2,000 tuples, each output bit must flip in 40 to 60 % (sigma is 1.1 %).
    const bits = [32, 32, 32, 32, 32, 32, 32, 32, 16, 16, 8];
    let state = 12_345;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state ^ (state >>> 13)) >>> 0;
    };
    const samples = 2_000;
    for (const version of [4, 6]) {
      for (let input = version === 4 ? 3 : 0; input < bits.length; input += 1) {
        if (version === 4 && input >= 4 && input <= 6) continue;
        for (let bit = 0; bit < bits[input]!; bit += 7) {
          const flips = new Uint32Array(32);
          for (let i = 0; i < samples; i += 1) {
            const tuple = bits.map((width) => random() >>> (32 - width)) as Tuple;
            if (version === 4) {
              tuple[0] = tuple[1] = tuple[4] = tuple[5] = 0;
              tuple[2] = tuple[6] = mapped;
            }
            const before = flowHash(...tuple);
            tuple[input] = (tuple[input]! ^ (1 << bit)) >>> 0;
            const changed = before ^ flowHash(...tuple);
            for (let out = 0; out < 32; out += 1) flips[out] = flips[out]! + ((changed >>> out) & 1);
          }
          const share = Array.from(flips, (count) => count / samples);
          expect(Math.min(...share)).toBeGreaterThan(0.4);
          expect(Math.max(...share)).toBeLessThan(0.6);
        }
      }
    }
  });

  const populations: readonly [string, (i: number) => number][] = [
    ['sequential ports', (i) => hash4(address(10, 0, 0, 1), address(10, 0, 0, 2), i & 0xffff, 443)],
    ['sequential clients', (i) => hash4(address(10, 0, i >>> 8, i & 255), address(192, 0, 2, 1), 40_000, 80)],
    ['clients and ports', (i) => hash4(address(10, 0, 0, i & 255), address(192, 0, 2, 1), 1024 + (i >>> 8), 80)],
    ['all pairs', (i) => hash4(address(10, 0, 0, i >>> 8), address(10, 0, 1, i & 255), 5000, 5000, 17)],
    ['sequential IPv6', (i) => flowHash(0xb80d0120, 0, 0, (i << 16) >>> 0, 0xb80d0120, 0, 0, 1, 40_000, 443, 6)],
    ['IPv6 prefixes', (i) => flowHash(0xb80d0120, i, 0, 1, 0xb80d0120, 0, 0, 2, 40_000, 443, 6)],
  ];
  it.each(populations)('spreads %s over buckets, by high and by low bits', (_, hash) => {
    const count = 65_536;
    for (const buckets of [4, 16, 64, 1024]) {
      const high = new Uint32Array(buckets);
      const low = new Uint32Array(buckets);
      for (let i = 0; i < count; i += 1) {
        const value = hash(i);
        const partition = partitionOf(value, buckets);
        high[partition] = high[partition]! + 1;
        low[value & (buckets - 1)] = low[value & (buckets - 1)]! + 1;
      }
      // Chi-square over its degrees of freedom: 1 when random, with a deviation of sqrt(2 / (buckets - 1)).
      for (const counts of [high, low]) {
        const expected = count / buckets;
        const chi = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0) / (buckets - 1);
        expect(chi).toBeLessThan(1 + 5 * Math.sqrt(2 / (buckets - 1)));
      }
    }
  });

  it('seldom gives two flows of a network one value', () => {
    const seen = new Set<number>();
    const flows = 300_000;
    for (let i = 0; i < flows; i += 1) {
      seen.add(hash4(address(10, 0, (i >>> 6) & 255, i & 63), address(10, 1, 0, i & 7), 32_768 + (i >>> 14), 443));
    }
    const distinct = new Set<string>();
    for (let i = 0; i < flows; i += 1) distinct.add(`${i & 63} ${(i >>> 6) & 255} ${i >>> 14}`);
    // n^2 / 2^33 = 10.5 collisions expected of a random function
    expect(distinct.size - seen.size).toBeLessThan(30);
  });
});

describe('partitionOf', () => {
  it('stays below the number of partitions and uses all', () => {
    for (const partitions of [1, 2, 3, 7, 64, 65_536]) {
      expect(partitionOf(0, partitions)).toBe(0);
      expect(partitionOf(0xffffffff, partitions)).toBe(partitions - 1);
    }
  });
});
