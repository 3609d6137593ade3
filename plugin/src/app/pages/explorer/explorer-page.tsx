/** The explorer: overview, host, flows, graph and what changed, with filter and time in the address. */
import { PluginPage } from '@grafana/runtime';
import { UrlSyncContextProvider } from '@grafana/scenes';
import { useMemo } from 'react';
import { Navigate, useLocation } from 'react-router-dom';
import { settledSearch } from '../../shared/links.js';
import { useSourceUid } from '../../shared/source.js';
import { ExplorerScene } from './explorer-scene.js';

export function ExplorerPage() {
  const uid = useSourceUid();
  const scene = useMemo(() => new ExplorerScene(uid), [uid]);
  const { pathname, search } = useLocation();
  const settled = settledSearch(search);
  if (settled !== undefined) return <Navigate replace to={{ pathname, search: settled }} />;
  return (
    <PluginPage subTitle="From all traffic to one flow: choose values to narrow it down">
      <UrlSyncContextProvider scene={scene} updateUrlOnInit createBrowserHistorySteps>
        <scene.Component model={scene} />
      </UrlSyncContextProvider>
    </PluginPage>
  );
}
