/**
 * What HyperLogLog registers stand for: Ertl's improved raw estimator ("New cardinality estimation algorithms for HyperLogLog
 * sketches", arXiv:1702.01284, algorithm 6 with sigma and tau): no tables, no bias at small or large counts.
 */

/** 1 / (2 ln 2), the estimator's constant for many registers. */
const alphaInfinity = 1 / (2 * Math.LN2);

function sigma(start: number): number {
  if (start === 1) return Infinity;
  let x = start;
  let y = 1;
  let z = x;
  for (;;) {
    x *= x;
    const before = z;
    z += x * y;
    y += y;
    if (z === before) return z;
  }
}

function tau(start: number): number {
  if (start === 0 || start === 1) return 0;
  let x = start;
  let y = 1;
  let z = 1 - x;
  for (;;) {
    x = Math.sqrt(x);
    const before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
    if (z === before) return z / 3;
  }
}

/**
 * Distinct keys, from how many registers hold each rank.
 * @param counts counts[k] = registers that hold k, k = 0 .. q + 1 with q = 64 - log2Registers; what is missing is 0
 * @returns 0 .. about 2^64; 0 for empty registers
 */
export function estimateHistogram(counts: ArrayLike<number>, log2Registers: number): number {
  const m = 2 ** log2Registers;
  const q = 64 - log2Registers;
  let z = m * tau(1 - (counts[q + 1] ?? 0) / m);
  for (let k = q; k >= 1; k -= 1) z = 0.5 * (z + (counts[k] ?? 0));
  z += m * sigma((counts[0] ?? 0) / m);
  return (alphaInfinity * m * m) / z;
}

/**
 * Distinct keys that 2^log2Registers registers at `offset` stand for.
 * @returns 0 .. about 2^64; 0 for empty registers
 */
export function estimateRegisters(registers: Uint8Array, offset: number, log2Registers: number): number {
  const m = 1 << log2Registers;
  const q = 64 - log2Registers;
  const histogram = new Float64Array(q + 2);
  for (let i = 0; i < m; i += 1) {
    const value = Math.min(registers[offset + i]!, q + 1);
    histogram[value] = histogram[value]! + 1;
  }
  return estimateHistogram(histogram, log2Registers);
}

/** Standard error of such an estimate, relative: 1.04 / sqrt(2^p) (Flajolet et al. 2007). */
export const standardError = (log2Registers: number): number => 1.04 / Math.sqrt(2 ** log2Registers);
