/**
 * Cardinality from merged HyperLogLog registers: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog
 * sketches" (2017), algorithm 6 (improved raw estimator); it needs no bias tables and no switch to linear counting.
 */

/**
 * @param counts counts[k] = registers that hold k, k = 0 .. q + 1, where q = 64 - log2Width (a 64-bit hash)
 * @returns distinct values, 0 for an empty sketch
 */
export function estimateCardinality(counts: readonly number[], log2Width: number): number {
  const m = 2 ** log2Width;
  const q = 64 - log2Width;
  let z = m * tau(1 - (counts[q + 1] ?? 0) / m);
  for (let k = q; k >= 1; k -= 1) z = 0.5 * (z + (counts[k] ?? 0));
  z += m * sigma((counts[0] ?? 0) / m);
  // 1 / (2 ln 2) is the estimator's constant for large m.
  return (m * m) / (2 * Math.LN2 * z);
}

/** Standard error of the estimate, relative: 1.04 / sqrt(m) (Flajolet et al. 2007). */
export const standardError = (log2Width: number): number => 1.04 / Math.sqrt(2 ** log2Width);

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let power = x;
  let y = 1;
  let sum = x;
  for (let before = -1; before !== sum;) {
    power *= power;
    before = sum;
    sum += power * y;
    y += y;
  }
  return sum;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let root = x;
  let y = 1;
  let sum = 1 - x;
  for (let before = -1; before !== sum;) {
    root = Math.sqrt(root);
    before = sum;
    y *= 0.5;
    sum -= (1 - root) ** 2 * y;
  }
  return sum / 3;
}
