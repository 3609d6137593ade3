/** What holds for every route: names of requests, forms of answers, what may be kept, and problems for all that goes wrong. */
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { answerClientError } from './client-errors.js';
import { matchesTag } from './caching.js';
import { openTestApi } from './testing.js';
import type { TestApi } from './testing.js';

const start = 1_700_000_000;
const range = { from: start * 1000, to: (start + 60) * 1000 };
const rangeText = `from=${range.from}&to=${range.to}`;
let t: TestApi;
let address: string;

beforeAll(async () => {
  t = await openTestApi(
    {
      p1: {
        flows: Array.from({ length: 60 }, (_, i) => ({
          window_start: start,
          window_seconds: 10,
          flow_id: BigInt(i + 1),
          client_ip: `::ffff:10.0.0.${i + 1}`,
          server_ip: '2001:db8::1',
          server_port: 443,
          protocol: 6,
          client_packets: 2,
          client_bytes: 100 * (i + 1),
          server_packets: 1,
          server_bytes: 10,
          first: `${start}.000000${String(i).padStart(3, '0')}`,
          last: `${start + 1}.0`,
        })),
        dns: ['=cmd|calc', 'www.example.org', '@x'].map((name, i) => ({
          timestamp: `${start + i}.5`,
          client_ip: '::ffff:10.0.0.1',
          queries: 1,
          name,
          rcode: 'NOERROR',
        })),
        probe_stats: [
          {
            timestamp: `${start + 30}.0`,
            source: 'a.pcap',
            partitions: 1,
            position: 4242,
            complete: 1,
            first_packet: `${start}.0`,
            last_packet: `${start + 30}.0`,
            packets: 183,
            bytes: 20_000,
            decoded: 180,
            undecodable: 3,
            kernel_dropped: 7,
            flows_live: 60,
            reasons: "{'ipv4-cut':3}",
          },
        ],
      },
    },
    {
      deps: {
        status: () => ({
          dependencies: [],
          watermarkMs: null,
          samplingRate: 1,
          engines: [
            {
              id: 'p1',
              state: 'idle',
              source: null,
              workers: 2,
              packetsRead: 0,
              packetsStored: 183,
              bytesStored: 20_000,
              limits: { flows_folded: 0 },
            },
          ],
        }),
      },
    },
  );
  ({ address } = await t.api.start());
});
afterAll(async () => t?.close());

