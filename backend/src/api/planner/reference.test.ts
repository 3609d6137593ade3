/**
 * The planner against a plain reading of the same rows: random small data, random queries, every number compared.
 * The reference knows nothing of SQL; it expands flow rows into directed ones, filters, groups and sums.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '@netspectra/query';
import { frameRows, openTestApi } from '../testing.js';
import type { TestApi, TestResult } from '../testing.js';
import type { RowValues } from '../../storage/testing.js';

const seed = Number(process.env['QUERY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const runs = 120;
const start = 1_700_000_000; // a multiple of 10
const seconds = 120;

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
const next = random(seed);
const below = (n: number): number => Math.floor(next() * n);
const pick = <T>(values: readonly T[]): T => values[below(values.length)]!;

const addresses = ['10.0.0.1', '10.0.0.2', '192.0.2.7', '2001:db8::1', '2001:db8::2', '::1'];
const stored = (ip: string): string => (ip.includes(':') ? ip : `::ffff:${ip}`);
const protocolNames: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'ipv6-icmp' };

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

const flowRows: FlowRow[] = Array.from({ length: 400 }, () => {
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
const trafficRows: TrafficRow[] = Array.from({ length: 300 }, () => ({
  probe: pick(['p1', 'p2']),
  window_start: start + below(seconds),
  vlan: pick([0, 10, 20]),
  ip_version: pick([0, 4, 6]),
  protocol: pick([6, 17, 1]),
  application: pick(['', 'dns', 'tls']),
  packets: 1 + below(9),
  bytes: 60 + below(100_000),
}));

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
const dnsRows: DnsRow[] = Array.from({ length: 200 }, () => {
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

let testApi: TestApi;

beforeAll(async () => {
  const of = (probe: string) => ({
    flows: flowRows
      .filter((row) => row.probe === probe)
      .map((row): RowValues => ({
        ...row,
        window_seconds: 10,
        client_ip: stored(row.client_ip),
        server_ip: stored(row.server_ip),
        first: `${row.window_start}.000000001`,
        last: `${row.window_start + 1}.000000000`,
      })),
    traffic: trafficRows.filter((row) => row.probe === probe).map((row): RowValues => ({ ...row, window_seconds: 1 })),
    dns: dnsRows
      .filter((row) => row.probe === probe)
      .map(({ millis, ...row }): RowValues => ({
        ...row,
        timestamp: `${Math.floor(millis / 1000)}.${String(millis % 1000).padStart(3, '0')}000000`,
        client_ip: stored(row.client_ip),
        server_ip: stored(row.server_ip),
      })),
  });
  testApi = await openTestApi({ p1: of('p1'), p2: of('p2') });
});
afterAll(async () => testApi?.close());

/** A row as a query sees it: its time, the values of the dimensions, and what the measures read. */
interface Seen {
  ms: number;
  dimensions: Record<string, string | number | null>;
  counters: Record<string, number>;
  flowId?: bigint;
  rtt?: number;
  latency?: number;
}

