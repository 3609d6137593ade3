/** Numbers and tables for a terminal. */

const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];

/** 1234567 -> "1.23 M", with powers of 1000. */
export function scaled(value: number, unit = ''): string {
  let rest = value;
  let prefix = 0;
  while (Math.abs(rest) >= 1000 && prefix < prefixes.length - 1) {
    rest /= 1000;
    prefix += 1;
  }
  const digits = prefix === 0 || Math.abs(rest) >= 100 ? 0 : Math.abs(rest) >= 10 ? 1 : 2;
  const number = Number.isInteger(rest) && prefix === 0 ? String(rest) : rest.toFixed(digits);
  return `${number}${prefixes[prefix] || unit ? ' ' : ''}${prefixes[prefix]}${unit}`;
}

/** Whole numbers with thin groups: 1234567 -> "1,234,567". */
export const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Captured text can hold anything: control characters must not reach a terminal. */
export const printable = (text: string): string =>
  // eslint-disable-next-line no-control-regex
  text.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

/** Rows in columns, padded; columns named in `right` are aligned right. The first row is the heading. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const clean = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of clean) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return clean
    .map((row) =>
      row
        .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
