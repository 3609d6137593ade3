/**
 * The planner of time series and tables: a query of the model becomes one SQL statement on one table, and what is needed
 * to read its rows back.
 *
 * - The range grows outward to whole buckets (time series) or whole windows of the table, so that no row is cut.
 * - A limit with groups keeps the N groups that lead the order over the whole range; the rest is aggregated by the same
 *   statement as one more group, so that `other` plus the groups is the total, to the byte, for every kind of measure.
 * - Rows are grouped on plain values: a value that is absent in some rows (a port of an ICMP flow) becomes two keys,
 *   "is there" and the value, because sets and nulls do not mix in SQL.
 * - An earlier period is a statement of its own over the same groups, its times laid over the present ones.
 * - Everything from outside is a bound parameter; names come from the registry.
 */
import { queryLimits } from '@netspectra/query';
import type { ErrorBound, QueryTable, TimeRange } from '@netspectra/query';
import { invalid } from '../problem.js';
import { aggregate } from './aggregate.js';
import type { Aggregate, AggregateContext } from './aggregate.js';
import { Binder } from './bind.js';
import { chooseMode, chooseTable, couldUseSketches } from './choose.js';
import type { ChosenRollup } from './choose.js';
import { timeConditions } from './conditions.js';
import { SampleFold } from './fold.js';
import { alignRange, chooseInterval, widenedNotice, windowMillis } from './interval.js';
import type { TableWindows } from './interval.js';
import { keysOf, withTextKeys } from './keys.js';
import { hasWindows, rowsWhere, sentBy } from './rows.js';
import { needsSamples, sampleWidth } from './samples.js';
import { scopeOf } from './scope.js';
import type { Scope } from './scope.js';
import type { CheckedQuery, Plan, PlannedDimension, PlannedMeasure, PlannerLimits, Statement } from './types.js';

/** Which of the two statements of a comparison is wanted. */
export interface Period {
  readonly period: 'now' | 'before';
  /** how long before the range the earlier period lies */
  readonly offsetMs: number;
}

/** Where the values of a dimension stand when the rest of the groups has a row of its own. */
const shownAs = (planned: PlannedDimension): PlannedDimension => ({
  ...planned,
  column: `ns_${planned.column}`,
  presentColumn: planned.presentColumn === undefined ? undefined : `ns_${planned.presentColumn}`,
});

const timeSql = (table: QueryTable, width: string): string =>
  hasWindows(table)
    ? `intDiv(toUnixTimestamp(window_start), ${width})`
    : `intDiv(toUnixTimestamp64Milli(timestamp), ${width})`;

/** The bucket of a row, counted from 1970; with a shift the bucket it is laid over. */
function bucketSql(table: QueryTable, widthMs: number, shiftMs: number, name: string, binder: Binder): string {
  const unit = hasWindows(table) ? 1000 : 1;
  const type = hasWindows(table) ? 'UInt32' : 'Int64';
  const width = binder.bind(name, type, widthMs / unit);
  if (shiftMs === 0) return timeSql(table, width);
  const shift = binder.bind('shift', type, shiftMs / unit);
  const time = hasWindows(table) ? 'toUnixTimestamp(window_start)' : 'toUnixTimestamp64Milli(timestamp)';
  return `intDiv(${time} + ${shift}, ${width})`;
}

/** Errors of estimates, for the meta of the answer. */
function errorBoundsOf(measures: readonly PlannedMeasure[]): ErrorBound[] {
  return measures.flatMap(({ measure, bounded }): ErrorBound[] =>
    // The bucket of a quantile is one power of two wide: truth and value differ by less than a factor of two.
    bounded ? [{ measure: measure.id as ErrorBound['measure'], kind: 'relative', error: 1, confidence: 1 }] : [],
  );
}

interface Key {
  readonly sql: string;
  readonly column: string;
}

