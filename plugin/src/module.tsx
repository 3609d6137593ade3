/** The app plugin. Pages are loaded when somebody opens one. */
import type { AppPluginMeta, AppRootProps, PluginConfigPageProps } from '@grafana/data';
import { AppPlugin } from '@grafana/data';
import { LoadingPlaceholder } from '@grafana/ui';
import { lazy, Suspense } from 'react';
import { extensionLinks } from './app/extension-links.js';
import type { AppSettings } from './app/shared/source.js';

const LazyApp = lazy(async () => ({ default: (await import('./app/app.js')).App }));
const LazyConfig = lazy(async () => ({ default: (await import('./app/config/app-config.js')).AppConfig }));
const waiting = <LoadingPlaceholder text="Loading" />;

function Root(props: AppRootProps<AppSettings>) {
  return (
    <Suspense fallback={waiting}>
      <LazyApp {...props} />
    </Suspense>
  );
}

function Config(props: PluginConfigPageProps<AppPluginMeta<AppSettings>>) {
  return (
    <Suspense fallback={waiting}>
      <LazyConfig {...props} />
    </Suspense>
  );
}

export const plugin = new AppPlugin<AppSettings>()
  .setRootPage(Root)
  .addConfigPage({ title: 'Configuration', icon: 'cog', body: Config, id: 'configuration' })
  .addLink(extensionLinks.queriesLink)
  .addLink(extensionLinks.alertLink)
  .addLink(extensionLinks.datasourceLink);
