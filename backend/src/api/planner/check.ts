/** A query looked up and checked, as far as that needs no store. Errors name the field: pointers start at the query. */
import { measures as allMeasures, nearest, parseOffset, queryLimits } from '@netspectra/query';
import type { CompareTo, Measure, OrderBy, Query, QueryType, TimeRange } from '@netspectra/query';
import { invalid } from '../problem.js';
import { parseRange, timeAt } from '../time.js';
import { measureOf } from './aggregate.js';
import { compileFilter } from './filter.js';
import { groupOf } from './keys.js';
import type { CheckedQuery } from './types.js';

const measureIds = allMeasures.map((measure) => measure.id);

function checkOrder(query: Query): readonly OrderBy[] {
  const orderBy = query.orderBy ?? [];
  orderBy.forEach((key, i) => {
    if (query.type === 'explain') throw invalid('#/orderBy', 'an explain query is ordered by what changed most');
    if ('measure' in key) {
      if (!query.measures.includes(key.measure)) {
        throw invalid(`#/orderBy/${i}/measure`, `to order by ${key.measure}, ask for it in measures`);
      }
    } else if (!query.groupBy.includes(key.dimension)) {
      throw invalid(`#/orderBy/${i}/dimension`, `to order by ${key.dimension}, name it in groupBy`);
    }
  });
  const [first] = query.measures;
  if (orderBy.length > 0) return orderBy;
  return first === undefined ? [] : [{ measure: first, direction: 'desc' }];
}

const noRepeats = (ids: readonly string[], pointer: string): void => {
  ids.forEach((id, i) => {
    if (ids.indexOf(id) !== i) throw invalid(`${pointer}/${i}`, `${id} is there twice`);
  });
};

/** Fields of a query that say something to some types only. */
const fieldTypes: readonly (readonly [keyof Query, readonly QueryType[]])[] = [
  ['compareTo', ['timeseries', 'table', 'explain']],
  ['explain', ['explain']],
  ['mergeNodes', ['graph']],
];

function checkFields(query: Query): void {
  for (const [field, types] of fieldTypes) {
    if (query[field] !== undefined && !types.includes(query.type)) {
      throw invalid(`#/${field}`, `a ${query.type} query has no ${field}; it is for ${types.join(', ')}`);
    }
  }
  if (query.explain && query.compareTo)
    throw invalid('#/compareTo', 'name the earlier range in explain or here, not both');
}

function checkMeasures({ type, groupBy }: Query, measures: readonly Measure[]): void {
  const refuse = (wrong: (measure: Measure) => boolean, detail: string): void => {
    const at = measures.findIndex(wrong);
    if (at >= 0) throw invalid(`#/measures/${at}`, detail);
  };
  if (type !== 'flows' && measures.length === 0) {
    throw invalid('#/measures', `${type === 'explain' ? 'an' : 'a'} ${type} query needs at least one measure`);
  }
  switch (type) {
    case 'flows':
      if (groupBy.length > 0) {
        throw invalid('#/groupBy', 'a flows query lists flow records; to group, use type table');
      }
      refuse(({ kind }) => kind === 'distinct', 'a distinct count means nothing for a single flow');
      refuse(({ kind }) => kind === 'rate_quantile', 'a single flow has no peaks and percentiles; ask in a table');
      return refuse(({ kind }) => kind === 'share', 'a share is of groups; ask for it in a table');
    case 'graph':
      if (groupBy.length < 2) throw invalid('#/groupBy', 'a graph needs at least two levels, as src_ip and dst_ip');
      if (measures.length > 2) throw invalid('#/measures/2', 'a graph shows two measures at most');
      return refuse(
        ({ kind }) => kind !== 'sum' && kind !== 'rate' && kind !== 'share',
        'the edges of a graph add up; take a sum or a rate',
      );
    case 'explain':
      if (measures.length > 1) throw invalid('#/measures/1', 'an explain query is about one measure');
      return refuse(
        ({ kind }) => kind === 'quantile' || kind === 'rate_quantile' || kind === 'share',
        'what cannot be shared out among values cannot be explained; take a sum, rate, ratio, mean or distinct count',
      );
    default:
  }
}

function checkLimit({ type, limit = 0, groupBy }: Query): void {
  if (type === 'timeseries' && limit > queryLimits.seriesMax) {
    throw invalid('#/limit', `a time series query may have ${queryLimits.seriesMax} series at most`);
  }
  const dimensionsMax = type === 'explain' ? queryLimits.explainDimensionsMax : queryLimits.groupByMax;
  if (groupBy.length > dimensionsMax) {
    throw invalid(
      '#/groupBy',
      `${type === 'explain' ? 'an' : 'a'} ${type} query has ${dimensionsMax} dimensions at most`,
    );
  }
}

