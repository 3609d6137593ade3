/**
 * Panels, one function for each kind. They are built without place and id; the layout (dashboard.ts) gives both. Units come
 * from the measures that a panel asks for, so that a panel cannot show bytes as bits.
 */
import type { FieldConfigSource, Panel, VizLegendOptions } from '@grafana/schema';
import {
  AxisPlacement,
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BarGaugeSizing,
  BarGaugeValueMode,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  FieldColorModeId,
  GraphDrawStyle,
  GraphGradientMode,
  GraphTransform,
  LegendDisplayMode,
  PercentChangeColorMode,
  SortOrder,
  StackingMode,
  TableCellDisplayMode,
  TableCellHeight,
  ThresholdsMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizOrientation,
} from '@grafana/schema';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as NodeGraphOptions } from '@grafana/schema/dist/esm/raw/composable/nodegraph/panelcfg/x/NodeGraphPanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as TableOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type {
  FieldConfig as SeriesField,
  Options as SeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { MeasureId } from '@netspectra/query';
import { findMeasure } from '@netspectra/query';
import type { ColumnWidth } from '../../plugin/src/app/shared/column-widths.js';
import { groupWidth, measureWidth } from '../../plugin/src/app/shared/column-widths.js';
import { linkedColumns, linksOf } from './links.js';
import type { Target } from './query.js';
import { source } from './query.js';

/** A panel without id and place. */
export type Draft = Omit<Panel, 'id' | 'gridPos'>;

interface Named {
  readonly title: string;
  /** a sentence on what the numbers are; shown at the panel's title */
  readonly description: string;
}

type Override = FieldConfigSource['overrides'][number];

const unitOf = (measure: MeasureId | undefined): string =>
  (measure === undefined ? undefined : findMeasure(measure)?.unit) ?? 'short';
const labelOf = (measure: MeasureId): string => findMeasure(measure)?.label ?? measure;

const panel = (
  type: string,
  { title, description }: Named,
  targets: readonly Target[],
  options: object,
  fieldConfig: FieldConfigSource,
): Draft => ({
  type,
  title,
  description,
  datasource: source,
  targets: [...targets],
  options: { ...options },
  fieldConfig,
});

const base = (step?: readonly Step[]) => ({
  mode: ThresholdsMode.Absolute,
  steps: [{ value: null, color: 'green' }, ...(step ?? [])],
});
/** From this value on a number has this colour. */
export interface Step {
  readonly value: number;
  readonly color: 'yellow' | 'orange' | 'red';
}

/** Yellow from the first value on, red from the second. */
export const raised = (yellow: number, red: number): readonly Step[] => [
  { value: yellow, color: 'yellow' },
  { value: red, color: 'red' },
];

// ---- time series ----

export interface SeriesLook {
  /** `area`: stacked, for parts of a whole; `bars`: stacked counts; `line`: for what does not add up */
  readonly look?: 'area' | 'bars' | 'line';
  /** the query that is drawn downwards, for what goes the other way */
  readonly downwards?: string;
  /** names of series where the answer's own say too little, by refId */
  readonly names?: Readonly<Record<string, string>>;
  /** least width of a point, such as `10s` */
  readonly interval?: string;
  readonly legend?: 'list' | 'table';
}

const looks = {
  area: { drawStyle: GraphDrawStyle.Line, lineWidth: 1, fillOpacity: 30, stacked: true },
  bars: { drawStyle: GraphDrawStyle.Bars, lineWidth: 0, fillOpacity: 80, stacked: true },
  line: { drawStyle: GraphDrawStyle.Line, lineWidth: 1, fillOpacity: 8, stacked: false },
} as const;

export function timeSeries(named: Named, targets: readonly Target[], more: SeriesLook = {}): Draft {
  const { look = 'line', downwards, names = {}, interval, legend = 'list' } = more;
  const { drawStyle, lineWidth, fillOpacity, stacked } = looks[look];
  const unit = unitOf(targets[0]?.measures[0]);
  const custom = {
    drawStyle,
    lineWidth,
    fillOpacity,
    gradientMode: GraphGradientMode.None,
    showPoints: VisibilityMode.Never,
    spanNulls: false,
    axisPlacement: AxisPlacement.Auto,
    axisCenteredZero: false,
    stacking: { mode: stacked ? StackingMode.Normal : StackingMode.None, group: 'A' },
    // What is measured cannot be below zero, save where it is drawn downwards.
    ...(downwards === undefined ? { axisSoftMin: 0 } : {}),
    // Shares that are all zero would get an axis up to 10,000 %.
    ...(unit === 'percentunit' ? { axisSoftMax: 0.01 } : {}),
  } satisfies SeriesField;
  const options: SeriesOptions = {
    legend: legends[legend],
    tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending, hideZeros: true },
  };
  const byQuery = (refId: string, id: string, value: unknown): Override => ({
    matcher: { id: 'byFrameRefID', options: refId },
    properties: [{ id, value }],
  });
  const overrides = [
    ...(downwards === undefined ? [] : [byQuery(downwards, 'custom.transform', GraphTransform.NegativeY)]),
    ...Object.entries(names).map(([refId, name]) => byQuery(refId, 'displayName', name)),
    grey('other'),
  ];
  const defaults = {
    unit,
    custom,
    color: { mode: FieldColorModeId.PaletteClassic },
  };
  const draft = panel('timeseries', named, targets, options, { defaults, overrides });
  return interval === undefined ? draft : { ...draft, interval };
}

