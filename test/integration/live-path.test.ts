/**
 * The whole way with real processes: tcpreplay on a cable, `netspectra probe`, nats-server, two `netspectra engine`, a
 * ClickHouse server, `netspectra api`. What the API answers must be what the file holds, to the packet and byte, flow by
 * flow; and how long after the end of a second its packets are in an answer is measured.
 */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startLiveCluster } from '../kit/live-cluster.js';
import type { LiveCluster, Monitored } from '../kit/live-cluster.js';
import { hasNats } from '../kit/nats.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { generate } from '../load/generate.js';
import { run, sampleCapture, temporaryFolder, until } from './process.js';

interface Frame {
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
  readonly data: { readonly values: readonly (readonly (number | string | null)[])[] };
}
interface Result {
  readonly frames: readonly Frame[];
  readonly meta: {
    readonly drops: Record<string, number>;
    readonly samplingRate: number;
    readonly watermarkMs: number | null;
  };
}
type Row = Record<string, number | string | null>;

interface Analysis {
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

const secondMs = 1_000;
/** Far below what one core takes, so that what is measured is the way and not a queue. */
const loadPacketsPerSecond = 12_500;
/** Loose: where tests run, other tests run too. */
const latencyMsMax = 30_000;
const flowKeys = ['client_ip', 'client_port', 'server_ip', 'server_port', 'protocol', 'vlan'];
const flowCounts = ['client_packets', 'client_bytes', 'server_packets', 'server_bytes'];

/** What `analyze` says about the file: the truth that corpus tests compare with tshark's. */
async function analysis(file: string): Promise<Analysis> {
  const { stdout, code, stderr } = await run(['analyze', '--format', 'json', '--top', '10000', file]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Analysis;
}

/** Rows of a table frame. */
function rowsIn({ frames }: Result): Row[] {
  const [frame] = frames;
  if (!frame) return [];
  const { values } = frame.data;
  return (values[0] ?? []).map((_, row) =>
    Object.fromEntries(frame.schema.fields.map(({ name }, column) => [name, values[column]![row] ?? null])),
  );
}

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

describe.runIf(hasNats && hasCables)('from a cable to the API', () => {
  const folder = temporaryFolder();
  let cable: Cable;
  let cluster: LiveCluster;
  let api: Serving;
  let engines: Monitored[];
  /** what is asked about: since when, and whose packets */
  let began: number;
  let probeId: string;
  beforeAll(async () => {
    cable = layCable();
    // A long lease, because what is pending when a partition changes hands (DNS, HTTP) is not taken along.
    cluster = await startLiveCluster({ env: { NETSPECTRA_ENGINE_LEASE: '1m' } });
    engines = await Promise.all([cluster.engine(), cluster.engine()]);
    api = await startServing(['api'], { env: { ...cluster.env } });
    await until('the partitions are shared', async () =>
      (await Promise.all(engines.map((one) => one.metric('netspectra_engine_partitions')))).every((held) => held === 2),
    );
  });
  afterEach(() => expect(engines.map((one) => one.child.exitCode)).toEqual([null, null]));
  afterAll(async () => {
    await endServings();
    await cluster?.close();
    cable?.remove();
    folder.remove();
  });

  async function ask(query: object, to = Date.now() + secondMs): Promise<Result> {
    const answer = await api.query({ from: began, to, queries: [{ refId: 'A', ...query }] });
    const body = (await answer.json()) as { results: { A: Result & { error?: string } } };
    expect(answer.status, JSON.stringify(body)).toBe(200);
    expect(body.results.A.error).toBeUndefined();
    return body.results.A;
  }
  const table = async (measures: readonly string[], groupBy: readonly string[] = [], filter = ''): Promise<Row[]> => {
    const both = `probe = "${probeId}"${filter === '' ? '' : ` and (${filter})`}`;
    return rowsIn(await ask({ type: 'table', measures, groupBy, filter: both, limit: 10_000 }));
  };
  const one = async (...measures: string[]): Promise<number[]> => {
    const [row] = await table(measures);
    return measures.map((measure) => Number(row?.[measure] ?? 0));
  };

  /** Everything the API says about what was sent, beside everything `analyze` says about the file. */
  async function expectTruth(file: string, http?: Analysis['http']): Promise<void> {
    const truth = await analysis(file);
    const { requests, responses } = http ?? truth.http;
    expect(await one('packets', 'bytes')).toEqual([truth.packets, truth.bytes]);
    expect(await one('dns_queries', 'dns_responses')).toEqual([truth.dns.queries, truth.dns.responses]);
    expect(await one('http_requests', 'http_responses')).toEqual([requests, responses]);
    expect(await one('tls_client_hellos')).toEqual([truth.tls.client_hellos]);

    const rows = (await table(flowCounts, flowKeys)).map((row) => ({
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
    expect(linesOf(rows.map(undirected))).toEqual(linesOf(flows.map(undirected)));
    expect(linesOf(rows.filter(oneWay).map(directed))).toEqual(linesOf(flows.filter(oneWay).map(directed)));

    const byProtocol = (await table(['packets', 'bytes'], ['protocol'], 'protocol in (tcp, udp, icmp, ipv6-icmp)')).map(
      (row) => ({ key: String(row['protocol']), counts: [Number(row['packets']), Number(row['bytes'])] }),
    );
    const flowSums = truth.flows
      .filter(({ protocol }) => ['tcp', 'udp', 'icmp', 'ipv6-icmp'].includes(protocol))
      .map((flow) => ({
        key: flow.protocol,
        counts: [flow.client_packets + flow.server_packets, flow.client_bytes + flow.server_bytes],
      }));
    expect(linesOf(byProtocol)).toEqual(linesOf(flowSums));
  }

  async function startProbe(id: string): Promise<Monitored> {
    const probe = await cluster.probe(['--interface', cable.interface], { NETSPECTRA_PROBE_ID: id });
    probeId = id;
    began = Math.floor(Date.now() / secondMs) * secondMs;
    return probe;
  }

  const settled = (packets: number): Promise<void> =>
    until('everything is stored', async () => (await cluster.stored(probeId)).packets >= packets);

  /** The probe ends without a loss, and what waits for the end of its epoch (DNS queries without an answer) is stored. */
  async function finish(probe: Monitored): Promise<void> {
    expect(await probe.metric('netspectra_probe_kernel_dropped_total')).toBe(0);
    expect(await probe.metric('netspectra_probe_publish_dropped_total')).toBe(0);
    expect((await probe.stop()).code).toBe(0);
    await until('every partition says the end', async () => {
      const sql = `SELECT uniqExact(partition) AS ended FROM probe_stats WHERE probe = '${probeId}' AND complete`;
      return Number((await cluster.rows<{ ended: number }>(sql))[0]?.ended) === cluster.partitions;
    });
    for (const engine of engines) expect(await engine.metric('netspectra_engine_leases_lost_total')).toBe(0);
  }

  it('answers what the sample holds: in all, by flow, by protocol, by application', async () => {
    const { packets } = await analysis(sampleCapture);
    const probe = await startProbe('sample');
    expect(await cable.send(sampleCapture, { packetsPerSecond: 5_000 })).toBe(packets);
    await settled(packets);
    await finish(probe);
    await expectTruth(sampleCapture);
    const { meta } = await ask({ type: 'table', measures: ['packets'] });
    expect(meta.samplingRate).toBe(1);
    expect(meta.watermarkMs).toBeGreaterThan(began);
    expect(meta.watermarkMs).toBeLessThanOrEqual(Date.now());
    expect(meta.drops).toEqual({ kernelDropped: 0, undecodable: 0, flowsFolded: 0, latePackets: 0 });
    for (const engine of engines) {
      expect(await engine.metric('netspectra_engine_refused_messages_total')).toBe(0);
      expect(await engine.metric('netspectra_engine_missing_messages_total')).toBe(0);
      expect(await engine.readyz()).toMatchObject({ status: 200 });
    }
  });

  it('answers what a large file holds, each second of it soon after that second is over', async () => {
    const file = join(folder.path, 'load.pcap');
    const made = generate({ packets: 100_000, flows: 4_000, seed: 7, out: file });
    const packets = Number(made['packets']);
    const asked: { readonly atMs: number; readonly packets: ReadonlyMap<number, number> }[] = [];
    let sending = true;
    const poll = async (): Promise<void> => {
      while (sending) {
        const answer = await ask({
          type: 'timeseries',
          measures: ['packets'],
          intervalMs: secondMs,
          filter: `probe = "${probeId}"`,
        });
        asked.push({ atMs: Date.now(), packets: seriesOf(answer) });
      }
    };
    const probe = await startProbe('load');
    const polling = poll();
    expect(await cable.send(file, { packetsPerSecond: loadPacketsPerSecond })).toBe(packets);
    await settled(packets);
    await until('an answer has it all', () => sumOf(asked.at(-1)?.packets) === packets);
    sending = false;
    await polling;
    const final = asked.at(-1)!.packets;
    expect(sumOf(final)).toBe(packets);
    // A window counts when it was over while packets were still sent: the last is cut short by the end of the file.
    const windows = [...final].filter(([, count]) => count > 0).slice(0, -1);
    const latencies = windows
      .map(([beginMs, count]) => {
        const first = asked.find((answer) => (answer.packets.get(beginMs) ?? 0) === count)!;
        return first.atMs - (beginMs + secondMs);
      })
      .sort((a, b) => a - b);
    const quantile = (part: number): number =>
      latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))]!;
    console.log(
      `capture to API, ${loadPacketsPerSecond} packets/s, ${windows.length} windows of 1 s, ${asked.length} answers: ` +
        `p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, max ${latencies.at(-1)} ms`,
    );
    expect(windows.length).toBeGreaterThan(3);
    expect(latencies.at(-1)).toBeLessThan(latencyMsMax);
    await finish(probe);
    // As tshark does, the report leaves out messages that the file cuts; rows tell of them, too.
    await expectTruth(file, { requests: Number(made['http_requests']), responses: Number(made['http_responses']) });
  });
});

/** Packets by window begin, milliseconds. */
function seriesOf({ frames }: Result): Map<number, number> {
  const [times = [], counts = []] = frames[0]?.data.values ?? [];
  return new Map(times.map((time, i) => [Number(time), Number(counts[i] ?? 0)]));
}

const sumOf = (series: ReadonlyMap<number, number> | undefined): number =>
  [...(series?.values() ?? [])].reduce((sum, count) => sum + count, 0);
