/**
 * The planner: a query of the model becomes one SQL statement on one table, and what is needed to read its rows back.
 *
 * - The range grows outward to whole buckets (time series) or whole windows of the table, so that no row is cut.
 * - A limit with groups keeps the N groups that lead the order over the whole range; the rest is aggregated by the same
 *   statement as one more group, so that `other` plus the groups is the total, to the byte, for every kind of measure.
 * - Rows are grouped on plain values: a value that is absent in some rows (a port of an ICMP flow) becomes two keys,
 *   "is there" and the value, because sets and nulls do not mix in SQL.
 * - Everything from outside is a bound parameter; names come from the registry.
 */
import {
  dimensions as allDimensions,
  findDimension,
  measures as allMeasures,
  nearest,
  queryLimits,
} from '@netspectra/query';
import type { Dimension, ErrorBound, OrderBy, Query, QueryTable, TimeRange } from '@netspectra/query';
import { invalid } from '../problem.js';
import type { QueryParameters } from '../query-store.js';
import { aggregate, measureOf } from './aggregate.js';
import type { Aggregate } from './aggregate.js';
import { Binder } from './bind.js';
import { chooseMode, chooseTable, couldUseSketches } from './choose.js';
import type { Wanted } from './choose.js';
import { compileFilter } from './filter.js';
import { planFlows } from './flows.js';
import { alignRange, chooseInterval, windowMillis } from './interval.js';
import type { TableWindows } from './interval.js';
import { filterConditions, timeConditions } from './conditions.js';
import { hasWindows, rowsWhere, valueSql } from './rows.js';
import type { RowMode } from './rows.js';
import type { CheckedQuery, Plan, PlannedDimension, PlannedMeasure, PlannerLimits } from './types.js';

const dimensionIds = allDimensions.map((dimension) => dimension.id);
const measureIds = allMeasures.map((measure) => measure.id);

/** The dimension of an id that a request names; throws a validation ApiError at `pointer`. */
export function dimensionOf(id: string, pointer: string): Dimension {
  const dimension = findDimension(id);
  if (dimension) return dimension;
  const suggestion = nearest(id, dimensionIds);
  throw invalid(
    pointer,
    `there is no dimension "${id}"${suggestion === undefined ? '' : `; did you mean ${suggestion}?`}`,
    suggestion,
  );
}

function checkOrder(query: Query): readonly OrderBy[] {
  (query.orderBy ?? []).forEach((key, i) => {
    if ('measure' in key) {
      if (!query.measures.includes(key.measure)) {
        throw invalid(`#/orderBy/${i}/measure`, `to order by ${key.measure}, ask for it in measures`);
      }
    } else if (!query.groupBy.includes(key.dimension)) {
      throw invalid(`#/orderBy/${i}/dimension`, `to order by ${key.dimension}, name it in groupBy`);
    }
  });
  const [first] = query.measures;
  if (query.orderBy && query.orderBy.length > 0) return query.orderBy;
  return first === undefined ? [] : [{ measure: first, direction: 'desc' }];
}

const noRepeats = (ids: readonly string[], pointer: string): void => {
  ids.forEach((id, i) => {
    if (ids.indexOf(id) !== i) throw invalid(`${pointer}/${i}`, `${id} is there twice`);
  });
};

/** Look up and check everything that needs no store. Throws ApiErrors whose pointers start at the query. */
export function checkQuery(query: Query, range: TimeRange): CheckedQuery {
  noRepeats(query.measures, '#/measures');
  noRepeats(query.groupBy, '#/groupBy');
  const measures = query.measures.map((id, i) =>
    measureOf(id, `#/measures/${i}`, (wrong) => nearest(wrong, measureIds)),
  );
  const dimensions = query.groupBy.map((id, i) => dimensionOf(id, `#/groupBy/${i}`));
  if (query.type === 'flows' && dimensions.length > 0) {
    throw invalid('#/groupBy', 'a flows query lists flow records; to group, use type table');
  }
  const distinct = query.type === 'flows' ? measures.findIndex((measure) => measure.kind === 'distinct') : -1;
  if (distinct >= 0) throw invalid(`#/measures/${distinct}`, 'a distinct count means nothing for a single flow');
  if (query.type !== 'flows' && measures.length === 0) {
    throw invalid('#/measures', `a ${query.type} query needs at least one measure`);
  }
  if (query.type === 'timeseries' && (query.limit ?? 0) > queryLimits.seriesMax) {
    throw invalid('#/limit', `a time series query may have ${queryLimits.seriesMax} series at most`);
  }
  const filter = compileFilter(query.filter ?? '', '#/filter');
  const direction = query.direction ?? 'both';
  return { query, range, measures, dimensions, filter, direction, orderBy: checkOrder(query) };
}

