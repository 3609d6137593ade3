/** The menu of a panel of the explorer: on to Grafana's Explore, from where it goes into a dashboard, and to an alert rule. */
import type { PanelMenuItem } from '@grafana/data';
import { dateMath, locationUtil } from '@grafana/data';
import { sceneGraph, VizPanelMenu } from '@grafana/scenes';
import { datasourceId } from '../../shared/ids.js';
import type { NetSpectraQuery } from '../../../datasource/types.js';
import type { PanelSpec } from './panels.js';

interface Range {
  /** `now-1h`, or a time */
  readonly from: string;
  readonly to: string;
}

/** A query outside of a dashboard names its datasource. */
const ownQuery = (uid: string, query: NetSpectraQuery): object => ({
  ...query,
  datasource: { type: datasourceId, uid },
});

/** Address of Explore with a query. */
export function exploreUrl(uid: string, query: NetSpectraQuery, range: Range): string {
  const panes = { netspectra: { datasource: uid, queries: [ownQuery(uid, query)], range } };
  return `/explore?${new URLSearchParams({ schemaVersion: '1', panes: JSON.stringify(panes) }).toString()}`;
}

const hourS = 3_600;
/** What alert rules ask often should be short. */
const rangeMaxS = 24 * hourS;

/** Seconds from the beginning of a range to its end; an hour where it has none. */
function lengthOf({ from, to }: Range): number {
  const [first, last] = [dateMath.toDateTime(from, {}), dateMath.toDateTime(to, {})];
  const seconds = Math.round(((last?.valueOf() ?? Number.NaN) - (first?.valueOf() ?? Number.NaN)) / 1000);
  return seconds > 0 ? Math.min(seconds, rangeMaxS) : hourS;
}

/**
 * Address of a new alert rule on a query: the query, its mean (a table has one number a row already), and a threshold that
 * somebody has to set. undefined: the query gives no numbers.
 */
export function alertRuleUrl(uid: string, name: string, query: NetSpectraQuery, range: Range): string | undefined {
  const { type, compareTo: _compareTo, live: _live, ...rest } = query;
  if (type !== 'timeseries' && type !== 'table') return undefined;
  const [measure] = rest.measures;
  // One measure makes one number for each set of labels.
  const model = { ...rest, type, measures: measure === undefined ? [] : [measure], orderBy: undefined };
  const relativeTimeRange = { from: lengthOf(range), to: 0 };
  const expression = (refId: string, of: object): object => ({
    refId,
    queryType: '',
    datasourceUid: '__expr__',
    model: { refId, datasource: { type: '__expr__', uid: '__expr__' }, ...of },
  });
  const reduced = type === 'timeseries';
  const defaults = {
    type: 'grafana',
    name,
    condition: 'C',
    queries: [
      {
        refId: 'A',
        queryType: '',
        datasourceUid: uid,
        relativeTimeRange,
        model: ownQuery(uid, { ...model, refId: 'A' }),
      },
      ...(reduced ? [expression('B', { type: 'reduce', reducer: 'mean', expression: 'A' })] : []),
      expression('C', {
        type: 'threshold',
        expression: reduced ? 'B' : 'A',
        conditions: [{ evaluator: { type: 'gt', params: [0] } }],
      }),
    ],
  };
  return `/alerting/new/alerting?${new URLSearchParams({ defaults: JSON.stringify(defaults) }).toString()}`;
}

/** The entries are made when the menu opens: the range is the one of that moment. */
export function panelMenu(uid: string, { title, query }: PanelSpec): VizPanelMenu {
  const menu = new VizPanelMenu({});
  menu.addActivationHandler(() => {
    const { from, to } = sceneGraph.getTimeRange(menu).state;
    const range = { from, to };
    const entry = (text: string, iconClassName: PanelMenuItem['iconClassName'], path: string): PanelMenuItem => ({
      text,
      iconClassName,
      href: locationUtil.assureBaseUrl(path),
    });
    const rule = alertRuleUrl(uid, title, query, range);
    menu.setItems([
      entry('Open in Explore', 'compass', exploreUrl(uid, query, range)),
      ...(rule === undefined ? [] : [entry('New alert rule', 'bell', rule)]),
    ]);
  });
  return menu;
}
