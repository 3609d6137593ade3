/** Everything that Grafana puts into @grafana/runtime and @grafana/data when it starts. */
import { EventBusSrv, standardEditorsRegistry, standardFieldConfigEditorRegistry } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import {
  config,
  setAppEvents,
  setBackendSrv,
  setCurrentUser,
  setDataSourceSrv,
  setEchoSrv,
  setGrafanaLiveSrv,
  setPluginComponentsHook,
  setPluginImportUtils,
  setPluginLinksHook,
  setReturnToPreviousHook,
  setRunRequest,
  setTemplateSrv,
  FakeEchoSrv,
} from '@grafana/runtime';
import { NEVER, of } from 'rxjs';
import { backendSrv } from './backend-srv.js';
import { datasourceSrv } from './datasource-srv.js';
import { fieldOptions } from './field-options.js';
import { loadedPanel, panelPlugin } from './panels/index.js';
import { runRequest } from './run-request.js';
import { templateSrv } from './template-srv.js';

/** Once, before a plugin is loaded. */
export async function startRuntime(): Promise<void> {
  await initPluginTranslations('grafana');
  standardEditorsRegistry.setInit(() => ['number', 'text'].map((id) => ({ id, name: id, editor: () => null })));
  standardFieldConfigEditorRegistry.setInit(fieldOptions);
  setAppEvents(new EventBusSrv());
  setCurrentUser(config.bootData.user);
  setBackendSrv(backendSrv);
  setDataSourceSrv(datasourceSrv);
  setTemplateSrv(templateSrv);
  setEchoSrv(new FakeEchoSrv());
  setRunRequest(runRequest);
  setPluginImportUtils({
    importPanelPlugin: (id) => Promise.resolve(panelPlugin(id)),
    getPanelPluginFromCache: loadedPanel,
  });
  setPluginLinksHook(() => ({ links: [], isLoading: false }));
  setPluginComponentsHook(() => ({ components: [], isLoading: false }));
  setReturnToPreviousHook(() => () => undefined);
  setGrafanaLiveSrv({
    getConnectionState: () => of(false),
    getStream: () => NEVER,
    getDataStream: () => NEVER,
    getPresence: () => Promise.reject(new Error('the host has no Live')),
    publish: () => Promise.reject(new Error('the host has no Live')),
  });
}