/** `SELECT keys, measures FROM ... GROUP BY keys`, in one step or, with samples, in two. */
function selectGrouped(
  from: string,
  keys: readonly Key[],
  columns: readonly string[],
  fold: SampleFold | undefined,
  sampleSql: string,
): string {
  const names = keys.map(({ column }) => column);
  const named = keys.map(({ sql, column }) => (sql === column ? column : `${sql} AS ${column}`));
  const groupBy = (by: readonly string[]): string => (by.length === 0 ? '' : ` GROUP BY ${by.join(', ')}`);
  if (!fold) return `SELECT ${[...named, ...columns].join(', ')} ${from}${groupBy(names)}`;
  const samples =
    `SELECT ${[...named, `${sampleSql} AS ns_sample`, ...fold.columns].join(', ')} ${from}` +
    groupBy([...names, 'ns_sample']);
  return `SELECT ${[...names, ...columns].join(', ')} FROM (${samples})${groupBy(names)}`;
}

/** What all parts of a statement share. */
interface Frame {
  readonly checked: CheckedQuery;
  readonly binder: Binder;
  /** the whole range, aligned */
  readonly range: TimeRange;
  readonly intervalMs: number | null;
  /** width of the samples, where rates of samples are wanted */
  readonly sampleMs: number | undefined;
  readonly limit: number;
}

interface Aggregated {
  readonly aggregates: readonly Aggregate[];
  readonly fold: SampleFold | undefined;
}

/** The measures over a stretch of time. @param name names the parameter of its seconds @param bucket SQL, for shares */
function aggregateOver(frame: Frame, scope: Scope, lengthMs: number, name: string, bucket?: string): Aggregated {
  const { checked, binder, sampleMs } = frame;
  const fold = sampleMs === undefined ? undefined : new SampleFold();
  const context: AggregateContext = {
    table: scope.table,
    mode: scope.mode,
    binder,
    seconds: binder.bind(name, 'Float64', lengthMs / 1000),
    ...(fold && sampleMs !== undefined
      ? { fold, samples: { count: Math.round(lengthMs / sampleMs), seconds: sampleMs / 1000 } }
      : {}),
    ...(bucket === undefined ? {} : { bucket }),
  };
  return { aggregates: checked.measures.map((measure) => aggregate(measure, context)), fold };
}

function orderSql(checked: CheckedQuery, over: readonly Aggregate[], column: (key: string) => string): string[] {
  const { query, orderBy } = checked;
  return orderBy.map((order) => {
    const measured = 'measure' in order ? over[query.measures.indexOf(order.measure)] : undefined;
    const sql =
      'measure' in order ? (measured?.order ?? measured?.value) : column(`d${query.groupBy.indexOf(order.dimension)}`);
    if (sql === undefined) throw new Error('an order by something that is not in the query');
    return `${sql} ${order.direction === 'asc' ? 'ASC' : 'DESC'}`;
  });
}

/** The keys of the groups that lead the order over the whole range of a scope. */
function leadingSql(frame: Frame, scope: Scope): string {
  const { checked, binder, range, sampleMs, limit } = frame;
  const { keys } = keysOf(checked.groups, scope.table, scope.mode, binder, true);
  const names = keys.map((key) => key.column);
  const lengthMs = range.toMs - range.fromMs;
  const { aggregates, fold } = aggregateOver(frame, scope, lengthMs, 'range_seconds');
  // Groups that are equal in the order still come in one order: a limit must not flicker from refresh to refresh.
  const order = [...orderSql(checked, aggregates, (key) => key), ...names].join(', ');
  const sample = sampleMs === undefined ? '' : bucketSql(scope.table, sampleMs, scope.shiftMs, 'sample', binder);
  const from = rowsWhere(
    scope.table,
    scope.mode,
    scope.conditions,
    keys.map((key) => `${key.sql} AS ${key.column}`),
    sentBy(checked, scope.table),
  );
  const grouped = selectGrouped(
    from,
    names.map((column) => ({ sql: column, column })),
    [],
    fold,
    sample,
  );
  return `${grouped} ORDER BY ${order} LIMIT ${binder.bind('limit', 'UInt32', limit)}`;
}

