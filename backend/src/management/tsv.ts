/** Rows of managed things, as the store takes them. */
import { escapeTsv } from '../tables/index.js';

/** One row; its bytes are what `Store.insert` takes. Lone surrogates become U+FFFD: they have no UTF-8. */
export function tsvRow(values: readonly (string | number)[]): Uint8Array {
  const line = values.map((value) => escapeTsv(String(value)));
  return new TextEncoder().encode(`${line.join('\t')}\n`);
}

/** Milliseconds since 1970 as a DateTime64(3) reads them: 0, or a time since 2001 (fewer digits are read as a year). */
export const tsvTime = (ms: number): string => (ms / 1000).toFixed(3);
