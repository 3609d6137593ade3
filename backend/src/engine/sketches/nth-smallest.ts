/**
 * Selection by rank. Of many values a sample says between which two the wanted one lies (the idea of Floyd and Rivest's
 * SELECT, 1975): one pass without mispredicted branches leaves a tenth of them for Hoare's selection.
 */

const sampled = 256;
/** How far from the sample's own value at that rank the two bounds are taken: 3 standard errors at the middle. */
const sampleSlack = 24;
/** Below so many values the sample costs more than it spares. */
const sampledFrom = 2048;

/**
 * The value that would stand at `rank` (0 = smallest) if the first `count` values were sorted; they keep their places.
 * @param scratch room for `count` values
 */
export function nthSmallest(
  values: Float64Array,
  count: number,
  rank: number,
  scratch: Float64Array = new Float64Array(count),
): number {
  if (count < sampledFrom) return selectCopy(values, count, rank, scratch);
  const sample = new Float64Array(sampled);
  for (let i = 0; i < sampled; i += 1) sample[i] = values[Math.floor((i * count) / sampled)]!;
  sample.sort();
  const middle = Math.floor((rank / count) * sampled);
  const low = middle < sampleSlack ? -Infinity : sample[middle - sampleSlack]!;
  const high = middle + sampleSlack >= sampled ? Infinity : sample[middle + sampleSlack]!;
  let below = 0;
  let found = 0;
  for (let i = 0; i < count; i += 1) {
    const value = values[i]!;
    below += value < low ? 1 : 0;
    scratch[found] = value;
    found += value >= low && value <= high ? 1 : 0;
  }
  if (rank < below || rank >= below + found) return selectCopy(values, count, rank, scratch);
  return select(scratch, found, rank - below);
}

function selectCopy(values: Float64Array, count: number, rank: number, scratch: Float64Array): number {
  scratch.set(values.subarray(0, count));
  return select(scratch, count, rank);
}

/** Hoare's selection among the first `count` values, which it reorders; pivots from a fixed row of numbers. */
function select(values: Float64Array, count: number, rank: number): number {
  let low = 0;
  let high = count - 1;
  let random = 0x9e3779b9;
  while (low < high) {
    random = (Math.imul(random, 0x915f77f5) + 1) >>> 0;
    const pivot = values[low + (random % (high - low + 1))]!;
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i += 1;
      while (values[j]! > pivot) j -= 1;
      if (i > j) break;
      const kept = values[i]!;
      values[i] = values[j]!;
      values[j] = kept;
      i += 1;
      j -= 1;
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else break;
  }
  return values[rank]!;
}
