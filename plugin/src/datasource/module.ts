/** The datasource plugin. */
import { DataSourcePlugin } from '@grafana/data';
import { NetSpectraDatasource } from './datasource.js';
import type { NetSpectraJsonData, NetSpectraQuery, NetSpectraSecureJsonData } from './types.js';

export const plugin = new DataSourcePlugin<
  NetSpectraDatasource,
  NetSpectraQuery,
  NetSpectraJsonData,
  NetSpectraSecureJsonData
>(NetSpectraDatasource);
