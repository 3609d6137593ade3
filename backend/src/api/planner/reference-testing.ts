/**
 * For tests: a plain reading of rows, to hold the planner against. It knows nothing of SQL; it expands flow rows into
 * directed ones, filters, groups and sums, each measure in a line.
 */
import type { RowValues } from '../../storage/testing.js';
import { openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';

/** First second of the data, a multiple of 10 (flow windows), and how long it lasts. */
export const start = 1_700_000_000;
export const seconds = 120;

/** Mulberry32: a small seeded generator, so that a failing seed brings the same rows back. */
function random(state: number): () => number {
  let s = state;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const addresses = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.1.9',
  '192.0.2.7',
  '2001:db8::1',
  '2001:db8:0:1::2',
  '2001:db8:5::2',
  '::1',
];
const isLocal = (ip: string): number => (ip.startsWith('10.') ? 1 : 0);
const stored = (ip: string): string => (ip.includes(':') ? ip : `::ffff:${ip}`);
const protocolNames: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'ipv6-icmp' };

/** Networks of these addresses by the text of a group key, worked out by hand. */
const networks: Record<string, Record<string, string>> = {
  '10.0.0.1': { '/24': '10.0.0.0/24', '/16/32': '10.0.0.0/16', '/48': '10.0.0.1/32' },
  '10.0.0.2': { '/24': '10.0.0.0/24', '/16/32': '10.0.0.0/16', '/48': '10.0.0.2/32' },
  '10.0.1.9': { '/24': '10.0.1.0/24', '/16/32': '10.0.0.0/16', '/48': '10.0.1.9/32' },
  '192.0.2.7': { '/24': '192.0.2.0/24', '/16/32': '192.0.0.0/16', '/48': '192.0.2.7/32' },
  '2001:db8::1': { '/24': '2001:db8::/64', '/16/32': '2001:db8::/32', '/48': '2001:db8::/48' },
  '2001:db8:0:1::2': { '/24': '2001:db8:0:1::/64', '/16/32': '2001:db8::/32', '/48': '2001:db8::/48' },
  '2001:db8:5::2': { '/24': '2001:db8:5::/64', '/16/32': '2001:db8::/32', '/48': '2001:db8:5::/48' },
  '::1': { '/24': '::/64', '/16/32': '::/32', '/48': '::/48' },
};
const cut = (name: string, ip: string): Record<string, string> =>
  Object.fromEntries(Object.entries(networks[ip] ?? {}).map(([lengths, network]) => [name + lengths, network]));

interface FlowRow {
  probe: string;
  window_start: number;
  flow_id: bigint;
  client_ip: string;
  server_ip: string;
  client_port: number;
  server_port: number;
  protocol: number;
  vlan: number;
  application: string;
  client_packets: number;
  client_bytes: number;
  server_packets: number;
  server_bytes: number;
  rtt_ns: number;
  client_retransmissions: number;
  server_retransmissions: number;
  new_flow: number;
}

interface TrafficRow {
  probe: string;
  window_start: number;
  vlan: number;
  ip_version: number;
  protocol: number;
  application: string;
  packets: number;
  bytes: number;
}

interface DnsRow {
  probe: string;
  millis: number;
  client_ip: string;
  server_ip: string;
  queries: number;
  responses: number;
  name: string;
  rcode: string;
  latency_ns: number;
}

/** A row as a query sees it: its time, the values of the dimensions, and what the measures read. */
export interface Seen {
  ms: number;
  dimensions: Record<string, string | number | null>;
  counters: Record<string, number>;
  flowId?: bigint;
  rtt?: number;
  latency?: number;
}

export type Mode = 'plain' | 'directed' | 'client' | 'server';

function flowDimensions(row: FlowRow, direction: 0 | 1): Seen['dimensions'] {
  const ports = row.protocol === 6 || row.protocol === 17;
  const port = (value: number): number | null => (ports ? value : null);
  const [from, to] = direction === 0 ? (['client', 'server'] as const) : (['server', 'client'] as const);
  return {
    src_ip: row[`${from}_ip`],
    dst_ip: row[`${to}_ip`],
    ...cut('src_ip', row[`${from}_ip`]),
    ...cut('dst_ip', row[`${to}_ip`]),
    ...cut('client_ip', row.client_ip),
    src_port: port(row[`${from}_port`]),
    dst_port: port(row[`${to}_port`]),
    client_ip: row.client_ip,
    server_ip: row.server_ip,
    server_port: port(row.server_port),
    protocol: protocolNames[row.protocol] ?? '',
    ip_version: row.client_ip.includes(':') ? 6 : 4,
    vlan: row.vlan,
    application: row.application,
    flow_id: String(row.flow_id),
    probe: row.probe,
    traffic_direction:
      ['external', 'in', 'out', 'internal'][isLocal(row[`${from}_ip`]) * 2 + isLocal(row[`${to}_ip`])] ?? '',
  };
}