function flowDimensions(row: FlowRow, direction: 0 | 1): Seen['dimensions'] {
  const ports = row.protocol === 6 || row.protocol === 17;
  const port = (value: number): number | null => (ports ? value : null);
  const [from, to] = direction === 0 ? (['client', 'server'] as const) : (['server', 'client'] as const);
  return {
    src_ip: row[`${from}_ip`],
    dst_ip: row[`${to}_ip`],
    src_port: port(row[`${from}_port`]),
    dst_port: port(row[`${to}_port`]),
    client_ip: row.client_ip,
    server_ip: row.server_ip,
    server_port: port(row.server_port),
    protocol: protocolNames[row.protocol]!,
    ip_version: row.client_ip.includes(':') ? 6 : 4,
    vlan: row.vlan,
    application: row.application,
    probe: row.probe,
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

type Mode = 'plain' | 'directed' | 'client' | 'server';

function flowsSeen(mode: Mode): Seen[] {
  return flowRows.flatMap((row) => {
    if (mode === 'plain') return [seenFlow(row, 0, [0, 1])];
    const directions = ([0, 1] as const).filter((direction) =>
      direction === 0 ? row.client_packets > 0 && mode !== 'server' : row.server_packets > 0 && mode !== 'client',
    );
    return directions.map((direction) => seenFlow(row, direction, [direction]));
  });
}

const trafficSeen = (): Seen[] =>
  trafficRows.map((row) => ({
    ms: row.window_start * 1000,
    dimensions: {
      probe: row.probe,
      vlan: row.vlan,
      ip_version: row.ip_version,
      // A frame without IP has no protocol.
      protocol: row.ip_version > 0 ? protocolNames[row.protocol]! : null,
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
      dns_name: row.name,
      dns_rcode: row.rcode,
    },
    counters: {
      dns_queries: row.queries,
      dns_responses: row.responses,
      dns_errors: row.rcode === '' || row.rcode === 'NOERROR' ? 0 : row.responses,
    },
    ...(row.queries > 0 && row.responses > 0 ? { latency: row.latency_ns } : {}),
  }));

const total = (rows: readonly Seen[], counter: string): number =>
  rows.reduce((sum, row) => sum + (row.counters[counter] ?? Number.NaN), 0);
const distinct = (values: readonly unknown[]): number => new Set(values).size;
const ratio = (a: number, b: number): number | null => (b === 0 ? null : a / b);
function quantile(values: readonly number[], level: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? null : sorted[Math.min(Math.floor(level * sorted.length), sorted.length - 1)]!;
}
const rtts = (rows: readonly Seen[]): number[] => rows.map((row) => row.rtt ?? 0).filter((rtt) => rtt > 0);
const latencies = (rows: readonly Seen[]): number[] => rows.flatMap((row) => row.latency ?? []);
const mean = (values: readonly number[]): number | null =>
  ratio(
    values.reduce((a, b) => a + b, 0),
    values.length,
  );

/** What each measure is, in plain words; `span` is the time that rates divide by, in seconds. */
const reference: Record<string, (rows: readonly Seen[], span: number) => number | null> = {
  packets: (rows) => total(rows, 'packets'),
  bytes: (rows) => total(rows, 'bytes'),
  client_bytes: (rows) => total(rows, 'client_bytes'),
  server_bytes: (rows) => total(rows, 'server_bytes'),
  new_flows: (rows) => total(rows, 'new_flows'),
  flows: (rows) => distinct(rows.map((row) => row.flowId)),
  bits_per_second: (rows, span) => (total(rows, 'bytes') * 8) / span,
  packets_per_second: (rows, span) => total(rows, 'packets') / span,
  distinct_src_ip: (rows) => distinct(rows.map((row) => row.dimensions['src_ip'])),
  distinct_client_ip: (rows) => distinct(rows.map((row) => row.dimensions['client_ip'])),
  retransmission_ratio: (rows) => ratio(total(rows, 'retransmissions'), total(rows, 'tcp_packets')),
  rtt_avg: (rows) => mean(rtts(rows)),
  rtt_p95: (rows) => quantile(rtts(rows), 0.95),
  dns_queries: (rows) => total(rows, 'dns_queries'),
  dns_errors: (rows) => total(rows, 'dns_errors'),
  dns_error_ratio: (rows) => ratio(total(rows, 'dns_errors'), total(rows, 'dns_responses')),
  dns_latency_avg: (rows) => mean(latencies(rows)),
  dns_latency_p50: (rows) => quantile(latencies(rows), 0.5),
};
const zeroWhenEmpty = (measure: string): boolean => !/ratio|avg|_p\d/.test(measure);

interface Filter {
  text: string;
  keeps: (row: Seen) => boolean;
  directed: boolean;
}
const dimension = (row: Seen, id: string) => row.dimensions[id];
const either = (row: Seen, a: string, b: string, value: string | number): boolean =>
  dimension(row, a) === value || dimension(row, b) === value;

interface Room {
  table: string;
  rows: (mode: Mode) => Seen[];
  windowMs: number;
  measures: string[];
  dimensions: string[];
  filters: Filter[];
  directedMeasures: string[];
  directions: ('both' | 'client' | 'server')[];
}

const everything: Filter = { text: '', keeps: () => true, directed: false };
const rooms: Record<string, Room> = {
  flows: {
    table: 'flows',
    rows: flowsSeen,
    windowMs: 10_000,
    measures: [
      'bytes',
      'packets',
      'client_bytes',
      'server_bytes',
      'new_flows',
      'flows',
      'bits_per_second',
      'distinct_src_ip',
      'distinct_client_ip',
      'retransmission_ratio',
      'rtt_avg',
      'rtt_p95',
    ],
    dimensions: [
      'src_ip',
      'dst_ip',
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
    directions: ['both', 'both', 'both', 'client', 'server'],
  },
  traffic: {
    table: 'traffic',
    rows: trafficSeen,
    windowMs: 1000,
    measures: ['bytes', 'packets', 'bits_per_second', 'packets_per_second'],
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
    rows: dnsSeen,
    windowMs: 1,
    measures: ['dns_queries', 'dns_errors', 'dns_error_ratio', 'dns_latency_avg', 'dns_latency_p50'],
    dimensions: ['probe', 'src_ip', 'dst_ip', 'client_ip', 'dns_name', 'dns_rcode'],
    filters: [
      everything,
      { text: 'dns_rcode = nxdomain', keeps: (row) => dimension(row, 'dns_rcode') === 'NXDOMAIN', directed: false },
      { text: 'src_ip = 10.0.0.2', keeps: (row) => dimension(row, 'src_ip') === '10.0.0.2', directed: false },
    ],
    directedMeasures: [],
    directions: ['both'],
  },
};

interface Case {
  room: string;
  type: 'timeseries' | 'table';
  measures: string[];
  groupBy: string[];
  filter: number;
  direction: number;
  limit: number;
  other: boolean;
  ascending: boolean;
  fromMs: number;
  lengthMs: number;
  intervalMs: number;
}

const directedDimensions = new Set(['src_ip', 'dst_ip', 'src_port', 'dst_port']);

function modeOf(room: Room, one: Case, filter: Filter, direction: 'both' | 'client' | 'server'): Mode {
  if (room.table !== 'flows') return 'plain';
  if (direction !== 'both') return direction;
  const directed =
    filter.directed ||
    one.groupBy.some((id) => directedDimensions.has(id)) ||
    one.measures.some((id) => room.directedMeasures.includes(id));
  return directed ? 'directed' : 'plain';
}

const near = (actual: unknown, wanted: number | null, what: string): void => {
  if (wanted === null) return expect(actual, what).toBeNull();
  if (Number.isInteger(wanted)) return expect(actual, what).toBe(wanted);
  expect(typeof actual, what).toBe('number');
  expect(Math.abs(Number(actual) - wanted), what).toBeLessThanOrEqual(Math.abs(wanted) * 1e-9);
};

const keyOf = (row: Seen, groupBy: readonly string[]): string =>
  JSON.stringify(groupBy.map((id) => row.dimensions[id] ?? null));

/** Orders of groups that have no value: last, either way. */
const compare = (a: number | null, b: number | null, ascending: boolean): number => {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return ascending ? a - b : b - a;
};

function grouped(rows: readonly Seen[], groupBy: readonly string[]): Map<string, Seen[]> {
  const groups = new Map<string, Seen[]>();
  for (const row of rows) {
    const key = keyOf(row, groupBy);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

async function check(one: Case): Promise<void> {
  const room = rooms[one.room]!;
  const filter = room.filters[one.filter % room.filters.length]!;
  const direction = room.directions[one.direction % room.directions.length]!;
  const measures = one.measures;
  const fromMs = start * 1000 + one.fromMs;
  const toMs = fromMs + one.lengthMs;
  const results = await testApi.query({
    from: fromMs,
    to: toMs,
    queries: [
      {
        refId: 'A',
        type: one.type,
        measures,
        groupBy: one.groupBy,
        filter: filter.text,
        limit: one.limit,
        other: one.other,
        direction,
        orderBy: [{ measure: measures[0], direction: one.ascending ? 'asc' : 'desc' }],
        ...(one.type === 'timeseries' ? { intervalMs: one.intervalMs } : {}),
      },
    ],
  });
  const result = results['A']!;
  expect(result.error, result.error).toBeUndefined();
  expect(result.meta.tables).toEqual([room.table]);
  const intervalMs = Math.ceil(one.intervalMs / room.windowMs) * room.windowMs;
  const step = one.type === 'timeseries' ? intervalMs : room.windowMs;
  const alignedFrom = Math.floor(fromMs / step) * step;
  const alignedTo = Math.ceil(toMs / step) * step;
  expect(result.meta).toMatchObject({ fromMs: alignedFrom, toMs: alignedTo });
  const rows = room
    .rows(modeOf(room, one, filter, direction))
    .filter((row) => row.ms >= alignedFrom && row.ms < alignedTo)
    .filter(filter.keeps);
  const span = (alignedTo - alignedFrom) / 1000;
  const groups = grouped(rows, one.groupBy);
  const first = measures[0]!;
  const leading = [...groups.values()]
    .map((group) => reference[first]!(group, span))
    .sort((a, b) => compare(a, b, one.ascending))
    .slice(0, one.limit);
  const frame = result.frames[0]!;
  if (one.type === 'table') checkTable(one, frame, result, groups, leading, rows, span);
  else checkSeries(one, frame, result, groups, leading, rows, alignedFrom, alignedTo, intervalMs, span);
}

function checkTable(
  one: Case,
  frame: Frame,
  result: TestResult,
  groups: Map<string, Seen[]>,
  leading: readonly (number | null)[],
  rows: readonly Seen[],
  span: number,
): void {
  const answer = frameRows(frame);
  if (one.groupBy.length === 0) {
    expect(answer).toHaveLength(1);
    for (const id of one.measures) near(answer[0]![id], reference[id]!(rows, span), id);
    return;
  }
  const cut = groups.size > one.limit;
  expect(answer).toHaveLength(leading.length + (one.other && cut ? 1 : 0));
  expect(result.meta.truncated).toBe(cut && !one.other);
  const shown = answer.slice(0, leading.length);
  // With "other" every dimension is text; compare as text then.
  const text = (value: unknown): unknown => (one.other && value !== null ? String(value) : value);
  const byText = new Map(
    [...groups].map(([key, group]) => [JSON.stringify((JSON.parse(key) as unknown[]).map(text)), group]),
  );
  const left = new Set(byText.keys());
  shown.forEach((row, i) => {
    const key = JSON.stringify(one.groupBy.map((id) => row[id]));
    const group = byText.get(key);
    expect(group, `group ${key}`).toBeDefined();
    expect(left.delete(key), `group ${key} twice`).toBe(true);
    for (const id of one.measures) near(row[id], reference[id]!(group!, span), `${id} of ${key}`);
    near(row[one.measures[0]!], leading[i]!, 'order');
  });
  if (one.other && cut) {
    const rest = [...left].flatMap((key) => byText.get(key)!);
    const row = answer.at(-1)!;
    for (const id of one.groupBy) expect(row[id]).toBe('other');
    for (const id of one.measures) near(row[id], reference[id]!(rest, span), `${id} of other`);
  }
}

function checkSeries(
  one: Case,
  frame: Frame,
  result: TestResult,
  groups: Map<string, Seen[]>,
  leading: readonly (number | null)[],
  rows: readonly Seen[],
  fromMs: number,
  toMs: number,
  intervalMs: number,
  span: number,
): void {
  const fields = frame.schema.fields;
  if (fields.length === 0) {
    expect(rows).toHaveLength(0);
    return;
  }
  const times = frame.data.values[0]!;
  expect(times).toEqual(Array.from({ length: (toMs - fromMs) / intervalMs }, (_, i) => fromMs + i * intervalMs));
  const cut = groups.size > one.limit && one.groupBy.length > 0;
  expect(result.meta.truncated).toBe(cut && !one.other);
  const text = (key: string): string => JSON.stringify((JSON.parse(key) as unknown[]).map((v) => String(v ?? '')));
  const byText = new Map<string, Seen[]>();
  for (const [key, group] of groups) {
    // A port that is absent and an empty text look the same in labels, but never in one dimension.
    expect(byText.has(text(key))).toBe(false);
    byText.set(text(key), group);
  }
  if (one.groupBy.length === 0) byText.set('[]', [...rows]);
  const left = new Set(byText.keys());
  const seriesCount = one.groupBy.length === 0 ? 1 : leading.length + (one.other && cut ? 1 : 0);
  expect(fields).toHaveLength(1 + seriesCount * one.measures.length);
  const names = new Set(fields.map((field) => field.name + JSON.stringify(field.labels)));
  expect(names.size, 'names and labels are unique').toBe(fields.length);
  const shown: (number | null)[] = [];
  for (let series = 0; series < seriesCount; series += 1) {
    const isRest = one.other && cut && series === seriesCount - 1;
    let group: Seen[] = [];
    one.measures.forEach((id, m) => {
      const at = 1 + series * one.measures.length + m;
      const field = fields[at]!;
      expect(field.name).toBe(id);
      if (m === 0) {
        const key = JSON.stringify(one.groupBy.map((dimensionId) => field.labels?.[dimensionId]));
        if (isRest) group = [...left].flatMap((each) => byText.get(each)!);
        else {
          expect(left.delete(key), `series ${key}`).toBe(true);
          group = byText.get(key)!;
        }
        shown.push(reference[id]!(group, span));
      }
      times.forEach((time, bucket) => {
        const inBucket = group.filter((row) => row.ms >= Number(time) && row.ms < Number(time) + intervalMs);
        const wanted =
          inBucket.length === 0 ? (zeroWhenEmpty(id) ? 0 : null) : reference[id]!(inBucket, intervalMs / 1000);
        near(frame.data.values[at]![bucket], wanted, `${id} at ${String(time)}`);
      });
    });
  }
  const sorted = (values: readonly (number | null)[]) => [...values].sort((a, b) => compare(a, b, one.ascending));
  if (one.groupBy.length > 0) {
    sorted(shown.slice(0, leading.length)).forEach((value, i) => near(value, leading[i]!, 'the leading series'));
  }
}

const cases: fc.Arbitrary<Case> = fc.constantFrom(...Object.keys(rooms)).chain((room) =>
  fc.record({
    room: fc.constant(room),
    type: fc.constantFrom('timeseries' as const, 'table' as const),
    measures: fc
      .subarray(rooms[room]!.measures, { minLength: 1, maxLength: 4 })
      .chain((ids) => fc.shuffledSubarray(ids, { minLength: ids.length })),
    groupBy: fc.subarray(rooms[room]!.dimensions, { maxLength: 3 }),
    filter: fc.nat(20),
    direction: fc.nat(20),
    limit: fc.integer({ min: 1, max: 12 }),
    other: fc.boolean(),
    ascending: fc.boolean(),
    fromMs: fc.integer({ min: -15_000, max: 60_000 }),
    lengthMs: fc.integer({ min: 1, max: 150_000 }),
    intervalMs: fc.constantFrom(1000, 3000, 7000, 10_000, 30_000),
  }),
);

/** The counters answer what they can; keep a case in its room by a measure that only flows have. */
function inRoom(one: Case): Case {
  if (one.room !== 'flows') return one;
  const inCounters = new Set(['bytes', 'packets', 'bits_per_second']);
  const counterDimensions = new Set(['probe', 'vlan', 'ip_version', 'protocol', 'application']);
  const inHealth = new Set(['retransmission_ratio', 'rtt_avg', 'rtt_p95']);
  const healthDimensions = new Set(['probe', 'vlan']);
  const byCounters =
    one.measures.every((id) => inCounters.has(id)) && one.groupBy.every((id) => counterDimensions.has(id));
  const byHealth = one.measures.every((id) => inHealth.has(id)) && one.groupBy.every((id) => healthDimensions.has(id));
  return byCounters || byHealth ? { ...one, measures: [...one.measures, 'new_flows'] } : one;
}

describe(`against the reference (seed ${seed})`, () => {
  test('random queries over random rows', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => check(inRoom(one))),
      { seed, numRuns: runs, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false },
    );
  });

  test('the whole and its parts agree to the byte', async () => {
    const all = flowRows.reduce((sum, row) => sum + row.client_bytes + row.server_bytes, 0);
    const results = await testApi.query({
      from: start * 1000,
      to: (start + seconds) * 1000,
      queries: ['src_ip', 'dst_ip', 'src_port', 'server_ip', 'client_ip'].map((id) => ({
        refId: id,
        type: 'table',
        measures: ['bytes'],
        groupBy: [id],
        limit: 2,
        other: true,
      })),
    });
    for (const [id, result] of Object.entries(results)) {
      const bytes = frameRows(result.frames[0]).map((row) => Number(row['bytes']));
      expect(
        bytes.reduce((a, b) => a + b, 0),
        id,
      ).toBe(all);
    }
  });
});
