/**
 * What the datasource sends to its API, and what it makes of answers that a good API would not give: batches, headers,
 * limits, cancellation, and large frames.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PluginProcess, fakeApi, plainMeta, sendJson } from '../kit/plugin-host/index.js';
import type { AskedQuery, DatasourceOptions, FakeApi, FakeRequest } from '../kit/plugin-host/index.js';
import { until } from './process.js';

const from = Date.UTC(2026, 0, 1);
const to = from + 3_600_000;
let plugin: PluginProcess;
let api: FakeApi;
let answer: Parameters<typeof fakeApi>[0];

beforeAll(async () => {
  [plugin, api] = await Promise.all([PluginProcess.start(), fakeApi((request, response) => answer(request, response))]);
});
beforeEach(() => {
  api.requests.length = 0;
  answer = (request, response) => sendJson(response, 200, { results: resultsFor(request) });
});
afterAll(async () => {
  await plugin?.stop();
  await api?.stop();
  expect(plugin?.logMistakes).toEqual([]);
});

interface Body {
  readonly from: number;
  readonly to: number;
  readonly queries: readonly Record<string, unknown>[];
}

const bodyOf = ({ body }: FakeRequest): Body => JSON.parse(body) as Body;
const frameOf = (refId: string, values: number[]) => ({
  schema: {
    refId,
    meta: { type: 'timeseries-wide' },
    fields: [
      { name: 'time', type: 'time', typeInfo: { frame: 'time.Time' } },
      { name: 'bytes', type: 'number', typeInfo: { frame: 'float64', nullable: true } },
    ],
  },
  data: { values: [values.map((_, i) => from + i * 1_000), values] },
});
const resultsFor = (request: FakeRequest): object =>
  Object.fromEntries(
    bodyOf(request).queries.map(({ refId, limit }) => [
      refId,
      { frames: [frameOf(String(refId), [Number(limit)])], meta: plainMeta },
    ]),
  );

let updatedMs = 0;
const fresh = (more: Partial<DatasourceOptions> = {}): DatasourceOptions => ({
  url: api.url,
  updatedMs: (updatedMs += 1),
  ...more,
});
const series = (refId: string, more: object = {}, range: Partial<AskedQuery> = {}): AskedQuery => ({
  refId,
  from,
  to,
  query: { version: 1, type: 'timeseries', measures: ['bytes'], groupBy: [], ...more },
  ...range,
});
const sent = (): Record<string, unknown> => bodyOf(api.requests.at(-1)!).queries[0]!;

describe('batches', () => {
  test('queries of one range in one request, each answer under its own name', async () => {
    const names = ['A', '__proto__', 'a name with spaces that is longer than sixty-four characters, as Grafana allows'];
    const queries = [
      ...names.map((refId, i) => series(refId, { limit: i + 1 })),
      series('B', { limit: 9 }, { from: from + 1 }),
    ];
    const answers = await plugin.client.queryRaw(fresh(), queries);
    expect(api.requests).toHaveLength(2);
    expect(api.requests.map(({ method, url }) => [method, url])).toEqual([
      ['POST', '/api/v1/query'],
      ['POST', '/api/v1/query'],
    ]);
    expect(Object.keys(answers).sort()).toEqual([...names, 'B'].sort());
    const decoded = await plugin.client.query(fresh(), queries);
    expect(decoded['A']!.frames[0]).toMatchObject({ refId: 'A', fields: [{}, { values: [1] }] });
    expect(decoded[names[2]!]!.frames[0]!.fields[1]!.values).toEqual([3]);
    expect(decoded['B']!.frames[0]!.fields[1]!.values).toEqual([9]);
  });

  test('30 queries are two requests, as many as the API takes', async () => {
    const queries = Array.from({ length: 30 }, (_, i) => series(`Q${i}`, { limit: i + 1 }));
    const answers = await plugin.client.query(fresh(), queries);
    expect(api.requests.map((request) => bodyOf(request).queries.length).sort()).toEqual([26, 4].sort());
    expect(Object.values(answers).every(({ error, frames }) => error === '' && frames.length === 1)).toBe(true);
  });

  test('a query that the API refuses as a whole fails alone', async () => {
    answer = (request, response) => {
      const bad = bodyOf(request).queries.findIndex(({ limit }) => limit === 2);
      if (bad < 0) return sendJson(response, 200, { results: resultsFor(request) });
      const errors = [{ pointer: `#/queries/${bad}/groupBy/0`, detail: 'no such dimension' }];
      return sendJson(response, 400, { title: 'The request is not valid', status: 400, errors });
    };
    const answers = await plugin.client.query(
      fresh(),
      [1, 2, 3].map((limit) => series(`Q${limit}`, { limit })),
    );
    expect(answers['Q2']).toMatchObject({
      error: 'groupBy.0: no such dimension',
      status: 400,
      errorSource: 'downstream',
      frames: [],
    });
    expect([answers['Q1'], answers['Q3']].map((each) => each!.frames[0]!.fields[1]!.values)).toEqual([[1], [3]]);
  });

  test('mistakes stay with their query, and none fails the call', async () => {
    const answers = await plugin.client.query(fresh(), [
      series('good'),
      { refId: 'text', from, to, query: 'no JSON' },
      series('type', { type: 'pie' }),
      series('newer', { version: 99 }),
      series('variable', { filter: 'src_ip = $host' }),
      series('quoted', { filter: 'dns_name = "$host"' }),
      series('interval', { interval: 'often' }),
      series('limit', { limit: '10 rows' }),
      series('empty', {}, { to: from }),
    ]);
    const texts = Object.fromEntries(Object.entries(answers).map(([refId, { error }]) => [refId, error]));
    expect(texts).toMatchObject({
      good: '',
      text: 'the query is not JSON',
      type: expect.stringContaining('one of timeseries, table') as string,
      newer: expect.stringContaining('newer version') as string,
      variable: expect.stringContaining('filter: the variable $host has no value') as string,
      quoted: '',
      interval: expect.stringContaining('a duration such as 10s') as string,
      limit: expect.stringContaining('a whole number') as string,
      empty: 'the time range is empty',
    });
    expect(Object.values(answers).every(({ status, error }) => (error === '' ? status === 200 : status === 400))).toBe(
      true,
    );
  });
});

describe('what is asked', () => {
  test('macros have values, also where no browser was', async () => {
    const query = {
      filter: 'bytes > $__range_s and dns_name = "${__interval_ms}"',
      interval: '$__interval',
      compareTo: { offset: '$__range' },
    };
    await plugin.client.alertQuery(fresh(), [series('A', query, { intervalMs: 15_000 })]);
    expect(sent()).toMatchObject({
      filter: 'bytes > 3600 and dns_name = "15000"',
      intervalMs: 15_000,
      compareTo: { offset: '1h' },
    });
  });

  test('as many points as the panel has room for, none narrower than its interval', async () => {
    await plugin.client.query(fresh(), [series('A', {}, { maxDataPoints: 1_000, intervalMs: 10_000 })]);
    expect(sent()).toMatchObject({ maxDataPoints: 360 });
    await plugin.client.query(fresh(), [series('A', { interval: 'auto' }, { maxDataPoints: 100 })]);
    expect(sent()).toMatchObject({ maxDataPoints: 100 });
    await plugin.client.query(fresh({ jsonData: { limits: { rows: 1_100 } } }), [
      series('A', { groupBy: ['src_ip'], other: true }),
    ]);
    expect(sent()).toMatchObject({ maxDataPoints: 100, groupBy: ['src_ip'] });
  });

  test('a query written by hand has defaults', async () => {
    await plugin.client.query(fresh(), [{ from, to, query: {} }]);
    expect(sent()).toMatchObject({ type: 'timeseries', measures: ['bits_per_second'] });
  });

  test('the token, the headers that are set, and for whom it is', async () => {
    const jsonData = { httpHeaderName1: 'X-Tenant', httpHeaderName2: 'X-Other' };
    const secure = { token: 'tok', httpHeaderValue1: 'one', httpHeaderValue2: 'two' };
    const headers = { Authorization: 'Bearer of-the-user', 'X-ID-Token': 'id', Cookie: 'c=1' };
    await plugin.client.query(fresh({ jsonData, secure, user: { login: 'ann', role: 'Viewer' } }), [series('A')], {
      headers,
    });
    expect(api.requests[0]!.headers).toMatchObject({
      authorization: 'Bearer tok',
      'x-tenant': 'one',
      'x-other': 'two',
      'x-grafana-user': 'ann',
      'content-type': 'application/json',
    });
    expect(api.requests[0]!.headers).not.toHaveProperty('cookie');
    expect(api.requests[0]!.headers).not.toHaveProperty('x-id-token');
    await plugin.client.query(fresh({ jsonData: { oauthPassThru: true }, secure }), [series('A')], { headers });
    expect(api.requests[1]!.headers).toMatchObject({ authorization: 'Bearer of-the-user', 'x-id-token': 'id' });
    await plugin.client.query(fresh({ basicAuthUser: 'u', secure: { basicAuthPassword: 'p' } }), [series('A')], {
      headers,
    });
    expect(api.requests[2]!.headers).toMatchObject({ authorization: `Basic ${Buffer.from('u:p').toString('base64')}` });
  });

  test('settings that changed count at once, and each organisation has its own', async () => {
    const same = { url: api.url, updatedMs: 1_000_000, uid: 'x', secure: { token: 'one' } };
    const token = async (datasource: DatasourceOptions): Promise<unknown> => {
      await plugin.client.query(datasource, [series('A')]);
      return api.requests.at(-1)!.headers.authorization;
    };
    expect(await token(same)).toBe('Bearer one');
    expect(await token({ ...same, secure: { token: 'two' }, updatedMs: 1_000_001 })).toBe('Bearer two');
    expect(await token({ ...same, orgId: 2, secure: { token: 'three' } })).toBe('Bearer three');
    expect(await token({ ...same, secure: { token: 'two' }, updatedMs: 1_000_001 })).toBe('Bearer two');
  });
});

describe('bounds', () => {
  test('of time range and rows', async () => {
    const datasource = fresh({ jsonData: { limits: { rangeHours: 1, rows: 5 } } });
    const long = await plugin.client.query(datasource, [series('A', {}, { to: to + 1 })]);
    expect(long['A']).toMatchObject({
      status: 400,
      error: 'the time range is longer than the 1 hours that this datasource allows',
    });
    answer = (_, response) =>
      sendJson(response, 200, { results: { q0: { frames: [frameOf('q0', [1, 2, 3, 4, 5, 6])], meta: plainMeta } } });
    const wide = await plugin.client.query(datasource, [series('A')]);
    expect(wide['A']).toMatchObject({
      status: 422,
      error: 'the answer has 6 rows, and this datasource allows 5; ask for less',
    });
    const lowered = { type: 'table', groupBy: ['src_ip'], limit: 100 };
    answer = (request, response) => sendJson(response, 200, { results: resultsFor(request) });
    const table = await plugin.client.query(datasource, [series('A', lowered)]);
    expect(sent()).toMatchObject({ limit: 5 });
    expect(table['A']!.frames[0]!.meta.notices).toContainEqual({
      severity: 'warning',
      text: 'limit lowered to 5, the most this datasource allows',
    });
  });

  test('of requests at once: the others wait, and are answered', async () => {
    const datasource = fresh({ jsonData: { limits: { requests: 2 } } });
    let open = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    answer = async (request, response) => {
      most = Math.max(most, (open += 1));
      await new Promise<void>((resolve) => waiting.push(resolve));
      open -= 1;
      sendJson(response, 200, { results: resultsFor(request) });
    };
    const all = Promise.all(Array.from({ length: 6 }, () => plugin.client.query(datasource, [series('A')])));
    for (let released = 0; released < 6; released += 1) {
      await until('a request waits for its answer', () => waiting.length > 0);
      waiting.shift()!();
    }
    expect((await all).every(({ A }) => A!.status === 200)).toBe(true);
    expect(most).toBe(2);
  });

  test('redirects are not followed', async () => {
    const other = await fakeApi((_, response) => sendJson(response, 200, {}));
    answer = (_, response) => void response.writeHead(307, { location: `${other.url}/api/v1/query` }).end();
    const answers = await plugin.client.query(fresh(), [series('A')]);
    expect(answers['A']).toMatchObject({
      status: 502,
      errorSource: 'downstream',
      error: expect.stringContaining('redirects to') as string,
    });
    expect(other.requests).toEqual([]);
    await other.stop();
  });

  test('answers that are none', async () => {
    const asked = async (status: number, body: string) => {
      answer = (_, response) => void response.writeHead(status, { 'content-type': 'text/html' }).end(body);
      return (await plugin.client.query(fresh(), [series('A')]))['A']!;
    };
    expect(await asked(200, '<html>')).toMatchObject({
      status: 502,
      error: expect.stringContaining('no JSON') as string,
    });
    expect(await asked(404, '<html>')).toMatchObject({
      status: 502,
      error: expect.stringContaining('is the URL right') as string,
    });
    expect(await asked(200, '{}')).toMatchObject({ status: 502 });
    expect(await asked(200, '{"results":{"q0":{"frames":[{}],"meta":{}}}}')).toMatchObject({
      error: expect.stringMatching(/./) as string,
    });
    expect(await asked(200, 'null')).toMatchObject({ error: expect.stringMatching(/./) as string });
    await plugin.client.ping();
  });
});

describe('cancellation', () => {
  const waits = async (): Promise<FakeRequest> => {
    await until('the API is asked', () => api.requests.length === 1);
    return api.requests[0]!;
  };

  test('a panel that is left ends the request to the API', async () => {
    answer = () => undefined;
    const control = new AbortController();
    const asked = plugin.client.query(fresh(), [series('A')], { signal: control.signal });
    asked.catch(() => undefined);
    const request = await waits();
    control.abort();
    await request.closed;
    await expect(asked).rejects.toMatchObject({ code: 1 });
  });

  test('so does a deadline', async () => {
    answer = () => undefined;
    const asked = plugin.client.query(fresh(), [series('A')], { deadlineMs: 500 });
    asked.catch(() => undefined);
    await (
      await waits()
    ).closed;
    await expect(asked).rejects.toMatchObject({ code: 4 });
  });

  test('the datasource’s own timeout is an error of the query', async () => {
    answer = () => undefined;
    const answers = await plugin.client.query(fresh({ jsonData: { timeout: 1 } }), [series('A')]);
    expect(answers['A']).toMatchObject({
      status: 504,
      errorSource: 'downstream',
      error: expect.stringContaining('within 1 s') as string,
    });
    await (
      await waits()
    ).closed;
  });
});

test('a million points pass in bounded time and memory', async () => {
  const values = Array.from({ length: 1_000_000 }, (_, i) => i / 7);
  const text = JSON.stringify({ results: { q0: { frames: [frameOf('q0', values)], meta: plainMeta } } });
  answer = (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  const begin = performance.now();
  const answers = await plugin.client.queryRaw(fresh({ jsonData: { limits: { rows: 1_000_000 } } }), [series('A')]);
  const ms = performance.now() - begin;
  const bytes = answers['A']!.frames[0]!.length;
  expect(bytes).toBeGreaterThan(16_000_000);
  expect(bytes).toBeLessThan(17_500_000);
  expect(ms).toBeLessThan(15_000);
  const memory = Number(/^netspectra_plugin_memory_bytes (\d+)$/m.exec(await plugin.client.metrics())?.[1]);
  console.log(
    `1M points: ${text.length} bytes of JSON to ${bytes} of Arrow in ${Math.round(ms)} ms, RSS ${Math.round(memory / 1e6)} MB`,
  );
  expect(memory).toBeLessThan(700_000_000);
});

test('alerts, in the fields of annotations', async () => {
  const alert = {
    id: 'e1',
    kind: 'detector',
    source: 'port_scan',
    name: 'Port scan, many',
    severity: 'warning',
    state: 'firing',
    labels: { src_ip: '10.0.0.1', note: 'a,b' },
    value: 12,
    threshold: null,
    startedAtMs: from + 5_000,
    endedAtMs: null,
    changedAtMs: from,
    summary: '<b>10.0.0.1</b> scans',
  };
  answer = ({ url }, response) =>
    sendJson(response, 200, url.startsWith('/api/v1/alerts') ? { alerts: [alert], next: 'more' } : {});
  const query = {
    version: 1,
    queryType: 'alerts',
    limit: 1,
    alerts: { kind: 'detector', search: 'scan & more', other: 'x' },
  };
  const { A } = await plugin.client.query(fresh(), [{ from, to, query }]);
  expect(api.requests.map(({ url }) => url)).toEqual([
    `/api/v1/alerts?from=${from}&to=${to}&limit=1&kind=detector&search=scan+%26+more`,
  ]);
  const [frame] = A!.frames;
  expect(Object.fromEntries(frame!.fields.map(({ name, values }) => [name, values[0]]))).toEqual({
    time: BigInt(from + 5_000) * 1_000_000n,
    timeEnd: null,
    title: 'Port scan, many',
    text: '<b>10.0.0.1</b> scans',
    tags: 'detector,warning,firing,src_ip=10.0.0.1,note=a b',
    id: 'e1',
    kind: 'detector',
    source: 'port_scan',
    severity: 'warning',
    state: 'firing',
    value: 12,
    threshold: null,
  });
  expect(frame!.meta.notices).toEqual([{ severity: 'info', text: 'only the latest 1 alerts are shown' }]);
});
