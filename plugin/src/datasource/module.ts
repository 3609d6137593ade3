/** The datasource plugin. Nothing in it is loaded lazily: it is small, and every panel needs it. */
import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './config/config-editor.js';
import { NetSpectraDatasource } from './datasource.js';
import { QueryEditor } from './editor/query-editor.js';
import type { NetSpectraJsonData, NetSpectraQuery, NetSpectraSecureJsonData } from './types.js';

export const plugin = new DataSourcePlugin<
  NetSpectraDatasource,
  NetSpectraQuery,
  NetSpectraJsonData,
  NetSpectraSecureJsonData
>(NetSpectraDatasource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
