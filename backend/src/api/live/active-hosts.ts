/** The statement behind GET /hosts/active, and how to read its rows. */
import type { TimeRange } from '@netspectra/query';
import { Binder } from '../planner/bind.js';
import { chooseTable } from '../planner/choose.js';
import { filterConditions, timeConditions } from '../planner/conditions.js';
import { addressText } from '../planner/display.js';
import type { Columns, CompiledFilter } from '../planner/index.js';
import type { QueryParameters } from '../query-store.js';

export interface ActiveHostsPlan {
  readonly sql: string;
  readonly params: QueryParameters;
}

/**
 * Every host that is an end of a flow in the range, with what it sent and received there, the heaviest first. A filter picks
 * flows of which at least one direction fits, as in GET /flows. Asks for one host more than `limit`, to know whether there is.
 * Throws an ApiError for a filter that flows cannot answer.
 * @param range whole windows of the table `flows`
 */
export function planActiveHosts(range: TimeRange, filter: CompiledFilter | null, limit: number): ActiveHostsPlan {
  chooseTable({ measures: [], dimensions: [], filter, direction: 'client', sketchSubjects: new Set() });
  const binder = new Binder();
  const mode = filter?.directed('flows') ? 'either' : 'plain';
  const conditions = [...timeConditions('flows', range, binder), ...filterConditions(filter, 'flows', mode, binder)];
  const side = (own: string, other: string, client: 0 | 1): string =>
    `SELECT ${own}_ip AS ip, ${client} AS is_client, flow_id, first, last, ${own}_bytes AS sent, ${other}_bytes AS received,
            ${own}_packets AS sent_packets, ${other}_packets AS received_packets
       FROM flows WHERE ${conditions.join(' AND ')}`;
  return {
    sql: `SELECT toString(ip) AS h_address, sum(sent) AS h_bytes_sent, sum(received) AS h_bytes_received,
                 sum(sent_packets) AS h_packets_sent, sum(received_packets) AS h_packets_received,
                 uniqExact(flow_id) AS h_flows, uniqExactIf(flow_id, is_client = 1) AS h_as_client,
                 toUnixTimestamp64Nano(min(first)) / 1e6 AS h_first, toUnixTimestamp64Nano(max(last)) / 1e6 AS h_last
            FROM (${side('client', 'server', 1)} UNION ALL ${side('server', 'client', 0)})
           GROUP BY ip ORDER BY h_bytes_sent + h_bytes_received DESC, ip LIMIT ${binder.bind('limit', 'UInt32', limit + 1)}`,
    params: binder.params,
  };
}

const counters = ['bytes_sent', 'bytes_received', 'packets_sent', 'packets_received', 'flows', 'as_client'] as const;

/** The statement's rows as hosts. */
export function activeHostsOf(columns: Columns, limit: number) {
  return Array.from({ length: Math.min(columns.rows, limit) }, (_, row) => {
    const counts = Object.fromEntries(counters.map((name) => [name, columns.number(`h_${name}`, row) ?? 0])) as Record<
      (typeof counters)[number],
      number
    >;
    return {
      address: addressText(String(columns.get('h_address')[row])),
      bytes: counts.bytes_sent + counts.bytes_received,
      packets: counts.packets_sent + counts.packets_received,
      ...counts,
      first: columns.number('h_first', row) ?? 0,
      last: columns.number('h_last', row) ?? 0,
    };
  });
}
