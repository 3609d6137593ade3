/** Typeahead: the values of one dimension, heaviest first. */
import { findMeasure, queryTableNames, queryTables } from '@netspectra/query';
import type { Dimension, QueryTable, TimeRange } from '@netspectra/query';
import type { QueryParameters } from '../query-store.js';
import { Binder } from './bind.js';
import type { Columns } from './columns.js';
import { timeConditions } from './conditions.js';
import { displayValue } from './display.js';
import { alignRange, windowMillis } from './interval.js';
import type { TableWindows } from './interval.js';
import { namesStartingWith } from './names.js';
import { rowsWhere, valueSql } from './rows.js';
import type { RowMode } from './rows.js';

export interface ValuesQuery {
  readonly dimension: Dimension;
  readonly prefix: string;
  readonly range: TimeRange;
  readonly limit: number;
}

export interface ValuesPlan {
  readonly dimension: Dimension;
  readonly table: QueryTable;
  readonly sql: string;
  readonly params: QueryParameters;
}

/** What makes a value come first: bytes where rows count them, else the number of rows. */
function weightSql(table: QueryTable, mode: RowMode): string {
  const { rows } = queryTables[table];
  if (table === 'traffic') return 'sum(bytes)';
  if (table === 'tcp_health') return 'sum(tcp_bytes)';
  if (rows !== 'flow') return 'count()';
  const bytes = findMeasure('bytes');
  const source = bytes?.kind === 'sum' ? bytes.sources[table] : undefined;
  return mode === 'directed' && source ? `sum(${valueSql(source, mode)})` : 'sum(client_bytes + server_bytes)';
}

/** Every dimension stands in at least one table; the cheapest that counts traffic is asked. */
function tableOf(dimension: Dimension): QueryTable {
  const usable = (table: QueryTable): boolean => table in dimension.sources && queryTables[table].rows !== 'sketch';
  // Flow rows are summed up per window; for what they share with transactions (addresses) they say more.
  const table = (['traffic', 'flows'] as const).find(usable) ?? queryTableNames.find(usable);
  if (!table) throw new Error(`${dimension.id} is in no table`);
  return table;
}

/** The statement: columns `value` and `weight`. Values that begin with the prefix, case apart; ports by name, too. */
export function planValues(query: ValuesQuery, windows: TableWindows): ValuesPlan {
  const { dimension, prefix } = query;
  const table = tableOf(dimension);
  const source = dimension.sources[table];
  if (!source) throw new Error(`${dimension.id} is not in ${table}`);
  const mode: RowMode = source.scope === 'directed' ? 'directed' : 'plain';
  const binder = new Binder();
  const value = valueSql(source, mode);
  const conditions = [
    ...timeConditions(table, alignRange(query.range, windowMillis(table, windows)), binder),
    source.presentWhen === undefined ? undefined : `(${source.presentWhen})`,
  ];
  if (prefix !== '') {
    const place = binder.bind('prefix', 'String', prefix.toLowerCase());
    const shown =
      dimension.type === 'ip' ? `replaceRegexpOne(toString(${value}), '^::ffff:', '')` : `toString(${value})`;
    const starts = `startsWith(lowerUTF8(${shown}), ${place})`;
    const named = dimension.names === undefined ? [] : namesStartingWith(dimension.names, prefix);
    conditions.push(
      named.length === 0 ? starts : `(${starts} OR ${value} IN ${binder.bind('named', 'Array(UInt32)', named)})`,
    );
  } else if (dimension.type === 'text') {
    conditions.push(`${value} != ''`);
  }
  return {
    dimension,
    table,
    sql:
      `SELECT ${value} AS value, ${weightSql(table, mode)} AS weight ${rowsWhere(table, mode, conditions)}` +
      ` GROUP BY value ORDER BY weight DESC, value LIMIT ${binder.bind('limit', 'UInt32', query.limit)}`,
    params: binder.params,
  };
}

/** Rows of the statement as values and their weights. */
export function valuesOf(plan: ValuesPlan, columns: Columns): { value: string | number; count: number }[] {
  const weights = columns.get('weight');
  return columns.get('value').map((value, i) => ({
    value: displayValue(plan.dimension, value) ?? '',
    count: Number(weights[i]),
  }));
}
