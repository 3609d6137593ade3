/** The API over the real embedded store: every route, every kind of answer, every kind of problem. */
import { Ajv } from 'ajv';
import { createServer } from 'node:net';
import { request as httpRequest } from 'node:http';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dimensions, measures } from '@netspectra/query';
import type { Frame } from '@netspectra/query';
import { UserError } from '../errors.js';
import { requireRoles } from './access/index.js';
import { createApi } from './server.js';
import { frameRows, openTestApi } from './testing.js';
import type { TestApi } from './testing.js';
import { metaSchema, problemSchema, queryResponseSchema } from './schemas/index.js';
import fastify from 'fastify';

const start = 1_700_000_000;
const range = { from: start * 1000, to: (start + 60) * 1000 };
const rangeText = `from=${range.from}&to=${range.to}`;

/** Registers of a HyperLogLog (p = 12) that has seen these 64-bit hashes: index from the top bits, then leading zeros. */
function registersOf(hashes: Iterable<bigint>): number[] {
  const registers = new Array<number>(4096).fill(0);
  for (const hash of hashes) {
    const rest = hash & ((1n << 52n) - 1n);
    const rank = 52 - (rest === 0n ? 0 : rest.toString(2).length) + 1;
    const index = Number(hash >> 52n);
    registers[index] = Math.max(registers[index]!, rank);
  }
  return registers;
}
/** SplitMix64 (Steele, Lea, Flood 2014). */
function hash(n: number): bigint {
  const mask = (1n << 64n) - 1n;
  let z = (BigInt(n) * 0x9e3779b97f4a7c15n) & mask;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return z ^ (z >> 31n);
}
const hashes = (from: number, to: number): bigint[] => Array.from({ length: to - from }, (_, i) => hash(from + i));

/** Delays and failures of the store, switched on by tests. */
const store = { hold: undefined as ((signal: AbortSignal) => Promise<void>) | undefined, held: 0 };
let t: TestApi;

beforeAll(async () => {
  const sketch = (window: number, subject: string, values: bigint[]) => ({
    window_start: start + window,
    window_seconds: 10,
    sketch: 'hll',
    subject,
    log2_width: 12,
    registers: `[${registersOf(values).join(',')}]`,
  });
  t = await openTestApi(
    {
      p1: {
        flows: Array.from({ length: 25 }, (_, i) => ({
          window_start: start + 10 * (i % 3),
          window_seconds: 10,
          // Twelve flows in two or three windows each; ids need all of their 64 bits.
          flow_id: (1n << 63n) + BigInt(i % 12),
          client_ip: `::ffff:10.0.0.${(i % 12) + 1}`,
          server_ip: '2001:db8::1',
          client_port: 40_000 + (i % 12),
          server_port: 443,
          protocol: 6,
          vlan: 7,
          application: i < 12 ? '' : 'tls',
          client_packets: 2,
          client_bytes: 200,
          server_packets: 1,
          server_bytes: 1000,
          first: `${start + Math.floor((i % 12) / 2)}.${i % 2 === 0 ? '250000000' : '750000000'}`,
          last: `${start + i}.500000000`,
          rtt_ns: i < 12 ? 1_000_000 : 0,
        })),
        traffic: [
          {
            window_start: start,
            window_seconds: 1,
            protocol: 6,
            ip_version: 4,
            application: 'tls',
            packets: 75,
            bytes: 30_000,
          },
          {
            window_start: start + 5,
            window_seconds: 1,
            protocol: 17,
            ip_version: 6,
            application: 'dns',
            packets: 2,
            bytes: 200,
          },
          { window_start: start + 6, window_seconds: 1, ip_version: 4, protocol: 250, packets: 1, bytes: 60 },
        ],
        tcp_health: [
          {
            window_start: start,
            window_seconds: 1,
            tcp_packets: 75,
            rtt_count: 10,
            rtt_sum_ns: 10_000_000,
            rtt_histogram: '[0,0,0,4,0,6]',
          },
        ],
        sketches: [
          sketch(0, 'src_ip', hashes(0, 3000)),
          sketch(10, 'src_ip', hashes(1500, 5000)),
          sketch(0, 'dst_ip', hashes(0, 10)),
        ],
        dns: [
          {
            timestamp: `${start + 1}.5`,
            client_ip: '::ffff:10.0.0.1',
            queries: 1,
            responses: 1,
            name: 'www.example.org',
            type: 'A',
            rcode: 'NOERROR',
            latency_ns: 2_000_000,
          },
        ],
        probe_stats: [
          {
            timestamp: `${start + 30}.0`,
            first_packet: `${start}.0`,
            last_packet: `${start + 30}.0`,
            packets: 78,
            kernel_dropped: 3,
            undecodable: 2,
            flows_folded: 1,
            late_packets: 4,
          },
        ],
      },
    },
    {
      config: { limits: { rowsMax: 2000, bodyBytesMax: 20_000, rangeSecondsMax: 86_400, concurrency: 2 } },
      wrap: (real) => ({
        query: async (sql, params, options) => {
          if (store.hold && !sql.includes('probe_stats')) {
            store.held += 1;
            await store.hold(options.signal);
          }
          return real.query(sql, params, options);
        },
      }),
    },
  );
});
afterAll(async () => t?.close());

