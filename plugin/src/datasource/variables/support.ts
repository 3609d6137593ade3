/** Template variables that ask the datasource: values of a dimension, dimensions, measures, probes. */
import type { DataQueryRequest, DataQueryResponse, MetricFindValue } from '@grafana/data';
import { CustomVariableSupport } from '@grafana/data';
import type { Observable } from 'rxjs';
import { from, map } from 'rxjs';
import type { NetSpectraSource } from '../source.js';
import type { Probe } from '../resources/probes.js';
import type { NetSpectraJsonData, NetSpectraQuery } from '../types.js';
import type { VariableQuery } from './query.js';
import { dimensionChoices, measureChoices, newVariableQuery, variableQueryOf } from './query.js';
import { VariableEditor } from './variable-editor.js';

export class NetSpectraVariables extends CustomVariableSupport<
  NetSpectraSource,
  VariableQuery,
  NetSpectraQuery,
  NetSpectraJsonData
> {
  readonly editor = VariableEditor;

  constructor(private readonly datasource: NetSpectraSource) {
    super();
  }

  override getDefaultQuery(): Partial<NetSpectraQuery> {
    // Grafana's type speaks of the panel's query; what is stored is the variable's.
    return newVariableQuery as Partial<NetSpectraQuery>;
  }

  override query(request: DataQueryRequest<VariableQuery>): Observable<DataQueryResponse> {
    const query = variableQueryOf(request.targets[0]);
    return from(this.choices(query, request)).pipe(map((data) => ({ data })));
  }

  private async choices(query: VariableQuery, request: DataQueryRequest<VariableQuery>): Promise<MetricFindValue[]> {
    switch (query.kind) {
      case 'dimensions':
        return dimensionChoices();
      case 'measures':
        return measureChoices();
      case 'probes': {
        const { probes } = await this.datasource.getResource<{ probes: Probe[] }>('probes');
        return probes.map(({ id }) => ({ text: id, value: id }));
      }
      case 'values': {
        if (query.dimension === undefined) return [];
        const { dimension, filter, limit } = query;
        const values = await this.datasource.values(
          {
            dimension,
            range: request.range,
            ...(filter === undefined ? {} : { filter }),
            ...(limit === undefined ? {} : { limit }),
          },
          request.scopedVars,
        );
        return values.map((value) => ({ text: value, value }));
      }
    }
  }
}
