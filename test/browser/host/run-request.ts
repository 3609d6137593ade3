/** From a datasource's answers to what a panel is given: loading, then data or an error. */
import type {
  DataFrame,
  DataQueryError,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceApi,
  PanelData,
} from '@grafana/data';
import { LoadingState } from '@grafana/data';
import { toDataQueryError } from '@grafana/runtime';
import type { Observable } from 'rxjs';
import { catchError, concat, defer, from, map, of } from 'rxjs';

type Ask = (request: DataQueryRequest) => Observable<DataQueryResponse> | Promise<DataQueryResponse>;

export function runRequest(
  datasource: DataSourceApi,
  request: DataQueryRequest,
  ask: Ask = (each) => datasource.query(each),
): Observable<PanelData> {
  const begun: PanelData = { state: LoadingState.Loading, series: [], timeRange: request.range, request };
  const failed = (error: DataQueryError): PanelData => ({
    ...begun,
    state: LoadingState.Error,
    error,
    errors: [error],
  });
  const answers = defer(() => from(ask(request))).pipe(
    map((response): PanelData => {
      const errors = response.errors ?? (response.error ? [response.error] : []);
      return {
        ...begun,
        state: response.state ?? (errors.length > 0 ? LoadingState.Error : LoadingState.Done),
        // As they are: variables are asked by this way, too, and their values are no frames.
        series: response.data as DataFrame[],
        ...(errors.length > 0 ? { error: errors[0], errors } : {}),
      };
    }),
    catchError((error: unknown) => of(failed(toDataQueryError(error)))),
  );
  return concat(of(begun), answers);
}