/** Where the values of a dimension stand when the rest of the groups has a row of its own. */
const shownAs = ({ dimension, column, presentColumn }: PlannedDimension): PlannedDimension => ({
  dimension,
  column: `ns_${column}`,
  presentColumn: presentColumn === undefined ? undefined : `ns_${presentColumn}`,
});

interface Keys {
  readonly dimensions: readonly PlannedDimension[];
  /** key expressions and the names of the columns they come out as */
  readonly keys: readonly { readonly sql: string; readonly column: string }[];
}

function keysOf(dimensions: readonly Dimension[], table: QueryTable, mode: RowMode): Keys {
  const keys: { sql: string; column: string }[] = [];
  const planned = dimensions.map((dimension, i): PlannedDimension => {
    const source = dimension.sources[table];
    if (!source) throw new Error(`${dimension.id} is not in ${table}`);
    const value = valueSql(source, mode);
    const column = `d${i}`;
    if (source.presentWhen === undefined) {
      keys.push({ sql: value, column });
      return { dimension, column, presentColumn: undefined };
    }
    const presentColumn = `${column}_present`;
    keys.push({ sql: `if(${source.presentWhen}, ${value}, defaultValueOfArgumentType(${value}))`, column });
    keys.push({ sql: `toUInt8(${source.presentWhen})`, column: presentColumn });
    return { dimension, column, presentColumn };
  });
  return { dimensions: planned, keys };
}

function bucketSql(table: QueryTable, intervalMs: number, binder: Binder): string {
  return hasWindows(table)
    ? `intDiv(toUnixTimestamp(window_start), ${binder.bind('interval', 'UInt32', intervalMs / 1000)})`
    : `intDiv(toUnixTimestamp64Milli(timestamp), ${binder.bind('interval', 'Int64', intervalMs)})`;
}

/** Errors of estimates, for the meta of the answer. */
function errorBoundsOf(measures: readonly PlannedMeasure[]): ErrorBound[] {
  return measures.flatMap(({ measure, bounded }): ErrorBound[] =>
    // The bucket of a quantile is one power of two wide: truth and value differ by less than a factor of two.
    bounded ? [{ measure: measure.id as ErrorBound['measure'], kind: 'relative', error: 1, confidence: 1 }] : [],
  );
}

/**
 * The statement of a query.
 * @param sketchSubjects subjects that have sketches in the range (see `needsSketches`)
 * Throws an ApiError when the query cannot be answered.
 */
