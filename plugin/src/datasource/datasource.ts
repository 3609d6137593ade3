/**
 * The datasource's front end. Queries run on the server side (plugin/server); here variables and ad hoc filters are put in,
 * and what the editors need is asked for.
 */
import type {
  AdHocVariableFilter,
  CoreApp,
  DataFrame,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceGetTagKeysOptions,
  DataSourceGetTagValuesOptions,
  DataSourceInstanceSettings,
  DataSourceWithToggleableQueryFiltersSupport,
  MetricFindValue,
  QueryFilterOptions,
  QueryFixAction,
  ScopedVars,
  ToggleFilterAction,
} from '@grafana/data';
import type { TemplateSrv } from '@grafana/runtime';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import { dimensions } from '@netspectra/query';
import type { Observable } from 'rxjs';
import { map } from 'rxjs';
import { newQuery } from '../../server/src/contract/query.js';
import { annotationFrame } from './annotations/frames.js';
import { annotationRefId, fillAlerts, isAlertsQuery } from './annotations/query.js';
import { NetSpectraAnnotations } from './annotations/support.js';
import { displayText } from './model/display-text.js';
import { addValue, hasValue, toggleValue } from './model/explore-filters.js';
import { andFilters, termOf } from './model/filter-terms.js';
import { migrated } from './model/migrate.js';
import type { ValuesAsk } from './resources/values.js';
import { askValues } from './resources/values.js';
import type { NetSpectraSource } from './source.js';
import type { Replace } from './template/variable.js';
import { hasVariable } from './template/variable.js';
import { fillFilter } from './template/filter.js';
import { fillQuery } from './template/variables.js';
import type { NetSpectraJsonData, NetSpectraQuery } from './types.js';
import { NetSpectraVariables } from './variables/support.js';

export class NetSpectraDatasource
  extends DataSourceWithBackend<NetSpectraQuery, NetSpectraJsonData>
  implements NetSpectraSource, DataSourceWithToggleableQueryFiltersSupport<NetSpectraQuery>
{
  override readonly variables: NetSpectraVariables;
  override readonly annotations = new NetSpectraAnnotations();
  private readonly replace: Replace;

  constructor(settings: DataSourceInstanceSettings<NetSpectraJsonData>, templateSrv: TemplateSrv = getTemplateSrv()) {
    super(settings);
    this.variables = new NetSpectraVariables(this);
    this.replace = (text, scoped, format) => templateSrv.replace(text, scoped, format);
  }

  /** All of it runs on the server side; texts of annotations are then written as Grafana draws them. */
  override query(request: DataQueryRequest<NetSpectraQuery>): Observable<DataQueryResponse> {
    const targets = request.targets.filter((target) => target.hide !== true);
    const isAnnotation = targets.some((target) => isAlertsQuery(target) && target.refId === annotationRefId);
    const answer = super.query({ ...request, targets });
    if (!isAnnotation) return answer;
    const drawn = (frame: DataFrame): DataFrame =>
      frame.refId === annotationRefId ? annotationFrame(frame, Date.now()) : frame;
    return answer.pipe(map((response) => ({ ...response, data: response.data.map(drawn) })));
  }

  /** The query that a new panel, a new alert rule or Explore begins with. */
  override getDefaultQuery(_app: CoreApp): Partial<NetSpectraQuery> {
    return { ...newQuery };
  }

  /** Nothing is asked for a query without measures, unless it lists flow records or goes on live. */
  override filterQuery(query: NetSpectraQuery): boolean {
    if (query.hide === true) return false;
    if (isAlertsQuery(query)) return true;
    const { type, measures, live } = migrated(query).query;
    return live !== undefined || type === 'flows' || measures.length > 0;
  }

  override getQueryDisplayText(query: NetSpectraQuery): string {
    return displayText(migrated(query).query);
  }

  /** Variables in every field, then ad hoc filters as further terms of the filter. */
  override applyTemplateVariables(
    query: NetSpectraQuery,
    scopedVars: ScopedVars,
    filters: AdHocVariableFilter[] = [],
  ): NetSpectraQuery {
    if (isAlertsQuery(query)) return fillAlerts(query, scopedVars, this.replace);
    const filled = fillQuery(migrated(query).query, scopedVars, this.replace);
    const filter = this.withAdHoc(filled.filter, filters);
    return filter === '' ? filled : { ...filled, filter };
  }

  private withAdHoc(filter: string | undefined, filters: readonly AdHocVariableFilter[]): string {
    const terms = filters.map(({ key, operator, value, values }) =>
      termOf({ key, operator, value, ...(values === undefined ? {} : { values }) }),
    );
    return andFilters(filter, ...terms);
  }

  override interpolateVariablesInQueries(
    queries: NetSpectraQuery[],
    scopedVars: ScopedVars,
    filters?: AdHocVariableFilter[],
  ): NetSpectraQuery[] {
    const datasource = this.getRef();
    return queries.map((query) => ({ ...this.applyTemplateVariables(query, scopedVars, filters), datasource }));
  }

  /** Does a query use a template variable? Macros of the server side (`$__interval`) look like one and count. */
  containsTemplate(query: NetSpectraQuery): boolean {
    return hasVariable(JSON.stringify(query));
  }

  // ---- Explore: plus and minus at a value ----

  override modifyQuery(query: NetSpectraQuery, { type, options = {} }: QueryFixAction): NetSpectraQuery {
    if (type !== 'ADD_FILTER' && type !== 'ADD_FILTER_OUT') return query;
    return addValue(migrated(query).query, options, type === 'ADD_FILTER_OUT');
  }

  toggleQueryFilter(query: NetSpectraQuery, { type, options }: ToggleFilterAction): NetSpectraQuery {
    return toggleValue(migrated(query).query, options, type === 'FILTER_OUT');
  }

  queryHasFilter(query: NetSpectraQuery, filter: QueryFilterOptions): boolean {
    return hasValue(query, filter);
  }

  // ---- Ad hoc filters, and values for editors ----

  override getTagKeys(_options?: DataSourceGetTagKeysOptions<NetSpectraQuery>): Promise<MetricFindValue[]> {
    return Promise.resolve(dimensions.map(({ id }) => ({ text: id, value: id })));
  }

  /** Values of a dimension in traffic that the other filters keep. */
  override async getTagValues({
    key,
    filters,
    timeRange,
  }: DataSourceGetTagValuesOptions<NetSpectraQuery>): Promise<MetricFindValue[]> {
    const others = filters.filter((each) => each.key !== key);
    const values = await this.values({ dimension: key, range: timeRange, filter: this.withAdHoc('', others) });
    return values.map((value) => ({ text: value, value }));
  }

  /** Values of a dimension, the heaviest first; variables in the filter are put in. */
  values(ask: ValuesAsk, scoped: ScopedVars = {}): Promise<string[]> {
    const filter = ask.filter === undefined ? {} : { filter: fillFilter(ask.filter, scoped, this.replace) };
    const dimension = this.replace(ask.dimension, scoped);
    return askValues(this, { ...ask, dimension, ...filter });
  }
}
