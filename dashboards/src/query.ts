/** Queries of panels: the datasource's stored query with measures and dimensions that the compiler knows. */
import type { GroupKey, MeasureId } from '@netspectra/query';
import type { AlertSelection } from '../../plugin/server/src/contract/alerts.js';
import { alertsQueryType } from '../../plugin/server/src/contract/alerts.js';
import type { DatasourceQuery } from '../../plugin/server/src/contract/query.js';
import { queryVersion } from '../../plugin/server/src/contract/query.js';

/** What a variable of a dashboard stands for: the uid of the datasource that was chosen. */
export const source = { type: 'netspectra-datasource', uid: '${datasource}' } as const;

export interface Ask extends Omit<Partial<DatasourceQuery>, 'version' | 'type' | 'measures' | 'groupBy' | 'filter'> {
  readonly measures: readonly MeasureId[];
  readonly groupBy?: readonly GroupKey[];
  /** one of the scopes of variables.ts, or `within` one */
  readonly filter: string;
}

/** A panel's query, as it is stored. */
export interface Target extends Record<string, unknown> {
  readonly refId: string;
  readonly measures: readonly MeasureId[];
  readonly groupBy: readonly GroupKey[];
}

const refIds = 'ABCDEFGHIJ';

function target(type: DatasourceQuery['type'], ask: Ask, index: number): Target {
  return {
    refId: refIds[index]!,
    datasource: source,
    version: queryVersion,
    type,
    ...ask,
    groupBy: ask.groupBy ?? [],
  };
}

export const series = (ask: Ask, index = 0): Target => target('timeseries', ask, index);
export const rows = (ask: Ask, index = 0): Target => target('table', ask, index);
export const graph = (ask: Ask): Target => target('graph', { mergeNodes: true, ...ask }, 0);
export const flowRecords = (ask: Omit<Ask, 'measures'>): Target => target('flows', { ...ask, measures: [] }, 0);

/** What alert rules and detectors noticed, as a table or as annotations. */
export const noticed = (alerts: AlertSelection, refId = 'A'): Target => ({
  refId,
  datasource: source,
  version: queryVersion,
  queryType: alertsQueryType,
  type: 'timeseries',
  measures: [],
  groupBy: [],
  alerts,
});
