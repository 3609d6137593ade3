/** The datasources that the page was told of, with the plugin's module behind them. */
import type {
  DataSourceApi,
  DataSourceInstanceSettings,
  DataSourcePlugin,
  DataSourceRef,
  ScopedVars,
} from '@grafana/data';
import type { DataSourceSrv, GetDataSourceListFilters } from '@grafana/runtime';
import { boot } from './boot.js';
import { importPlugin } from './plugin-loader.js';
import { templateSrv } from './template-srv.js';

export const datasourceId = 'netspectra-datasource';

export type AnyDataSourcePlugin = DataSourcePlugin<DataSourceApi>;

export const importDatasource = async (): Promise<AnyDataSourcePlugin> =>
  (await importPlugin<{ plugin: AnyDataSourcePlugin }>(datasourceId)).plugin;

const all = (): DataSourceInstanceSettings[] => Object.values(boot.settings.datasources);
const instances = new Map<string, Promise<DataSourceApi>>();

async function instanceOf(settings: DataSourceInstanceSettings): Promise<DataSourceApi> {
  const plugin = await importDatasource();
  const instance = new plugin.DataSourceClass(settings);
  instance.components = plugin.components;
  instance.meta = boot.settings.datasourceMeta;
  return instance;
}

type Ref = DataSourceRef | string | null;

/** A uid may be a variable. */
function find(ref?: Ref, scoped?: ScopedVars): DataSourceInstanceSettings | undefined {
  const named = typeof ref === 'string' ? ref : ref?.uid;
  const wanted = named === undefined ? undefined : templateSrv.replace(named, scoped);
  if (wanted === undefined) return all()[0];
  return all().find(({ uid, name }) => uid === wanted || name === wanted);
}

function fits({ type, filter }: GetDataSourceListFilters): (settings: DataSourceInstanceSettings) => boolean {
  const types = type === undefined ? undefined : [type].flat();
  return (settings) => (types?.includes(settings.type) ?? true) && (filter?.(settings) ?? true);
}

export const datasourceSrv: DataSourceSrv = {
  getList: (filters = {}) => all().filter(fits(filters)),
  getInstanceSettings: (ref, scoped) => find(ref, scoped),
  get: (ref, scoped) => {
    const settings = find(ref, scoped);
    if (!settings) return Promise.reject(new Error('Datasource was not found'));
    const known = instances.get(settings.uid) ?? instanceOf(settings);
    instances.set(settings.uid, known);
    return known;
  },
  reload: () => instances.clear(),
  registerRuntimeDataSource: () => undefined,
};