export function planQuery(
  checked: CheckedQuery,
  windows: TableWindows,
  limits: PlannerLimits,
  sketchSubjects: ReadonlySet<string> = new Set(),
): Plan {
  const { query, measures, orderBy } = checked;
  if (query.type === 'flows') return planFlows(checked, windows, limits);
  const wanted: Wanted = { ...checked, sketchSubjects };
  const table = chooseTable(wanted);
  const mode = chooseMode(table, wanted);
  const binder = new Binder();
  const notices: string[] = [];
  const grouped = checked.dimensions.length > 0;
  const limit = Math.min(query.limit ?? queryLimits.limitDefault, limits.rowsMax - 1);
  const windowMs = windowMillis(table, windows);

  let intervalMs: number | null = null;
  if (query.type === 'timeseries') {
    const bucketsMax = Math.min(queryLimits.dataPointsMax, Math.floor(limits.rowsMax / (grouped ? limit + 1 : 1)));
    if (bucketsMax < 1) throw invalid('#/limit', `more than ${limits.rowsMax} values are asked for; lower the limit`);
    const chosen = chooseInterval(query, checked.range, windowMs, bucketsMax);
    intervalMs = chosen.intervalMs;
    if (chosen.notice !== undefined) notices.push(chosen.notice);
  }
  const range = alignRange(checked.range, intervalMs ?? windowMs);

  const rangeSeconds = binder.bind('range_seconds', 'Float64', (range.toMs - range.fromMs) / 1000);
  const bucketSeconds =
    intervalMs === null ? rangeSeconds : binder.bind('bucket_seconds', 'Float64', intervalMs / 1000);
  const aggregateOver = (seconds: string) =>
    measures.map((measure) => aggregate(measure, { table, mode, seconds, binder }));
  const aggregates = aggregateOver(bucketSeconds);
  const planned = measures.map((measure, i): PlannedMeasure => ({
    measure,
    column: `m${i}`,
    bounded: aggregates[i]?.lower !== undefined,
    sketch: aggregates[i]?.sketch !== undefined,
  }));

  const { keys, dimensions } = keysOf(checked.dimensions, table, mode);
  const conditions = [
    ...timeConditions(table, range, binder),
    ...(table === 'sketches' ? [`sketch = 'hll'`, `key = ''`] : []),
    ...filterConditions(checked.filter, table, mode, binder),
  ];
  const keyColumns = keys.map((key) => `${key.sql} AS ${key.column}`);
  const rows = rowsWhere(table, mode, conditions, keyColumns);

  const orderSql = (over: readonly Aggregate[], column: (key: string) => string): string[] =>
    orderBy.map((order) => {
      const sql =
        'measure' in order
          ? over[query.measures.indexOf(order.measure)]?.value
          : column(`d${query.groupBy.indexOf(order.dimension)}`);
      if (sql === undefined) throw new Error('an order by something that is not in the query');
      return `${sql} ${order.direction === 'asc' ? 'ASC' : 'DESC'}`;
    });
  // Groups that are equal in the order still come in one order: a limit must not flicker from refresh to refresh.
  const keyNames = keys.map((key) => key.column);
  const same = (column: string): string => column;
  const hasRest = grouped && (query.type === 'timeseries' || query.other === true);
  const measureColumns = aggregates.flatMap((each, i) => [
    `${each.value} AS m${i}`,
    ...(each.lower === undefined ? [] : [`${each.lower} AS m${i}_lower`]),
    ...(each.upper === undefined ? [] : [`${each.upper} AS m${i}_upper`]),
    ...(each.sketch ? [`${each.sketch.narrowest} AS m${i}_narrowest`, `${each.sketch.widest} AS m${i}_widest`] : []),
  ]);

  const select: string[] = [];
  const groupBy: string[] = [];
  const orders: string[] = [];
  if (intervalMs !== null) {
    select.push(`${bucketSql(table, intervalMs, binder)} AS t`);
    groupBy.push('t');
    orders.push('t');
  }
  let source = rows;
  let tail = '';
  if (hasRest) {
    // The rows come twice: once to find the leading groups, once to put every row into its group or into the rest.
    const key = keyNames.join(', ');
    const leading = [...orderSql(aggregateOver(rangeSeconds), same), ...keyNames].join(', ');
    const place = binder.bind('limit', 'UInt32', limit);
    const top = `SELECT ${key} ${rows} GROUP BY ${key} ORDER BY ${leading} LIMIT ${place}`;
    source = `FROM (SELECT *, (${key}) IN (${top}) AS ns_top ${rows})`;
    const shown = (column: string): string => `ns_${column}`;
    const defaulted = (column: string) => `if(ns_top, ${column}, defaultValueOfArgumentType(${column}))`;
    select.push('ns_top', ...keyNames.map((column) => `${defaulted(column)} AS ${shown(column)}`));
    groupBy.push('ns_top', ...keyNames.map(shown));
    if (intervalMs === null) orders.push('ns_top DESC', ...orderSql(aggregates, shown));
    orders.push(...keyNames.map(shown));
  } else if (grouped) {
    select.push(...keyNames);
    groupBy.push(...keyNames);
    orders.push(...orderSql(aggregates, same), ...keyNames);
    tail = ` LIMIT ${binder.bind('limit', 'UInt32', limit + 1)}`;
  }
  select.push(...measureColumns);

  const sql =
    `SELECT ${select.join(', ')} ${source}` +
    (groupBy.length > 0 ? ` GROUP BY ${groupBy.join(', ')}` : '') +
    (orders.length > 0 ? ` ORDER BY ${orders.join(', ')}` : '') +
    tail;

  return {
    type: query.type,
    refId: query.refId,
    table,
    sql,
    params: binder.params,
    rowsMax: limits.rowsMax,
    range,
    intervalMs,
    measures: planned,
    dimensions: hasRest ? dimensions.map(shownAs) : dimensions,
    limit,
    hasRest,
    other: query.other === true,
    displayUnits: query.units === 'display',
    filter: checked.filter?.canonical ?? null,
    errorBounds: errorBoundsOf(planned),
    notices,
  };
}

/** Whether the planner wants to know which sketches exist before it chooses. */
export const needsSketches = (checked: CheckedQuery): boolean =>
  checked.query.type !== 'flows' && couldUseSketches(checked);

/** The statement that tells which subjects have sketches in a range: columns `subject`. */
export function planSketchSubjects(range: TimeRange, windows: TableWindows): { sql: string; params: QueryParameters } {
  const binder = new Binder();
  const aligned = alignRange(range, windowMillis('sketches', windows));
  const conditions = [...timeConditions('sketches', aligned, binder), `sketch = 'hll'`, `key = ''`];
  return { sql: `SELECT DISTINCT subject ${rowsWhere('sketches', 'plain', conditions)}`, params: binder.params };
}
