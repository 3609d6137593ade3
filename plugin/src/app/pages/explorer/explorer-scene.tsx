/** The explorer as a scene: a place in the address, a time range, and the panels that belong to them. */
import type { FieldConfigSource } from '@grafana/data';
import type { SceneComponentProps, SceneObjectState, SceneObjectUrlValues } from '@grafana/scenes';
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
import { datasourceId } from '../../shared/ids.js';
import type { ExplorerView } from '../../shared/links.js';
import { explorerViews } from '../../shared/links.js';
import { columnLinks } from './drill-down.js';
import { ExplorerView as View } from './explorer-view.js';
import type { ExplorerState, PanelSpec } from './panels.js';
import { panelsOf } from './panels.js';

export interface ExplorerSceneState extends SceneObjectState, ExplorerState {
  /** of the datasource */
  readonly uid: string;
  $timeRange: SceneTimeRange;
  controls: (SceneTimePicker | SceneRefreshPicker)[];
  body: SceneCSSGridLayout;
}

const keys = ['view', 'host', 'filter'] as const;
const rowHeight = 30;

export class ExplorerScene extends SceneObjectBase<ExplorerSceneState> {
  static Component = ({ model }: SceneComponentProps<ExplorerScene>) => {
    const { view, host, filter, uid, controls, body, $timeRange } = model.useState();
    return (
      <View
        place={{ view, host, filter }}
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

  protected override _urlSync = new SceneObjectUrlSyncConfig(this, { keys: [...keys] });

  constructor(uid: string) {
    const place: ExplorerState = { view: 'overview', host: '', filter: '' };
    super({
      ...place,
      uid,
      $timeRange: new SceneTimeRange({ from: 'now-1h', to: 'now' }),
      controls: [new SceneTimePicker({}), new SceneRefreshPicker({})],
      body: layoutOf(uid, place),
    });
  }

  /** Another place; the address follows, and with it the browser's way back. */
  go(place: Partial<ExplorerState>): void {
    const { view, host, filter, uid } = this.state;
    const next = { view, host, filter, ...place };
    if (keys.every((key) => next[key] === this.state[key])) return;
    this.setState({ ...next, body: layoutOf(uid, next) });
  }

  getUrlState(): SceneObjectUrlValues {
    const { view, host, filter } = this.state;
    return { view: view === 'overview' ? null : view, host: host || null, filter: filter || null };
  }

  updateFromUrl(values: SceneObjectUrlValues): void {
    const text = (value: SceneObjectUrlValues[string]): string => (typeof value === 'string' ? value : '');
    const given = explorerViews.find((each) => each === values['view']);
    const place: { view?: ExplorerView; host?: string; filter?: string } = {};
    // A key that left the address is back at its default; one that is not named here has not changed.
    if ('view' in values) place.view = given ?? 'overview';
    if ('host' in values) place.host = text(values['host']);
    if ('filter' in values) place.filter = text(values['filter']);
    this.go(place);
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
    body: panelOf(spec, place, data),
  });
}

const noConfig = { defaults: {}, overrides: [] };

function panelOf({ title, description, kind }: PanelSpec, place: ExplorerState, $data: SceneQueryRunner): VizPanel {
  const named = { title, ...(description === undefined ? {} : { description }), $data };
  switch (kind) {
    case 'nodeGraph':
      return new VizPanel({ ...named, pluginId: 'nodeGraph', fieldConfig: noConfig });
    case 'timeseries':
      return new VizPanel({
        ...named,
        pluginId: 'timeseries',
        fieldConfig: { defaults: { custom: { fillOpacity: 15, showPoints: 'never' } }, overrides: [] },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
      });
    case 'table':
      return new VizPanel({ ...named, pluginId: 'table', fieldConfig: withLinks(place) });
  }
}

function withLinks(place: ExplorerState): FieldConfigSource {
  const overrides = columnLinks(place).map(({ column, links }) => ({
    matcher: { id: 'byName', options: column },
    properties: [{ id: 'links', value: links }],
  }));
  return { defaults: {}, overrides };
}
