/** Changes of a query that touch more than one key. */
import type { QueryType } from '@netspectra/query';
import type { NetSpectraQuery } from '../types.js';

/** The query without the keys whose value is undefined or an empty text. */
export function withParts(
  query: NetSpectraQuery,
  parts: { readonly [K in keyof NetSpectraQuery]?: NetSpectraQuery[K] | undefined },
): NetSpectraQuery {
  const entries = Object.entries({ ...query, ...parts }).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(entries) as unknown as NetSpectraQuery;
}

/**
 * Another type of query: what the new type cannot have goes, and what it must have comes, so that it can be asked at once. A
 * filter, a direction and measures stay.
 */
export function withType(query: NetSpectraQuery, type: QueryType): NetSpectraQuery {
  if (type === query.type) return query;
  const { groupBy, measures } = query;
  const first = measures.slice(0, 1);
  const cleared = withParts(query, {
    type,
    orderBy: undefined,
    explain: undefined,
    mergeNodes: undefined,
    format: undefined,
    live: undefined,
    ...(type === 'flows' || type === 'graph' ? { compareTo: undefined } : {}),
    ...(type === 'timeseries' ? {} : { interval: undefined }),
  });
  switch (type) {
    case 'flows':
      return { ...cleared, measures: [], groupBy: [], limit: 100 };
    case 'graph':
      return {
        ...cleared,
        measures: first.length > 0 ? first : ['bytes'],
        groupBy: groupBy.length >= 2 ? groupBy : ['src_ip', 'dst_ip'],
      };
    case 'explain':
      return { ...cleared, measures: first.length > 0 ? first : ['bits_per_second'], groupBy: [] };
    case 'table':
    case 'timeseries':
      return {
        ...cleared,
        measures: measures.length > 0 ? measures : ['bits_per_second'],
        groupBy: groupBy.length > 0 ? groupBy : ['application'],
      };
  }
}
