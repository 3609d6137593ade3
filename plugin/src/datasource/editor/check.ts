/**
 * What is wrong with a query, by field, before it is asked. The server side and the API check again; here the mistake is
 * shown where it was made. What holds a template variable is not checked: its value is not known.
 */
import type { QueryTable } from '@netspectra/query';
import {
  findDimension,
  findMeasure,
  isGroupKey,
  measureTables,
  parseFilter,
  parseGroupKey,
  parseOffset,
  parseTime,
  filterTables,
  queryLimits,
  queryTableNames,
} from '@netspectra/query';
import { hasVariable } from '../template/variable.js';
import type { NetSpectraQuery } from '../types.js';

type CheckedField = 'measures' | 'groupBy' | 'filter' | 'limit' | 'interval' | 'compareTo' | 'at' | 'width';
export type Problems = Readonly<Partial<Record<CheckedField, string>>>;

/** How a field shows its mistake. */
export const wrong = (problem: string | undefined) => ({ invalid: problem !== undefined, error: problem });

/** One line for each field with a mistake; nothing: the query can be asked. */
export function checkQuery(query: NetSpectraQuery): Problems {
  const found = {
    measures: checkMeasures(query),
    groupBy: checkGroupBy(query),
    filter: checkFilter(query),
    limit: checkLimit(query),
    interval: checkInterval(query.interval),
    compareTo: checkCompare(query),
    at: checkMoment(query),
    width: checkWidth(query),
  };
  const known = Object.entries(found).filter((entry): entry is [CheckedField, string] => entry[1] !== undefined);
  const together = known.length === 0 ? checkTables(query) : undefined;
  return { ...Object.fromEntries(known), ...(together === undefined ? {} : { measures: together }) };
}

function checkMeasures({ type, measures }: NetSpectraQuery): string | undefined {
  const wrong = measures.find((id) => !hasVariable(id) && findMeasure(id) === undefined);
  if (wrong !== undefined) return `there is no measure ${wrong}`;
  if (type === 'flows') return undefined;
  if (measures.length === 0) return 'choose a measure';
  if (type === 'explain' && measures.length > 1) return 'one measure: its change is what is explained';
  const wholes = measures.find((id) => type === 'graph' && !hasVariable(id) && !addsUp(id));
  if (wholes !== undefined) return `${wholes} does not add up over the edges of a graph: take a sum, a rate or a share`;
  if (measures.length > queryLimits.measuresMax) return `at most ${queryLimits.measuresMax} measures`;
  return undefined;
}

const additive: ReadonlySet<string> = new Set(['sum', 'rate', 'share']);
const addsUp = (id: string): boolean => additive.has(findMeasure(id)?.kind ?? '');

function checkGroupBy({ type, groupBy }: NetSpectraQuery): string | undefined {
  for (const key of groupBy) {
    if (hasVariable(key) || isGroupKey(key)) continue;
    const parsed = parseGroupKey(key);
    if (typeof parsed === 'string') return parsed;
    const dimension = findDimension(parsed.dimension);
    if (dimension === undefined) return `there is no dimension ${parsed.dimension}`;
    return `${parsed.dimension} is no address: only addresses have networks`;
  }
  const most = type === 'explain' ? queryLimits.explainDimensionsMax : queryLimits.groupByMax;
  if (groupBy.length > most) return `at most ${most} dimensions`;
  if (type === 'graph' && groupBy.length < 2 && !groupBy.some(hasVariable))
    return 'choose two or more: the levels of the graph';
  return undefined;
}

/** Flow records have no names; mistakes of the filter itself are told beside it. */
function checkFilter({ type, filter = '' }: NetSpectraQuery): string | undefined {
  if (type !== 'flows' || hasVariable(filter)) return undefined;
  const parsed = parseFilter(filter);
  if (!parsed.ok || filterTables(parsed.filter).includes('flows')) return undefined;
  return 'flow records do not have all that the filter tests: DNS, HTTP and TLS have records of their own';
}