const one = async (query: object) => (await t.query({ ...range, queries: [{ refId: 'A', ...query }] }))['A']!;
const rowsFor = async (query: object) => {
  const result = await one(query);
  expect(result.error, result.error).toBeUndefined();
  return frameRows(result.frames[0]);
};
const fieldOf = (frame: Frame | undefined, name: string) => frame?.schema.fields.find((field) => field.name === name);

describe('POST /api/v1/query', () => {
  test('takes the cheapest table and says so', async () => {
    const tableOf = async (query: object) => (await one(query)).meta.tables;
    expect(await tableOf({ type: 'table', measures: ['bytes'] })).toEqual(['traffic']);
    expect(await tableOf({ type: 'table', measures: ['bytes'], groupBy: ['protocol', 'vlan'] })).toEqual(['traffic']);
    expect(await tableOf({ type: 'table', measures: ['bytes'], groupBy: ['src_ip'] })).toEqual(['flows']);
    expect(await tableOf({ type: 'table', measures: ['bytes'], filter: 'server_port = 443' })).toEqual(['flows']);
    expect(await tableOf({ type: 'table', measures: ['rtt_p95'] })).toEqual(['tcp_health']);
    expect(await tableOf({ type: 'table', measures: ['rtt_p95'], groupBy: ['client_ip'] })).toEqual(['flows']);
    expect(await tableOf({ type: 'table', measures: ['dns_queries'], groupBy: ['dns_name'] })).toEqual(['dns']);
    // Flows over DNS rows would only be the flows that spoke DNS.
    expect(await tableOf({ type: 'table', measures: ['flows'] })).toEqual(['flows']);
    expect(await tableOf({ type: 'table', measures: ['flows'], groupBy: ['dns_name'] })).toEqual(['dns']);
  });

  test('every measure and every dimension can be asked for', async () => {
    const queries = [
      ...measures.map(({ id }) => ({ type: 'timeseries', measures: [id], intervalMs: 10_000 })),
      ...dimensions.map((dimension) => {
        const sources: object = dimension.sources;
        const measure =
          'traffic' in sources || 'flows' in sources
            ? 'bytes'
            : 'dns' in sources
              ? 'dns_queries'
              : 'http' in sources
                ? 'http_requests'
                : 'tls_client_hellos';
        return { type: 'table', measures: [measure], groupBy: [dimension.id], other: true, limit: 3 };
      }),
    ];
    for (let i = 0; i < queries.length; i += 20) {
      const part = queries.slice(i, i + 20).map((query, k) => ({ refId: `q${i + k}`, ...query }));
      for (const [refId, result] of Object.entries(await t.query({ ...range, queries: part }))) {
        expect(
          result.error,
          `${JSON.stringify(part.find((each) => each.refId === refId))}: ${result.error}`,
        ).toBeUndefined();
      }
    }
  });

  test('shows addresses, protocols, absent values and units as people read them', async () => {
    const bySource = await rowsFor({ type: 'table', measures: ['bytes'], groupBy: ['src_ip'], limit: 2 });
    expect(bySource).toEqual([
      { src_ip: '2001:db8::1', bytes: 25_000 },
      { src_ip: '10.0.0.1', bytes: 600 },
    ]);
    const byProtocol = await one({ type: 'table', measures: ['bits_per_second'], groupBy: ['protocol'] });
    expect(frameRows(byProtocol.frames[0]).map((row) => row['protocol'])).toEqual(['tcp', 'udp', '250']);
    expect(fieldOf(byProtocol.frames[0], 'bits_per_second')?.config?.unit).toBe('bps');
    const display = await one({ type: 'table', measures: ['rtt_avg'], units: 'display' });
    expect(fieldOf(display.frames[0], 'rtt_avg')?.config?.unit).toBe('ms');
    expect(frameRows(display.frames[0])[0]?.['rtt_avg']).toBe(1);
  });

  test('estimates a quantile from a histogram with its bounds', async () => {
    const [row] = await rowsFor({ type: 'table', measures: ['rtt_p50', 'rtt_p95'] });
    // Sixth smallest of ten: in [32, 64) microseconds.
    expect(row).toMatchObject({ rtt_p50_lower: 32_000, rtt_p50_upper: 64_000, rtt_p95_lower: 32_000 });
    for (const id of ['rtt_p50', 'rtt_p95']) {
      expect(Number(row?.[id])).toBeGreaterThan(32_000);
      expect(Number(row?.[id])).toBeLessThan(64_000);
    }
    expect((await one({ type: 'table', measures: ['rtt_p50'] })).meta.errorBounds).toEqual([
      { measure: 'rtt_p50', kind: 'relative', error: 1, confidence: 1 },
    ]);
  });

  test('merges sketches over time, and says how far off it may be', async () => {
    const result = await one({ type: 'table', measures: ['distinct_src_ip', 'distinct_dst_ip'] });
    expect(result.meta.tables).toEqual(['sketches']);
    const [row] = frameRows(result.frames[0]);
    expect(Math.abs(Number(row?.['distinct_src_ip']) - 5000)).toBeLessThan(5000 * 0.0325);
    expect(Number(row?.['distinct_src_ip_lower'])).toBeLessThan(Number(row?.['distinct_src_ip']));
    expect(Number(row?.['distinct_src_ip_upper'])).toBeGreaterThan(Number(row?.['distinct_src_ip']));
    expect(row?.['distinct_dst_ip']).toBe(10);
    expect(result.meta.errorBounds).toMatchObject([
      { measure: 'distinct_src_ip', kind: 'relative', error: 0.0325, confidence: 0.95 },
      { measure: 'distinct_dst_ip' },
    ]);
    const series = await one({ type: 'timeseries', measures: ['distinct_src_ip'], intervalMs: 10_000 });
    const [, values] = series.frames[0]!.data.values;
    expect(Math.abs(Number(values?.[0]) - 3000)).toBeLessThan(3000 * 0.0325);
    expect(values?.[2]).toBe(0);
    // No sketch of it, or a dimension: counted exactly over flows.
    const exact = await one({ type: 'table', measures: ['distinct_client_ip'] });
    expect([exact.meta.tables, frameRows(exact.frames[0])]).toEqual([['flows'], [{ distinct_client_ip: 12 }]]);
    expect((await one({ type: 'table', measures: ['distinct_src_ip'], groupBy: ['vlan'] })).meta.tables).toEqual([
      'flows',
    ]);
  });

  test('raises an interval that is finer than the rows, and says so', async () => {
    const result = await one({ type: 'timeseries', measures: ['bytes'], groupBy: ['client_ip'], intervalMs: 1000 });
    expect(result.meta).toMatchObject({ intervalMs: 10_000 });
    expect(result.frames[0]?.schema.meta?.notices?.[0]?.text).toContain('the interval is 10 s');
    const many = await one({
      type: 'timeseries',
      measures: ['bytes'],
      groupBy: ['vlan'],
      intervalMs: 1000,
      limit: 500,
    });
    expect(Number(many.meta['intervalMs'])).toBeGreaterThan(1000);
    expect(many.frames[0]?.schema.meta?.notices?.[0]?.text).toContain('too many');
  });

  test('says so when a total is of a longer range than was asked for', async () => {
    const ask = async (fromSecond: number, toSecond: number, more: object) => {
      const { A } = await t.query({
        from: (start + fromSecond) * 1000,
        to: (start + toSecond) * 1000,
        queries: [{ refId: 'A', measures: ['bytes'], groupBy: ['client_ip'], limit: 100, ...more }],
      });
      return A?.frames[0]?.schema.meta?.notices?.map(({ text }) => text) ?? [];
    };
    expect(await ask(5, 25, { type: 'table' })).toEqual([
      'the range was widened from 20 s to 30 s: rows are counted in steps of 10 s',
    ]);
    expect(await ask(0, 30, { type: 'table' })).toEqual([]);
    expect(await ask(1, 600, { type: 'table' })).toEqual([]);
    expect(await ask(5, 25, { type: 'timeseries', intervalMs: 10_000 })).toEqual([]);
  });

  test('knows nothing from the watermark on', async () => {
    const result = await one({ type: 'timeseries', measures: ['bytes'], intervalMs: 10_000 });
    expect(result.meta).toMatchObject({ watermarkMs: (start + 30) * 1000, partial: true });
    expect(result.frames[0]?.data.values[1]).toEqual([30_260, 0, 0, null, null, null]);
  });

  test('tells what the probes lost', async () => {
    const { meta } = await one({ type: 'table', measures: ['bytes'] });
    expect(meta['drops']).toEqual({ kernelDropped: 3, undecodable: 2, flowsFolded: 1, latePackets: 4 });
    const before = await t.query({
      from: 1000,
      to: 2000,
      queries: [{ refId: 'A', type: 'table', measures: ['bytes'] }],
    });
    expect(before['A']?.meta['drops']).toEqual({ kernelDropped: 0, undecodable: 0, flowsFolded: 0, latePackets: 0 });
  });

  test('lists flow records, put together from their windows', async () => {
    const result = await one({ type: 'flows', measures: ['bytes'], filter: 'src_ip = 10.0.0.1', limit: 5 });
    const rows = frameRows(result.frames[0]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      flow_id: String(1n << 63n),
      client_ip: '10.0.0.1',
      server_ip: '2001:db8::1',
      application: 'tls',
      protocol: 'tcp',
      client_bytes: 600,
      server_bytes: 3000,
      bytes: 3600,
      first: start * 1000 + 250,
      last: (start + 24) * 1000 + 500,
      duration: 24_250_000_000,
      rtt: 1_000_000,
    });
    expect((await one({ type: 'flows', limit: 5 })).meta.truncated).toBe(true);
  });

  test('a failing query leaves the others alone', async () => {
    const results = await t.query({
      ...range,
      queries: [
        { refId: 'A', type: 'table', measures: ['bytes'] },
        { refId: 'B', type: 'table', measures: ['byts'] },
        { refId: 'C', type: 'table', measures: ['bytes', 'dns_queries'] },
        { refId: '__proto__', type: 'table', measures: ['packets'] },
      ],
    });
    expect(results['A']?.frames).toHaveLength(1);
    expect(results['B']).toMatchObject({
      status: 400,
      errors: [{ pointer: '#/queries/1/measures/0', suggestion: 'bytes' }],
    });
    expect(results['C']?.error).toContain('ask in separate queries');
    expect(Object.keys(results)).toContain('__proto__');
  });

  test('a bad filter is told with its place and what was meant', async () => {
    const result = await one({ type: 'table', measures: ['bytes'], filter: 'vlan = 1 and srcip = 192.0.2.1' });
    expect(result).toMatchObject({
      status: 400,
      errors: [
        {
          pointer: '#/queries/0/filter',
          position: { offset: 13, length: 5, line: 1, column: 14 },
          suggestion: 'src_ip',
        },
      ],
    });
  });

  test.each([
    [{ type: 'table', measures: [] }, '#/queries/0/measures'],
    [{ type: 'table', measures: ['bytes', 'bytes'] }, '#/queries/0/measures/1'],
    [{ type: 'table', measures: ['bytes'], groupBy: ['srcip'] }, '#/queries/0/groupBy/0'],
    [{ type: 'table', measures: ['bytes'], orderBy: [{ measure: 'packets' }] }, '#/queries/0/orderBy/0/measure'],
    [{ type: 'table', measures: ['bytes'], orderBy: [{ dimension: 'vlan' }] }, '#/queries/0/orderBy/0/dimension'],
    [{ type: 'table', measures: ['bytes'], orderBy: [{}] }, '#/queries/0/orderBy/0'],
    [{ type: 'timeseries', measures: ['bytes'], groupBy: ['vlan'], limit: 5000 }, '#/queries/0/limit'],
    [{ type: 'flows', groupBy: ['vlan'] }, '#/queries/0/groupBy'],
    [{ type: 'flows', measures: ['flows'] }, '#/queries/0/measures/0'],
    [{ type: 'flows', direction: 'client' }, '#/queries/0/direction'],
  ])('refuses %j', async (query, pointer) => {
    const result = await one(query);
    expect(result.status).toBe(400);
    expect(result.errors?.[0]?.pointer).toBe(pointer);
  });

  test('values that look like SQL stay values', async () => {
    const text = `x' OR 1=1) --`;
    const result = await one({ type: 'table', measures: ['dns_queries'], filter: `dns_name = "${text}"` });
    expect(result.error).toBeUndefined();
    expect(frameRows(result.frames[0])).toEqual([{ dns_queries: 0 }]);
    expect(result.meta.sql).not.toContain('1=1');
  });

  test('answers fit the schema of the OpenAPI document', async () => {
    const results = await t.query({
      ...range,
      queries: [
        { refId: 'A', type: 'timeseries', measures: ['bytes'], groupBy: ['protocol'], other: true, limit: 1 },
        { refId: 'B', type: 'flows' },
        { refId: 'C', type: 'table', measures: ['distinct_src_ip'] },
        { refId: 'D', type: 'table', measures: ['nothing'] },
      ],
    });
    const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
    const validate = ajv.compile(queryResponseSchema);
    expect(validate({ results }), JSON.stringify(validate.errors)).toBe(true);
    expect(ajv.compile(metaSchema)(results['A']?.meta)).toBe(true);
    expect(results['A']?.frames[0]?.schema.fields.map((field) => field.labels)).toEqual([
      undefined,
      { protocol: 'tcp' },
      { protocol: 'other' },
    ]);
  });
});

