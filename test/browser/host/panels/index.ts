/**
 * Panel plugins by id. Grafana's own are not published as packages; these draw with the same components of @grafana/ui that
 * Grafana's draw with.
 */
import type { PanelProps, SetFieldConfigOptionsArgs } from '@grafana/data';
import { FieldColorModeId, FieldConfigProperty, identityOverrideProcessor, PanelPlugin } from '@grafana/data';
import type { ComponentType } from 'react';
import { BarGaugePanel } from './bar-gauge.js';
import { NodeGraphPanel } from './node-graph.js';
import { StatPanel } from './stat.js';
import { TablePanel } from './table.js';
import { TimeSeriesPanel } from './time-series.js';

const components: Readonly<Record<string, ComponentType<PanelProps>>> = {
  timeseries: TimeSeriesPanel,
  table: TablePanel,
  nodeGraph: NodeGraphPanel,
  stat: StatPanel,
  bargauge: BarGaugePanel,
};

/** Options of a field that the panels have beside the standard ones, with what stands in a new panel. */
const customOptions: Readonly<Record<string, unknown>> = {
  fillOpacity: 0,
  showPoints: 'never',
  ...Object.fromEntries(
    [
      ...['drawStyle', 'lineWidth', 'gradientMode', 'spanNulls', 'stacking', 'transform'],
      ...['axisPlacement', 'axisCenteredZero', 'axisSoftMin', 'axisSoftMax'],
      ...['align', 'cellOptions', 'filterable', 'hideFrom', 'inspect', 'minWidth', 'width', 'wrapHeaderText'],
    ].map((path) => [path, undefined]),
  ),
};

const fieldConfig: SetFieldConfigOptionsArgs<object> = {
  standardOptions: { [FieldConfigProperty.Color]: { defaultValue: { mode: FieldColorModeId.PaletteClassic } } },
  useCustomConfig: (builder) => {
    for (const [path, defaultValue] of Object.entries(customOptions))
      builder.addCustomEditor({
        ...{ id: path, path: path as never, name: path, editor: () => null, override: () => null },
        process: identityOverrideProcessor as never,
        shouldApply: () => true,
        ...(defaultValue === undefined ? {} : { defaultValue }),
      });
  },
};

const loaded = new Map<string, PanelPlugin>();

export const loadedPanel = (id: string): PanelPlugin | undefined => loaded.get(id);

/** Throws for a panel that the host does not have. */
export function panelPlugin(id: string): PanelPlugin {
  const known = loaded.get(id);
  if (known) return known;
  const component = components[id];
  if (!component) throw new Error(`the host has no panel plugin ${id}`);
  const plugin = new PanelPlugin<object, object>(component).useFieldConfig(fieldConfig) as unknown as PanelPlugin;
  plugin.meta = { ...plugin.meta, id, name: id, module: '', baseUrl: '', info: { ...plugin.meta?.info, version: '' } };
  loaded.set(id, plugin);
  return plugin;
}
