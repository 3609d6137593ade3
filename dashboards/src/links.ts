/** Where a click on a value leads. Grafana puts value, variables and time range in, percent-encoded. */
import type { DashboardLink } from '@grafana/schema';
import type { GroupKey } from '@netspectra/query';
import { pages } from '../../plugin/src/app/shared/ids.js';
import { carried } from './variables.js';

export const tag = 'netspectra';

/** Uids of the dashboards: addresses that people keep, so they never change. */
export const uids = {
  overview: 'netspectra-overview',
  talkers: 'netspectra-talkers',
  host: 'netspectra-host',
  protocols: 'netspectra-protocols',
  dns: 'netspectra-dns',
  web: 'netspectra-http-tls',
  tcp: 'netspectra-tcp',
  security: 'netspectra-security',
  flows: 'netspectra-flows',
  pipeline: 'netspectra-pipeline',
} as const;
export type DashboardKey = keyof typeof uids;

export interface CellLink {
  readonly title: string;
  readonly url: string;
}

const value = '${__value.raw:percentencode}';
const kept = [...carried.map((name) => `\${${name}:queryparam}`), '${__url_time_range}'].join('&');

/** To another dashboard, with a text box of it set to the value that was clicked. */
const toDashboard = (title: string, key: DashboardKey, variable: string): CellLink => ({
  title,
  url: `/d/${uids[key]}?var-${variable}=${value}&${kept}`,
});
/** With the datasource that the dashboard shows: the app's own may be another. */
const ownExplorer = `${pages.explorer}?source=\${datasource:percentencode}`;
const toExplorer: CellLink = {
  title: 'This host in the explorer',
  url: `${ownExplorer}&view=host&host=${value}&filter=\${filter:percentencode}&\${__url_time_range}`,
};

const hostLinks: readonly CellLink[] = [
  toDashboard('This host', 'host', 'host'),
  toDashboard('Its flow records', 'flows', 'host'),
  toExplorer,
];
const flowsOf = (variable: string): readonly CellLink[] => [toDashboard('Flow records', 'flows', variable)];

const byColumn: Readonly<Partial<Record<GroupKey, readonly CellLink[]>>> = {
  src_ip: hostLinks,
  dst_ip: hostLinks,
  client_ip: hostLinks,
  server_ip: hostLinks,
  application: flowsOf('application'),
  server_port: flowsOf('port'),
  dst_port: flowsOf('port'),
  dns_name: [toDashboard('Only this name', 'dns', 'name')],
  http_host: [toDashboard('Only this host', 'web', 'http_host')],
  tls_server_name: [toDashboard('Only this server name', 'web', 'server_name')],
};

/** The links of a column, none where there is nowhere to go. */
export const linksOf = (column: string): readonly CellLink[] => byColumn[column as GroupKey] ?? [];

/** Columns that have links. */
export const linkedColumns = Object.keys(byColumn);

const link = (part: Pick<DashboardLink, 'title' | 'tooltip' | 'type'> & Partial<DashboardLink>): DashboardLink => ({
  asDropdown: false,
  icon: 'external link',
  includeVars: false,
  keepTime: true,
  tags: [],
  targetBlank: false,
  url: '',
  ...part,
});

/** At the top of every dashboard: the others, and the app. */
export const topLinks: readonly DashboardLink[] = [
  link({
    title: 'NetSpectra',
    tooltip: 'The other dashboards, with the same time, probe, network and filter',
    type: 'dashboards',
    tags: [tag],
    asDropdown: true,
    includeVars: true,
  }),
  link({
    title: 'Explorer',
    tooltip: 'Explore the traffic of this time',
    type: 'link',
    icon: 'bolt',
    url: ownExplorer,
  }),
];

/** To the app's page on probes. */
export const probesLink: DashboardLink = link({
  title: 'Probes and engines',
  tooltip: 'What each reads, and how far it is',
  type: 'link',
  icon: 'info',
  url: pages.probes,
});
