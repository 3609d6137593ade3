/** Rows as TabSeparated text, the one format both kinds of store take for inserts. */

/** ClickHouse's escapes of TabSeparated. */
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
};

/** One row; its bytes are what `Store.insert` takes. Lone surrogates become U+FFFD: they have no UTF-8. */
export function tsvRow(values: readonly (string | number)[]): Uint8Array {
  const line = values.map((value) =>
    // eslint-disable-next-line no-control-regex -- NUL and friends are exactly what ClickHouse escapes
    typeof value === 'number' ? String(value) : value.replace(/[\\\t\n\r\0\x08\f]/g, (c) => escapes[c] ?? c),
  );
  return new TextEncoder().encode(`${line.join('\t')}\n`);
}

/** Milliseconds since 1970 as a DateTime64(3) reads them: 0, or a time since 2001 (fewer digits are read as a year). */
export const tsvTime = (ms: number): string => (ms / 1000).toFixed(3);
