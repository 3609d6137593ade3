/** Conditions of a WHERE clause. */
import type { QueryTable, TimeRange } from '@netspectra/query';
import type { Binder } from './bind.js';
import type { CompiledFilter } from './filter.js';
import { hasWindows } from './rows.js';
import type { RowMode } from './rows.js';

/**
 * SQL conditions on time; half open. An earlier period that was rounded outward may begin before 1970, where no row is.
 * @param prefix begins the parameters' names, where a statement has several ranges
 */
export function timeConditions(table: QueryTable, range: TimeRange, binder: Binder, prefix = ''): string[] {
  if (hasWindows(table)) {
    const place = (name: string, millis: number) =>
      `toDateTime(${binder.bind(prefix + name, 'UInt32', Math.max(0, Math.floor(millis / 1000)))})`;
    return [`window_start >= ${place('from', range.fromMs)}`, `window_start < ${place('to', range.toMs)}`];
  }
  const place = (name: string, millis: number) =>
    `fromUnixTimestamp64Milli(${binder.bind(prefix + name, 'Int64', millis)})`;
  return [`timestamp >= ${place('from', range.fromMs)}`, `timestamp < ${place('to', range.toMs)}`];
}

/**
 * Conditions that a filter adds; its parameters go to the binder.
 * @param prefix as in timeConditions
 * @param found which rows may fit, where they are found before they are taken apart
 */
export function filterConditions(
  filter: CompiledFilter | null,
  table: QueryTable,
  mode: RowMode | 'seen' | 'either',
  binder: Binder,
  prefix = '',
  found: 'either' | 'seen' = 'either',
): string[] {
  if (!filter) return [];
  const condition = (of: RowMode | 'seen' | 'either', name: string): string => {
    const { sql, params } = filter.sql(table, of, prefix + name);
    binder.adopt(params);
    return `(${sql})`;
  };
  // Joined rows are found by either direction first.
  return mode === 'joined' ? [condition(found, 'found'), condition(mode, 'filter')] : [condition(mode, 'filter')];
}
