/** Stored queries of any age in the present shape, for editors: what cannot be read is told, not thrown. */
import { migrateQuery, newQuery, QueryMistake } from '../../../server/src/contract/query.js';
import type { NetSpectraQuery } from '../types.js';

export interface Migrated {
  readonly query: NetSpectraQuery;
  /** why the stored query could not be read; `query` is a new one then */
  readonly mistake?: string;
}

/** True for what Grafana makes before anybody has chosen something: no more than its own keys. */
function isNew(stored: object): boolean {
  return !('type' in stored) && !('measures' in stored) && !('version' in stored) && !('filter' in stored);
}

/** The stored query in the present version, with Grafana's own keys kept. */
export function migrated(stored: NetSpectraQuery): Migrated {
  const own = grafanaKeys(stored);
  if (isNew(stored)) return { query: { ...newQuery, ...own } };
  try {
    return { query: { ...migrateQuery(stored), ...own } };
  } catch (error) {
    if (!(error instanceof QueryMistake)) throw error;
    return { query: { ...newQuery, ...own }, mistake: error.message };
  }
}

function grafanaKeys(stored: NetSpectraQuery): Pick<NetSpectraQuery, 'refId'> & Partial<NetSpectraQuery> {
  const { refId, hide, key, queryType, datasource, editorMode } = stored;
  return {
    refId: refId ?? 'A',
    ...(hide === undefined ? {} : { hide }),
    ...(key === undefined ? {} : { key }),
    ...(queryType === undefined ? {} : { queryType }),
    ...(datasource === undefined ? {} : { datasource: datasource as unknown }),
    ...(editorMode === undefined ? {} : { editorMode }),
  } as Pick<NetSpectraQuery, 'refId'> & Partial<NetSpectraQuery>;
}
