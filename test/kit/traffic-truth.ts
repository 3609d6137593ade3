/**
 * What an API answers about traffic that was sent, beside what `analyze` says about the file that it was sent from: the
 * same, to the packet and byte, flow by flow. And how soon an answer has what was captured.
 */
import { expect } from 'vitest';
import { run } from '../integration/process.js';
import type { Serving } from './api-process.js';

interface Frame {
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
  readonly data: { readonly values: readonly (readonly (number | string | null)[])[] };
}
export interface Result {
  readonly frames: readonly Frame[];
  readonly meta: {
    readonly drops: Record<string, number>;
    readonly samplingRate: number;
    readonly watermarkMs: number | null;
  };
}
export type Row = Record<string, number | string | null>;

export interface Analysis {
  readonly packets: number;
  readonly bytes: number;
  readonly flows: readonly {
    readonly client: string;
    readonly client_port: number;
    readonly server: string;
    readonly server_port: number;
    readonly protocol: string;
    readonly vlan: number | null;
    readonly client_packets: number;
    readonly client_bytes: number;
    readonly server_packets: number;
    readonly server_bytes: number;
  }[];
  readonly dns: { readonly queries: number; readonly responses: number };
  readonly http: { readonly requests: number; readonly responses: number };
  readonly tls: { readonly client_hellos: number };
}

/** What is asked about: since when (unix milliseconds), and whose packets. */
export interface Asked {
  readonly fromMs: number;
  readonly probe: string;
}

export interface TruthOptions {
  /** where analyze leaves out messages that the file cuts and rows tell of */
  readonly http?: Analysis['http'];
  /** the packets are cut into several partitions */
  readonly partitioned?: boolean;
}

const secondMs = 1_000;
const flowKeys = ['client_ip', 'client_port', 'server_ip', 'server_port', 'protocol', 'vlan'];
const flowCounts = ['client_packets', 'client_bytes', 'server_packets', 'server_bytes'];

/** What `analyze` says about the file: the truth that corpus tests compare with tshark's. */
export async function analysis(file: string): Promise<Analysis> {
  const { stdout, code, stderr } = await run(['analyze', '--format', 'json', '--top', '10000', file]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Analysis;
}

/** Ask an API one query. */
export async function ask(api: Pick<Serving, 'query'>, fromMs: number, query: object): Promise<Result> {
  const to = Date.now() + secondMs;
  const answer = await api.query({ from: fromMs, to, queries: [{ refId: 'A', ...query }] });
  const body = (await answer.json()) as { results: { A: Result & { error?: string } } };
  expect(answer.status, JSON.stringify(body)).toBe(200);
  expect(body.results.A.error).toBeUndefined();
  return body.results.A;
}

/** Rows of a table query about one probe. */
export async function askTable(
  api: Pick<Serving, 'query'>,
  { fromMs, probe }: Asked,
  measures: readonly string[],
  groupBy: readonly string[] = [],
  filter = '',
): Promise<Row[]> {
  const both = `probe = "${probe}"${filter === '' ? '' : ` and (${filter})`}`;
  return rowsIn(await ask(api, fromMs, { type: 'table', measures, groupBy, filter: both, limit: 10_000 }));
}

/** Sums of measures about one probe, in their order. */
export async function askSums(
  api: Pick<Serving, 'query'>,
  asked: Asked,
  measures: readonly string[],
  filter = '',
): Promise<number[]> {
  const [row] = await askTable(api, asked, measures, [], filter);
  return measures.map((measure) => Number(row?.[measure] ?? 0));
}

/** Everything the API says about what was sent, beside everything `analyze` says about the file. */
export async function expectTruth(
  api: Pick<Serving, 'query'>,
  asked: Asked,
  file: string,
  { http, partitioned = false }: TruthOptions = {},
): Promise<void> {
  const sums = (...measures: string[]): Promise<number[]> => askSums(api, asked, measures);
  const truth = await analysis(file);
  const { requests, responses } = http ?? truth.http;
  expect(await sums('packets', 'bytes')).toEqual([truth.packets, truth.bytes]);
  expect(await sums('dns_queries', 'dns_responses')).toEqual([truth.dns.queries, truth.dns.responses]);
  expect(await sums('http_requests', 'http_responses')).toEqual([requests, responses]);
  expect(await sums('tls_client_hellos')).toEqual([truth.tls.client_hellos]);

  const rows = (await askTable(api, asked, flowCounts, flowKeys)).map((row) => ({
    client: [row['client_ip'], row['client_port'] ?? 0],
    server: [row['server_ip'], row['server_port'] ?? 0],
    rest: [row['protocol'], row['vlan'] ?? 0],
    counts: flowCounts.map((name) => Number(row[name])),
  }));
  const flows = truth.flows.map((flow) => ({
    client: [flow.client, flow.client_port],
    server: [flow.server, flow.server_port],
    rest: [flow.protocol, flow.vlan ?? 0],
    counts: [flow.client_packets, flow.client_bytes, flow.server_packets, flow.server_bytes],
  }));
  const isWhole = (flow: FlowSums): boolean => !partitioned || oneWay(flow);
  expect(linesOf(rows.map(undirected))).toEqual(linesOf(flows.map(undirected)));
  expect(linesOf(rows.filter(isWhole).map(directed))).toEqual(linesOf(flows.filter(isWhole).map(directed)));

  const ofProtocols = 'protocol in (tcp, udp, icmp, ipv6-icmp)';
  const byProtocol = (await askTable(api, asked, ['packets', 'bytes'], ['protocol'], ofProtocols)).map((row) => ({
    key: String(row['protocol']),
    counts: [Number(row['packets']), Number(row['bytes'])],
  }));
  const flowSums = truth.flows
    .filter(({ protocol }) => ['tcp', 'udp', 'icmp', 'ipv6-icmp'].includes(protocol))
    .map((flow) => ({
      key: flow.protocol,
      counts: [flow.client_packets + flow.server_packets, flow.client_bytes + flow.server_bytes],
    }));
  expect(linesOf(byProtocol)).toEqual(linesOf(flowSums));
}

/** Asks again and again what was captured by second, to see when an answer first has all of it. */
export class LatencyWatch {
  private readonly answers: { readonly atMs: number; readonly packets: ReadonlyMap<number, number> }[] = [];
  private readonly asking: Promise<void>;
  private ended = false;

  constructor(api: Pick<Serving, 'query'>, { fromMs, probe }: Asked) {
    this.asking = (async () => {
      while (!this.ended) {
        const filter = `probe = "${probe}"`;
        const answer = await ask(api, fromMs, {
          type: 'timeseries',
          measures: ['packets'],
          intervalMs: secondMs,
          filter,
        });
        this.answers.push({ atMs: Date.now(), packets: seriesOf(answer) });
      }
    })();
    this.asking.catch(() => {}); // `end` tells it
  }

  /** packets in the last answer */
  get packets(): number {
    return sumOf(this.answers.at(-1)?.packets);
  }

  /**
   * Milliseconds from the end of each second to the first answer that had all its packets, ascending. A second counts when
   * it was over while packets were still sent: the last one is cut short by the end of the file.
   */
  async end(): Promise<{ readonly latencies: readonly number[]; readonly answers: number }> {
    this.ended = true;
    await this.asking;
    const final = this.answers.at(-1)!.packets;
    const windows = [...final].filter(([, count]) => count > 0).slice(0, -1);
    const latencies = windows
      .map(([beginMs, count]) => {
        const first = this.answers.find((answer) => (answer.packets.get(beginMs) ?? 0) === count)!;
        return first.atMs - (beginMs + secondMs);
      })
      .sort((a, b) => a - b);
    return { latencies, answers: this.answers.length };
  }
}

/** `p50 … ms, p99 … ms, max … ms` of ascending milliseconds. */
export function quantiles(latencies: readonly number[]): string {
  const quantile = (part: number): number | undefined =>
    latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))];
  return `p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, max ${latencies.at(-1)} ms`;
}

