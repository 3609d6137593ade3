/** The rows of a query in one period: a table, how it is looked at, and the conditions. */
import { findDimension, numberOf } from '@netspectra/query';
import type { QueryDirection, QueryTable, TimeRange } from '@netspectra/query';
import type { Binder } from './bind.js';
import { directionDimension } from './choose.js';
import { filterConditions, timeConditions } from './conditions.js';
import { tellsDuplicates, valueSql } from './rows.js';
import type { RowMode } from './rows.js';
import type { CheckedQuery } from './types.js';

export interface Scope {
  readonly table: QueryTable;
  readonly mode: RowMode;
  /** aligned; the rows are those of `shiftMs` before it */
  readonly range: TimeRange;
  readonly shiftMs: number;
  readonly conditions: readonly string[];
}

/** Rows that went into, or out of, the local networks. */
function directionConditions(direction: QueryDirection, table: QueryTable, mode: RowMode, binder: Binder): string[] {
  if (direction !== 'in' && direction !== 'out') return [];
  const source = findDimension(directionDimension)?.sources[table];
  const code = numberOf(directionDimension, direction);
  if (!source || code === undefined) throw new Error(`${table} knows no local networks`);
  return [`${valueSql(source, mode)} = ${binder.bind('direction', 'UInt8', code)}`];
}

/** @param prefix begins the names of the parameters, where a statement has several scopes */
export function scopeOf(
  checked: Pick<CheckedQuery, 'filter' | 'direction' | 'measures' | 'dimensions'>,
  rows: Pick<Scope, 'table' | 'mode' | 'range' | 'shiftMs'>,
  binder: Binder,
  prefix = '',
): Scope {
  const { table, mode, range, shiftMs } = rows;
  const period = { fromMs: range.fromMs - shiftMs, toMs: range.toMs - shiftMs };
  const conditions = [
    ...timeConditions(table, period, binder, prefix),
    ...(table === 'sketches' ? [`sketch = 'hll'`, `key = ''`] : []),
    ...directionConditions(checked.direction, table, mode, binder),
    ...filterConditions(
      checked.filter,
      table,
      mode,
      binder,
      prefix,
      tellsDuplicates(checked, table) ? 'seen' : 'either',
    ),
  ];
  return { table, mode, range, shiftMs, conditions };
}