/**
 * The statement of a time series or table.
 * @param sketchSubjects subjects that have sketches in the range (see `needsSketches`)
 * @param compared which period of a comparison; absent: there is none
 * @param rollup answers in place of the flow records (see `usableRollup`)
 * Throws an ApiError when the query cannot be answered.
 */
export function planQuery(
  checked: CheckedQuery,
  windows: TableWindows,
  limits: PlannerLimits,
  sketchSubjects: ReadonlySet<string> = new Set(),
  compared?: Period,
  rollup?: ChosenRollup,
): Plan {
  const { query, measures } = checked;
  const wanted = { ...checked, sketchSubjects, rollup };
  const table = chooseTable(wanted);
  const mode = chooseMode(table, wanted);
  const binder = new Binder();
  const notices: string[] = rollup?.table === table ? [rollup.reason] : [];
  const isGrouped = checked.groups.length > 0;
  const limit = Math.min(query.limit ?? queryLimits.limitDefault, limits.rowsMax - 1);
  const windowMs = windowMillis(table, windows);

  let intervalMs: number | null = null;
  if (query.type === 'timeseries') {
    const bucketsMax = Math.min(queryLimits.dataPointsMax, Math.floor(limits.rowsMax / (isGrouped ? limit + 1 : 1)));
    if (bucketsMax < 1) throw invalid('#/limit', `more than ${limits.rowsMax} values are asked for; lower the limit`);
    const chosen = chooseInterval(query, checked.range, windowMs, bucketsMax);
    intervalMs = chosen.intervalMs;
    if (chosen.notice !== undefined) notices.push(chosen.notice);
  }
  const spanMs = intervalMs ?? checked.range.toMs - checked.range.fromMs;
  const sampleMs = needsSamples(measures) ? sampleWidth(spanMs, windowMs, intervalMs !== null) : undefined;
  const range = alignRange(checked.range, intervalMs ?? sampleMs ?? windowMs);
  // A time series shows its buckets; of a total one would not see that it is of more than was asked for.
  const widened = intervalMs === null ? widenedNotice(checked.range, range, sampleMs ?? windowMs) : undefined;
  if (widened !== undefined) notices.push(widened);
  // A row cannot be cut: the earlier period lies a whole number of windows before.
  const offsetMs = compared ? Math.max(1, Math.round(compared.offsetMs / windowMs)) * windowMs : 0;
  const shiftMs = compared?.period === 'before' ? offsetMs : 0;
  const frame: Frame = { checked, binder, range, intervalMs, sampleMs, limit };
  const scope = scopeOf(checked, { table, mode, range, shiftMs }, binder);

  const { keys, dimensions } = keysOf(checked.groups, table, mode, binder, true);
  const keyNames = keys.map((key) => key.column);
  const bucket = intervalMs === null ? undefined : bucketSql(table, intervalMs, shiftMs, 'interval', binder);
  const sample = sampleMs === undefined ? '' : bucketSql(table, sampleMs, shiftMs, 'sample', binder);
  const { aggregates, fold } = aggregateOver(
    frame,
    scope,
    intervalMs ?? range.toMs - range.fromMs,
    intervalMs === null ? 'range_seconds' : 'bucket_seconds',
    bucket === undefined ? undefined : 't',
  );
  const columns = aggregates.flatMap((each, i) => [
    `${each.value} AS m${i}`,
    ...(each.lower === undefined ? [] : [`${each.lower} AS m${i}_lower`]),
    ...(each.upper === undefined ? [] : [`${each.upper} AS m${i}_upper`]),
    ...(each.sketch ? [`${each.sketch.narrowest} AS m${i}_narrowest`, `${each.sketch.widest} AS m${i}_widest`] : []),
  ]);

  const hasRest = isGrouped && (query.type === 'timeseries' || query.other === true || compared !== undefined);
  const rows = rowsWhere(
    table,
    mode,
    scope.conditions,
    keys.map((key) => `${key.sql} AS ${key.column}`),
    sentBy(checked, table),
  );
  const time: Key[] = bucket === undefined ? [] : [{ sql: bucket, column: 't' }];
  const shown = (column: string): string => `ns_${column}`;
  let sql: string;
  if (hasRest) {
    // The rows come twice: once to find the leading groups, once to put every row into its group or into the rest.
    const key = keyNames.join(', ');
    const leading = leadingScopes(checked, scope, offsetMs, binder).map(
      (each) => `(${key}) IN (${leadingSql(frame, each)})`,
    );
    const from = `FROM (SELECT *, ${leading.length > 1 ? `(${leading.join(' OR ')})` : leading.join('')} AS ns_top ${rows})`;
    const shownKeys = keyNames.map((column) => ({
      sql: `if(ns_top, ${column}, defaultValueOfArgumentType(${column}))`,
      column: shown(column),
    }));
    const orders = [
      ...(intervalMs === null ? ['ns_top DESC', ...orderSql(checked, aggregates, shown)] : ['t']),
      ...shownKeys.map(({ column }) => column),
    ];
    const all = [...time, { sql: 'ns_top', column: 'ns_top' }, ...shownKeys];
    sql = `${selectGrouped(from, all, columns, fold, sample)} ORDER BY ${orders.join(', ')}`;
  } else {
    const all = [...time, ...keyNames.map((column) => ({ sql: column, column }))];
    const orders = [
      ...(intervalMs === null ? [] : ['t']),
      ...(isGrouped ? [...orderSql(checked, aggregates, (column) => column), ...keyNames] : []),
    ];
    sql =
      selectGrouped(rows, all, columns, fold, sample) +
      (orders.length > 0 ? ` ORDER BY ${orders.join(', ')}` : '') +
      (isGrouped ? ` LIMIT ${binder.bind('limit', 'UInt32', limit + 1)}` : '');
  }

  const read = hasRest ? dimensions.map(shownAs) : dimensions;
  const planned = measures.map((measure, i): PlannedMeasure => ({
    measure,
    column: `m${i}`,
    bounded: aggregates[i]?.lower !== undefined,
    sketch: aggregates[i]?.sketch !== undefined,
  }));
  return {
    type: query.type,
    refId: query.refId,
    table,
    mode,
    sql: withTextKeys(sql, read),
    params: binder.params,
    rowsMax: limits.rowsMax,
    range,
    intervalMs,
    ...(sampleMs === undefined ? {} : { sampleMs }),
    shiftMs,
    measures: planned,
    dimensions: read,
    limit,
    hasRest,
    other: query.other === true,
    displayUnits: query.units === 'display',
    filter: checked.filter?.canonical ?? null,
    errorBounds: errorBoundsOf(planned),
    notices,
  };
}

