/** The page: the runtime is started, then the page of the address is drawn. */
import { createTheme, ThemeContext } from '@grafana/data';
import { locationService, LocationServiceProvider } from '@grafana/runtime';
import { GlobalStyles, ModalRoot, ModalsProvider, PortalContainer } from '@grafana/ui';
import { lazy, Suspense, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Route, Router, Routes } from 'react-router';
import './monaco-workers.js';
import { boot } from './boot.js';
import { AnnotationEditorPage } from './pages/annotation-editor.js';
import { AppConfigPage } from './pages/app-config.js';
import { AppRootPage } from './pages/app.js';
import { DatasourceConfigPage } from './pages/datasource-config.js';
import { PanelEditorPage } from './pages/panel-editor.js';
import { VariableEditorPage } from './pages/variable-editor.js';
import { startRuntime } from './runtime.js';
import { Shell } from './shell.js';

/** With the scenes of Grafana's dashboards, which no other page needs. */
const DashboardPage = lazy(async () => ({ default: (await import('./pages/dashboard.js')).DashboardPage }));

function Host() {
  const history = locationService.getHistory();
  const [location, setLocation] = useState(history.location);
  useEffect(() => history.listen(setLocation), [history]);
  const [theme] = useState(() => createTheme({ colors: { mode: boot.user.theme === 'light' ? 'light' : 'dark' } }));
  return (
    <ThemeContext.Provider value={theme}>
      <LocationServiceProvider service={locationService}>
        <ModalsProvider>
          <Router location={location} navigator={{ ...history, createHref: (to) => history.createHref(to as never) }}>
            <GlobalStyles />
            <Shell>
              <Routes>
                <Route path="/a/:pluginId/*" element={<AppRootPage />} />
                <Route path="/plugins/:pluginId" element={<AppConfigPage />} />
                <Route path="/connections/datasources/edit/:uid" element={<DatasourceConfigPage />} />
                <Route
                  path="/d/:uid"
                  element={
                    <Suspense>
                      <DashboardPage />
                    </Suspense>
                  }
                />
                <Route path="/host/panel" element={<PanelEditorPage />} />
                <Route path="/host/variable" element={<VariableEditorPage />} />
                <Route path="/host/annotation" element={<AnnotationEditorPage />} />
              </Routes>
            </Shell>
            <ModalRoot />
            <PortalContainer />
          </Router>
        </ModalsProvider>
      </LocationServiceProvider>
    </ThemeContext.Provider>
  );
}

/** As Grafana does: links of the page go through its history; whatever opens elsewhere is the browser's. */
document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target !== '' || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  const { origin, pathname, search } = new URL(link.href, window.location.href);
  if (origin !== window.location.origin) return;
  event.preventDefault();
  locationService.push(pathname + search);
});

await startRuntime();
createRoot(document.getElementById('root')!).render(<Host />);
