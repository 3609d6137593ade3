/**
 * Where a key stands in a Count-Min sketch: row r of a key is cell r * 2^log2Width + `countMinCell(high, low, r, log2Width)`.
 */

/** Which cell of a row a 64-bit hash falls into. Part of the stored format. */
export function countMinCell(high: number, low: number, row: number, log2Width: number): number {
  let x = Math.imul((low + Math.imul(row + 1, 0x9e3779b1)) | 0, 0x85ebca6b);
  x ^= x >>> 15;
  x = Math.imul(x ^ high, 0xc2b2ae35);
  x ^= x >>> 13;
  x = Math.imul(x, 0x27d4eb2f);
  x ^= x >>> 16;
  return x >>> (32 - log2Width);
}
