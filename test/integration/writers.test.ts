/**
 * Writers beside the store, as processes: `netspectra up` writes NDJSON files and sends counters to a real VictoriaMetrics;
 * what these hold is what the capture holds, whatever is killed, full or away.
 * Debian: apt-get install --no-install-recommends victoria-metrics
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createVictoriaMetricsWriter } from '../../backend/src/storage/writers/index.js';
import type { VictoriaMetricsWriter } from '../../backend/src/storage/writers/index.js';
import { makeFlush } from '../../backend/src/storage/testing.js';
import { endServings, startServing } from '../kit/api-process.js';
import { hasVictoriaMetrics, startVictoriaMetrics } from '../kit/victoria-metrics.js';
import type { VictoriaMetrics } from '../kit/victoria-metrics.js';
import { run, sampleCapture, temporaryFolder, until } from './process.js';

if (!hasVictoriaMetrics) console.warn('victoria-metrics is not installed: its tests are left out');

/** packets and bytes of the sample capture, test/fixtures/sample.pcap.expected.json */
const sample = { packets: 1932, bytes: 737_858 };
const range = { from: '2026-01-01T00:00:00Z', to: '2026-12-31T00:00:00Z' };
/** VictoriaMetrics shows samples a second or two after it took them, and takes whole seconds for times of questions. */
const patience = { timeout: 10_000, interval: 100 };
const totals = { ...range, queries: [{ refId: 'A', type: 'table', measures: ['packets', 'bytes'] }] };

