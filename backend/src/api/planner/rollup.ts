/**
 * When a query is answered from a rollup of the flow records: when they are too many to be added up while someone waits,
 * or gone. Rollups are exact in their sums, but know only the largest conversations by name (query's registry/rollups.ts), so
 * flow records answer as long as they can.
 */
import { isRollup, queryLimits, rollupSeconds, rollupTables } from '@netspectra/query';
import type { QueryTable, RollupTable, TimeRange } from '@netspectra/query';
import { Binder } from './bind.js';
import { chooseTable, tablesWith } from './choose.js';
import type { Columns } from './columns.js';
import { chooseInterval, windowMillis } from './interval.js';
import type { TableWindows } from './interval.js';
import { needsSamples, sampleWidth } from './samples.js';
import type { CheckedQuery, Statement } from './types.js';

/** A range must be so many buckets long: its ends are rounded outward to whole ones. */
const bucketsMin = 24;

/** What the store holds in a range, by table. */
export interface Stock {
  /** flow records in the range, about */
  readonly flowRows: number;
  /** earliest row of each table, milliseconds; absent: the table is empty */
  readonly oldestMs: ReadonlyMap<QueryTable, number>;
}

/** The widest rollup that can answer; undefined where flow records (or another table) must. */
export function usableRollup(checked: CheckedQuery, windows: TableWindows): RollupTable | undefined {
  const { query, range } = checked;
  if (query.type !== 'table' && query.type !== 'timeseries' && query.type !== 'graph') return undefined;
  const wanted = { ...checked, sketchSubjects: new Set<string>() };
  const having = tablesWith(wanted);
  // What another table answers is not ours; what only rollups have (there is nothing yet) would be.
  if (having.length === 0 || !isRollup(having.at(-1) as QueryTable) || chooseTable(wanted) !== 'flows')
    return undefined;
  const fits = (table: RollupTable): boolean => {
    const widthMs = rollupSeconds[table] * 1000;
    if (range.toMs - range.fromMs < bucketsMin * widthMs || !having.includes(table)) return false;
    // A flow record wider than a bucket stands in its first one: the others would lack it.
    if (widthMs % windowMillis('flows', windows) !== 0) return false;
    // A time series takes the rollup that cuts no point short of what was asked for, and rates of samples one that cuts no
    // sample.
    const isSeries = query.type === 'timeseries';
    const spanMs = isSeries
      ? chooseInterval(query, range, 1000, queryLimits.dataPointsMax).intervalMs
      : range.toMs - range.fromMs;
    if (needsSamples(checked.measures) && sampleWidth(spanMs, 1000, isSeries) % widthMs !== 0) return false;
    return !isSeries || spanMs % widthMs === 0;
  };
  return rollupTables.filter(fits).at(-1);
}

/** The statement that tells the stock of a range: columns `name`, `rows` (those in the range, about), `oldest` (seconds). */
export function planStock(range: TimeRange): Statement {
  const binder = new Binder();
  const from = binder.bind('from', 'Int64', Math.floor(range.fromMs / 1000));
  const to = binder.bind('to', 'Int64', Math.ceil(range.toMs / 1000));
  const names = binder.bind('names', 'Array(String)', ['flows', ...rollupTables]);
  // The catalogue knows rows and times of each part: no row is read. Rows of a part are taken as spread evenly.
  const first = 'toInt64(toUnixTimestamp(min_time))';
  const last = 'toInt64(toUnixTimestamp(max_time))';
  const inside = `greatest(0, least(${last} + 1, ${to}) - greatest(${first}, ${from})) / (${last} + 1 - ${first})`;
  return {
    sql: `SELECT name, sum(rows * ${inside}) AS rows, min(${first}) AS oldest FROM stored_parts WHERE name IN ${names} GROUP BY name`,
    params: binder.params,
  };
}

/** The statement's rows. */
export function stockOf(columns: Columns): Stock {
  const names = columns.get('name').map(String) as QueryTable[];
  const oldest = columns.get('oldest');
  const flows = names.indexOf('flows');
  return {
    flowRows: flows < 0 ? 0 : Number(columns.get('rows')[flows]),
    oldestMs: new Map(names.map((name, i) => [name, Number(oldest[i]) * 1000])),
  };
}

/** Why a rollup answers, for people; undefined when flow records do. @param rowsMax flow records a query may add up */
export function rollupReason(
  rollup: RollupTable,
  range: TimeRange,
  { flowRows, oldestMs }: Stock,
  rowsMax: number,
): string | undefined {
  const unit = rollup === 'flows_1h' ? 'hour' : 'minute';
  const what = `answered by the ${unit}: the smallest conversations of each ${unit} count in sums, but not by name`;
  if (flowRows > rowsMax) {
    return `${what} (some ${Math.round(flowRows / 1e6)} million flow records are too many to add up)`;
  }
  const oldest = oldestMs.get('flows') ?? Infinity;
  const oldestRolledUp = oldestMs.get(rollup) ?? Infinity;
  const widthMs = rollupSeconds[rollup] * 1000;
  const gone = oldest > range.fromMs + widthMs && oldestRolledUp < Math.min(oldest - widthMs, range.toMs);
  return gone ? `${what} (flow records of the beginning of the range are not kept any more)` : undefined;
}