const ask = (query: object, headers: Record<string, string> = {}, to = range.to) =>
  fetch(`${address}/api/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ ...range, to, queries: [{ refId: 'A', ...query }] }),
  });
const table = { type: 'table', measures: ['bytes', 'packets'], groupBy: ['client_ip'], limit: 2 };

/** Send bytes as they are; what comes back until the server closes. */
const raw = (text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(address).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (bytes) => (answer += bytes.toString('latin1')));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
  });

describe('request ids', () => {
  test.each([
    ['abcdefgh-1', true],
    ['a'.repeat(64), true],
    ['short', false],
    ['a'.repeat(65), false],
    ['has spaces in it', false],
    ['-begins-wrongly', false],
  ])('%s', async (id, kept) => {
    const answer = await fetch(`${address}/api/v1/nothing`, { headers: { 'x-request-id': id } });
    const given = answer.headers.get('x-request-id');
    expect(given === id).toBe(kept);
    expect(given).toMatch(/^[A-Za-z0-9._-]{8,64}$/);
    expect(await answer.json()).toMatchObject({ request_id: given });
  });
});

describe('forms of an answer', () => {
  test('a query as CSV', async () => {
    const answer = await ask(table, { accept: 'text/csv' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(await answer.text()).toBe('client_ip,bytes,packets\r\n10.0.0.60,6010,3\r\n10.0.0.59,5910,3\r\n');
  });

  test('a time series as NDJSON is one line for each time and group', async () => {
    const answer = await ask(
      {
        type: 'timeseries',
        measures: ['bytes'],
        groupBy: ['protocol'],
        filter: 'server_port = 443',
        intervalMs: 10_000,
      },
      { accept: 'application/x-ndjson' },
      (start + 20) * 1000,
    );
    const lines = (await answer.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual([
      { time: start * 1000, protocol: 'tcp', bytes: 183_600 },
      { time: (start + 10) * 1000, protocol: 'tcp', bytes: 0 },
    ]);
  });

  test('names from the wire are no formulas', async () => {
    const answer = await ask(
      { type: 'table', measures: ['dns_queries'], groupBy: ['dns_name'] },
      { accept: 'text/csv' },
    );
    const text = await answer.text();
    expect(text).toContain("\r\n'=cmd|calc,1\r\n");
    expect(text).toContain("\r\n'@x,1\r\n");
  });

  test.each([
    ['an unknown form', { accept: 'text/html' }, [table], 406, 'not-acceptable', '#/header/accept'],
    ['two queries in one file', { accept: 'text/csv' }, [table, table], 406, 'not-acceptable', '#/queries/1'],
    [
      'a query that fails',
      { accept: 'text/csv' },
      [{ ...table, measures: ['byts'] }],
      400,
      'query',
      '#/queries/0/measures/0',
    ],
  ])('%s is a problem', async (_name, headers, queries, status, kind, pointer) => {
    const answer = await fetch(`${address}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ ...range, queries: queries.map((query, i) => ({ refId: `q${i}`, ...query })) }),
    });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ]);
    expect(await answer.json()).toMatchObject({ type: `urn:netspectra:problem:${kind}`, errors: [{ pointer }] });
  });

  test('flows as CSV, all of them, oldest first when asked', async () => {
    const answer = await fetch(`${address}/api/v1/flows?${rangeText}&order=asc`, { headers: { accept: 'text/csv' } });
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="flows.csv"');
    const lines = (await answer.text()).split('\r\n');
    expect(lines).toHaveLength(62);
    expect(lines[0]).toMatch(/^flow_id,probe,first,last,duration,client_ip,client_port,server_ip,/);
    expect(lines[1]).toMatch(/^1,p1,2023-11-14T22:13:20\.000Z,/);
  });

  test('mistakes of an export are problems, not files', async () => {
    const answer = await fetch(`${address}/api/v1/flows?${rangeText}&filter=x`, { headers: { accept: 'text/csv' } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      400,
      'application/problem+json; charset=utf-8',
    ]);
    const page = await fetch(`${address}/api/v1/flows?${rangeText}&limit=10001`);
    expect([page.status, await page.json()]).toMatchObject([400, { errors: [{ pointer: '#/limit' }] }]);
  });

  test('large answers are compressed, small ones and event streams are not', async () => {
    const large = await t.api.app.inject({ url: '/api/v1/dimensions', headers: { 'accept-encoding': 'gzip' } });
    expect(large.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(large.rawPayload).toString('utf8'))).toHaveProperty('dimensions');
    expect(String(large.headers['vary'])).toContain('accept-encoding');
    const small = await t.api.app.inject({ url: '/healthz', headers: { 'accept-encoding': 'gzip' } });
    expect(small.headers['content-encoding']).toBeUndefined();
    const csv = await t.api.app.inject({
      url: `/api/v1/flows?${rangeText}`,
      headers: { accept: 'text/csv', 'accept-encoding': 'gzip' },
    });
    expect(gunzipSync(csv.rawPayload).toString('utf8')).toContain('2001:db8::1');
    const stop = new AbortController();
    const live = await fetch(`${address}/api/v1/live`, { headers: { 'accept-encoding': 'gzip' }, signal: stop.signal });
    expect(live.headers.get('content-encoding')).toBeNull();
    stop.abort();
  });
});

describe('what may be kept', () => {
  const final = (start + 20) * 1000;

  test('an answer has a tag over what it says, and 304 for who has it', async () => {
    for (const [path, init] of [
      [`/api/v1/flows?from=${range.from}&to=${final}`, {}],
      ['/api/v1/dimensions', {}],
      ['/api/v1/measures', {}],
      ['/openapi.json', {}],
      [`/api/v1/values?dimension=client_ip&${rangeText}`, {}],
    ] as const) {
      const first = await fetch(address + path, init);
      const etag = first.headers.get('etag') ?? '';
      expect(etag, path).toMatch(/^W\/"[\w-]{22}"$/);
      const again = await fetch(address + path, { headers: { 'if-none-match': `"x", ${etag}` } });
      expect([again.status, await again.text(), again.headers.get('etag')], path).toEqual([304, '', etag]);
      const other = await fetch(address + path, { headers: { 'if-none-match': '"x"' } });
      expect(other.status).toBe(200);
      await other.text();
    }
  });

  test('queries too, though they are sent by POST: they only read', async () => {
    const etag = (await ask(table)).headers.get('etag') ?? '';
    expect((await ask(table)).headers.get('etag')).toBe(etag);
    expect((await ask(table, { 'if-none-match': etag })).status).toBe(304);
    expect((await ask({ ...table, limit: 3 }, { 'if-none-match': etag })).status).toBe(200);
  });

  test('final answers may be kept for a minute, others not at all', async () => {
    const control = async (path: string) => (await fetch(address + path)).headers.get('cache-control');
    expect(await control(`/api/v1/flows?from=${range.from}&to=${final}`)).toBe('private, max-age=60');
    expect(await control(`/api/v1/flows?${rangeText}`)).toBe('no-store');
    expect(await control(`/api/v1/values?dimension=vlan&from=${range.from}&to=${final}`)).toBe('private, max-age=60');
    expect(await control('/api/v1/measures')).toBe('private, max-age=300');
    expect(await control('/healthz')).toBe('no-store');
    expect((await ask(table, {}, final)).headers.get('cache-control')).toBe('private, max-age=60');
    expect((await ask(table)).headers.get('cache-control')).toBe('no-store');
  });

  test('tags are compared weakly (RFC 9110, 8.8.3.2)', () => {
    expect(matchesTag('W/"a"', '"a"')).toBe(true);
    expect(matchesTag('"b", W/"a"', 'W/"a"')).toBe(true);
    expect(matchesTag('*', 'W/"a"')).toBe(true);
    expect(matchesTag(undefined, 'W/"a"')).toBe(false);
    expect(matchesTag('a', 'W/"a"')).toBe(false);
  });
});

