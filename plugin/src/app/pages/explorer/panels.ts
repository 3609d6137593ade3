/**
 * What the explorer shows, as data: which panels each view has and what they ask. A place (view, host, filter) names all of
 * it, so that an address in the browser is enough to come back.
 */
import type { MeasureId } from '@netspectra/query';
import { parseTime } from '@netspectra/query';
import { newQuery } from '../../../../server/src/contract/query.js';
import { checkQuery } from '../../../datasource/editor/check.js';
import { andFilters, literal } from '../../../datasource/model/filter-terms.js';
import type { NetSpectraQuery } from '../../../datasource/types.js';
import type { ExplorerView } from '../../shared/links.js';

export type PanelKind = 'timeseries' | 'table' | 'nodeGraph';

export interface PanelSpec {
  readonly title: string;
  readonly description?: string;
  readonly kind: PanelKind;
  readonly query: NetSpectraQuery;
  /** of twelve columns */
  readonly width: 4 | 6 | 8 | 12;
  readonly height: number;
}

export interface ExplorerState {
  readonly view: ExplorerView;
  /** an address */
  readonly host: string;
  readonly filter: string;
  /** uid of the datasource; empty: the app's */
  readonly source: string;
  /** the overview goes on with what happens now */
  readonly live: boolean;
  /** of what changed: milliseconds since 1970, or RFC 3339; empty: the range is compared with the time before */
  readonly at: string;
  /** of the flow records: how many */
  readonly rows: number;
}

/** How many flow records are shown, more and more. */
export const rowSteps = [200, 1_000, 5_000, 10_000] as const;

/** Where one is who has chosen nothing. */
export const start: ExplorerState = {
  view: 'overview',
  host: '',
  filter: '',
  source: '',
  live: false,
  at: '',
  rows: rowSteps[0],
};

const query = (part: Partial<NetSpectraQuery>): NetSpectraQuery => ({ ...newQuery, refId: 'A', ...part });
const timeseries = (part: Partial<NetSpectraQuery>): NetSpectraQuery => query({ type: 'timeseries', ...part });
const table = (groupBy: string[], filter: string, part: Partial<NetSpectraQuery> = {}): NetSpectraQuery => {
  const { other: _other, ...base } = query({});
  return { ...base, type: 'table', measures: ['bytes', 'bytes_share', 'packets'], groupBy, filter, limit: 15, ...part };
};

/** The filter of a place: what was typed, and the host where there is one. */
export function filterOf({ view, host, filter }: Pick<ExplorerState, 'view' | 'host' | 'filter'>): string {
  return view === 'host' && host !== '' ? andFilters(filter, `host = ${literal({ kind: 'address' }, host)}`) : filter;
}

/**
 * The panels of a place, in reading order, those that its filter leaves something to ask of. A filter on names (dns_name,
 * http_host) keeps records that have no bytes: flows are counted there in place of them.
 */
export function panelsOf(state: ExplorerState): PanelSpec[] {
  const panels = allPanels(state);
  const fitting = panels.flatMap((panel) => {
    const query = [panel.query, ...counts.map((measure) => withMeasure(panel.query, measure))].find(canBeAsked);
    return query === undefined ? [] : [{ ...panel, query }];
  });
  // Nothing fits: the answers say why.
  return fitting.length > 0 ? fitting : panels;
}

const canBeAsked = (query: NetSpectraQuery): boolean => Object.keys(checkQuery(query)).length === 0;
/** What is counted where there are no bytes, the first that there is. */
const counts: readonly MeasureId[] = ['flows', 'dns_queries', 'http_requests', 'tls_client_hellos'];
const withMeasure = ({ orderBy: _order, ...query }: NetSpectraQuery, measure: MeasureId): NetSpectraQuery => ({
  ...query,
  measures: query.type === 'flows' ? [] : [measure],
});

