/**
 * Panel plugins by id. Grafana's own are not published as packages; these draw with the same components of @grafana/ui that
 * Grafana's draw with.
 */
import type { PanelProps, SetFieldConfigOptionsArgs } from '@grafana/data';
import { FieldColorModeId, FieldConfigProperty, PanelPlugin } from '@grafana/data';
import type { ComponentType } from 'react';
import { NodeGraphPanel } from './node-graph.js';
import { TablePanel } from './table.js';
import { TimeSeriesPanel } from './time-series.js';

const components: Readonly<Record<string, ComponentType<PanelProps>>> = {
  timeseries: TimeSeriesPanel,
  table: TablePanel,
  nodeGraph: NodeGraphPanel,
};

interface CustomConfig {
  readonly fillOpacity: number;
  readonly showPoints: string;
  readonly minWidth?: number;
  readonly width?: number;
}

const fieldConfig: SetFieldConfigOptionsArgs<CustomConfig> = {
  standardOptions: { [FieldConfigProperty.Color]: { defaultValue: { mode: FieldColorModeId.PaletteClassic } } },
  useCustomConfig: (builder) =>
    builder
      .addNumberInput({ path: 'fillOpacity', name: 'Fill', defaultValue: 0 })
      .addTextInput({ path: 'showPoints', name: 'Points', defaultValue: 'never' })
      .addNumberInput({ path: 'minWidth', name: 'Minimum width' })
      .addNumberInput({ path: 'width', name: 'Width' }),
};

const loaded = new Map<string, PanelPlugin>();

export const loadedPanel = (id: string): PanelPlugin | undefined => loaded.get(id);

/** Throws for a panel that the host does not have. */
export function panelPlugin(id: string): PanelPlugin {
  const known = loaded.get(id);
  if (known) return known;
  const component = components[id];
  if (!component) throw new Error(`the host has no panel plugin ${id}`);
  const plugin = new PanelPlugin<object, CustomConfig>(component).useFieldConfig(fieldConfig) as unknown as PanelPlugin;
  plugin.meta = { ...plugin.meta, id, name: id, module: '', baseUrl: '', info: { ...plugin.meta?.info, version: '' } };
  loaded.set(id, plugin);
  return plugin;
}
