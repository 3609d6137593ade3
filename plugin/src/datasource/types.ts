/** What Grafana stores and hands around for this datasource. */
import type { DataSourceJsonData } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import type { DatasourceQuery } from '../../server/src/contract/query.js';
import type { DatasourceJsonData, DatasourceSecureJsonData } from '../../server/src/contract/settings.js';

/**
 * A query of a panel, of Explore or of an alert rule: the contract shared with the server side, and Grafana's own keys.
 * `editorMode` is how it was last edited and changes no answer.
 */
export interface NetSpectraQuery extends DatasourceQuery, DataQuery {
  readonly editorMode?: EditorMode;
}
export type EditorMode = 'builder' | 'code';

export interface NetSpectraJsonData extends DatasourceJsonData, DataSourceJsonData {}
export type NetSpectraSecureJsonData = DatasourceSecureJsonData;
