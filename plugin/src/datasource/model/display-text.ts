/** A query in one line, for lists of queries and Explore's history. */
import type { NetSpectraQuery } from '../types.js';

const typeWords = {
  timeseries: '',
  table: 'table: ',
  flows: 'flow records',
  graph: 'graph: ',
  explain: 'what changed: ',
};

/** `bits_per_second by application where dst_port = 443 (10, other), against 1w` */
export function displayText(query: NetSpectraQuery): string {
  const { type, measures, groupBy, filter, limit, other, direction, compareTo } = query;
  if (query.live !== undefined) return `live: ${query.live}${filter?.trim() ? ` where ${filter.trim()}` : ''}`;
  const what = type === 'flows' ? '' : measures.join(', ');
  const parts = [
    `${typeWords[type]}${what}`,
    groupBy.length > 0 && type !== 'flows' ? `by ${groupBy.join(', ')}` : '',
    filter?.trim() ? `where ${filter.trim()}` : '',
    direction !== undefined && direction !== 'both' ? `(${direction})` : '',
    limit === undefined ? '' : `(${limit}${other ? ', other' : ''})`,
    compareTo === undefined ? '' : `against ${'offset' in compareTo ? compareTo.offset : 'a period'}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}