function seenFlow(row: FlowRow, direction: 0 | 1, sides: readonly (0 | 1)[]): Seen {
  const add = (counter: 'packets' | 'bytes' | 'retransmissions'): number =>
    sides.reduce<number>((sum, side) => sum + row[`${side === 0 ? 'client' : 'server'}_${counter}`], 0);
  return {
    ms: row.window_start * 1000,
    dimensions: flowDimensions(row, direction),
    counters: {
      packets: add('packets'),
      bytes: add('bytes'),
      retransmissions: add('retransmissions'),
      tcp_packets: row.protocol === 6 ? add('packets') : 0,
      client_bytes: sides.includes(0) ? row.client_bytes : 0,
      server_bytes: sides.includes(1) ? row.server_bytes : 0,
      new_flows: sides.includes(0) ? row.new_flow : 0,
    },
    flowId: row.flow_id,
    rtt: row.rtt_ns,
  };
}

/** What a measure is taken over: the rows' own stretch of time, the width of its samples, and all rows of the query in it. */
export interface Span {
  fromMs: number;
  toMs: number;
  sampleMs: number;
  all: readonly Seen[];
}

const total = (rows: readonly Seen[], counter: string): number =>
  rows.reduce((sum, row) => sum + (row.counters[counter] ?? Number.NaN), 0);
const distinct = (values: readonly unknown[]): number => new Set(values).size;
const ratio = (a: number, b: number): number | null => (b === 0 ? null : a / b);
const duration = ({ fromMs, toMs }: Span): number => (toMs - fromMs) / 1000;

function quantile(values: readonly number[], level: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(level * sorted.length), sorted.length - 1)] ?? null;
}

/** Rates of all samples of the span, ascending. */
function rates(rows: readonly Seen[], counter: string, { fromMs, toMs, sampleMs }: Span): number[] {
  const sums = Array.from({ length: (toMs - fromMs) / sampleMs }, () => 0);
  for (const row of rows) {
    const at = Math.floor((row.ms - fromMs) / sampleMs);
    sums[at] = (sums[at] ?? Number.NaN) + (row.counters[counter] ?? Number.NaN);
  }
  return sums.map((sum) => sum / (sampleMs / 1000)).sort((a, b) => a - b);
}

/** Nearest rank: leave out the highest 5 % of the samples, rounded down, and take the highest that is left. */
const percentile95 = (sorted: readonly number[]): number => {
  const leftOut = Math.floor((sorted.length * 5) / 100);
  return sorted[sorted.length - 1 - leftOut] ?? Number.NaN;
};

const rtts = (rows: readonly Seen[]): number[] => rows.map((row) => row.rtt ?? 0).filter((rtt) => rtt > 0);
const latencies = (rows: readonly Seen[]): number[] => rows.flatMap((row) => row.latency ?? []);
const mean = (values: readonly number[]): number | null =>
  ratio(
    values.reduce((a, b) => a + b, 0),
    values.length,
  );

/** What each measure is, in plain words. */
export const reference: Record<string, (rows: readonly Seen[], span: Span) => number | null> = {
  packets: (rows) => total(rows, 'packets'),
  bytes: (rows) => total(rows, 'bytes'),
  client_bytes: (rows) => total(rows, 'client_bytes'),
  server_bytes: (rows) => total(rows, 'server_bytes'),
  new_flows: (rows) => total(rows, 'new_flows'),
  flows: (rows) => distinct(rows.map((row) => row.flowId)),
  bits_per_second: (rows, span) => (total(rows, 'bytes') * 8) / duration(span),
  packets_per_second: (rows, span) => total(rows, 'packets') / duration(span),
  bits_per_second_p95: (rows, span) => percentile95(rates(rows, 'bytes', span)) * 8,
  bits_per_second_max: (rows, span) => (rates(rows, 'bytes', span).at(-1) ?? Number.NaN) * 8,
  packets_per_second_p95: (rows, span) => percentile95(rates(rows, 'packets', span)),
  packets_per_second_max: (rows, span) => rates(rows, 'packets', span).at(-1) ?? Number.NaN,
  flows_per_second_max: (rows, span) => rates(rows, 'new_flows', span).at(-1) ?? Number.NaN,
  bytes_share: (rows, { all }) => ratio(total(rows, 'bytes'), total(all, 'bytes')),
  packets_share: (rows, { all }) => ratio(total(rows, 'packets'), total(all, 'packets')),
  packet_size_avg: (rows) => ratio(total(rows, 'bytes'), total(rows, 'packets')),
  distinct_src_ip: (rows) => distinct(rows.map((row) => row.dimensions['src_ip'])),
  distinct_client_ip: (rows) => distinct(rows.map((row) => row.dimensions['client_ip'])),
  retransmission_ratio: (rows) => ratio(total(rows, 'retransmissions'), total(rows, 'tcp_packets')),
  rtt_avg: (rows) => mean(rtts(rows)),
  rtt_p95: (rows) => quantile(rtts(rows), 0.95),
  dns_queries: (rows) => total(rows, 'dns_queries'),
  dns_errors: (rows) => total(rows, 'dns_errors'),
  dns_error_ratio: (rows) => ratio(total(rows, 'dns_errors'), total(rows, 'dns_responses')),
  dns_unanswered_ratio: (rows) => ratio(total(rows, 'dns_unanswered'), total(rows, 'dns_queries')),
  dns_latency_avg: (rows) => mean(latencies(rows)),
  dns_latency_p50: (rows) => quantile(latencies(rows), 0.5),
};

