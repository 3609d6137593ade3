/**
 * Rows as CSV or NDJSON text, piece by piece.
 *
 * CSV is RFC 4180 (CRLF, quotes doubled, a header line), UTF-8. Cells hold bytes from the wire (host names, paths, DNS
 * names), and spreadsheets run text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return as a formula, so such
 * text gets a `'` in front (OWASP, "CSV Injection"). Numbers are left alone. Times are RFC 3339 in UTC, absent values empty.
 *
 * NDJSON is one JSON object a line, values as in the JSON answers: times are milliseconds since 1970, absent values null.
 */
import { stringify } from 'csv-stringify/sync';
import type { FrameFieldType, FrameValue } from '@netspectra/query';

export interface Column {
  readonly name: string;
  readonly type: FrameFieldType;
}

/** Rows by column: `values[i][row]` belongs to `columns[i]`. */
export interface RowBlock {
  readonly rows: number;
  readonly values: readonly (readonly (FrameValue | undefined)[])[];
}

/** Text that hides a formula behind blanks, which some spreadsheets skip. */
const hiddenFormula = /^[\s\p{Cc}]+[=+\-@\uff1d\uff0b\uff0d\uff20]/u;

/** A cell of text that no spreadsheet takes for a formula; what begins with the formula itself csv-stringify guards. */
const guarded = (text: string): string => (hiddenFormula.test(text) ? `'${text}` : text);

/** Milliseconds since 1970 with fractions -> RFC 3339 with microseconds where there are some. */
export function timeText(millis: number): string {
  const whole = Math.floor(millis);
  const text = new Date(whole).toISOString();
  const micros = Math.round((millis - whole) * 1000);
  return micros === 0 || micros >= 1000 ? text : `${text.slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

function cell(value: FrameValue | undefined, type: FrameFieldType): string | number | boolean {
  if (value === null || value === undefined) return '';
  if (type === 'time' && typeof value === 'number') return timeText(value);
  return typeof value === 'string' ? guarded(value) : value;
}

const csvOptions = {
  record_delimiter: '\r\n',
  escape_formulas: true,
  // Unlike the library's default ("1" and ""), so that a column reads the same throughout.
  cast: { boolean: (value: boolean) => (value ? 'true' : 'false') },
};

/** The header line of CSV; NDJSON has none. */
export const csvHeader = (columns: readonly Column[]): string =>
  stringify([columns.map(({ name }) => guarded(name))], csvOptions);

/** Rows `from` (included) to `to` (not included) of a block as text. */
export function encodeRows(
  form: 'csv' | 'ndjson',
  columns: readonly Column[],
  block: RowBlock,
  from: number,
  to: number,
): string {
  const rows = Array.from({ length: to - from }, (_, i) => from + i);
  if (form === 'csv') {
    return stringify(
      rows.map((row) => columns.map(({ type }, i) => cell(block.values[i]?.[row], type))),
      csvOptions,
    );
  }
  const keys = columns.map(({ name }) => JSON.stringify(name));
  return rows
    .map((row) => `{${keys.map((key, i) => `${key}:${JSON.stringify(block.values[i]?.[row] ?? null)}`).join(',')}}\n`)
    .join('');
}
