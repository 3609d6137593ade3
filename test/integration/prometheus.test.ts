/**
 * A real Prometheus scrapes `netspectra up` while its engine works, and `netspectra api`: what it stores is what the
 * processes did, it finds nothing to warn of, and promtool finds nothing wrong with names, types and units.
 * Debian: apt-get install --no-install-recommends prometheus
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startClickHouse } from '../kit/clickhouse.js';
import type { ClickHouse } from '../kit/clickhouse.js';
import { freePort, owned, repository, sampleCapture, temporaryFolder, until } from './process.js';

const installed = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const available = installed('prometheus') && installed('promtool');
if (!available) console.warn('prometheus is not installed: its tests are left out (apt-get install prometheus)');

/** packets and bytes of the sample capture, test/fixtures/sample.pcap.expected.json */
const sample = { packets: 1932, bytes: 737_858 };
const range = { from: '2026-01-01T00:00:00Z', to: '2026-12-31T00:00:00Z' };
const question = { ...range, queries: [{ refId: 'A', type: 'table', measures: ['packets'], groupBy: ['protocol'] }] };
/** Series of one process; a bound that a careless label would break. */
const seriesMax = 1_000;

interface Series {
  metric: Record<string, string>;
  value: [number, string];
}

describe.runIf(available)('Prometheus', () => {
  const folder = temporaryFolder();
  let clickhouse: ClickHouse | undefined;
  let up: Serving;
  let api: Serving;
  let prometheus: ChildProcess | undefined;
  let address = '';
  let said = '';

  const ask = async <Data>(path: string): Promise<Data> => {
    const answer = await fetch(`${address}/api/v1/${path}`);
    const { status, data, warnings } = (await answer.json()) as { status: string; data: Data; warnings?: string[] };
    expect([status, warnings], path).toEqual(['success', undefined]);
    return data;
  };
  const select = async (expression: string): Promise<Series[]> =>
    (await ask<{ result: Series[] }>(`query?query=${encodeURIComponent(expression)}`)).result;
  const value = async (expression: string): Promise<number> => Number((await select(expression))[0]?.value[1] ?? NaN);

  beforeAll(async () => {
    clickhouse = await startClickHouse({ dataDir: join(folder.path, 'server') });
    const env = { NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url, NETSPECTRA_ENGINE_FLUSH_INTERVAL: '0.2s' };
    const [upPort, apiPort] = [await freePort(), await freePort()];
    const port = await freePort();
    address = `http://127.0.0.1:${port}`;
    const targets = Object.entries({ up: upPort, api: apiPort }).map(([name, at]) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${at}`] }],
    }));
    const config = join(folder.path, 'prometheus.yml');
    // JSON is YAML.
    writeFileSync(
      config,
      JSON.stringify({ global: { scrape_interval: '500ms', scrape_timeout: '500ms' }, scrape_configs: targets }),
    );
    prometheus = owned(
      spawn('prometheus', [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder.path, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ]),
    );
    prometheus.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
    await until('Prometheus answers', () =>
      fetch(`${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    api = await startServing(['api'], { env, port: apiPort });
    // Slow enough that the engine is seen at work.
    up = await startServing(['up', '--read', sampleCapture, '--replay', '10x'], { env, port: upPort });
  });
  afterAll(async () => {
    if (prometheus) {
      const gone = new Promise((resolve) => prometheus?.once('close', resolve));
      prometheus.kill('SIGTERM');
      await gone;
    }
    await endServings();
    await clickhouse?.kill();
    folder.remove();
  });

  it('finds both processes up and stores what they did', async () => {
    interface Targets {
      activeTargets: { labels: { job: string }; health: string; lastError: string }[];
    }
    await until('both targets are up', async () => {
      const { activeTargets } = await ask<Targets>('targets');
      return activeTargets.length === 2 && activeTargets.every(({ health }) => health === 'up');
    });
    for (const process of [up, api]) {
      for (let i = 0; i < 3; i += 1) expect((await process.query(question)).status).toBe(200);
    }
    await until('the capture is read', () => up.stderr().includes('"capture read"'), 60_000);
    await until(
      'it is scraped since',
      async () => (await value('netspectra_packets_stored_total{job="up"}')) === sample.packets,
    );
    await until('it is scraped when all is done', async () => (await value('netspectra_engine_flushes_waiting')) === 0);
    expect(await value('netspectra_packets_read_total')).toBe(sample.packets);
    expect(await value('netspectra_bytes_stored_total')).toBe(sample.bytes);
    expect(await value('netspectra_packets_undecodable_total')).toBe(0);
    const flushes = await value('netspectra_store_flushes_total');
    expect(flushes).toBeGreaterThan(2);
    expect(await value('netspectra_store_flush_duration_seconds_count')).toBe(flushes);
    expect(
      await value('sum(netspectra_store_rows_total) > sum(netspectra_store_rows_total{table="flows"})'),
    ).toBeGreaterThan(200);
    expect(await value('netspectra_store_failures_total + netspectra_store_retries_total')).toBe(0);
    // The engine was seen at work: the counter rose while it was scraped.
    expect(await value('changes(netspectra_packets_stored_total[5m])')).toBeGreaterThan(0);
    for (const job of ['up', 'api']) {
      await until(
        'the queries are scraped',
        async () =>
          (await value(
            `sum(netspectra_api_request_duration_seconds_count{job="${job}",route="/api/v1/query",status="200"})`,
          )) === 3,
      );
      expect(await value(`sum(netspectra_api_query_duration_seconds_count{job="${job}"})`)).toBeGreaterThanOrEqual(3);
      expect(await value(`process_resident_memory_bytes{job="${job}"}`)).toBeGreaterThan(50e6);
      expect(await value(`process_cpu_seconds_total{job="${job}"}`)).toBeGreaterThan(0);
      expect(await value(`nodejs_eventloop_lag_p99_seconds{job="${job}"}`)).toBeGreaterThanOrEqual(0);
      expect(await value(`netspectra_build_info{job="${job}",version!=""}`)).toBe(1);
      expect(await value(`count({job="${job}"})`)).toBeLessThan(seriesMax);
    }
    expect(await select('netspectra_packets_stored_total{job="api"}')).toEqual([]);
  });

  it('has nothing to warn of', async () => {
    interface Metadata {
      [name: string]: { type: string; help: string; unit: string }[];
    }
    const metadata = await ask<Metadata>('metadata');
    const ours = Object.entries(metadata).filter(([name]) => name.startsWith('netspectra_'));
    expect(ours.length).toBeGreaterThan(20);
    for (const [name, [told, ...others]] of ours) {
      // Both processes must say the same of a name.
      expect(others, name).toEqual([]);
      expect(told!.help, name).not.toBe('');
      expect(told!.type === 'counter', name).toBe(name.endsWith('_total'));
    }
    for (const what of ['out_of_order', 'duplicate_timestamp', 'out_of_bounds']) {
      expect(await value(`prometheus_target_scrapes_sample_${what}_total or vector(0)`)).toBe(0);
    }
    expect(said.split('\n').filter((line) => /level=(warn|error)/.test(line))).toEqual([]);
  });

  it('understands every expression of docs/engine.md', async () => {
    const page = readFileSync(join(repository, 'docs/engine.md'), 'utf8');
    const table = page.split('| what | PromQL |')[1]!.split('\n\n')[0]!;
    const expressions = [...table.matchAll(/\| `(.*)` \|$/gm)].map(([, expression]) => expression!);
    expect(expressions.length).toBeGreaterThan(8);
    for (const expression of expressions) await select(expression);
  });

  it('comes with a checker that finds nothing wrong', async () => {
    for (const process of [up, api]) {
      const { status, body } = await process.text('/metrics');
      expect(status).toBe(200);
      const checked = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
      expect([checked.status, checked.stdout, checked.stderr]).toEqual([0, '', '']);
    }
  });

  it('sees no new series when nonsense is asked for', async () => {
    const series = async (): Promise<number> =>
      (await api.text('/metrics')).body.split('\n').filter((line) => line.startsWith('netspectra_api_')).length;
    await api.text('/none/at-all');
    const before = await series();
    for (let i = 0; i < 50; i += 1) await api.text(`/none/${i}?x=${i}`);
    expect(await series()).toBe(before);
  });
});