/** What a measure is in a stretch without rows. */
export const whenEmpty = (measure: string): number | null =>
  /^(?:bits|packets|flows)_per_second/.test(measure) || !/ratio|avg|_p\d/.test(measure) ? 0 : null;

/** Measures that need samples. */
export const isSampled = (measure: string): boolean => /_per_second_(?:p95|max)$/.test(measure);

export interface Filter {
  text: string;
  keeps: (row: Seen) => boolean;
  directed: boolean;
}
const dimension = (row: Seen, id: string) => row.dimensions[id];
const either = (row: Seen, a: string, b: string, value: string | number): boolean =>
  dimension(row, a) === value || dimension(row, b) === value;

export type Direction = 'both' | 'client' | 'server' | 'in' | 'out';

/** A table with what queries may ask of it here. */
export interface Room {
  table: string;
  rows: (mode: Mode) => Seen[];
  windowMs: number;
  measures: string[];
  dimensions: string[];
  filters: Filter[];
  directedMeasures: string[];
  directions: Direction[];
}

const directedDimension = /^(?:src|dst)_|^traffic_direction$/;

/** How the rows of a query are seen. */
export function modeOf(
  room: Room,
  query: { measures: string[]; groupBy: string[] },
  filter: Filter,
  direction: Direction,
): Mode {
  if (room.table !== 'flows') return 'plain';
  if (direction === 'client' || direction === 'server') return direction;
  const directed =
    direction !== 'both' ||
    filter.directed ||
    query.groupBy.some((id) => directedDimension.test(id)) ||
    query.measures.some((id) => room.directedMeasures.includes(id));
  return directed ? 'directed' : 'plain';
}

/** The rows of a query, over all time. */
export const seenBy = (
  room: Room,
  query: { measures: string[]; groupBy: string[] },
  filter: Filter,
  direction: Direction,
): Seen[] =>
  room
    .rows(modeOf(room, query, filter, direction))
    .filter((row) =>
      direction === 'in' || direction === 'out' ? dimension(row, 'traffic_direction') === direction : true,
    )
    .filter(filter.keeps);

const everything: Filter = { text: '', keeps: () => true, directed: false };

export interface World {
  readonly rooms: Record<string, Room>;
  readonly flowRows: readonly FlowRow[];
  /** An API over a store with these rows. */
  /** @param options those of openTestApi: another store, for example */
  open(options?: Parameters<typeof openTestApi>[1]): Promise<TestApi>;
}

