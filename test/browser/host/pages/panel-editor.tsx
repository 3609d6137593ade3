/** A new panel: its drawing above, the datasource's query editor below, as in Grafana's panel editor. */
import type { DataQuery } from '@grafana/schema';
import type { DataQueryRequest, DataSourceApi, PanelData } from '@grafana/data';
import {
  applyFieldOverrides,
  CoreApp,
  createTheme,
  DataSourcePluginContextProvider,
  EventBusSrv,
  getPanelOptionsWithDefaults,
  LoadingState,
} from '@grafana/data';
import { getDataSourceSrv, getTemplateSrv } from '@grafana/runtime';
import { PanelChrome, Text } from '@grafana/ui';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Subscription } from 'rxjs';
import { boot } from '../boot.js';
import { panelPlugin } from '../panels/index.js';
import { runRequest } from '../run-request.js';
import { Page } from '../shell.js';
import { useLoaded } from '../use-loaded.js';
import { rangeOfAddress } from './range.js';

const address = new URLSearchParams(window.location.search);
const uid = address.get('ds');
const panelId = address.get('panel') ?? 'timeseries';
const stored = JSON.parse(address.get('query') ?? '{}') as object;
const panelSize = { width: 1150, height: 340 };

const loadDatasource = (): Promise<DataSourceApi> => getDataSourceSrv().get(uid);

export function PanelEditorPage() {
  const datasource = useLoaded(loadDatasource);
  return <Page title="New panel">{datasource && <Editor datasource={datasource} />}</Page>;
}

function Editor({ datasource }: { readonly datasource: DataSourceApi }) {
  const range = useMemo(rangeOfAddress, []);
  const [query, setQuery] = useState<DataQuery>(() => ({
    refId: 'A',
    datasource: datasource.getRef(),
    ...datasource.getDefaultQuery?.(CoreApp.PanelEditor),
    ...stored,
  }));
  const current = useRef(query);
  const [data, setData] = useState<PanelData>({ state: LoadingState.NotStarted, series: [], timeRange: range });
  const running = useRef<Subscription>(undefined);

  const run = useCallback(() => {
    running.current?.unsubscribe();
    const queries = [current.current].filter((each) => datasource.filterQuery?.(each) ?? true);
    if (queries.length === 0) return setData({ state: LoadingState.Done, series: [], timeRange: range });
    running.current = runRequest(datasource, requestOf(queries, range)).subscribe(setData);
  }, [datasource, range]);
  useEffect(() => {
    run();
    return () => running.current?.unsubscribe();
  }, [run]);

  const QueryEditor = datasource.components?.QueryEditor;
  return (
    <>
      <div data-testid="host-panel">
        <Drawn data={data} />
      </div>
      <section aria-label="Queries" style={{ marginTop: 16 }}>
        <Text element="h2" variant="h5">
          A ({datasource.name})
        </Text>
        {QueryEditor && (
          <DataSourcePluginContextProvider
            instanceSettings={
              boot.settings.datasources[datasource.name] ?? Object.values(boot.settings.datasources)[0]!
            }
          >
            <QueryEditor
              datasource={datasource}
              query={query}
              queries={[query]}
              app={CoreApp.PanelEditor}
              range={range}
              data={data}
              onChange={(changed) => {
                current.current = changed;
                setQuery(changed);
              }}
              onRunQuery={run}
              onAddQuery={() => undefined}
            />
          </DataSourcePluginContextProvider>
        )}
      </section>
    </>
  );
}

function requestOf(targets: DataQuery[], range: PanelData['timeRange']): DataQueryRequest {
  const intervalMs = Math.max(1_000, Math.round((range.to.valueOf() - range.from.valueOf()) / panelSize.width));
  return {
    requestId: 'panel',
    app: CoreApp.PanelEditor,
    targets,
    range,
    interval: `${intervalMs}ms`,
    intervalMs,
    maxDataPoints: panelSize.width,
    scopedVars: {},
    timezone: 'utc',
    startTime: Date.now(),
  };
}

const eventBus = new EventBusSrv();
const nothing = (): void => undefined;

function Drawn({ data }: { readonly data: PanelData }) {
  const plugin = panelPlugin(panelId);
  const Panel = plugin.panel;
  const { fieldConfig } = useMemo(
    () =>
      getPanelOptionsWithDefaults({
        plugin,
        currentOptions: {},
        currentFieldConfig: { defaults: {}, overrides: [] },
        isAfterPluginChange: false,
      }),
    [plugin],
  );
  const drawn = useMemo(
    () => ({
      ...data,
      series: applyFieldOverrides({
        data: data.series,
        fieldConfig,
        fieldConfigRegistry: plugin.fieldConfigRegistry,
        replaceVariables: (text, scoped, format) => getTemplateSrv().replace(text, scoped, format),
        theme: createTheme({ colors: { mode: boot.user.theme === 'light' ? 'light' : 'dark' } }),
        timeZone: 'utc',
      }),
    }),
    [data, plugin, fieldConfig],
  );
  return (
    <PanelChrome
      title="Panel"
      {...panelSize}
      loadingState={data.state}
      {...(data.error?.message === undefined ? {} : { statusMessage: data.error.message })}
    >
      {(width: number, height: number) =>
        Panel && (
          <Panel
            id={1}
            title="Panel"
            data={drawn}
            timeRange={data.timeRange}
            timeZone="utc"
            options={{}}
            fieldConfig={fieldConfig}
            transparent={false}
            width={width}
            height={height}
            renderCounter={0}
            replaceVariables={(text) => text}
            eventBus={eventBus}
            onOptionsChange={nothing}
            onFieldConfigChange={nothing}
            onChangeTimeRange={nothing}
          />
        )
      }
    </PanelChrome>
  );
}
