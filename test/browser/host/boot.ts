/** What the server writes into the page before anything runs, as Grafana does: who is there, and what there is. */
import type { AppPluginMeta, DataSourceInstanceSettings, DataSourcePluginMeta } from '@grafana/data';

export interface HostBoot {
  readonly user: { readonly login: string; readonly orgRole: string; readonly theme: string };
  readonly settings: {
    readonly datasources: Readonly<Record<string, DataSourceInstanceSettings>>;
    readonly apps: { readonly 'netspectra-app': AppPluginMeta & { readonly includes: readonly PageInclude[] } };
    readonly datasourceMeta: DataSourcePluginMeta;
  };
}

export interface PageInclude {
  readonly type: string;
  readonly name: string;
  readonly path?: string;
  readonly role?: string;
  readonly addToNav?: boolean;
}

export const boot = (window as unknown as { readonly grafanaBootData: HostBoot }).grafanaBootData;

export const appMeta = boot.settings.apps['netspectra-app'];
