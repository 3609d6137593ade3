/** For tests: temporary data folders, and flushes made of rows with known sums. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { escapeTsv, tables } from '../tables/index.js';
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

/** A value as TabSeparated text; arrays and maps are given as their text. */
function fieldText(value: string | number | bigint, type: string): string {
  if (!type.includes('String') || type.startsWith('Array') || type.startsWith('Map')) return String(value);
  return escapeTsv(String(value));
}

export type RowValues = Readonly<Record<string, string | number | bigint>>;

/** A row block as the engine makes it; columns not named are at their zero. */
export function rowBlock(table: TableName, rows: readonly RowValues[]): RowBlock {
  const { rowColumns } = tables[table];
  const text = rows
    .map((row) => rowColumns.map(({ name, type }) => fieldText(row[name] ?? defaultText(type), type)).join('\t') + '\n')
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
    blocks: (Object.keys(rows) as TableName[]).map((table) => rowBlock(table, rows[table] ?? [])),
  };
}