/** Rows of a table frame. */
export function rowsIn({ frames }: Result): Row[] {
  const [frame] = frames;
  if (!frame) return [];
  const { values } = frame.data;
  return (values[0] ?? []).map((_, row) =>
    Object.fromEntries(frame.schema.fields.map(({ name }, column) => [name, values[column]![row] ?? null])),
  );
}

/** Packets by window begin, milliseconds. */
function seriesOf({ frames }: Result): Map<number, number> {
  const [times = [], counts = []] = frames[0]?.data.values ?? [];
  return new Map(times.map((time, i) => [Number(time), Number(counts[i] ?? 0)]));
}

const sumOf = (series: ReadonlyMap<number, number> | undefined): number =>
  [...(series?.values() ?? [])].reduce((sum, count) => sum + count, 0);

/** Sums by key, as sorted lines, so that a difference can be read. */
function linesOf(rows: readonly { readonly key: string; readonly counts: readonly number[] }[]): string[] {
  const sums = new Map<string, number[]>();
  for (const { key, counts } of rows) {
    const sum = sums.get(key) ?? counts.map(() => 0);
    sums.set(
      key,
      counts.map((count, i) => count + sum[i]!),
    );
  }
  return [...sums].map(([key, counts]) => `${key}: ${counts.join(' ')}`).sort();
}

interface FlowSums {
  readonly client: readonly unknown[];
  readonly server: readonly unknown[];
  readonly rest: readonly unknown[];
  readonly counts: readonly number[];
}

/** Who is client matters. */
const directed = ({ client, server, rest, counts }: FlowSums) => ({
  key: [...client, ...server, ...rest].join(' '),
  counts,
});

/** Packets and bytes of the two ends, whoever is called client. */
function undirected({ client, server, rest, counts }: FlowSums) {
  const [clientPackets = 0, clientBytes = 0, serverPackets = 0, serverBytes = 0] = counts;
  const swap = client.join(' ') > server.join(' ');
  return {
    key: [...(swap ? [...server, ...client] : [...client, ...server]), ...rest].join(' '),
    counts: swap ? [serverPackets, serverBytes, clientPackets, clientBytes] : [...counts],
  };
}

/**
 * Of a datagram in fragments the ports are known only when it is put together, in the partition of its addresses. So the
 * fragmented answer to this port's query is a flow of its own, begun by the server (docs/engine.md).
 */
const fragmentedPort = 53535;
const oneWay = ({ client, server }: FlowSums): boolean => client[1] !== fragmentedPort && server[1] !== fragmentedPort;
