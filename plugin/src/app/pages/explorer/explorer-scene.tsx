/** The explorer as a scene: a place in the address, a time range, and the panels that belong to them. */
import type { FieldConfigSource, ValueMapping } from '@grafana/data';
import { MappingType } from '@grafana/data';
import type { SceneComponentProps, SceneObjectState, SceneObjectUrlValues, VizPanelMenu } from '@grafana/scenes';
import {
  SceneCSSGridItem,
  SceneCSSGridLayout,
  SceneObjectBase,
  SceneObjectUrlSyncConfig,
  SceneQueryRunner,
  SceneRefreshPicker,
  SceneTimePicker,
  SceneTimeRange,
  VizPanel,
} from '@grafana/scenes';
import type { NetSpectraQuery } from '../../../datasource/types.js';
import { datasourceId } from '../../shared/ids.js';
import { explorerViews } from '../../shared/links.js';
import { columnLayout } from './columns.js';
import { columnLinks, momentLink } from './drill-down.js';
import { ExplorerView as View } from './explorer-view.js';
import type { ExplorerState, PanelSpec } from './panels.js';
import { panelsOf, rowSteps, start } from './panels.js';
import { panelMenu } from './panel-menu.js';

export interface ExplorerSceneState extends SceneObjectState, ExplorerState {
  /** of the datasource */
  readonly uid: string;
  $timeRange: SceneTimeRange;
  controls: (SceneTimePicker | SceneRefreshPicker)[];
  body: SceneCSSGridLayout;
}

const keys = ['view', 'host', 'filter', 'live', 'at', 'rows'] as const;
const rowHeight = 30;

export class ExplorerScene extends SceneObjectBase<ExplorerSceneState> {
  static Component = ({ model }: SceneComponentProps<ExplorerScene>) => {
    const { uid, controls, body, $timeRange, ...place } = model.useState();
    return (
      <View
        place={place}
        uid={uid}
        range={$timeRange.useState().value}
        controls={controls.map((control) => (
          <control.Component key={control.state.key} model={control as never} />
        ))}
        onGo={(place) => model.go(place)}
      >
        <body.Component model={body} />
      </View>
    );
  };

  protected override readonly _urlSync = new SceneObjectUrlSyncConfig(this, { keys: [...keys] });

  /** @param source the datasource's uid where it is not the app's own: links keep it */
  constructor(uid: string, source = '') {
    const place: ExplorerState = { ...start, source };
    super({
      ...place,
      uid,
      $timeRange: new SceneTimeRange({ from: 'now-1h', to: 'now' }),
      controls: [new SceneTimePicker({}), new SceneRefreshPicker({ withText: true })],
      body: layoutOf(uid, place),
    });
  }

  /** Another place; the address follows, and the browser's way back leads to the one before. */
  go(place: Partial<ExplorerState>): void {
    this._urlSync.performBrowserHistoryAction(() => this.#stand(place));
  }

  #stand(place: Partial<ExplorerState>): void {
    const { view, host, filter, source, live, at, rows, uid } = this.state;
    const next = { view, host, filter, source, live, at, rows, ...place };
    if (keys.every((key) => next[key] === this.state[key])) return;
    this.setState({ ...next, body: layoutOf(uid, next) });
  }

  getUrlState(): SceneObjectUrlValues {
    const { view, host, filter, live, at, rows } = this.state;
    return {
      view: view === start.view ? null : view,
      host: host || null,
      filter: filter || null,
      live: live ? 'on' : null,
      at: at || null,
      rows: rows === start.rows ? null : String(rows),
    };
  }

  updateFromUrl(values: SceneObjectUrlValues): void {
    const text = (value: SceneObjectUrlValues[string]): string => (typeof value === 'string' ? value : '');
    const given = explorerViews.find((each) => each === values['view']);
    const place: { -readonly [Key in keyof ExplorerState]?: ExplorerState[Key] } = {};
    // A key that left the address is back at its default; one that is not named here has not changed.
    if ('view' in values) place.view = given ?? 'overview';
    if ('host' in values) place.host = text(values['host']);
    if ('filter' in values) place.filter = text(values['filter']);
    if ('live' in values) place.live = values['live'] === 'on';
    if ('at' in values) place.at = text(values['at']);
    if ('rows' in values) place.rows = rowSteps.find((step) => String(step) === values['rows']) ?? start.rows;
    this.#stand(place);
  }
}

function layoutOf(uid: string, place: ExplorerState): SceneCSSGridLayout {
  return new SceneCSSGridLayout({
    templateColumns: 'repeat(12, minmax(0, 1fr))',
    rowGap: 1,
    columnGap: 1,
    md: { templateColumns: '1fr', rowGap: 1, columnGap: 1 },
    autoRows: `${rowHeight}px`,
    children: panelsOf(place).map((spec) => panelItem(uid, spec, place)),
  });
}

function panelItem(uid: string, spec: PanelSpec, place: ExplorerState): SceneCSSGridItem {
  const data = new SceneQueryRunner({
    datasource: { type: datasourceId, uid },
    queries: [{ ...spec.query }],
    maxDataPoints: 400,
  });
  return new SceneCSSGridItem({
    gridColumn: `span ${spec.width}`,
    gridRow: `span ${spec.height}`,
    body: panelOf(spec, place, data, panelMenu(uid, spec)),
  });
}

const noConfig = { defaults: {}, overrides: [] };

function panelOf(
  { title, description, kind, query }: PanelSpec,
  place: ExplorerState,
  $data: SceneQueryRunner,
  menu: VizPanelMenu,
): VizPanel {
  const named = { title, ...(description === undefined ? {} : { description }), $data, menu };
  switch (kind) {
    case 'nodeGraph':
      return new VizPanel({ ...named, pluginId: 'nodeGraph', fieldConfig: noConfig });
    case 'timeseries':
      return new VizPanel({
        ...named,
        pluginId: 'timeseries',
        fieldConfig: {
          defaults: { custom: { fillOpacity: 15, showPoints: 'never' }, links: [momentLink(place)] },
          overrides: [],
        },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
      });
    case 'table':
      return new VizPanel({ ...named, pluginId: 'table', fieldConfig: tableConfig(place, query) });
  }
}

/** Where nothing else is said, pixels. */
const columnWidthMin = 90;
/** A dimension that a flow does not have, named as in the legends of time series. */
const noName: ValueMapping = { type: MappingType.ValueToText, options: { '': { text: '(none)' } } };

/** Links at values, and columns that fit into half a page. */
function tableConfig(place: ExplorerState, query: NetSpectraQuery): FieldConfigSource {
  const links = columnLinks(place).map(({ column, links }) => ({
    matcher: { id: 'byName', options: column },
    properties: [{ id: 'links', value: links }],
  }));
  return {
    defaults: { custom: { minWidth: columnWidthMin, wrapHeaderText: true }, mappings: [noName] },
    overrides: [...links, ...columnLayout(query)],
  };
}