const offsetHelp = 'is no duration: a whole number with s, m, h, d or w, as 1h or 1w';

/** How long before the range the period lies that it is compared with, milliseconds. */
function offsetOf(compareTo: CompareTo, range: TimeRange, rangeSecondsMax: number): number {
  if ('offset' in compareTo) {
    const length = range.toMs - range.fromMs;
    const millis = compareTo.offset === 'previous' ? length : parseOffset(compareTo.offset);
    if (millis === undefined) throw invalid('#/compareTo/offset', `${offsetHelp}, or previous`);
    if (millis > range.fromMs) throw invalid('#/compareTo/offset', 'the period to compare with begins before 1970');
    return millis;
  }
  const earlier = parseRange(compareTo.from, compareTo.to, rangeSecondsMax, '#/compareTo');
  if (earlier.toMs - earlier.fromMs !== range.toMs - range.fromMs) {
    throw invalid('#/compareTo', 'the period to compare with must be as long as the range of the query');
  }
  if (earlier.fromMs >= range.fromMs) throw invalid('#/compareTo/from', 'must be before the range of the query');
  return range.fromMs - earlier.fromMs;
}

/** The two ranges of an explain query, before and after, as they were asked for. */
function rangesOf(
  { explain }: Query,
  offsetMs: number | undefined,
  range: TimeRange,
  rangeSecondsMax: number,
): [TimeRange, TimeRange] {
  const shifted = (millis: number): TimeRange => ({
    fromMs: Math.max(0, range.fromMs - millis),
    toMs: Math.max(1, range.toMs - millis),
  });
  if (offsetMs !== undefined) return [shifted(offsetMs), range];
  if (explain === undefined) return [shifted(range.toMs - range.fromMs), range];
  if ('baseline' in explain)
    return [parseRange(explain.baseline.from, explain.baseline.to, rangeSecondsMax, '#/explain/baseline'), range];
  const at = timeAt(explain.at, '#/explain/at');
  if (explain.width !== undefined) {
    const width = parseOffset(explain.width);
    if (width === undefined) throw invalid('#/explain/width', offsetHelp);
    if (width > at) throw invalid('#/explain/width', 'the time before `at` begins before 1970');
    if (width > rangeSecondsMax * 1000) {
      throw invalid('#/explain/width', `may be ${rangeSecondsMax} seconds at most (api.max_range)`);
    }
    return [
      { fromMs: at - width, toMs: at },
      { fromMs: at, toMs: timeAt(at + width, '#/explain/width') },
    ];
  }
  if (at <= range.fromMs || at >= range.toMs) {
    throw invalid(
      '#/explain/at',
      'must lie between from and to, which it divides into before and after; or give width',
    );
  }
  return [
    { fromMs: range.fromMs, toMs: at },
    { fromMs: at, toMs: range.toMs },
  ];
}

/**
 * Look up and check everything that needs no store. Throws ApiErrors whose pointers start at the query.
 * @param rangeSecondsMax longest range that a period of the query's own may span
 */
export function checkQuery(
  query: Query,
  range: TimeRange,
  rangeSecondsMax: number = queryLimits.rangeMsMax / 1000,
): CheckedQuery {
  noRepeats(query.measures, '#/measures');
  noRepeats(query.groupBy, '#/groupBy');
  const measures = query.measures.map((id, i) =>
    measureOf(id, `#/measures/${i}`, (wrong) => nearest(wrong, measureIds)),
  );
  const groups = query.groupBy.map((key, i) => groupOf(key, `#/groupBy/${i}`));
  checkFields(query);
  checkMeasures(query, measures);
  checkLimit(query);
  const filter = compileFilter(query.filter ?? '', '#/filter');
  const offsetMs = query.compareTo === undefined ? undefined : offsetOf(query.compareTo, range, rangeSecondsMax);
  const [before, after] =
    query.type === 'explain' ? rangesOf(query, offsetMs, range, rangeSecondsMax) : [undefined, range];
  return {
    query,
    range: after,
    measures,
    groups,
    dimensions: groups.map(({ dimension }) => dimension),
    filter,
    direction: query.direction ?? 'both',
    orderBy: checkOrder(query),
    ...(before === undefined ? {} : { before }),
    ...(offsetMs === undefined ? {} : { offsetMs }),
  };
}