/** What stands for all the rest draws no attention. */
const grey = (name: string): Override => ({
  matcher: { id: 'byName', options: name },
  properties: [{ id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: 'text' } }],
});

const legends: Readonly<Record<'list' | 'table', VizLegendOptions>> = {
  list: { displayMode: LegendDisplayMode.List, placement: 'bottom', showLegend: true, calcs: [] },
  table: { displayMode: LegendDisplayMode.Table, placement: 'right', showLegend: true, calcs: ['mean', 'max'] },
};

// ---- single numbers ----

export interface StatLook {
  readonly steps?: readonly Step[];
  /** of a time series: the value to show */
  readonly calc?: 'mean' | 'sum' | 'max' | 'lastNotNull';
}

/** One number of one measure; with the way it went when the query is a time series. */
export function stat(named: Named, target: Target, { steps, calc = 'mean' }: StatLook = {}): Draft {
  const [measure] = target.measures;
  const isSeries = target['type'] === 'timeseries';
  const options: StatOptions = {
    // A table may hold bounds of an estimate beside the number itself.
    reduceOptions: {
      values: false,
      calcs: [isSeries ? calc : 'lastNotNull'],
      fields: isSeries || measure === undefined ? '' : `/^${escaped(labelOf(measure))}$/`,
    },
    colorMode: steps ? BigValueColorMode.Value : BigValueColorMode.None,
    graphMode: isSeries ? BigValueGraphMode.Area : BigValueGraphMode.None,
    justifyMode: BigValueJustifyMode.Auto,
    orientation: VizOrientation.Auto,
    textMode: BigValueTextMode.Value,
    percentChangeColorMode: PercentChangeColorMode.Standard,
    showPercentChange: false,
    wideLayout: true,
  };
  const defaults = {
    unit: unitOf(measure),
    color: { mode: FieldColorModeId.Thresholds },
    thresholds: base(steps),
    noValue: '–',
  };
  return panel('stat', named, [target], options, { defaults, overrides: [] });
}

const escaped = (text: string): string => text.replace(/[/\\^$.*+?()[\]{}|]/g, '\\$&');

// ---- tables ----

export interface TableLook {
  /** columns whose cells are a bar, by measure; by default the first measure */
  readonly bars?: readonly MeasureId[];
  /** colours of a column's numbers */
  readonly steps?: Readonly<Partial<Record<MeasureId, readonly Step[]>>>;
  /** columns that only some readers want */
  readonly hidden?: readonly string[];
  readonly widths?: Readonly<Record<string, number>>;
}

const nothing = {
  type: 'special',
  options: { match: 'empty', result: { text: '(none)', color: 'text', index: 0 } },
};

