/** A link in the menu of every panel that asks a NetSpectra datasource: to the explorer with its filter and range. */
import type { PluginExtensionAddedLinkConfig, PluginExtensionPanelContext, RawTimeRange } from '@grafana/data';
import { PluginExtensionPoints } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';
import { fillFilter } from '../datasource/template/filter.js';
import { datasourceId, pages } from './shared/ids.js';
import { explorerUrl, filterOfTargets } from './shared/links.js';

export const panelLinkTitle = 'Open in NetSpectra explorer';

/** Where the link of a panel goes; undefined: the panel is none of ours. */
export function panelLinkPath(
  context: Pick<PluginExtensionPanelContext, 'targets' | 'timeRange' | 'scopedVars'> | undefined,
  fill: (filter: string) => string,
): string | undefined {
  const ours = (context?.targets ?? []).filter(({ datasource }) => datasource?.type === datasourceId);
  if (!context || ours.length === 0) return undefined;
  const filter = filterOfTargets(ours);
  return explorerUrl({ ...rawRange(context.timeRange), ...(filter === undefined ? {} : { filter: fill(filter) }) });
}

function rawRange({ from, to }: RawTimeRange): { from: string | number; to: string | number } {
  const plain = (time: RawTimeRange['from']): string | number => (typeof time === 'string' ? time : time.valueOf());
  return { from: plain(from), to: plain(to) };
}

export const panelLink: PluginExtensionAddedLinkConfig<PluginExtensionPanelContext> = {
  title: panelLinkTitle,
  description: 'The same traffic and time range, to drill down into',
  targets: [PluginExtensionPoints.DashboardPanelMenu],
  icon: 'compass',
  path: pages.explorer,
  configure: (context) => {
    const fill = (filter: string): string =>
      fillFilter(filter, context?.scopedVars ?? {}, (text, scoped, format) =>
        getTemplateSrv().replace(text, scoped, format),
      );
    const path = panelLinkPath(context, fill);
    return path === undefined ? undefined : { path };
  },
};
