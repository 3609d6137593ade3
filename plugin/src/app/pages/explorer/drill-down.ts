/** Links of cells: from a value to the place that is about it. Grafana puts value and range in, percent-encoded. */
import type { DataLink } from '@grafana/data';
import type { DimensionId } from '@netspectra/query';
import { dimensions } from '@netspectra/query';
import { pages } from '../../shared/ids.js';
import type { ExplorerState } from './panels.js';

const value = '${__value.raw:percentencode}';
const range = '${__url_time_range}';

export interface ColumnLinks {
  /** name of the column */
  readonly column: string;
  readonly links: readonly DataLink[];
}

const hostColumns: ReadonlySet<string> = new Set<DimensionId>(['src_ip', 'dst_ip', 'client_ip', 'server_ip']);

/** The links of every column that has some, for a place: what is chosen is added to what is there. */
export function columnLinks(place: ExplorerState): ColumnLinks[] {
  const columns = dimensions.map(({ id, type, label }): ColumnLinks => {
    const narrow = link(`Only ${label.toLowerCase()} \${__value.text}`, place, narrowedBy(place, id, type));
    if (!hostColumns.has(id)) return { column: id, links: [narrow] };
    const host = `${pages.explorer}?view=host&host=${value}${place.filter === '' ? '' : `&filter=${encodeURIComponent(place.filter)}`}&${range}`;
    return { column: id, links: [{ title: 'This host', url: host }, narrow] };
  });
  const picked = `${place.filter === '' ? '' : `${encodeURIComponent(`(${place.filter}) and `)}`}${value}`;
  return [...columns, { column: 'filter', links: [link('Only this', place, picked, 'overview')] }];
}

function narrowedBy({ filter }: ExplorerState, id: string, type: string): string {
  const before = filter === '' ? '' : encodeURIComponent(`(${filter}) and `);
  const quote = type === 'text' ? '%22' : '';
  return `${before}${encodeURIComponent(`${id} = `)}${quote}${value}${quote}`;
}

function link(title: string, { view, host }: ExplorerState, filter: string, toView = view): DataLink {
  const kept = toView === 'host' && host !== '' ? `&host=${encodeURIComponent(host)}` : '';
  return { title, url: `${pages.explorer}?view=${toView}${kept}&filter=${filter}&${range}` };
}