const folders: { remove(): void }[] = [];
const servers: VictoriaMetrics[] = [];
function place(): string {
  const folder = temporaryFolder();
  folders.push(folder);
  return folder.path;
}
async function victoriaMetrics(flags: string[] = [], headers: Record<string, string> = {}): Promise<VictoriaMetrics> {
  const server = await startVictoriaMetrics(flags, headers);
  servers.push(server);
  return server;
}
afterEach(async () => {
  await endServings();
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => folders.forEach((folder) => folder.remove()));

type Row = Record<string, unknown>;
/** All rows of a table's files; each line must be an object, none torn. */
function fileRows(dir: string, table: string): Row[] {
  return readdirSync(dir)
    .filter((name) => name.startsWith(`${table}-`))
    .flatMap((name) => {
      const bytes = readFileSync(join(dir, name));
      const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
      expect(text.endsWith('\n'), name).toBe(true);
      return text.slice(0, -1).split('\n');
    })
    .map((line) => JSON.parse(line) as Row);
}
const sumOf = (rows: readonly Row[], ...columns: string[]): number =>
  rows.reduce((sum, row) => sum + columns.reduce((part, column) => part + Number(row[column]), 0), 0);

describe('netspectra up', () => {
  it.runIf(hasVictoriaMetrics)('writes files and counters that hold what the capture holds', async () => {
    const server = await victoriaMetrics();
    const dir = join(place(), 'rows');
    const env = {
      NETSPECTRA_STORAGE_VICTORIA_METRICS_URL: server.url,
      NETSPECTRA_STORAGE_VICTORIA_METRICS_INTERVAL: '0.1s',
      NETSPECTRA_STORAGE_VICTORIA_METRICS_LABELS: 'site=lab',
      NETSPECTRA_STORAGE_FILES_DIR: dir,
      NETSPECTRA_STORAGE_FILES_TABLES: 'flows,traffic,probe_stats',
      NETSPECTRA_STORAGE_FILES_ROTATE_BYTES: '64KB',
      NETSPECTRA_ENGINE_FLUSH_INTERVAL: '0.05s',
    };
    const { code, stderr } = await run(
      ['up', '--read', sampleCapture, '--once', '--replay', '60', '--data', place(), '--listen', '127.0.0.1:0'],
      { env },
    );
    expect(code, stderr).toBe(0);
    const stats = fileRows(dir, 'probe_stats');
    expect(stats.length).toBeGreaterThan(4);
    expect([sumOf(stats, 'packets'), sumOf(stats, 'bytes')]).toEqual([sample.packets, sample.bytes]);
    expect(sumOf(fileRows(dir, 'traffic'), 'packets')).toBe(sample.packets);
    const flows = fileRows(dir, 'flows');
    expect(sumOf(flows, 'client_packets', 'server_packets')).toBeGreaterThan(1800);
    expect(readdirSync(dir).filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(0);
    for (const [table, columns] of [
      ['traffic', sample],
      ['probe_stats', sample],
    ] as const) {
      for (const [column, value] of Object.entries(columns)) {
        const series = `netspectra_${table}_${column}_total{site="lab"}`;
        await expect.poll(() => server.value(`sum(increase(${series}[1h]))`), patience).toBe(value);
        await expect.poll(() => server.value(`sum(last_over_time(${series}[1h]))`), patience).toBe(value);
      }
    }
    const byProtocol = await server.select('sum(last_over_time(netspectra_traffic_packets_total[1h])) by (protocol)');
    const expected = new Map<string, number>();
    for (const row of fileRows(dir, 'traffic')) {
      const name = row['ip_version'] === 0 ? '{}' : JSON.stringify({ protocol: ianaNames[String(row['protocol'])] });
      expected.set(name, (expected.get(name) ?? 0) + Number(row['packets']));
    }
    expect(byProtocol).toEqual(expected);
    expect(
      await server.value('histogram_quantile(0.5, sum(netspectra_tcp_health_rtt_seconds_bucket) by (le))'),
    ).toBeGreaterThan(0);
  });

  it('leaves whole files when it is killed, however often, and no flush twice', async () => {
    const [data, dir] = [place(), join(place(), 'rows')];
    const env = { NETSPECTRA_STORAGE_FILES_DIR: dir, NETSPECTRA_ENGINE_FLUSH_INTERVAL: '0.05s' };
    const args = ['up', '--read', sampleCapture, '--data', data];
    for (const share of [0.2, 0.5]) {
      const up = await startServing([...args, '--replay', '30'], { env });
      await until('it has written some', async () => {
        const stored = /^netspectra_packets_stored_total (\d+)$/m.exec((await up.text('/metrics')).body)?.[1];
        // Packets of earlier runs are counted by these.
        return Number(stored) > (sample.packets * share) / 4;
      });
      up.child.kill('SIGKILL');
      await up.ended;
    }
    const up = await startServing(args, { env });
    await until('everything is read', async () => (await up.text('/readyz')).body.includes('all captures are read'));
    const { frames } = ((await (await up.query(totals)).json()) as Answer).results['A']!;
    expect(frames[0]!.data.values).toEqual([[sample.packets], [sample.bytes]]);
    up.child.kill('SIGTERM');
    expect((await up.ended).code).toBe(0);
    const stats = fileRows(dir, 'probe_stats');
    const names = stats.map((row) => [row['epoch'], row['partition'], row['first_seq'], row['last_seq']].join(':'));
    expect(new Set(names).size).toBe(names.length);
    // What waited at a kill is missing, and nothing else: some flushes of each kill.
    expect(sumOf(stats, 'packets')).toBeGreaterThan(sample.packets / 2);
    expect(sumOf(stats, 'packets')).toBeLessThanOrEqual(sample.packets);
    const whole = new Set(names);
    for (const row of fileRows(dir, 'flows')) {
      expect(whole).toContain([row['epoch'], row['partition'], row['first_seq'], row['last_seq']].join(':'));
    }
  });

  const small = temporaryFolder();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', small.path]).status === 0;
  afterAll(() => {
    if (mounted) spawnSync('umount', ['-l', small.path]);
    small.remove();
  });
  it.runIf(mounted)('stores everything while the disk of the files is full, and says so', async () => {
    const env = { NETSPECTRA_STORAGE_FILES_DIR: small.path, NETSPECTRA_STORAGE_FILES_TABLES: 'flows' };
    const up = await startServing(['up', '--read', sampleCapture, '--data', place()], { env });
    await until('everything is read', async () => (await up.text('/readyz')).body.includes('all captures are read'));
    await until('it is told', async () => (await up.text('/readyz')).body.includes('free space there'));
    expect((await up.text('/readyz')).body).toMatch(/^files: warn: cannot write NDJSON files in .*ENOSPC/m);
    expect((await up.text('/readyz')).status).toBe(200);
    expect((await up.text('/metrics')).body).toMatch(/^netspectra_files_ok 0$/m);
    const { frames } = ((await (await up.query(totals)).json()) as Answer).results['A']!;
    expect(frames[0]!.data.values).toEqual([[sample.packets], [sample.bytes]]);
    spawnSync('mount', ['-o', 'remount,size=64m', small.path]);
    await until('it writes again', async () => (await up.text('/metrics')).body.includes('netspectra_files_ok 1'));
    up.child.kill('SIGTERM');
    expect((await up.ended).code).toBe(0);
    expect(sumOf(fileRows(small.path, 'flows'), 'client_packets', 'server_packets')).toBeGreaterThan(1800);
  });

  it('says what is wrong with a folder or a combination of keys, in one line', async () => {
    const folder = place();
    const tried = await run(['up', '--once', '--data', place(), '--listen', '127.0.0.1:0'], {
      env: { NETSPECTRA_STORAGE_FILES_DIR: `${sampleCapture}/x` },
    });
    expect(tried.code).toBe(1);
    expect(tried.stderr.trim().split('\n').at(-1)).toMatch(
      /^netspectra: .*folder of NDJSON files .*storage\.files\.dir/,
    );
    const odd = await run(['config', 'check'], {
      env: {
        NETSPECTRA_STORAGE_VICTORIA_METRICS_LABELS: 'run=x',
        NETSPECTRA_STORAGE_VICTORIA_METRICS_TOKEN: 'hidden',
        NETSPECTRA_STORAGE_VICTORIA_METRICS_USER: 'u',
        NETSPECTRA_STORAGE_FILES_DIR: folder,
        NETSPECTRA_STORAGE_FILES_MAX_BYTES: '1MB',
      },
    });
    expect(odd.code).toBe(2);
    expect(odd.stderr).toContain('the label run is one of the series');
    expect(odd.stderr).toContain('token and user exclude each other');
    expect(odd.stderr).toContain('storage.files.max_bytes: expected at least rotate_bytes for each table');
    expect(odd.stderr).not.toContain('hidden');
  });
});

interface Answer {
  results: Record<string, { frames: { data: { values: number[][] } }[] }>;
}
/** of the protocols that the sample has */
const ianaNames: Readonly<Record<string, string>> = {
  '1': 'icmp',
  '2': 'igmp',
  '6': 'tcp',
  '17': 'udp',
  '47': 'gre',
  '58': 'ipv6-icmp',
  '132': 'sctp',
};

describe.runIf(hasVictoriaMetrics)('counters in VictoriaMetrics', () => {
  const target = (url: string) => ({
    ...{ url, user: '', password: '', token: '', labels: {}, seriesMax: 1000, vlan: false },
    tls: { caFile: '', certFile: '', keyFile: '' },
    intervalMs: 50,
    queueBytesMax: 1 << 20,
    drainMs: 5_000,
    retryMs: 20,
  });
  let seq = 0;
  /** Packets of several probes and applications. @returns how many */
  async function feed(writer: VictoriaMetricsWriter, rounds: number): Promise<number> {
    let packets = 0;
    for (let round = 0; round < rounds; round += 1) {
      seq += 1;
      const rows = ['http', 'dns', ''].map((application, i) => ({
        ...{ window_start: 1_700_000_000 + seq, ip_version: 4, protocol: 6, application },
        packets: seq + i,
        bytes: 100,
      }));
      packets += rows.reduce((sum, row) => sum + row.packets, 0);
      await writer.write(
        makeFlush({ probe: `p${seq % 3}`, epoch: 1n, partition: 0, firstSeq: seq, lastSeq: seq }, { traffic: rows }),
      );
      const state = (): string => `${writer.counters.sent} ${writer.counters.dropped} ${writer.queueBytes}`;
      const before = state();
      await until('the next samples', () => state() !== before);
    }
    return packets;
  }
  const total = 'netspectra_traffic_packets_total';

  it('are whole when the server is killed and comes back, and when it is stopped in the middle', async () => {
    const server = await victoriaMetrics();
    const writer = createVictoriaMetricsWriter(target(server.url));
    let packets = await feed(writer, 6);
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      await server.kill(signal);
      packets += await feed(writer, 3);
      expect(writer.status().ok).toBe(false);
      await server.start();
      await until('it takes samples again', () => writer.status().ok && writer.queueBytes === 0);
      packets += await feed(writer, 3);
    }
    await writer.close();
    expect(writer.counters.dropped).toBe(0);
    expect(writer.counters.retries).toBeGreaterThan(0);
    await expect.poll(() => server.value(`sum(last_over_time(${total}[1h]))`), patience).toBe(packets);
    await expect.poll(() => server.value(`sum(increase(${total}[1h]))`), patience).toBe(packets);
  });

  it('are whole when it was away for longer than the queue; another start is other series', async () => {
    const server = await victoriaMetrics();
    const writer = createVictoriaMetricsWriter({ ...target(server.url), queueBytesMax: 1_500 });
    await server.kill('SIGINT');
    let packets = 0;
    while (writer.counters.dropped < 100) packets += await feed(writer, 1);
    expect(writer.queueBytes).toBeLessThanOrEqual(1_500);
    await server.start();
    await until('it takes samples again', () => writer.status().ok && writer.queueBytes === 0);
    packets += await feed(writer, 2);
    await writer.close();
    const next = createVictoriaMetricsWriter(target(server.url));
    packets += await feed(next, 2);
    await next.close();
    await expect.poll(() => server.value(`sum(last_over_time(${total}[1h]))`), patience).toBe(packets);
    await expect.poll(() => server.value(`sum(increase(${total}[1h]))`), patience).toBe(packets);
    await expect.poll(() => server.value(`count(count(${total}) by (run))`), patience).toBe(2);
  });

  it('need the right password where there is one', async () => {
    const headers = { authorization: `Basic ${Buffer.from('u:right').toString('base64')}` };
    const server = await victoriaMetrics(['-httpAuth.username=u', '-httpAuth.password=right'], headers);
    const wrong = createVictoriaMetricsWriter({ ...target(server.url), user: 'u', password: 'wrong', drainMs: 50 });
    await wrong.write(
      makeFlush({ probe: 'p', epoch: 1n, partition: 0, firstSeq: 0, lastSeq: 0 }, { traffic: [{ packets: 7 }] }),
    );
    await until('it is refused', () => !wrong.status().ok);
    expect(wrong.status().detail).toMatch(
      /answered 401; check storage\.victoria_metrics\.user, password and token \(1 requests wait/,
    );
    await wrong.close();
    const right = createVictoriaMetricsWriter({ ...target(server.url), user: 'u', password: 'right' });
    await right.write(
      makeFlush({ probe: 'p', epoch: 1n, partition: 0, firstSeq: 0, lastSeq: 0 }, { traffic: [{ packets: 7 }] }),
    );
    await right.close();
    expect(right.counters).toMatchObject({ dropped: 0, retries: 0 });
    await expect.poll(() => server.value(`sum(last_over_time(${total}[1h]))`), patience).toBe(7);
  });
});
