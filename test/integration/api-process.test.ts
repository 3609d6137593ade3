/**
 * `netspectra api`: processes that only answer, several over one ClickHouse server, beside one that writes; and that no
 * process of ours prints warnings in its normal work.
 */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endServings, startServing, warningsOf } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startClickHouse } from '../kit/clickhouse.js';
import type { ClickHouse } from '../kit/clickhouse.js';
import { repository, run, sampleCapture, temporaryFolder, until } from './process.js';

const folder = temporaryFolder();
const dataDir = join(folder.path, 'server');
let clickhouse: ClickHouse;
let env: Record<string, string>;
const readArgs = ['up', '--read', sampleCapture];
const endless = 'SELECT count() AS n FROM numbers(10000000000000) WHERE number % 7 = 3 FORMAT JSONColumnsWithMetadata';

/** A range that holds the sample capture. */
const range = { from: '2026-01-01T00:00:00Z', to: '2026-12-31T00:00:00Z' };
const totals = { refId: 'A', type: 'table', measures: ['packets', 'bytes'], groupBy: ['protocol'] };
const byHour = { ...totals, refId: 'B', type: 'timeseries', maxDataPoints: 100 };

beforeAll(async () => {
  clickhouse = await startClickHouse({ dataDir });
  env = { NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url };
});
afterEach(endServings);
afterAll(async () => {
  await clickhouse.kill();
  folder.remove();
});

const ended = async (one: Serving): Promise<{ code: number | null; stderr: string }> => {
  one.child.kill('SIGTERM');
  return one.ended;
};

interface Results {
  results: Record<string, { frames: unknown[]; meta: { watermarkMs: number | null } }>;
}
const answerOf = async (one: Serving, request: object): Promise<Results> => {
  const answer = await one.query(request);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Results;
};

describe('netspectra api', () => {
  it('needs a server: one line and exit code 2 without', async () => {
    const alone = await run(['api', '--listen', '127.0.0.1:0']);
    expect(alone).toMatchObject({ code: 2, stdout: '' });
    expect(alone.stderr).toMatch(/^netspectra: api needs a ClickHouse server[^\n]*storage\.clickhouse\.url[^\n]*\n$/);
  });

  it('answers as `up` does, in several processes at once, and what one is told the others know', async () => {
    const up = await startServing(readArgs, { env });
    await until('the capture is read', () => up.stderr().includes('"capture read"'));
    const apis = await Promise.all([1, 2].map(() => startServing(['api'], { env })));
    const request = { ...range, queries: [totals, byHour] };
    const wanted = await answerOf(up, request);
    expect(wanted.results['A']!.frames.length).toBe(1);
    for (const api of apis) {
      const { results } = await answerOf(api, request);
      for (const id of ['A', 'B']) expect(results[id]!.frames).toEqual(wanted.results[id]!.frames);
      // How far the data goes: known here from the store alone.
      expect(results['A']!.meta.watermarkMs).toBe(wanted.results['A']!.meta.watermarkMs);
      expect(JSON.parse((await api.text('/healthz')).body)).toMatchObject({ status: 'ok', dependencies: [] });
      expect(await api.text('/readyz')).toMatchObject({
        status: 200,
        body: expect.stringMatching(/^store: ok/) as string,
      });
      const metrics = (await api.text('/metrics')).body;
      expect(metrics).toMatch(/^netspectra_api_query_duration_seconds_count\{table="\w+"\} [1-9]/m);
      expect(metrics).not.toContain('netspectra_packets_stored_total');
    }
    const [one, other] = apis as [Serving, Serving];
    const rule = { name: 'edge', probes: ['edge-*'], filter: 'udp', action: { type: 'drop' }, priority: 5 };
    const made = await fetch(`${one.url}/api/v1/capture-rules`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rule),
    });
    expect(made.status, await made.clone().text()).toBe(201);
    const { id } = (await made.json()) as { id: string };
    for (const process of [other, up]) {
      expect(JSON.parse((await process.text(`/api/v1/capture-rules/${id}`)).body)).toMatchObject(rule);
    }
    for (const process of [up, ...apis]) expect(await ended(process)).toMatchObject({ code: 0 });
  });

  it('lets the server stop a query whose client left, and its own when it is told to end', async () => {
    const api = await startServing(['api'], { env });
    const request = { ...range, queries: [totals] };
    for (const leave of ['client', 'process'] as const) {
      await clickhouse.fail({ match: 'protocol', instead: endless });
      const abort = new AbortController();
      const answer = api.query(request, abort.signal).then(
        ({ status }) => status,
        () => 'left',
      );
      await until('the server works on it', async () => (await clickhouse.running()) > 0);
      if (leave === 'client') abort.abort();
      else api.child.kill('SIGTERM');
      await until('the server stopped it', async () => (await clickhouse.running()) === 0, 10_000);
      expect(['left', 200, 499, 503]).toContain(await answer);
    }
    expect(await api.ended).toMatchObject({ code: 0 });
  });

  it('says that it is not ready while the server is away, and goes on when it is back', async () => {
    const api = await startServing(['api'], { env });
    await clickhouse.kill();
    await until('it says so', async () => (await api.text('/readyz')).status === 503);
    expect((await api.text('/readyz')).body).toMatch(/^store: failed/);
    expect((await api.text('/healthz')).status).toBe(200);
    const refused = await api.query({ ...range, queries: [totals] });
    expect([200, 503]).toContain(refused.status);
    expect(await refused.text()).toContain('the store does not answer');
    clickhouse = await startClickHouse({ dataDir, port: clickhouse.port });
    // What was found is used again for a second.
    await until('it is ready again', async () => (await api.text('/readyz')).status === 200);
    await answerOf(api, { ...range, queries: [totals] });
    expect(await ended(api)).toMatchObject({ code: 0 });
  });
});