/**
 * The scopes whose leading groups are shown. A time series shows those of the present. In a table those that led the
 * earlier period stay, too: who fell away is what one compares for.
 */
function leadingScopes(checked: CheckedQuery, scope: Scope, offsetMs: number, binder: Binder): Scope[] {
  const at = (shiftMs: number): Scope =>
    scope.shiftMs === shiftMs
      ? scope
      : scopeOf(checked, { ...scope, shiftMs }, binder, shiftMs === 0 ? 'now_' : 'before_');
  const compares = offsetMs > 0;
  return compares && checked.query.type === 'table' ? [at(0), at(offsetMs)] : [at(0)];
}

/** Whether the planner wants to know which sketches exist before it chooses. */
export const needsSketches = (checked: CheckedQuery): boolean =>
  (checked.query.type === 'timeseries' || checked.query.type === 'table') && couldUseSketches(checked);

/** The statement that tells which subjects have sketches in a range: columns `subject`. */
export function planSketchSubjects(range: TimeRange, windows: TableWindows): Statement {
  const binder = new Binder();
  const aligned = alignRange(range, windowMillis('sketches', windows));
  const conditions = [...timeConditions('sketches', aligned, binder), `sketch = 'hll'`, `key = ''`];
  return { sql: `SELECT DISTINCT subject ${rowsWhere('sketches', 'plain', conditions)}`, params: binder.params };
}
