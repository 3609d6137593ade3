/**
 * Links that Grafana shows outside of the app, all to the explorer: in the menu of panels, in Explore, at a query of an alert
 * rule, at an alert that fired, at the datasource. `plugin.json` declares the same titles and places.
 */
import type {
  PluginExtensionAddedLinkConfig,
  PluginExtensionDataSourceConfigActionsContext,
  RawTimeRange,
  ScopedVars,
} from '@grafana/data';
import { PluginExtensionPoints } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';
import type { DataQuery } from '@grafana/schema';
import { findField } from '@netspectra/query';
import { addTerm, termOf } from '../datasource/model/filter-terms.js';
import { fillFilter } from '../datasource/template/filter.js';
import { datasourceId, pages } from './shared/ids.js';
import { explorerUrl, filterOfTargets } from './shared/links.js';

/** What panels, Explore and the editor of alert rules tell about themselves; the last has no range. */
export interface QueriesContext {
  readonly targets?: readonly DataQuery[];
  readonly timeRange?: RawTimeRange;
  readonly scopedVars?: ScopedVars;
}

/** What Grafana tells about an alert that fired, as far as it is used. Everything may be missing: the shape is not public. */
export interface AlertContext {
  readonly instance?: { readonly labels?: Readonly<Record<string, string>>; readonly activeAt?: string };
  readonly rule?: {
    readonly rulerRule?: { readonly grafana_alert?: { readonly data?: readonly { readonly model?: DataQuery }[] } };
  };
}

const hourMs = 3_600_000;
const ours = (queries: readonly DataQuery[] = []): DataQuery[] =>
  queries.filter(({ datasource }) => datasource?.type === datasourceId);

/** Where the link of queries goes; undefined: none of them is ours. @param fill puts variables in, in filters and in uids */
export function queriesPath(
  context: QueriesContext | undefined,
  fill: { readonly filter: (filter: string) => string; readonly text: (text: string) => string },
): string | undefined {
  const targets = ours(context?.targets);
  if (targets.length === 0) return undefined;
  const filter = filterOfTargets(targets);
  const source = targets[0]!.datasource?.uid;
  return explorerUrl({
    ...(source === undefined ? {} : { source: fill.text(source) }),
    ...(filter === undefined ? {} : { filter: fill.filter(filter) }),
    ...(context?.timeRange === undefined ? {} : plainRange(context.timeRange)),
  });
}

function plainRange({ from, to }: RawTimeRange): { from: string | number; to: string | number } {
  const plain = (time: RawTimeRange['from']): string | number => (typeof time === 'string' ? time : time.valueOf());
  return { from: plain(from), to: plain(to) };
}

/**
 * Where the link of an alert goes: the rule's filter, narrowed to the instance's labels, from an hour before it began.
 * undefined: the rule asks no NetSpectra datasource.
 */
export function alertPath({ instance, rule }: AlertContext = {}): string | undefined {
  const models = (rule?.rulerRule?.grafana_alert?.data ?? []).flatMap(({ model }) => (model ? [model] : []));
  const targets = ours(models);
  if (targets.length === 0) return undefined;
  const terms = Object.entries(instance?.labels ?? {}).flatMap(([key, value]) =>
    findField(key)?.id === key ? (termOf({ key, operator: '=', value: value === '(none)' ? '' : value }) ?? []) : [],
  );
  const began = Date.parse(instance?.activeAt ?? '');
  const source = targets[0]!.datasource?.uid;
  return explorerUrl({
    ...(source === undefined ? {} : { source }),
    filter: terms.reduce(addTerm, filterOfTargets(targets) ?? ''),
    // Grafana gives the year 1 to what never fired.
    ...(began > hourMs ? { from: began - hourMs, to: 'now' } : {}),
  });
}

const title = 'Open in NetSpectra explorer';

const queriesLink: PluginExtensionAddedLinkConfig<QueriesContext> = {
  title,
  description: 'The same traffic and time range, to drill down into',
  targets: [
    PluginExtensionPoints.DashboardPanelMenu,
    PluginExtensionPoints.ExploreToolbarAction,
    PluginExtensionPoints.AlertingRuleQueryEditor,
  ],
  icon: 'compass',
  path: pages.explorer,
  configure: (context) => {
    const replace = (text: string, scoped: ScopedVars, format?: string | ((value: unknown) => string)): string =>
      getTemplateSrv().replace(text, scoped, format);
    const scoped = context?.scopedVars ?? {};
    const path = queriesPath(context, {
      filter: (filter) => fillFilter(filter, scoped, replace),
      text: (text) => replace(text, scoped),
    });
    return path === undefined ? undefined : { path };
  },
};

const alertLink: PluginExtensionAddedLinkConfig<AlertContext> = {
  title: 'Show the traffic in NetSpectra',
  description: 'What the alert is about, from an hour before it began',
  targets: [PluginExtensionPoints.AlertInstanceAction],
  icon: 'compass',
  path: pages.explorer,
  configure: (context) => {
    const path = alertPath(context);
    return path === undefined ? undefined : { path };
  },
};

const datasourceLink: PluginExtensionAddedLinkConfig<PluginExtensionDataSourceConfigActionsContext> = {
  title: 'Explore traffic',
  description: 'What this datasource sees, in the NetSpectra explorer',
  targets: [PluginExtensionPoints.DataSourceConfigActions],
  icon: 'compass',
  path: pages.explorer,
  configure: (context) =>
    context?.dataSource.type === datasourceId ? { path: explorerUrl({ source: context.dataSource.uid }) } : undefined,
};

/** All of them, for the app to add. */
export const extensionLinks = { queriesLink, alertLink, datasourceLink } as const;
