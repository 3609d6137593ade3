/** How the columns of the explorer's tables are laid out. */
import type { FieldConfigSource } from '@grafana/data';
import { isGroupKey } from '@netspectra/query';
import type { NetSpectraQuery } from '../../../datasource/types.js';
import { groupWidth, measureWidth } from '../../shared/column-widths.js';

type Override = FieldConfigSource['overrides'][number];

const ofColumn = (column: string, id: string, value: unknown): Override => ({
  matcher: { id: 'byName', options: column },
  properties: [{ id, value }],
});
const fixed = (widths: Readonly<Record<string, number>>): Override[] =>
  Object.entries(widths).map(([column, width]) => ofColumn(column, 'custom.width', width));
const atLeast = (widths: Readonly<Record<string, number>>): Override[] =>
  Object.entries(widths).map(([column, width]) => ofColumn(column, 'custom.minWidth', width));

/** Of flow records: what is read first fits into the page, the last packet is the first and the duration. Few have two VLANs. */
const flows: readonly Override[] = [
  ...fixed({ first: 160, duration: 80, client_ip: 140, client_port: 72, server_ip: 140, server_port: 72 }),
  ...fixed({ protocol: 88, application: 98, vlan: 60, tunnel_type: 72, tunnel_id: 80 }),
  ...fixed({ client_packets: 76, client_bytes: 82, server_packets: 76, server_bytes: 82 }),
  ...fixed({ client_retransmissions: 135, server_retransmissions: 135 }),
  ...['last', 'inner_vlan'].map((column) =>
    ofColumn(column, 'custom.hideFrom', { viz: true, legend: false, tooltip: false }),
  ),
];

const changes: readonly Override[] = [
  ...fixed({ dimension: 130, before: 105, after: 105, change: 105, change_ratio: 95, share: 105 }),
  ...atLeast({ value: 140, filter: 240 }),
];

/** Numbers get what they need, names the rest. */
export function columnLayout({ type, groupBy, measures }: NetSpectraQuery): readonly Override[] {
  if (type === 'flows') return flows;
  if (type === 'explain') return changes;
  const groups = groupBy.filter(isGroupKey).map((key) => [key, groupWidth(key)] as const);
  const numbers = measures.map((measure) => [measure, measureWidth(measure, false)] as const);
  return [...groups, ...numbers].map(([column, { id, value }]) =>
    // Something must fill the panel.
    ofColumn(column, column === groups[0]?.[0] ? 'custom.minWidth' : id, value),
  );
}
