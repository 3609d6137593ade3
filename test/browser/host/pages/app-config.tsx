/** The app's configuration pages: the tabs of Administration, Plugins. */
import { PluginType } from '@grafana/data';
import { appMeta } from '../boot.js';
import { Page } from '../shell.js';
import { useLoaded } from '../use-loaded.js';
import { importApp } from './app.js';

export function AppConfigPage() {
  const plugin = useLoaded(importApp);
  const page = plugin?.configPages?.[0];
  if (!plugin || !page) return null;
  return (
    <Page title={appMeta.name} subTitle={appMeta.info.description}>
      <page.body plugin={{ ...plugin, meta: { ...appMeta, type: PluginType.app } } as typeof plugin} query={{}} />
    </Page>
  );
}
