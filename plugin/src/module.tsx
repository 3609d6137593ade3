/** The app plugin. Pages are loaded when somebody opens one. */
import type { AppPluginMeta, AppRootProps, PluginConfigPageProps } from '@grafana/data';
import { AppPlugin } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { LoadingPlaceholder } from '@grafana/ui';
import { lazy, Suspense } from 'react';
import { extensionLinks } from './app/extension-links.js';
import { appId } from './app/shared/ids.js';
import type { AppSettings } from './app/shared/source.js';

/** Scenes draws its own words (Refresh, No data) by the translations that Grafana shares, and they want to be asked for once. */
const LazyApp = lazy(async () => {
  await initPluginTranslations(appId);
  return { default: (await import('./app/app.js')).App };
});
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