describe('what is refused before a handler', () => {
  test.each([
    ['DELETE', '/api/v1/query', 405, 'POST'],
    ['POST', '/api/v1/flows', 405, 'GET, HEAD'],
    ['PUT', '/healthz', 405, 'GET, HEAD'],
    ['OPTIONS', '/api/v1/measures', 405, 'GET, HEAD'],
    ['GET', '/api/v1/quer', 404, null],
    ['GET', '/api/v1/hosts/active/x', 404, null],
  ])('%s %s is %i', async (method, path, status, allow) => {
    const answer = await fetch(address + path, { method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([status, allow]);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await answer.json()).toMatchObject({ status });
  });

  test.each([
    ['text/plain', {}],
    ['application/x-www-form-urlencoded', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
  ])('a body as %s %j is 415', async (type, headers) => {
    const answer = await fetch(`${address}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': type, ...headers },
      body: '{}',
    });
    expect([answer.status, await answer.json()]).toMatchObject([415, { type: 'urn:netspectra:problem:media-type' }]);
  });

  test.each([
    [
      'headers that are too large',
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
    ['bytes that are no HTTP', 'hello\r\n\r\n', 400, 'malformed'],
    ['a method that is none', 'FROB / HTTP/1.1\r\nHost: localhost\r\n\r\n', 400, 'malformed'],
    [
      'two lengths',
      'POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
      400,
      'malformed',
    ],
  ])('%s: a problem, and the connection ends', async (_name, text, status, kind) => {
    const answer = await raw(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({
      type: `urn:netspectra:problem:${kind}`,
      status,
    });
  });

  test('a request that trickles in is 408', () => {
    const socket = {
      written: '',
      bytesWritten: 0,
      writable: true,
      destroyed: false,
      end: (text: string) => (socket.written = text),
    };
    const late = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    answerClientError(late, socket as unknown as Parameters<typeof answerClientError>[1]);
    expect(socket.written).toMatch(/^HTTP\/1\.1 408 [^]*urn:netspectra:problem:request-timeout/);
  });
});

describe('probes, engines and hosts', () => {
  test('probes tell what they read and lost', async () => {
    const { probes } = (await (await fetch(`${address}/api/v1/probes`)).json()) as { probes: object[] };
    expect(probes).toMatchObject([
      {
        id: 'p1',
        packets: 183,
        decoded: 180,
        drops: { kernel: 7, filtered: 0, undecodable: 3 },
        undecodable_reasons: { 'ipv4-cut': 3 },
        last_packet: (start + 30) * 1000,
        flows_live: 60,
        sources: [{ source: 'a.pcap', position: 4242, complete: true, partitions: 1, packets: 183, epoch: '1' }],
      },
    ]);
  });

  test('engines are those of this process', async () => {
    const { engines } = (await (await fetch(`${address}/api/v1/engines`)).json()) as { engines: object[] };
    expect(engines).toMatchObject([{ id: 'p1', state: 'idle', workers: 2, packets_stored: 183, flows_live: 60 }]);
    expect((engines[0] as { memory_bytes: number }).memory_bytes).toBeGreaterThan(1e6);
  });

  test('active hosts are the ends of recent flows', async () => {
    const get = async (query: string) =>
      (await (await fetch(`${address}/api/v1/hosts/active${query}`)).json()) as { hosts: object[]; truncated: boolean };
    const all = await get('?limit=2');
    expect(all).toMatchObject({
      truncated: true,
      from: (start - 270) * 1000,
      to: (start + 40) * 1000,
      hosts: [
        {
          address: '2001:db8::1',
          bytes: 183_600,
          bytes_received: 183_000,
          bytes_sent: 600,
          packets: 180,
          flows: 60,
          as_client: 0,
          first: start * 1000,
          last: (start + 1) * 1000,
        },
        { address: '10.0.0.60', bytes: 6010, bytes_sent: 6000, flows: 1, as_client: 1 },
      ],
    });
    const one = await get(`?filter=${encodeURIComponent('src_ip = 10.0.0.7')}`);
    expect(one.hosts).toMatchObject([{ address: '10.0.0.7' }, { address: '2001:db8::1', bytes_received: 700 }]);
    expect((await get('?seconds=5')).hosts).toEqual([]);
  });
});

test('many queries in one request leave no warning about listeners', async () => {
  const warnings: string[] = [];
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', onWarning);
  try {
    const queries = Array.from({ length: 26 }, (_, i) => ({ ...table, refId: `q${i}` }));
    await t.query({ ...range, queries });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  } finally {
    spy.mockRestore();
    process.off('warning', onWarning);
  }
});
