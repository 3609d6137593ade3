import { describe, expect, it } from 'vitest';
import { CountMin } from './count-min.js';
import { hashResult, hashWord } from '../../sketch-math/index.js';
import { randomNumbers } from './sketch-fixtures.js';

/** Bytes of the i-th key, 1-based: Zipf with exponent 1. */
const zipf = (i: number, keys: number) => Math.ceil((keys / i) * 60);

function checkKeys(sketch: CountMin, keys: number, step: number): void {
  const allowed = sketch.errorRatio * sketch.totalBytes;
  let over = 0;
  let checked = 0;
  for (let i = 1; i <= keys; i += step) {
    hashWord(i);
    const estimate = sketch.estimateBytes(hashResult[0]!, hashResult[1]!);
    const truth = zipf(i, keys);
    if (estimate < truth) throw new Error(`key ${i}: ${estimate} under ${truth}`);
    if (estimate > truth + allowed) over += 1;
    checked += 1;
  }
  expect(over / checked, `${keys} keys`).toBeLessThanOrEqual(Math.exp(-sketch.depth));
}

describe('Count-Min', () => {
  for (const keys of [1_000, 10_000, 100_000, 1_000_000]) {
    it(`is never under and within its bound at ${keys} Zipf keys, whole and merged`, () => {
      const whole = new CountMin(4, 11);
      const parts = [new CountMin(4, 11), new CountMin(4, 11), new CountMin(4, 11)];
      let total = 0;
      for (let i = 1; i <= keys; i += 1) {
        hashWord(i);
        const bytes = zipf(i, keys);
        total += bytes;
        whole.add(hashResult[0]!, hashResult[1]!, bytes, 1);
        // every key's bytes in two parts
        parts[i % 3]!.add(hashResult[0]!, hashResult[1]!, bytes - 1, 1);
        parts[(i + 1) % 3]!.add(hashResult[0]!, hashResult[1]!, 1, 0);
      }
      expect([whole.totalBytes, whole.totalPackets]).toEqual([total, keys]);
      checkKeys(whole, keys, Math.ceil(keys / 50_000));
      const merged = new CountMin(4, 11);
      for (const part of parts) merged.merge(part);
      expect(merged).toEqual(whole);
    });
  }

  it('is within its bound at 10M keys', () => {
    const sketch = new CountMin(3, 12);
    for (let i = 1; i <= 10_000_000; i += 1) {
      hashWord(i);
      sketch.add(hashResult[0]!, hashResult[1]!, zipf(i, 10_000_000), 1);
    }
    checkKeys(sketch, 10_000_000, 500);
  });

  it('is exact while keys are few and does not wrap at 4 GiB', () => {
    const sketch = new CountMin(4, 12);
    const next = randomNumbers(1);
    const key = [next() | 0, next() | 0] as const;
    for (let i = 0; i < 10; i += 1) sketch.add(key[0], key[1], 2 ** 31, 2 ** 30);
    expect(sketch.estimateBytes(...key)).toBe(10 * 2 ** 31);
    expect(sketch.estimatePackets(...key)).toBe(10 * 2 ** 30);
    expect(sketch.totalBytes).toBe(10 * 2 ** 31);
    sketch.reset();
    expect(sketch).toEqual(new CountMin(4, 12));
  });

  it('has rows that do not fail together', () => {
    // Two keys that share a cell in one row share one in another no more often than any two keys do.
    const width = 6;
    const sketch = new CountMin(4, width);
    hashWord(1);
    sketch.add(hashResult[0]!, hashResult[1]!, 1, 1);
    let all = 0;
    for (let i = 2; i < 2_000_000; i += 1) {
      hashWord(i);
      if (sketch.estimatePackets(hashResult[0]!, hashResult[1]!) > 0) all += 1;
    }
    expect(all).toBeLessThan(2); // by chance 2M / 64^4 = 0.12
  });

  it('refuses shapes that are none', () => {
    expect(() => new CountMin(0, 10)).toThrow(RangeError);
    expect(() => new CountMin(4, 31)).toThrow(RangeError);
    expect(() => new CountMin(4, 10).merge(new CountMin(4, 11))).toThrow(/shape/);
  });
});
