/** Addresses of the explorer, made in one place: its pages, panels of dashboards, alerts. */
import type { DataQuery } from '@grafana/schema';
import { findField, parseGroupKey } from '@netspectra/query';
import { addTerm, andFilters, termOf } from '../../datasource/model/filter-terms.js';
import { pages } from './ids.js';

export const explorerViews = ['overview', 'host', 'flows', 'graph', 'changes'] as const;
export type ExplorerView = (typeof explorerViews)[number];

export interface ExplorerPlace {
  /** uid of the datasource; absent: the app's */
  readonly source?: string;
  readonly view?: ExplorerView;
  /** an address, of the view `host` */
  readonly host?: string;
  readonly filter?: string;
  /** `now-1h`, RFC 3339, or milliseconds since 1970 */
  readonly from?: string | number;
  readonly to?: string | number;
}

/** The address of a place in the explorer. */
export function explorerUrl(place: ExplorerPlace): string {
  const parameters = new URLSearchParams();
  for (const key of ['source', 'view', 'host', 'filter', 'from', 'to'] as const) {
    const value = place[key];
    if (value !== undefined && value !== '') parameters.set(key, String(value));
  }
  const text = parameters.toString();
  return text === '' ? pages.explorer : `${pages.explorer}?${text}`;
}

/**
 * Links of cells cannot write a filter: Grafana puts a value in as it was captured, and quotes or backslashes in it would end
 * the literal. So they name the column (`key`, an entry of groupBy, or `filter` for a column of ready filters) and the
 * `value`, and the explorer makes a term of them when it opens.
 *
 * @returns the query string with the term in its filter, or undefined when it names no value
 */
export function settledSearch(search: string): string | undefined {
  const parameters = new URLSearchParams(search);
  const [key, value] = [parameters.get('key'), parameters.get('value')];
  if (key === null && value === null) return undefined;
  const filter = parameters.get('filter') ?? '';
  const narrowed = narrowedFilter(filter, key ?? '', value ?? '');
  for (const name of ['key', 'value', 'filter']) parameters.delete(name);
  if (narrowed !== '') parameters.set('filter', narrowed);
  return parameters.toString();
}

function narrowedFilter(filter: string, key: string, value: string): string {
  if (key === 'filter') return andFilters(filter, value);
  if (findField(keyField(key)) === undefined) return filter;
  const term = termOf({ key, operator: '=', value });
  return term === undefined ? filter : addTerm(filter, term);
}

/** The dimension of an entry of groupBy: `src_ip` of `src_ip/24`. */
function keyField(key: string): string {
  const parsed = parseGroupKey(key);
  return typeof parsed === 'string' ? key : parsed.dimension;
}

/** The filter that all of a panel's queries have in common, or undefined: one query, or several with the same filter. */
export function filterOfTargets(targets: readonly DataQuery[]): string | undefined {
  const filters = new Set(
    targets
      .filter(({ hide }) => hide !== true)
      .map((target) => ('filter' in target && typeof target.filter === 'string' ? target.filter : '')),
  );
  return filters.size === 1 ? [...filters][0] : undefined;
}
