import { expect, it } from 'vitest';
import { nthSmallest } from './nth-smallest.js';
import { randomNumbers } from './sketch-fixtures.js';

it('finds what sorting finds, at any rank, for few and many values, equal, sorted and skewed ones', () => {
  const next = randomNumbers(3);
  const makers: ((i: number) => number)[] = [
    () => next(),
    () => next() % 3,
    () => 7,
    (i) => i,
    (i) => -i,
    () => Math.floor(1e6 ** (next() / 4294967296)),
    // what a sample at even distances takes for all there is
    (i) => (i % 16 === 0 ? 1e9 : i),
  ];
  for (const count of [1, 2, 3, 100, 2047, 2048, 5000, 32_768]) {
    for (const make of makers) {
      const values = Float64Array.from({ length: count }, (_, i) => make(i));
      const before = values.slice();
      const sorted = values.slice().sort();
      for (const rank of [0, count >> 3, count >> 1, count - 1, next() % count]) {
        expect(nthSmallest(values, count, rank)).toBe(sorted[rank]);
      }
      expect(values).toEqual(before);
    }
  }
});
