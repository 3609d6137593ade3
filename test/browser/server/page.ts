/** The HTML of every page: what Grafana's server writes before anything runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../integration/process.js';

const dist = join(repository, 'plugin/dist');

const manifest = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(dist, path), 'utf8')) as Record<string, unknown>;

/** Grafana names a plugin's pictures by where it serves them. */
const withLogos = (id: string, path: string): Record<string, unknown> => {
  const read = manifest(path);
  const logo = `public/plugins/${id}/img/logo.svg`;
  return { ...read, info: { ...(read['info'] as object), logos: { small: logo, large: logo } } };
};

export const manifests = {
  app: withLogos('netspectra-app', 'plugin.json'),
  datasource: withLogos('netspectra-datasource', 'datasource/plugin.json'),
};

export interface Visitor {
  readonly login: string;
  readonly role: string;
  readonly theme: string;
}

/** Who asks, by the page's cookies `role` and `theme`; an administrator without. */
export function visitorOf(cookies: string | undefined): Visitor {
  const cookie = (name: string): string | undefined => new RegExp(`(?:^|; )${name}=(\\w+)`).exec(cookies ?? '')?.[1];
  const role = cookie('role') ?? 'Admin';
  return { login: role.toLowerCase(), role, theme: cookie('theme') ?? 'dark' };
}

const script = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

/** @param datasources settings by name @param app the app's settings, as /api/plugins/<id>/settings has them */
export function pageHtml({ login, role, theme }: Visitor, datasources: object, app: object): string {
  const boot = {
    user: { id: 1, login, name: login, orgId: 1, orgRole: role, isSignedIn: true, theme, permissions: {} },
    settings: {
      datasources,
      datasourceMeta: manifests.datasource,
      apps: {
        'netspectra-app': {
          ...manifests.app,
          ...app,
          module: 'public/plugins/netspectra-app/module.js',
          baseUrl: 'public/plugins/netspectra-app',
        },
      },
      buildInfo: { version: '12.4.10', commit: '', env: 'production', edition: 'Open Source' },
      featureToggles: {},
      defaultDatasource: '',
    },
    navTree: [],
  };
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>NetSpectra</title>
    <base href="/" />
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/public/host/main.css" />
    <style>body { margin: 0; }</style>
    <script>window.__grafana_public_path__ = '/public/'; window.grafanaBootData = ${script(boot)};</script>
  </head>
  <body class="theme-${theme}">
    <div id="root"></div>
    <script type="module" src="/public/host/main.js"></script>
  </body>
</html>
`;
}
