/** Template variables: put in everywhere in a query, each as its place wants it. */
import type { ScopedVars } from '@grafana/data';
import type { GroupKey, MeasureId, OrderBy } from '@netspectra/query';
import type { NetSpectraQuery } from '../types.js';
import { fillFilter } from './filter.js';
import { hasVariable, valuesOf, variablePattern } from './variable.js';
import type { Replace } from './variable.js';

/**
 * The query with values in place of all variables.
 *
 * In lists (measures, group by) a variable of several values becomes several entries, and one that is empty or `none` none.
 * In the filter values are written as literals of the language, see fillFilter. Macros of the server side (`$__interval`) stay.
 */
export function fillQuery(query: NetSpectraQuery, scoped: ScopedVars, replace: Replace): NetSpectraQuery {
  const text = (value: string): string => (hasVariable(value) ? replace(value, scoped) : value);
  const list = (entries: readonly string[]): string[] => [
    ...new Set(entries.flatMap((entry) => fillEntry(entry, scoped, replace))),
  ];
  return {
    ...query,
    measures: list(query.measures),
    groupBy: list(query.groupBy),
    ...(query.filter === undefined ? {} : { filter: fillFilter(query.filter, scoped, replace) }),
    ...(query.interval === undefined ? {} : { interval: text(query.interval) }),
    ...(query.limit === undefined ? {} : { limit: fillNumber(query.limit, text) }),
    ...(query.direction === undefined ? {} : { direction: text(query.direction) as typeof query.direction }),
    ...(query.orderBy === undefined ? {} : { orderBy: query.orderBy.map((order) => fillOrder(order, text)) }),
    ...(query.compareTo === undefined ? {} : { compareTo: fillTexts(query.compareTo, text) }),
    ...(query.explain === undefined ? {} : { explain: fillTexts(query.explain, text) }),
  };
}

function fillEntry(entry: string, scoped: ScopedVars, replace: Replace): string[] {
  if (!hasVariable(entry)) return [entry];
  const alone = new RegExp(`^${variablePattern}$`).test(entry.trim());
  if (!alone) return [replace(entry, scoped)];
  const values: string[] = [];
  replace(entry.trim(), scoped, (value) => {
    values.push(...valuesOf(value));
    return '';
  });
  return values.filter((value) => value !== '' && value !== 'none');
}

function fillNumber(value: number | string, text: (value: string) => string): number | string {
  if (typeof value === 'number') return value;
  const filled = text(value).trim();
  return /^\d{1,9}$/.test(filled) ? Number(filled) : filled;
}

function fillOrder(order: OrderBy, text: (value: string) => string): OrderBy {
  return 'measure' in order
    ? { ...order, measure: text(order.measure) as MeasureId }
    : { ...order, dimension: text(order.dimension) as GroupKey };
}

/** All texts inside a small object of options. */
function fillTexts<T>(value: T, text: (value: string) => string): T {
  if (typeof value === 'string') return text(value) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fillTexts(inner, text)])) as T;
}
