/** The explorer: overview, host, flows, graph and what changed, with filter and time in the address. */
import { PluginPage } from '@grafana/runtime';
import { UrlSyncContextProvider } from '@grafana/scenes';
import { Alert } from '@grafana/ui';
import { useMemo } from 'react';
import { Navigate, useLocation } from 'react-router-dom';
import { settledSearch } from '../../shared/links.js';
import { namedSource, useSourceUid } from '../../shared/source.js';
import { ExplorerScene } from './explorer-scene.js';

export function ExplorerPage() {
  const own = useSourceUid();
  const { pathname, search } = useLocation();
  // A panel may ask another datasource than the app's pages do; who comes from it stays with it.
  const named = new URLSearchParams(search).get('source') ?? '';
  const source = named === '' ? undefined : namedSource(named);
  const scene = useMemo(() => new ExplorerScene(source ?? own, source ?? ''), [own, source]);
  const settled = settledSearch(search);
  if (settled !== undefined) return <Navigate replace to={{ pathname, search: settled }} />;
  return (
    <PluginPage subTitle="From all traffic to one flow: choose values to narrow it down">
      {named !== '' && source === undefined && (
        <Alert severity="warning" title="This is the traffic of another datasource">
          The address names the NetSpectra datasource {named}, which is not there or which you may not query. What is
          shown is the traffic of the app&apos;s own.
        </Alert>
      )}
      <UrlSyncContextProvider scene={scene} updateUrlOnInit createBrowserHistorySteps>
        <scene.Component model={scene} />
      </UrlSyncContextProvider>
    </PluginPage>
  );
}