/** Random rows of a seed, and the API and the rooms over them. */
export function makeWorld(seed: number): World {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(values: readonly [T, ...T[]] | readonly T[]): T => values[below(values.length)] as T;

  const flowRows = Array.from({ length: 400 }, (): FlowRow => {
    const protocol = pick([6, 6, 17, 1, 58]);
    const ports = protocol === 6 || protocol === 17;
    const clientPackets = below(4);
    const serverPackets = below(3);
    return {
      probe: pick(['p1', 'p2']),
      window_start: start + 10 * below(seconds / 10),
      flow_id: (1n << 63n) + BigInt(below(150)),
      client_ip: pick(addresses),
      server_ip: pick(addresses),
      client_port: ports ? pick([1000, 1001]) : 0,
      server_port: ports ? pick([53, 80, 443]) : 0,
      protocol,
      vlan: pick([0, 10]),
      application: pick(['', 'dns', 'tls', 'other']),
      client_packets: clientPackets,
      client_bytes: clientPackets * (60 + below(1000)),
      server_packets: serverPackets,
      // Beyond 2^32, so that a narrow sum anywhere would show.
      server_bytes: serverPackets * (60 + below(3_000_000_000)),
      rtt_ns: protocol === 6 && below(2) === 0 ? 1000 * (1 + below(50)) : 0,
      client_retransmissions: protocol === 6 ? below(2) : 0,
      server_retransmissions: protocol === 6 ? below(2) : 0,
      new_flow: below(2),
    };
  });
  const trafficRows = Array.from({ length: 300 }, (): TrafficRow => ({
    probe: pick(['p1', 'p2']),
    window_start: start + below(seconds),
    vlan: pick([0, 10, 20]),
    ip_version: pick([0, 4, 6]),
    protocol: pick([6, 17, 1]),
    application: pick(['', 'dns', 'tls']),
    packets: 1 + below(9),
    bytes: 60 + below(100_000),
  }));
  const dnsRows = Array.from({ length: 200 }, (): DnsRow => {
    const kind = below(4);
    return {
      probe: pick(['p1', 'p2']),
      millis: start * 1000 + below(seconds * 1000),
      client_ip: pick(addresses),
      server_ip: pick(addresses),
      queries: kind === 3 ? 0 : 1,
      responses: kind === 2 ? 0 : 1,
      name: pick(['a.example', 'b.example', "it's\\odd\tname"]),
      rcode: kind === 2 ? '' : pick(['NOERROR', 'NXDOMAIN']),
      latency_ns: kind < 2 ? 1 + below(1_000_000) : 0,
    };
  });

  const flowsSeen = (mode: Mode): Seen[] =>
    flowRows.flatMap((row) => {
      if (mode === 'plain') return [seenFlow(row, 0, [0, 1])];
      const directions = ([0, 1] as const).filter((direction) =>
        direction === 0 ? row.client_packets > 0 && mode !== 'server' : row.server_packets > 0 && mode !== 'client',
      );
      return directions.map((direction) => seenFlow(row, direction, [direction]));
    });
  const trafficSeen = (): Seen[] =>
    trafficRows.map((row) => ({
      ms: row.window_start * 1000,
      dimensions: {
        probe: row.probe,
        vlan: row.vlan,
        ip_version: row.ip_version,
        // A frame without IP has no protocol.
        protocol: row.ip_version > 0 ? (protocolNames[row.protocol] ?? '') : null,
        application: row.application,
      },
      counters: { packets: row.packets, bytes: row.bytes },
    }));
  const dnsSeen = (): Seen[] =>
    dnsRows.map((row) => ({
      ms: row.millis,
      dimensions: {
        probe: row.probe,
        src_ip: row.client_ip,
        dst_ip: row.server_ip,
        client_ip: row.client_ip,
        ...cut('client_ip', row.client_ip),
        dns_name: row.name,
        dns_rcode: row.rcode,
        traffic_direction:
          ['external', 'in', 'out', 'internal'][isLocal(row.client_ip) * 2 + isLocal(row.server_ip)] ?? '',
      },
      counters: {
        dns_queries: row.queries,
        dns_responses: row.responses,
        dns_unanswered: row.responses === 0 ? row.queries : 0,
        dns_errors: row.rcode === '' || row.rcode === 'NOERROR' ? 0 : row.responses,
      },
      ...(row.queries > 0 && row.responses > 0 ? { latency: row.latency_ns } : {}),
    }));

  const ends = (row: { client_ip: string; server_ip: string }): RowValues => ({
    client_ip: stored(row.client_ip),
    server_ip: stored(row.server_ip),
    client_local: isLocal(row.client_ip),
    server_local: isLocal(row.server_ip),
  });
  const of = (probe: string) => ({
    flows: flowRows
      .filter((row) => row.probe === probe)
      .map((row): RowValues => ({
        ...row,
        ...ends(row),
        window_seconds: 10,
        first: `${row.window_start}.000000001`,
        last: `${row.window_start + 1}.000000000`,
      })),
    traffic: trafficRows.filter((row) => row.probe === probe).map((row): RowValues => ({ ...row, window_seconds: 1 })),
    dns: dnsRows
      .filter((row) => row.probe === probe)
      .map(({ millis, ...row }): RowValues => ({
        ...row,
        ...ends(row),
        timestamp: `${Math.floor(millis / 1000)}.${String(millis % 1000).padStart(3, '0')}000000`,
      })),
  });

  return {
    flowRows,
    rooms: roomsOf(flowsSeen, trafficSeen, dnsSeen),
    open: (options) => openTestApi({ p1: of('p1'), p2: of('p2') }, options),
  };
}