describe('warnings on standard error', () => {
  it('there are none in a run of `up --once`, embedded or over a server', async () => {
    const embedded = await run([
      ...readArgs,
      '--once',
      '--again',
      '--data',
      join(folder.path, 'data'),
      '--listen',
      '127.0.0.1:0',
    ]);
    expect(embedded).toMatchObject({ code: 0, stdout: '' });
    expect(warningsOf(embedded.stderr)).toEqual([]);
    const remote = await run([...readArgs, '--once', '--again', '--listen', '127.0.0.1:0'], { env });
    expect(remote).toMatchObject({ code: 0, stdout: '' });
    expect(warningsOf(remote.stderr)).toEqual([]);
  });

  it('there are none from an API process under 200 requests of up to 16 queries, some of them left', async () => {
    const api = await startServing(['api'], { env });
    const many = Array.from({ length: 16 }, (_, i) => ({ ...(i % 2 ? totals : byHour), refId: `Q${i}` }));
    let at = 0;
    const client = async (): Promise<void> => {
      for (let i = at++; i < 200; i = at++) {
        const abort = new AbortController();
        if (i % 20 === 7) setTimeout(() => abort.abort(), 5);
        const queries = i % 10 === 0 ? many : [{ ...totals, filter: 'dst_port = 53' }];
        const answer = await api.query({ ...range, queries }, abort.signal).catch(() => null);
        await answer?.text().catch(() => '');
        if (answer && !abort.signal.aborted) expect(answer.status).toBe(200);
      }
    };
    await Promise.all(Array.from({ length: 6 }, client));
    const { code, stderr } = await ended(api);
    expect(code).toBe(0);
    expect(warningsOf(stderr)).toEqual([]);
  });

  it('names of its own: ns-api is `netspectra api`', async () => {
    const { spawnSync } = await import('node:child_process');
    const help = spawnSync(process.execPath, [join(repository, 'backend/bin/ns-api.js'), '--help'], {
      encoding: 'utf8',
    });
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain('over a ClickHouse server');
  });
});
