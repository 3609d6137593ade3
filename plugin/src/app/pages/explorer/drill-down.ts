/** Links of cells: from a value to the place that is about it. Grafana puts value and range in, percent-encoded. */
import type { DataLink } from '@grafana/data';
import type { DimensionId } from '@netspectra/query';
import { dimensions } from '@netspectra/query';
import type { ExplorerView } from '../../shared/links.js';
import { explorerUrl } from '../../shared/links.js';
import type { ExplorerState } from './panels.js';

const value = '${__value.raw:percentencode}';
const range = '${__url_time_range}';

export interface ColumnLinks {
  /** name of the column */
  readonly column: string;
  readonly links: readonly DataLink[];
}

const hostColumns: ReadonlySet<string> = new Set<DimensionId>(['src_ip', 'dst_ip', 'client_ip', 'server_ip']);

/** `Source address` becomes `source address`, and `DNS name` stays. */
const inSentence = (label: string): string => label.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());

/** The links of every column that has some, for a place: what is chosen is added to what is there. */
export function columnLinks(place: ExplorerState): ColumnLinks[] {
  const columns = dimensions.map(({ id, label }): ColumnLinks => {
    const narrow = narrowing(`Only ${inSentence(label)} \${__value.text}`, place, id);
    return { column: id, links: hostColumns.has(id) ? [hostLink(place), narrow] : [narrow] };
  });
  return [...columns, { column: 'filter', links: [narrowing('Only this', place, 'filter', 'overview')] }];
}

/** To the host that the cell names. */
export function hostLink({ filter, source }: Pick<ExplorerState, 'filter' | 'source'>): DataLink {
  return { title: 'This host', url: `${explorerUrl({ view: 'host', filter, source })}&host=${value}&${range}` };
}

function narrowing(
  title: string,
  { view, host, filter, source }: ExplorerState,
  key: string,
  toView: ExplorerView = view,
): DataLink {
  const there = explorerUrl({ view: toView, filter, source, ...(toView === 'host' ? { host } : {}) });
  return { title, url: `${there}&key=${encodeURIComponent(key)}&value=${value}&${range}` };
}

/** From a point of a time series to what changed there, before and after it. */
export function momentLink({ filter, source }: Pick<ExplorerState, 'filter' | 'source'>): DataLink {
  const there = explorerUrl({ view: 'changes', filter, source });
  return { title: 'What changed here', url: `${there}&at=\${__value.time}&${range}` };
}