describe('problems', () => {
  const validProblem = new Ajv({ strict: false }).compile({ ...problemSchema, additionalProperties: false });
  const query = { refId: 'A', type: 'table', measures: ['bytes'] };

  test.each([
    ['not JSON', '{', 400, 'malformed', undefined],
    ['no body', '', 400, 'malformed', undefined],
    ['missing keys', {}, 400, 'validation', '#/from'],
    ['an unknown key', { ...range, queries: [{ ...query, colour: 1 }] }, 400, 'validation', '#/queries/0/colour'],
    [
      'a wrong type',
      { ...range, queries: [{ ...query, measures: 'bytes' }] },
      400,
      'validation',
      '#/queries/0/measures',
    ],
    ['an unknown type', { ...range, queries: [{ ...query, type: 'pie' }] }, 400, 'validation', '#/queries/0/type'],
    ['a number as text', { ...range, queries: [{ ...query, limit: '5' }] }, 400, 'validation', '#/queries/0/limit'],
    ['no queries', { ...range, queries: [] }, 400, 'validation', '#/queries'],
    ['a refId twice', { ...range, queries: [query, query] }, 400, 'validation', '#/queries/1/refId'],
    ['a time that is none', { ...range, from: 'yesterday', queries: [query] }, 400, 'validation', '#/from'],
    ['a time without offset', { ...range, from: '2026-01-31T12:00:00', queries: [query] }, 400, 'validation', '#/from'],
    ['a time out of range', { ...range, to: 9e12, queries: [query] }, 400, 'validation', '#/to'],
    ['a reversed range', { from: range.to, to: range.from, queries: [query] }, 400, 'validation', '#/to'],
    ['a long range', { from: 0, to: range.to, queries: [query] }, 400, 'validation', '#/from'],
    ['a large body', { ...range, queries: [{ ...query, filter: 'x'.repeat(30_000) }] }, 413, 'too-large', undefined],
  ])('%s', async (_name, body, status, kind, pointer) => {
    const answer = await t.post('/api/v1/query', body);
    const document = answer.json() as { errors?: { pointer: string }[] };
    expect(answer.status).toBe(status);
    expect(answer.type).toContain('application/problem+json');
    expect(document).toMatchObject({ status, type: `urn:netspectra:problem:${kind}` });
    expect(validProblem(document), JSON.stringify(document)).toBe(true);
    if (pointer !== undefined) expect(document.errors?.map((error) => error.pointer)).toContain(pointer);
    expect(JSON.stringify(document)).not.toMatch(/\bat .*\.(ts|js):\d/);
  });

  test.each([
    ['/nothing', 404, 'not-found'],
    ['/api/v1/query', 405, 'method-not-allowed'],
    ['/api/v1/flows', 400, 'validation'],
    [`/api/v1/flows?${rangeText}&limit=0`, 400, 'validation'],
    [`/api/v1/flows?${rangeText}&colour=1`, 400, 'validation'],
    [`/api/v1/flows?${rangeText}&cursor=abc`, 400, 'validation'],
    [
      `/api/v1/flows?${rangeText}&cursor=${Buffer.from('["1","99999999999999999999","p"]').toString('base64url')}`,
      400,
      'validation',
    ],
    [`/api/v1/flows?${rangeText}&filter=nonsense`, 400, 'filter'],
    [`/api/v1/flows?${rangeText}&filter=dns_name%3Dx`, 400, 'query'],
    [`/api/v1/values?dimension=nothing&${rangeText}`, 400, 'validation'],
    ['/%E0%A4%A', 400, 'malformed'],
  ])('GET %s', async (url, status, kind) => {
    const answer = await t.get(url);
    expect([answer.status, (answer.json() as { type: string }).type]).toEqual([
      status,
      `urn:netspectra:problem:${kind}`,
    ]);
    expect(answer.type).toContain('application/problem+json');
    expect(validProblem(answer.json())).toBe(true);
  });

  test('a body that is not JSON by its type', async () => {
    const answer = await t.post('/api/v1/query', 'a=b', { 'content-type': 'text/csv' });
    expect([answer.status, answer.type]).toEqual([415, 'application/problem+json; charset=utf-8']);
  });

  test('a web page that rebinds its name to loopback is turned away', async () => {
    const answer = await t.post('/api/v1/query', { ...range, queries: [query] }, { host: 'evil.example:8080' });
    expect(answer.status).toBe(421);
  });

  test('an unexpected failure of the store shows nothing of it', async () => {
    store.hold = () => Promise.reject(new Error('secret /path'));
    try {
      const result = await one({ type: 'table', measures: ['bytes'] });
      expect(result.status).toBe(500);
      expect(JSON.stringify(result)).not.toContain('secret');
      const values = await t.get(`/api/v1/values?dimension=vlan&${rangeText}`);
      expect(values.status).toBe(500);
      expect(values.body).not.toContain('secret');
    } finally {
      store.hold = undefined;
    }
  });

  test.each([
    ['NS_QUERY_TIMEOUT', 504],
    ['NS_QUERY_TOO_LARGE', 422],
    ['NS_QUERY_MEMORY', 422],
    ['NS_STORE_UNAVAILABLE', 503],
  ] as const)('%s of the store is %i', async (code, status) => {
    store.hold = () => Promise.reject(new UserError(code, 'the store says'));
    try {
      expect((await one({ type: 'table', measures: ['bytes'] })).status).toBe(status);
    } finally {
      store.hold = undefined;
    }
  });
});

