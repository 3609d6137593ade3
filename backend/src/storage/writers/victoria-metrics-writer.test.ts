import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Flush } from '../../tables/index.js';
import { makeFlush } from '../testing.js';
import type { RowValues } from '../testing.js';
import { createVictoriaMetricsWriter } from './victoria-metrics-writer.js';
import type { VictoriaMetricsOptions, VictoriaMetricsWriter } from './victoria-metrics-writer.js';

interface Request {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly lines: readonly string[];
}
type Answer = (response: ServerResponse, nth: number) => void;

const servers: Server[] = [];
const writers: VictoriaMetricsWriter[] = [];
afterEach(async () => {
  for (const writer of writers.splice(0)) await writer.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const taken: Answer = (response) => response.writeHead(204).end();

/** Something that answers as the import API does, or not. */
async function importServer(answer: Answer = taken) {
  const requests: Request[] = [];
  const state = { answer };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const text = gunzipSync(Buffer.concat(parts)).toString();
      expect(text.endsWith('\n')).toBe(true);
      const { url = '', headers } = request;
      requests.push({ path: url, authorization: headers.authorization, lines: text.split('\n').slice(0, -1) });
      state.answer(response, requests.length);
    });
  };
  const server = createServer(listener);
  servers.push(server);
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
  return { url: `http://127.0.0.1:${port}`, requests, state };
}

function open(url: string, over: Partial<VictoriaMetricsOptions> = {}): VictoriaMetricsWriter {
  const writer = createVictoriaMetricsWriter({
    url,
    user: '',
    password: '',
    token: '',
    tls: { caFile: '', certFile: '', keyFile: '' },
    labels: {},
    // Tests take samples by closing, or set it short.
    intervalMs: 3_600_000,
    seriesMax: 1_000,
    vlan: false,
    queueBytesMax: 1 << 20,
    drainMs: 500,
    retryMs: 5,
    ...over,
  });
  writers.push(writer);
  return writer;
}

function flushOf(seq: number, rows: Parameters<typeof makeFlush>[1], probe = 'p1'): Flush {
  return makeFlush({ probe, epoch: 1n, partition: 0, firstSeq: seq, lastSeq: seq }, rows);
}
const traffic = (row: RowValues): RowValues => ({ ip_version: 4, protocol: 6, application: 'http', ...row });

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly time: number;
}
function samplesOf(requests: readonly Request[]): Sample[] {
  return requests.flatMap(({ lines }) =>
    lines.map((line) => {
      const [, name, labels, value, time] = /^(\w+)\{(.*)\} (\S+) (\d+)$/.exec(line)!;
      const parsed = [...labels!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)/g)];
      expect(parsed.map(([text]) => text).join('')).toBe(labels);
      return {
        name: name!,
        labels: Object.fromEntries(parsed.map(([, key, text]) => [key!, text!])),
        value: Number(value),
        time: Number(time),
      };
    }),
  );
}
/** The last value of each series, by name and labels but `run`. */
function lastValues(requests: readonly Request[]): Record<string, number> {
  return Object.fromEntries(
    samplesOf(requests).map(({ name, labels: { run, ...labels }, value }) => {
      expect(run).toMatch(/^[0-9a-f]{12}$/);
      return [`${name} ${Object.values(labels).join(' ')}`, value];
    }),
  );
}

