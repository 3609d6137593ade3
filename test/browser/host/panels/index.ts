/**
 * Panel plugins by id. Grafana's own are not published as packages; these draw with the same components of @grafana/ui that
 * Grafana's draw with.
 */
import type { PanelProps } from '@grafana/data';
import { PanelPlugin } from '@grafana/data';
import type { ComponentType } from 'react';
import { NodeGraphPanel } from './node-graph.js';
import { TablePanel } from './table.js';
import { TimeSeriesPanel } from './time-series.js';

const components: Readonly<Record<string, ComponentType<PanelProps>>> = {
  timeseries: TimeSeriesPanel,
  table: TablePanel,
  nodeGraph: NodeGraphPanel,
};

const loaded = new Map<string, PanelPlugin>();

export const loadedPanel = (id: string): PanelPlugin | undefined => loaded.get(id);

/** Throws for a panel that the host does not have. */
export function panelPlugin(id: string): PanelPlugin {
  const known = loaded.get(id);
  if (known) return known;
  const component = components[id];
  if (!component) throw new Error(`the host has no panel plugin ${id}`);
  const plugin = new PanelPlugin(component).useFieldConfig({});
  plugin.meta = { ...plugin.meta, id, name: id, module: '', baseUrl: '', info: { ...plugin.meta?.info, version: '' } };
  loaded.set(id, plugin);
  return plugin;
}
