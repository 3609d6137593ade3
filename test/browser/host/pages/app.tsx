/** The app's root page, as Grafana mounts it below /a/<id>/. */
import type { AppPlugin } from '@grafana/data';
import { locationSearchToObject } from '@grafana/runtime';
import { useLocation } from 'react-router';
import { appMeta } from '../boot.js';
import { useLoaded } from '../use-loaded.js';
import { importPlugin } from '../plugin-loader.js';

export const importApp = async (): Promise<AppPlugin> => {
  const { plugin } = await importPlugin<{ plugin: AppPlugin }>(appMeta.id);
  plugin.init(appMeta);
  plugin.meta = appMeta;
  return plugin;
};

export function AppRootPage() {
  const { pathname, search } = useLocation();
  const plugin = useLoaded(importApp);
  const Root = plugin?.root;
  if (!Root) return null;
  return (
    <Root
      meta={appMeta}
      basename={`/a/${appMeta.id}`}
      path={pathname}
      query={locationSearchToObject(search)}
      onNavChanged={() => undefined}
    />
  );
}
