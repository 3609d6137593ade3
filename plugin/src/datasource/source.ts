/** The datasource as its parts see it: variables, annotations and editors ask through this. */
import type { DataSourceApi, ScopedVars } from '@grafana/data';
import type { ResourceCaller, ValuesAsk } from './resources/values.js';
import type { NetSpectraJsonData, NetSpectraQuery } from './types.js';

export interface NetSpectraSource extends DataSourceApi<NetSpectraQuery, NetSpectraJsonData>, ResourceCaller {
  /** Values of a dimension, the heaviest first; variables in the filter are put in. Rejects as the resource call does. */
  values(ask: ValuesAsk, scoped?: ScopedVars): Promise<string[]>;
}
