/** From a stored dashboard to a scene, as Grafana's own (unpublished) transformer does for the parts that our dashboards use. */
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
import type { SceneGridItemLike } from '@grafana/scenes';
import {
  behaviors,
  dataLayers,
  EmbeddedScene,
  sceneGraph,
  SceneControlsSpacer,
  SceneDataLayerSet,
  SceneGridItem,
  SceneGridLayout,
  SceneGridRow,
  SceneQueryRunner,
  SceneTimePicker,
  SceneTimeRange,
  VariableValueSelectors,
  VizPanel,
} from '@grafana/scenes';
import { fillScenesWith } from '../template-srv.js';
import { UrlSynced } from './url-synced.js';
import { LinkButtons } from './link-buttons.js';
import { variablesOf } from './variables.js';

/** The scene keeps time range and variables in the address. */
export function dashboardScene(dashboard: Dashboard): UrlSynced {
  fillScenesWith(sceneGraph.interpolate);
  const { annotations, links = [], time } = dashboard;
  const scene = new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from: time?.from ?? 'now-1h', to: time?.to ?? 'now', timeZone: 'utc' }),
    $variables: variablesOf(dashboard),
    $behaviors: [new behaviors.CursorSync({ sync: dashboard.graphTooltip ?? 0 })],
    $data: new SceneDataLayerSet({
      layers: (annotations?.list ?? [])
        .filter(({ builtIn }) => builtIn !== 1)
        .map((query) => new dataLayers.AnnotationsDataLayer({ name: query.name, query, isEnabled: query.enable })),
    }),
    controls: [
      new VariableValueSelectors({}),
      new SceneControlsSpacer(),
      new LinkButtons({ links }),
      new SceneTimePicker({}),
    ],
    body: new SceneGridLayout({
      isDraggable: false,
      isResizable: false,
      children: inRows(dashboard.panels ?? []),
    }),
  });
  return new UrlSynced({ scene });
}

/** A row holds the panels after it, up to the next one; a folded one has them in itself. */
function inRows(panels: readonly (Panel | RowPanel)[]): SceneGridItemLike[] {
  const top: SceneGridItemLike[] = [];
  let row: SceneGridRow | undefined;
  for (const panel of panels) {
    if (isRow(panel)) {
      row = new SceneGridRow({
        title: panel.title ?? '',
        isCollapsed: panel.collapsed,
        y: panel.gridPos?.y ?? 0,
        children: panel.panels.map(gridItem),
      });
      top.push(row);
    } else if (row) row.setState({ children: [...row.state.children, gridItem(panel)] });
    else top.push(gridItem(panel));
  }
  return top;
}

const isRow = (panel: Panel | RowPanel): panel is RowPanel => panel.type === 'row';

function gridItem(panel: Panel): SceneGridItem {
  const { x, y, w, h } = panel.gridPos!;
  return new SceneGridItem({ x, y, width: w, height: h, body: vizPanel(panel) });
}

const vizPanel = ({ id, type, title, description, datasource, targets, interval, options, fieldConfig }: Panel) =>
  new VizPanel({
    key: `panel-${id}`,
    pluginId: type,
    title: title ?? '',
    description: description ?? '',
    options: options ?? {},
    fieldConfig: fieldConfig as never,
    $data: new SceneQueryRunner({
      queries: targets as never,
      ...(datasource === undefined || datasource === null ? {} : { datasource }),
      ...(interval === undefined ? {} : { minInterval: interval }),
    }),
  });
