/** A dashboard from lines of panels: places, ids, and what all dashboards have in common. */
import { createHash } from 'node:crypto';
import type { AnnotationQuery, Dashboard, DashboardLink, Panel, RowPanel, VariableModel } from '@grafana/schema';
import { DashboardCursorSync, defaultDashboard } from '@grafana/schema';
import type { DashboardKey } from './links.js';
import { tag, topLinks, uids } from './links.js';
import type { Draft } from './panels.js';
import { noticed, source } from './query.js';

/** Columns of Grafana's grid. */
const columns = 24;

/** Panels side by side. */
export interface Line {
  readonly height: number;
  /** widths add up to 24 */
  readonly panels: readonly (readonly [width: number, panel: Draft])[];
}
/** A heading with lines below it; folded ones ask nothing until somebody opens them. */
export interface Section {
  readonly heading: string;
  readonly folded?: boolean;
  readonly lines: readonly Line[];
}

export const line = (height: number, ...panels: Line['panels']): Line => ({ height, panels });

export interface Page {
  readonly key: DashboardKey;
  readonly title: string;
  /** which questions it answers */
  readonly description: string;
  readonly variables: readonly VariableModel[];
  readonly links?: readonly DashboardLink[];
  readonly body: readonly (Line | Section)[];
}

const annotation = (name: string, kind: string, iconColor: string): AnnotationQuery => ({
  name,
  datasource: source,
  enable: true,
  hide: false,
  iconColor,
  target: noticed({ kind }, 'Anno') as never,
});

/** What every dashboard draws over its time series. */
const annotations: AnnotationQuery[] = [
  {
    name: 'Annotations & Alerts',
    builtIn: 1,
    datasource: { type: 'grafana', uid: '-- Grafana --' },
    enable: true,
    hide: true,
    iconColor: 'rgba(0, 211, 255, 1)',
    type: 'dashboard',
  },
  annotation('Alerts', 'alert', 'red'),
  annotation('Detector events', 'detector', 'orange'),
];

/** The dashboard as Grafana stores it. Throws when a line does not fill the width. */
export function dashboard(page: Page): Dashboard {
  const { key, title, description, variables, links = [], body } = page;
  const made: Dashboard = {
    uid: uids[key],
    id: null as never,
    title,
    description,
    tags: [tag],
    schemaVersion: defaultDashboard.schemaVersion,
    editable: true,
    graphTooltip: DashboardCursorSync.Crosshair,
    timezone: 'browser',
    time: { from: 'now-1h', to: 'now' },
    refresh: '',
    timepicker: { refresh_intervals: ['10s', '30s', '1m', '5m', '15m', '1h'] },
    templating: { list: [...variables] },
    annotations: { list: annotations },
    links: [...topLinks, ...links],
    panels: placed(page, body),
  };
  return { ...made, revision: revisionOf(made) };
}

/**
 * Grafana imports an app's dashboard again when the app's version and the revision differ: so the revision is a number of the
 * content, and nobody has to remember it.
 */
const revisionOf = (made: Dashboard): number =>
  createHash('sha256').update(JSON.stringify(made)).digest().readUIntBE(0, 4);

function placed({ key }: Page, body: Page['body']): (Panel | RowPanel)[] {
  const all: (Panel | RowPanel)[] = [];
  let id = 0;
  let y = 0;
  const linePanels = ({ height, panels }: Line): Panel[] => {
    const width = panels.reduce((sum, [each]) => sum + each, 0);
    if (width !== columns) throw new Error(`${key}: the line of "${panels[0]?.[1].title}" is ${width} columns wide`);
    let x = 0;
    const made = panels.map(([w, draft]): Panel => {
      id += 1;
      const gridPos = { x, y, w, h: height };
      x += w;
      return { ...draft, id, gridPos };
    });
    y += height;
    return made;
  };
  for (const part of body) {
    if ('panels' in part) {
      all.push(...linePanels(part));
      continue;
    }
    const { heading, folded = false, lines } = part;
    id += 1;
    const row: RowPanel = {
      type: 'row',
      id,
      title: heading,
      collapsed: folded,
      gridPos: { x: 0, y, w: columns, h: 1 },
      panels: [],
    };
    y += 1;
    const inside = lines.flatMap(linePanels);
    all.push(...(folded ? [{ ...row, panels: inside }] : [row, ...inside]));
  }
  return all;
}