/** The most groups or flow records that a query may ask for. */
export const limitMax = ({ type }: NetSpectraQuery): number =>
  type === 'timeseries' ? queryLimits.seriesMax : queryLimits.limitMax;

function checkLimit(query: NetSpectraQuery): string | undefined {
  const { limit } = query;
  if (limit === undefined || (typeof limit === 'string' && (limit.trim() === '' || hasVariable(limit))))
    return undefined;
  const most = limitMax(query);
  const value = Number(limit);
  return Number.isInteger(value) && value >= 1 && value <= most
    ? undefined
    : `a whole number from 1 to ${most.toLocaleString('en')}`;
}

function checkInterval(interval: string | undefined): string | undefined {
  if (interval === undefined || interval.trim() === '' || interval === 'auto' || hasVariable(interval))
    return undefined;
  return /^\d+ms$/.test(interval) || parseOffset(interval) !== undefined
    ? undefined
    : 'a duration such as 10s, 5m or 1h, or $__interval';
}

function checkCompare({ type, compareTo }: NetSpectraQuery): string | undefined {
  if (compareTo === undefined || !('offset' in compareTo)) return undefined;
  if (type === 'flows' || type === 'graph') return 'only time series, tables and "what changed" compare';
  const { offset } = compareTo;
  return offset === 'previous' || hasVariable(offset) || parseOffset(offset) !== undefined
    ? undefined
    : 'previous, or a duration such as 1h, 1d or 1w';
}

/** The moment before and after which is compared, where the query has one. */
const momentOf = ({ type, explain }: NetSpectraQuery) =>
  type === 'explain' && explain !== undefined && 'at' in explain ? explain : undefined;

function checkMoment(query: NetSpectraQuery): string | undefined {
  const at = momentOf(query)?.at;
  if (at === undefined || (typeof at === 'string' && hasVariable(at)) || parseTime(at) !== undefined) return undefined;
  return 'a time such as 2026-01-31T14:05:00Z, or milliseconds since 1970';
}

function checkWidth(query: NetSpectraQuery): string | undefined {
  const width = momentOf(query)?.width;
  if (width === undefined || hasVariable(width) || parseOffset(width) !== undefined) return undefined;
  return 'a duration such as 10m';
}

/** Measures, dimensions and filter must stand in one table. */
function checkTables({ type, measures, groupBy, filter = '' }: NetSpectraQuery): string | undefined {
  if (type === 'flows' || [...measures, ...groupBy, filter].some(hasVariable)) return undefined;
  const parsed = parseFilter(filter);
  if (!parsed.ok) return undefined; // told at the filter
  const parts: { readonly name: string; readonly tables: readonly QueryTable[] }[] = [
    ...measures.map((id) => ({ name: id, tables: measureTables(findMeasure(id)!) })),
    // "What changed" looks at each dimension alone, in whatever table has it.
    ...(type === 'explain' ? [] : groupBy).map((key) => ({ name: key, tables: dimensionTables(key) })),
    ...(parsed.filter.kind === 'all' ? [] : [{ name: 'the filter', tables: filterTables(parsed.filter) }]),
  ];
  const common = (some: typeof parts): boolean =>
    queryTableNames.some((table) => some.every(({ tables }) => tables.includes(table)));
  if (common(parts)) return undefined;
  for (const [i, one] of parts.entries()) {
    const other = parts.slice(i + 1).find((each) => !common([one, each]));
    if (other) return `${one.name} and ${other.name} are never known together: ask for them in queries of their own`;
  }
  return `no table has all of ${parts.map(({ name }) => name).join(', ')}: ask with fewer of them`;
}

function dimensionTables(key: string): QueryTable[] {
  const parsed = parseGroupKey(key);
  const dimension = typeof parsed === 'string' ? undefined : findDimension(parsed.dimension);
  return queryTableNames.filter((table) => dimension !== undefined && table in dimension.sources);
}