function roomsOf(flows: Room['rows'], traffic: Room['rows'], dns: Room['rows']): Record<string, Room> {
  return {
    flows: {
      table: 'flows',
      rows: flows,
      windowMs: 10_000,
      measures: [
        'bytes',
        'packets',
        'client_bytes',
        'server_bytes',
        'new_flows',
        'flows',
        'bits_per_second',
        'bits_per_second_p95',
        'bits_per_second_max',
        'packets_per_second_p95',
        'flows_per_second_max',
        'bytes_share',
        'packets_share',
        'packet_size_avg',
        'distinct_src_ip',
        'distinct_client_ip',
        'retransmission_ratio',
        'rtt_avg',
        'rtt_p95',
      ],
      dimensions: [
        'src_ip',
        'dst_ip',
        'src_ip/24',
        'dst_ip/16/32',
        'client_ip/48',
        'src_port',
        'dst_port',
        'client_ip',
        'server_ip',
        'server_port',
        'protocol',
        'ip_version',
        'vlan',
        'application',
        'probe',
        'flow_id',
        'traffic_direction',
      ],
      filters: [
        everything,
        { text: 'src_ip = 10.0.0.1', keeps: (row) => dimension(row, 'src_ip') === '10.0.0.1', directed: true },
        {
          text: 'not (dst_port in (53, 443)) and protocol = tcp',
          keeps: (row) =>
            dimension(row, 'dst_port') !== 53 &&
            dimension(row, 'dst_port') !== 443 &&
            dimension(row, 'protocol') === 'tcp',
          directed: true,
        },
        { text: 'host = 192.0.2.7', keeps: (row) => either(row, 'src_ip', 'dst_ip', '192.0.2.7'), directed: false },
        { text: 'port = 80', keeps: (row) => either(row, 'src_port', 'dst_port', 80), directed: false },
        {
          text: 'client_ip in 10.0.0.0/8 or vlan = 10',
          keeps: (row) => String(dimension(row, 'client_ip')).startsWith('10.') || dimension(row, 'vlan') === 10,
          directed: false,
        },
        {
          text: 'application ~ "*s" and probe != p2',
          keeps: (row) => String(dimension(row, 'application')).endsWith('s') && dimension(row, 'probe') !== 'p2',
          directed: false,
        },
      ],
      directedMeasures: ['distinct_src_ip'],
      directions: ['both', 'both', 'both', 'client', 'server', 'in', 'out'],
    },
    traffic: {
      table: 'traffic',
      rows: traffic,
      windowMs: 1000,
      measures: [
        'bytes',
        'packets',
        'bits_per_second',
        'packets_per_second',
        'bits_per_second_p95',
        'packets_per_second_max',
        'bytes_share',
        'packet_size_avg',
      ],
      dimensions: ['probe', 'vlan', 'ip_version', 'protocol', 'application'],
      filters: [
        everything,
        { text: 'protocol = udp', keeps: (row) => dimension(row, 'protocol') === 'udp', directed: false },
        {
          text: 'vlan in (10, 20) and not application = dns',
          keeps: (row) => dimension(row, 'vlan') !== 0 && dimension(row, 'application') !== 'dns',
          directed: false,
        },
      ],
      directedMeasures: [],
      directions: ['both'],
    },
    dns: {
      table: 'dns',
      rows: dns,
      windowMs: 1,
      measures: [
        'dns_queries',
        'dns_errors',
        'dns_error_ratio',
        'dns_unanswered_ratio',
        'dns_latency_avg',
        'dns_latency_p50',
      ],
      dimensions: ['probe', 'src_ip', 'dst_ip', 'client_ip', 'client_ip/48', 'dns_name', 'dns_rcode'],
      filters: [
        everything,
        { text: 'dns_rcode = nxdomain', keeps: (row) => dimension(row, 'dns_rcode') === 'NXDOMAIN', directed: false },
        { text: 'src_ip = 10.0.0.2', keeps: (row) => dimension(row, 'src_ip') === '10.0.0.2', directed: false },
      ],
      directedMeasures: [],
      directions: ['both', 'in', 'out'],
    },
  };
}

/** Rows by the text of their group. */
export function grouped(rows: readonly Seen[], groupBy: readonly string[]): Map<string, Seen[]> {
  const groups = new Map<string, Seen[]>();
  for (const row of rows) {
    const key = JSON.stringify(groupBy.map((id) => row.dimensions[id] ?? null));
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

/** Orders of groups that have no value: last, either way. */
export const compare = (a: number | null, b: number | null, ascending: boolean): number => {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return ascending ? a - b : b - a;
};
