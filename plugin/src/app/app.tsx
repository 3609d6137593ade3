/** The app's pages. */
import type { AppRootProps } from '@grafana/data';
import { PluginPage } from '@grafana/runtime';
import { EmptyState, LinkButton } from '@grafana/ui';
import { useMemo } from 'react';
import { Navigate, Route, Routes } from 'react-router-dom';
import { CaptureRulesPage } from './pages/capture-rules/capture-rules-page.js';
import { ExplorerPage } from './pages/explorer/explorer-page.js';
import { HomePage } from './pages/home/home-page.js';
import { ProbesPage } from './pages/probes/probes-page.js';
import { datasourceId } from './shared/ids.js';
import type { AppSettings } from './shared/source.js';
import { chosenSource, SourceContext } from './shared/source.js';

/** Routes below /a/netspectra-app. Without a datasource every page tells how to add one. */
export function App({ meta }: AppRootProps<AppSettings>) {
  const source = useMemo(() => chosenSource(meta.jsonData), [meta.jsonData]);
  if (source === undefined) {
    return (
      <PluginPage>
        <EmptyState
          variant="call-to-action"
          message="NetSpectra needs a datasource"
          button={
            <LinkButton icon="plus" href={`/connections/datasources/${datasourceId}`}>
              Add a NetSpectra datasource
            </LinkButton>
          }
        >
          Give it the URL of a NetSpectra API, and a token where the API asks for one.
        </EmptyState>
      </PluginPage>
    );
  }
  return (
    <SourceContext.Provider value={source.uid}>
      <Routes>
        <Route path="home" element={<HomePage />} />
        <Route path="explorer" element={<ExplorerPage />} />
        <Route path="probes" element={<ProbesPage />} />
        <Route path="capture-rules" element={<CaptureRulesPage />} />
        <Route path="*" element={<Navigate replace to="home" />} />
      </Routes>
    </SourceContext.Provider>
  );
}
