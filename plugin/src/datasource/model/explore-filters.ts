/** Explore's buttons for a value: for it (+), without it (-), and both as switches. */
import type { QueryFilterOptions } from '@grafana/data';
import type { NetSpectraQuery } from '../types.js';
import { addTerm, hasTerm, removeTerm, termOf } from './filter-terms.js';

const termFor = ({ key = '', value = '' }: QueryFilterOptions, out: boolean): string | undefined =>
  termOf({ key, value, operator: out ? '!=' : '=' });

/** Narrow to a value, or leave it out; the opposite goes. A value that no filter can name changes nothing. */
export function addValue(query: NetSpectraQuery, options: QueryFilterOptions, out: boolean): NetSpectraQuery {
  const term = termFor(options, out);
  const opposite = termFor(options, !out);
  if (term === undefined || opposite === undefined) return query;
  return { ...query, filter: addTerm(removeTerm(query.filter, opposite), term) };
}

/** The same as a switch: what is there goes. */
export function toggleValue(query: NetSpectraQuery, options: QueryFilterOptions, out: boolean): NetSpectraQuery {
  const term = termFor(options, out);
  if (term !== undefined && hasTerm(query.filter, term)) return { ...query, filter: removeTerm(query.filter, term) };
  return addValue(query, options, out);
}

/** Is the query narrowed to the value? */
export function hasValue(query: NetSpectraQuery, options: QueryFilterOptions): boolean {
  const term = termFor(options, false);
  return term !== undefined && hasTerm(query.filter, term);
}