/** A row for each group; values lead on to what is known of them. */
export function table(named: Named, target: Target, look: TableLook = {}): Draft {
  const { bars = target.measures.slice(0, 1), steps = {}, hidden = [], widths = {} } = look;
  const columns: readonly string[] = target['type'] === 'flows' ? linkedColumns : target.groupBy;
  const overrides = [
    ...columns.flatMap((column) => {
      const links = linksOf(column);
      return links.length === 0 ? [] : [ofColumn(column, 'links', links)];
    }),
    ...target.groupBy.map((key) => withWidth(key, groupWidth(key))),
    ...target.measures.map((measure) => ofColumn(measure, 'unit', unitOf(measure))),
    ...target.measures.map((measure) => withWidth(measure, measureWidth(measure, bars.includes(measure)))),
    ...bars.map((measure) =>
      ofColumn(
        measure,
        'custom.cellOptions',
        { type: TableCellDisplayMode.Gauge, mode: BarGaugeDisplayMode.Basic, valueDisplayMode: 'text' },
        [
          { id: 'min', value: 0 },
          // Else the highest number of all columns would be a full bar.
          { id: 'fieldMinMax', value: true },
          { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: 'blue' } },
        ],
      ),
    ),
    ...Object.entries(steps).map(([measure, each]) =>
      ofColumn(measure, 'custom.cellOptions', { type: TableCellDisplayMode.ColorText }, [
        { id: 'thresholds', value: base(each) },
        { id: 'color', value: { mode: FieldColorModeId.Thresholds } },
      ]),
    ),
    ...hidden.map((column) => hiddenColumn(column)),
    ...Object.entries(widths).map(([column, width]) => ofColumn(column, 'custom.width', width)),
  ];
  const options: TableOptions = {
    frameIndex: 0,
    showHeader: true,
    showTypeIcons: false,
    cellHeight: TableCellHeight.Sm,
    // It would take a row's height from every table, also where one page is all.
    enablePagination: false,
    sortBy: [],
  };
  // No unit for all: ports, VLANs and statuses are numbers, too, and no quantities.
  const defaults = {
    mappings: [nothing] as never,
    custom: { align: 'auto', inspect: false, filterable: false, minWidth: 90, wrapHeaderText: true },
  };
  return panel('table', named, [target], options, { defaults, overrides });
}

/** Grafana renamed the option; it passes over the one that it does not know. */
const hiddenColumn = (column: string): Override =>
  ofColumn(column, 'custom.hideFrom', { viz: true, legend: false, tooltip: false }, [
    { id: 'custom.hidden', value: true },
  ]);

const ofColumn = (column: string, id: string, value: unknown, more: Override['properties'] = []): Override => ({
  matcher: { id: 'byName', options: column },
  properties: [{ id, value }, ...more],
});

const withWidth = (column: string, { id, value }: ColumnWidth): Override => ofColumn(column, id, value);

/** A list of alerts and detector events. Texts of the network stay text: no cell is drawn as HTML. */
export function events(named: Named, target: Target): Draft {
  const draft = table(named, target, { hidden: ['id', 'tags'], widths: { time: 180, timeEnd: 180 } });
  const fieldConfig = { overrides: [], ...draft.fieldConfig };
  const noValue = 'No alerts and no detector events in this time range';
  return { ...draft, fieldConfig: { ...fieldConfig, defaults: { ...fieldConfig.defaults, noValue } } };
}

// ---- bars, graphs ----

/** A bar for each group: for few groups with short names. */
export function bars(named: Named, target: Target): Draft {
  const options: BarGaugeOptions = {
    displayMode: BarGaugeDisplayMode.Gradient,
    orientation: VizOrientation.Horizontal,
    reduceOptions: { values: true, calcs: ['lastNotNull'], fields: '' },
    namePlacement: BarGaugeNamePlacement.Left,
    text: { titleSize: 13, valueSize: 14 },
    valueMode: BarGaugeValueMode.Text,
    // Two bars do not fill the panel.
    sizing: BarGaugeSizing.Manual,
    showUnfilled: true,
    minVizHeight: 18,
    minVizWidth: 8,
    maxVizHeight: 28,
    legend: { ...legends.list, showLegend: false },
  };
  const defaults = {
    unit: unitOf(target.measures[0]),
    min: 0,
    mappings: [nothing] as never,
    color: { mode: FieldColorModeId.PaletteClassic },
  };
  // The answer names its column by the measure; a bar is named by its group.
  const group = target.groupBy.map((_key, i) => `\${__data.fields[${i}]}`).join(' ');
  const overrides = target.measures.map((measure) => ofColumn(measure, 'displayName', group));
  return panel('bargauge', named, [target], options, { defaults, overrides });
}

/** Of a Prometheus: expressions with the legend of each. */
export function prometheusSeries(named: Named, unit: string, legends: Readonly<Record<string, string>>): Draft {
  const prometheus = { type: 'prometheus', uid: '${prometheus}' };
  const draft = timeSeries(named, []);
  const targets = Object.entries(legends).map(([expr, legendFormat], i) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + i),
    datasource: prometheus,
    expr,
    legendFormat,
    range: true,
  }));
  const fieldConfig = { overrides: [], defaults: { ...draft.fieldConfig?.defaults, unit } };
  return { ...draft, datasource: prometheus, targets, fieldConfig };
}

/** Nodes and edges: who talks to whom. */
export function nodeGraph(named: Named, target: Target): Draft {
  const unit = unitOf(target.measures[0]);
  const options: NodeGraphOptions = { nodes: { mainStatUnit: unit }, edges: { mainStatUnit: unit } };
  return panel('nodeGraph', named, [target], options, { defaults: { unit, links: [] }, overrides: [] });
}