describe('limits', () => {
  test('more queries than may run and wait are turned away, the others answered', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    store.hold = () => gate;
    try {
      const queries = Array.from({ length: 26 }, (_, i) => ({ refId: `q${i}`, type: 'table', measures: ['bytes'] }));
      const pending = Promise.all(Array.from({ length: 3 }, () => t.query({ ...range, queries })));
      while (store.held < 2) await new Promise((resolve) => setImmediate(resolve));
      release();
      const statuses = (await pending).flatMap((results) => Object.values(results)).map(({ status }) => status ?? 200);
      // Of one client two run and 48 wait.
      expect(statuses.filter((status) => status === 200)).toHaveLength(50);
      expect(statuses.filter((status) => status === 503)).toHaveLength(28);
    } finally {
      store.hold = undefined;
      store.held = 0;
    }
  });
});

describe('GET /api/v1/flows', () => {
  test.each(['asc', 'desc'])('pages hold every flow once, in order (%s)', async (order) => {
    const seen: { flow_id: string; first: number }[] = [];
    let cursor: string | null = '';
    for (let page = 0; cursor !== null && page < 20; page += 1) {
      const answer = await t.get(
        `/api/v1/flows?${rangeText}&limit=5&order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      const body = answer.json() as { flows: typeof seen; next: string | null };
      seen.push(...body.flows);
      cursor = body.next;
    }
    expect(new Set(seen.map((flow) => flow.flow_id)).size).toBe(12);
    expect(seen).toHaveLength(12);
    const times = seen.map((flow) => flow.first);
    expect(times).toEqual([...times].sort((a, b) => (order === 'asc' ? a - b : b - a)));
  });

  test('filters, and sums the windows of a flow', async () => {
    const answer = await t.get(`/api/v1/flows?${rangeText}&filter=${encodeURIComponent('client_ip = 10.0.0.1')}`);
    const body = answer.json() as { flows: Record<string, unknown>[]; next: unknown; meta: Record<string, unknown> };
    expect(body.flows).toHaveLength(1);
    expect(body.flows[0]).toMatchObject({ client_bytes: 600, server_bytes: 3000, client_ip: '10.0.0.1', probe: 'p1' });
    expect(body.next).toBeNull();
    expect(body.meta).toMatchObject({ filter: 'client_ip = 10.0.0.1', tables: ['flows'] });
  });
});

describe('registry and typeahead', () => {
  test('lists all dimensions and measures', async () => {
    const d = (await t.get('/api/v1/dimensions')).json() as { dimensions: { id: string; tables: string[] }[] };
    const m = (await t.get('/api/v1/measures')).json() as { measures: { id: string; unit: string }[] };
    expect(d.dimensions.map(({ id }) => id)).toEqual(dimensions.map(({ id }) => id));
    expect(m.measures.map(({ id }) => id)).toEqual(measures.map(({ id }) => id));
    expect(d.dimensions.every(({ tables }) => tables.length > 0)).toBe(true);
  });

  test.each([
    ['protocol', '', ['tcp', 'udp', '250']],
    ['protocol', 'TC', ['tcp']],
    ['client_ip', '10.0.0.1', ['10.0.0.1', '10.0.0.10', '10.0.0.11', '10.0.0.12']],
    ['src_ip', '2001:', ['2001:db8::1']],
    ['server_port', 'http', [443]],
    ['server_port', '44', [443]],
    ['server_port', '5', []],
    ['dns_name', 'WWW', ['www.example.org']],
    ['application', '', ['tls', 'dns']],
  ])('values of %s that begin with "%s"', async (dimension, prefix, wanted) => {
    const answer = await t.get(
      `/api/v1/values?dimension=${dimension}&prefix=${encodeURIComponent(prefix)}&${rangeText}`,
    );
    expect(answer.status).toBe(200);
    const { values } = answer.json() as { values: { value: unknown; count: number }[] };
    expect(values.map(({ value }) => value)).toEqual(wanted);
    expect(values.every(({ count }) => count > 0)).toBe(true);
  });

  test('checks filters', async () => {
    const good = await t.post('/api/v1/filter/validate', { filter: 'src_ip in 10.0.0.0/8 && dst_port = 443' });
    expect(good.json()).toMatchObject({
      ok: true,
      canonical: 'src_ip in 10.0.0.0/8 and dst_port = 443',
      directed: true,
    });
    const bad = await t.post('/api/v1/filter/validate', { filter: 'dstport = 1' });
    expect([bad.status, bad.json()]).toMatchObject([
      200,
      { ok: false, errors: [{ pointer: '#/filter', position: { offset: 0, length: 7 }, suggestion: 'dst_port' }] },
    ]);
  });
});

describe('operation', () => {
  test('health tells what the process does', async () => {
    expect((await t.get('/healthz')).json()).toMatchObject({ status: 'ok', dependencies: [] });
  });

  test('readiness is the truth about the store', async () => {
    const ready = await t.get('/readyz');
    expect([ready.status, ready.body]).toEqual([
      200,
      expect.stringMatching(/^store: ok: answers in \d+ ms, schema \d+\n$/),
    ]);
    store.hold = () => Promise.reject(new UserError('NS_STORE_UNAVAILABLE', 'gone'));
    try {
      // What was found is used again for a second.
      await expect.poll(async () => (await t.get('/readyz')).status, { timeout: 5_000 }).toBe(503);
      expect((await t.get('/readyz')).body).toMatch(/^store: failed: /);
      expect((await t.get('/healthz')).json()).toMatchObject({
        status: 'error',
        dependencies: [{ name: 'store', ok: false }],
      });
    } finally {
      store.hold = undefined;
    }
  });

  test('metrics are in the Prometheus format and have a help line each', async () => {
    const { body, type } = await t.get('/metrics');
    expect(type).toContain('text/plain');
    const types = body.match(/^# TYPE (\S+)/gm) ?? [];
    expect(types.length).toBeGreaterThanOrEqual(5);
    expect(body.match(/^# HELP \S+ \S+/gm)).toHaveLength(types.length);
    expect(body).toContain('route="/api/v1/query"');
  });

  test('the documentation works without a network', async () => {
    const page = await t.get('/docs');
    expect([page.status, page.type]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect((await t.get('/docs/static/swagger-ui-bundle.js')).status).toBe(200);
  });

  test('a route without a role does not register', async () => {
    const app = fastify();
    requireRoles(app, '/docs', () => undefined);
    expect(() => app.get('/open', () => 'x')).toThrow('declares no role');
    await app.close();
  });
});

describe('listening', () => {
  const deps = () => ({
    store: t.store,
    metrics: new Registry(),
    status: () => ({ dependencies: [], watermarkMs: null }),
  });

  test.each([
    '0.0.0.0:8080',
    '192.0.2.1:80',
    '[::]:8080',
    'example.org:80',
    '8080',
    '127.0.0.1',
    '127.0.0.1:99999',
    '',
  ])('%s is refused with one line', (listen) => {
    expect(() => createApi(deps(), { listen })).toThrow(UserError);
    expect(() => createApi(deps(), { listen })).toThrow(/^[^\n]*api\.listen[^\n]*$/);
  });

  test('a port in use is one line that says what to do', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const api = createApi(deps(), { listen: `127.0.0.1:${port}` });
    try {
      await expect(api.start()).rejects.toMatchObject({
        code: 'NS_PORT_IN_USE',
        message: expect.stringContaining(String(port)),
      });
    } finally {
      await api.stop();
      await new Promise((resolve) => other.close(resolve));
    }
  });

  test('a client that goes away stops its query', async () => {
    const api = createApi(deps(), { listen: '127.0.0.1:0' });
    const { address } = await api.start();
    const aborted = new Promise<boolean>((resolve) => {
      store.hold = (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            resolve(true);
            reject(new UserError('NS_QUERY_ABORTED', 'cancelled'));
          });
          client.destroy();
        });
    });
    const body = JSON.stringify({ ...range, queries: [{ refId: 'A', type: 'table', measures: ['bytes'] }] });
    const client = httpRequest(`${address}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    client.on('error', () => undefined);
    client.end(body);
    try {
      expect(await aborted).toBe(true);
    } finally {
      store.hold = undefined;
      await api.stop();
    }
  });

  test('stopping cancels what runs', async () => {
    const api = createApi(deps(), { listen: '127.0.0.1:0' });
    const { address } = await api.start();
    const running = new Promise<void>((resolve) => {
      store.hold = (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new UserError('NS_QUERY_ABORTED', 'cancelled')));
          resolve();
        });
    });
    const answer = fetch(`${address}/api/v1/values?dimension=vlan&${rangeText}`);
    await running;
    await api.stop();
    store.hold = undefined;
    expect((await answer).status).toBe(499);
  });
});
