/** Code mode: the query as JSON text, both ways. */
import { migrateQuery, QueryMistake } from '../../../server/src/contract/query.js';
import type { NetSpectraQuery } from '../types.js';

/** Grafana's own keys, which are none of the text. */
const hidden: ReadonlySet<string> = new Set([
  'refId',
  'hide',
  'key',
  'queryType',
  'datasource',
  'editorMode',
  'version',
  'intervalMs',
  'maxDataPoints',
]);

/** The query as it is stored, without Grafana's keys. */
export function codeOf(query: NetSpectraQuery): string {
  const own = Object.fromEntries(Object.entries(query).filter(([key]) => !hidden.has(key)));
  return JSON.stringify(own, undefined, 2);
}

/** The query of a text, with Grafana's keys of the query before, or one line that says what is wrong. */
export function queryOfCode(text: string, before: NetSpectraQuery): NetSpectraQuery | string {
  let own: unknown;
  try {
    own = JSON.parse(text);
  } catch (error) {
    return `this is not JSON: ${(error as Error).message}`;
  }
  if (typeof own !== 'object' || own === null || Array.isArray(own))
    return 'a JSON object is expected: {"type": "table", ...}';
  const unknown = Object.keys(own).find((key) => !known.has(key));
  if (unknown !== undefined) return `there is no key ${unknown}; known are ${[...known].join(', ')}`;
  const kept = Object.fromEntries(Object.entries(before).filter(([key]) => hidden.has(key)));
  try {
    return { ...migrateQuery({ ...own, version: before.version }), ...kept } as NetSpectraQuery;
  } catch (error) {
    if (error instanceof QueryMistake) return error.message;
    throw error;
  }
}

const known: ReadonlySet<string> = new Set([
  ...['type', 'measures', 'groupBy', 'filter', 'interval', 'limit', 'other', 'orderBy', 'direction', 'units'],
  ...['compareTo', 'explain', 'mergeNodes', 'format', 'bound', 'live'],
]);