describe('the writer for VictoriaMetrics', () => {
  it('adds rows up to counters that begin with 0, with the names of tables and columns', async () => {
    const { url, requests } = await importServer();
    const writer = open(`${url}/`, { labels: { site: 'a "b"' } });
    await writer.write(
      flushOf(1, { traffic: [traffic({ packets: 3, bytes: 300 }), traffic({ packets: 1, bytes: 60, vlan: 7 })] }),
    );
    await writer.write(
      flushOf(2, {
        traffic: [traffic({ packets: 2, bytes: 200, window_start: 5 }), { ether_type: 2054, packets: 1, bytes: 42 }],
      }),
    );
    await writer.write(flushOf(2, { traffic: [traffic({ packets: 100, bytes: 100 })] }));
    await writer.write(flushOf(2, { flows: [{ client_packets: 9 }] }, 'p2'));
    await writer.close();
    expect(requests.map(({ path, authorization }) => [path, authorization])).toEqual([
      ['/api/v1/import/prometheus', undefined],
    ]);
    const samples = samplesOf(requests);
    const http = samples.filter(
      ({ name, labels }) => name === 'netspectra_traffic_packets_total' && labels['protocol'] === 'tcp',
    );
    expect(http.map(({ value }) => value)).toEqual([0, 6]);
    expect(http[0]!.time).toBeLessThan(http[1]!.time);
    expect(http[0]!.labels).toEqual({
      probe: 'p1',
      ip_version: '4',
      protocol: 'tcp',
      application: 'http',
      site: 'a \\"b\\"',
      run: http[0]!.labels['run'],
    });
    expect(lastValues(requests)).toEqual({
      'netspectra_traffic_packets_total p1 4 tcp http a \\"b\\"': 6,
      'netspectra_traffic_bytes_total p1 4 tcp http a \\"b\\"': 560,
      'netspectra_traffic_packets_total p1 a \\"b\\"': 1,
      'netspectra_traffic_bytes_total p1 a \\"b\\"': 42,
    });
    expect(writer.counters).toEqual({ sent: 8, dropped: 0, refused: 0, retries: 0, repeated: 1 });
  });

  it('sends TCP health with a histogram, and accounts with their reasons', async () => {
    const { url, requests } = await importServer();
    const writer = open(url, { vlan: true });
    const histogram = `[${Array.from({ length: 32 }, (_, i) => (i === 10 ? 2 : i === 31 ? 1 : 0)).join(',')}]`;
    await writer.write(
      flushOf(1, {
        tcp_health: [
          { vlan: 7, tcp_packets: 10, syn: 2, rtt_count: 3, rtt_sum_ns: 1_500_000_000, rtt_histogram: histogram },
        ],
        probe_stats: [{ packets: 10, kernel_dropped: 4, reasons: "{'tcp_cut':2,'x\\'y':1}" }],
      }),
    );
    await writer.close();
    const values = lastValues(requests);
    expect(values).toMatchObject({
      'netspectra_tcp_health_tcp_packets_total p1 7': 10,
      'netspectra_tcp_health_syn_total p1 7': 2,
      'netspectra_tcp_health_rtt_seconds_count p1 7': 3,
      'netspectra_tcp_health_rtt_seconds_sum p1 7': 1.5,
      'netspectra_tcp_health_rtt_seconds_bucket p1 7 0.001024': 0,
      'netspectra_tcp_health_rtt_seconds_bucket p1 7 0.002048': 2,
      'netspectra_tcp_health_rtt_seconds_bucket p1 7 2147.483648': 2,
      'netspectra_tcp_health_rtt_seconds_bucket p1 7 +Inf': 3,
      'netspectra_probe_stats_packets_total p1': 10,
      'netspectra_probe_stats_kernel_dropped_total p1': 4,
      'netspectra_probe_stats_reasons_total p1 tcp_cut': 2,
      "netspectra_probe_stats_reasons_total p1 x'y": 1,
    });
    expect(writer.series).toBe(Object.keys(values).length);
  });

  it('bounds the series: what is beyond adds up under other, and is counted', async () => {
    const { url, requests } = await importServer();
    const writer = open(url, { seriesMax: 10, vlan: true });
    await writer.write(
      flushOf(1, { traffic: Array.from({ length: 500 }, (_, vlan) => traffic({ vlan, packets: 1, bytes: 2 })) }),
    );
    await writer.write(
      flushOf(2, { traffic: [traffic({ vlan: 3, packets: 1, bytes: 2 }), traffic({ vlan: 400, packets: 1 })] }),
    );
    await writer.close();
    const values = lastValues(requests);
    expect(values['netspectra_traffic_packets_total 1']).toBe(496);
    expect(values['netspectra_traffic_packets_total p1 4 tcp http 3']).toBe(2);
    expect(Object.entries(values).reduce((sum, [name, value]) => sum + (name.includes('packets') ? value : 0), 0)).toBe(
      502,
    );
    expect([writer.series, writer.folded]).toEqual([12, 496]);
  });

  it('tries again while the server is away or says so, and tells what to look at, without secrets', async () => {
    const answers: [number, string][] = [
      [503, 'busy\n\u001b[31m'],
      [401, 'who are you'],
      [404, 'x'.repeat(10_000)],
    ];
    const { url, requests } = await importServer((response, nth) => {
      const [status, text] = answers[nth - 1] ?? [204, ''];
      response.writeHead(status).end(text);
    });
    const warned: string[] = [];
    const writer = open(`${url}/insert/0/prometheus`, {
      user: 'u',
      password: 'hidden-word',
      intervalMs: 20,
      logger: { warn: (_, text) => void warned.push(text), info: (_, text) => void warned.push(text) },
    });
    await writer.write(flushOf(1, { traffic: [traffic({ packets: 1 })] }));
    await expect.poll(() => writer.counters.sent).toBeGreaterThan(0);
    expect(writer.counters).toMatchObject({ retries: 3, dropped: 0 });
    expect(requests[0]!.path).toBe('/insert/0/prometheus/api/v1/import/prometheus');
    expect(requests[0]!.authorization).toBe(`Basic ${Buffer.from('u:hidden-word').toString('base64')}`);
    expect(warned).toEqual([
      `victoria_metrics: VictoriaMetrics at ${url} answered 503 (busy [31m); check storage.victoria_metrics.url`,
      `victoria_metrics: VictoriaMetrics at ${url} answered 401 (who are you); check storage.victoria_metrics.user, password and token`,
      `victoria_metrics: VictoriaMetrics at ${url} answered 404 (${'x'.repeat(200)}); check storage.victoria_metrics.url`,
      `victoria_metrics: ${url} takes samples again`,
    ]);
    expect(writer.status()).toEqual({
      name: 'victoria_metrics',
      optional: true,
      ok: true,
      detail: '0 requests wait, 0 samples dropped',
    });
  });

  it('gives up on what is refused for good, and sends the beginning of its series again', async () => {
    const { url, requests, state } = await importServer((response) => response.writeHead(400).end('cannot parse'));
    const writer = open(url, { intervalMs: 10, token: 'hidden-token' });
    await writer.write(flushOf(1, { traffic: [traffic({ packets: 1 })] }));
    await expect.poll(() => writer.counters.refused).toBe(4);
    expect(writer.status()).toMatchObject({ ok: false });
    expect(JSON.stringify(writer.status())).not.toContain('hidden');
    state.answer = taken;
    const [first] = requests.splice(0);
    expect(first!.authorization).toBe('Bearer hidden-token');
    await writer.write(flushOf(2, { traffic: [traffic({ packets: 2 })] }));
    await expect.poll(() => requests.length).toBe(1);
    expect(requests[0]!.lines[0]).toBe(first!.lines[0]);
    expect(samplesOf(requests).map(({ value }) => value)).toEqual([0, 0, 3, 0]);
  });

  it('holds a bounded amount while the server does not answer, drops the oldest, and ends within its bound', async () => {
    // Takes connections and never says anything.
    const { url } = await importServer(() => undefined);
    const writer = open(url, { intervalMs: 2, queueBytesMax: 2_000, drainMs: 30 });
    let most = 0;
    for (let seq = 1; writer.counters.dropped < 40; seq += 1) {
      await writer.write(flushOf(seq, { traffic: [traffic({ packets: 1, bytes: 60 })] }));
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, writer.queueBytes);
    }
    expect(most).toBeGreaterThan(500);
    expect(most).toBeLessThanOrEqual(2_000);
    await writer.close();
    expect(writer.queueBytes).toBe(0);
    expect(writer.counters.sent).toBe(0);
  });

  it('does not read an answer without end, and takes none that breaks off for a yes', async () => {
    const { url, state } = await importServer((response) => {
      response.writeHead(500);
      const more = (): void => void (response.write('x'.repeat(65_536)) && !response.destroyed && setImmediate(more));
      response.on('drain', more);
      more();
    });
    const writer = open(url, { intervalMs: 10 });
    await writer.write(flushOf(1, { traffic: [traffic({ packets: 1 })] }));
    await expect.poll(() => writer.counters.retries).toBeGreaterThan(0);
    const before = writer.counters.retries;
    state.answer = (response) => response.socket!.destroy();
    await expect.poll(() => writer.counters.retries).toBeGreaterThan(before + 2);
    expect(writer.status().detail).toMatch(
      /^no answer from VictoriaMetrics at .*: ECONNRESET; check storage\.victoria_metrics/,
    );
    expect(writer.counters.sent).toBe(0);
  });
});