function allPanels(state: ExplorerState): PanelSpec[] {
  const filter = filterOf(state);
  switch (state.view) {
    case 'overview':
      return overview(filter, state.live);
    case 'host':
      return state.host === ''
        ? overview(filter, false)
        : hostPanels(filter, literal({ kind: 'address' }, state.host), state.filter);
    case 'flows':
      return [flows(filter, 24, state.rows)];
    case 'graph':
      return [
        {
          title: 'Who talks to whom',
          kind: 'nodeGraph',
          width: 12,
          height: 24,
          query: {
            ...table(['src_ip', 'dst_ip'], filter),
            type: 'graph',
            measures: ['bytes'],
            limit: 60,
            mergeNodes: true,
          },
        },
      ];
    case 'changes':
      return changes(filter, parseTime(state.at) === undefined ? '' : state.at);
  }
}

function changes(filter: string, at: string): PanelSpec[] {
  const before = at === '' ? 'the time before the range and the range' : 'the range before and after that moment';
  return [
    {
      title: 'Traffic',
      description: 'Choose a point, and "What changed here", to compare what was before it with what came after',
      kind: 'timeseries',
      width: 12,
      height: 9,
      query: timeseries({ filter, groupBy: [], ...(at === '' ? { compareTo: { offset: 'previous' } } : {}) }),
    },
    {
      title: 'What changed',
      description: `Which values account for the change between ${before}, the most telling first`,
      kind: 'table',
      width: 12,
      height: 15,
      query: {
        ...table([], filter),
        type: 'explain',
        measures: ['bytes'],
        limit: 25,
        ...(at === '' ? {} : { explain: { at } }),
      },
    },
  ];
}

const flows = (filter: string, height: number, limit: number = rowSteps[0]): PanelSpec => ({
  title: 'Flow records',
  description: 'The latest first',
  kind: 'table',
  width: 12,
  height,
  query: { ...table([], filter), type: 'flows', measures: [], limit },
});

function overview(filter: string, live: boolean): PanelSpec[] {
  const top = (title: string, key: string): PanelSpec => ({
    title,
    kind: 'table',
    width: 6,
    height: 12,
    query: table([key], filter),
  });
  return [
    {
      title: 'Traffic by application',
      kind: 'timeseries',
      width: 8,
      height: 10,
      query: timeseries({ filter, ...(live ? { live: 'applications' } : {}) }),
    },
    {
      title: 'New flows',
      kind: 'timeseries',
      width: 4,
      height: 10,
      query: timeseries({ filter, measures: ['flows_per_second'], groupBy: [] }),
    },
    top('Who sends', 'src_ip'),
    top('Who receives', 'dst_ip'),
    top('Applications', 'application'),
    top('Ports of servers', 'server_port'),
  ];
}

function hostPanels(filter: string, host: string, typed: string): PanelSpec[] {
  const sent = andFilters(typed, `src_ip = ${host}`);
  const received = andFilters(typed, `dst_ip = ${host}`);
  const rate = (title: string, part: string): PanelSpec => ({
    title,
    kind: 'timeseries',
    width: 6,
    height: 9,
    query: timeseries({ filter: part }),
  });
  const peers = (title: string, key: string, part: string): PanelSpec => ({
    title,
    kind: 'table',
    width: 6,
    height: 9,
    query: table([key], part),
  });
  return [
    rate('Sent', sent),
    rate('Received', received),
    peers('Sent to', 'dst_ip', sent),
    peers('Received from', 'src_ip', received),
    peers('Services used', 'server_port', andFilters(typed, `client_ip = ${host}`)),
    peers('Services offered', 'server_port', andFilters(typed, `server_ip = ${host}`)),
    {
      title: 'Round trips and retransmissions',
      kind: 'table',
      width: 6,
      height: 9,
      query: table(['server_ip', 'server_port'], andFilters(filter, 'protocol = tcp'), {
        measures: ['rtt_avg', 'retransmission_ratio', 'zero_windows'],
        orderBy: [{ measure: 'retransmission_ratio', direction: 'desc' }],
      }),
    },
    {
      title: 'Names asked for',
      kind: 'table',
      width: 6,
      height: 9,
      query: table(['dns_name', 'dns_rcode'], andFilters(typed, `client_ip = ${host}`), {
        measures: ['dns_queries', 'dns_latency_avg'],
      }),
    },
    flows(filter, 14),
  ];
}
