/** For tests: temporary data folders, and flushes made of rows with known sums. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tables } from '../tables/index.js';
import type { Flush, RowBlock, TableName } from '../tables/index.js';

/** A folder of its own, removed by `remove`. */
export function temporaryDataDir(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'netspectra-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const zero: Readonly<Record<string, string>> = {
  IPv6: '::',
  'DateTime64(9)': '0.000000000',
  'Map(String, UInt64)': '{}',
};

function defaultText(type: string): string {
  if (zero[type] !== undefined) return zero[type];
  if (type.startsWith('Array')) return '[]';
  return type.includes('String') ? '' : '0';
}

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
};

/** A value as TabSeparated text; arrays and maps are given as their text. */
function fieldText(value: string | number | bigint, type: string): string {
  if (!type.includes('String') || type.startsWith('Array') || type.startsWith('Map')) return String(value);
  // eslint-disable-next-line no-control-regex -- NUL and friends are exactly what ClickHouse escapes
  return String(value).replace(/[\\\t\n\r\0\x08\f]/g, (c) => escapes[c] ?? c);
}

export type RowValues = Readonly<Record<string, string | number | bigint>>;

/** A row block as the engine makes it: sequence numbers zero-padded to 16 digits, columns not named at their zero. */
export function rowBlock(
  table: TableName,
  stamp: { probe: string; epoch: bigint; partition: number; firstSeq: number; lastSeq: number },
  rows: readonly RowValues[],
): RowBlock {
  const padded = (seq: number): string => String(seq).padStart(16, '0');
  const stamps: RowValues = {
    probe: stamp.probe,
    epoch: stamp.epoch,
    partition: stamp.partition,
    first_seq: padded(stamp.firstSeq),
    last_seq: padded(stamp.lastSeq),
  };
  const text = rows
    .map((row) => {
      const values: RowValues = { ...row, ...stamps };
      return (
        tables[table].columns.map(({ name, type }) => fieldText(values[name] ?? defaultText(type), type)).join('\t') +
        '\n'
      );
    })
    .join('');
  return { table, rows: rows.length, bytes: new TextEncoder().encode(text) };
}

/** A flush of these tables' rows. */
export function makeFlush(
  stamp: { probe: string; epoch: bigint; partition: number; firstSeq: number; lastSeq: number },
  rows: Readonly<Partial<Record<TableName, readonly RowValues[]>>>,
): Flush {
  return {
    probe: stamp.probe,
    epoch: stamp.epoch,
    partition: stamp.partition,
    firstSeq: stamp.firstSeq,
    lastSeq: stamp.lastSeq,
    blocks: (Object.keys(rows) as TableName[]).map((table) => rowBlock(table, stamp, rows[table] ?? [])),
  };
}
