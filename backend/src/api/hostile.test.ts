/**
 * Hostile requests: every operation of the OpenAPI document is sent what its schemas allow and what they do not, and known
 * attacks on parsers. Whatever comes, the answer is a planned one: never 500, problem JSON for every error with the field named,
 * within a second or two. `FC_SEED` fixes the seed.
 */
import fc from 'fast-check';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ajv } from 'ajv';
import { problemSchema } from './schemas/index.js';
import { openTestApi } from './testing.js';
import type { TestApi } from './testing.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
/** One answer takes at most so long, on a busy machine too. */
const millisMax = 5_000;
const fuzzMillis = 8_000;
const start = 1_700_000_000_000;

let t: TestApi;
const validProblem = new Ajv({ strict: false }).compile(problemSchema);

beforeAll(async () => {
  t = await openTestApi({
    p1: {
      flows: [
        {
          window_start: start / 1000,
          window_seconds: 10,
          flow_id: 1n,
          client_ip: '::1',
          server_ip: '::2',
          client_packets: 1,
        },
      ],
      probe_stats: [
        { timestamp: `${start / 1000}.0`, first_packet: `${start / 1000}.0`, last_packet: `${start / 1000}.0` },
      ],
    },
  });
});
afterAll(async () => t?.close());

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** Send, and hold the answer to what every answer must be. */
async function send({ method, url, body, headers = {} }: Sent, allowed = (status: number) => status < 500) {
  const begin = performance.now();
  const answer = await t.api.app.inject({
    method: method as 'GET',
    url,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  const millis = performance.now() - begin;
  const what = `${method} ${url.slice(0, 300)} ${body?.slice(0, 300) ?? ''} -> ${answer.statusCode} ${answer.body.slice(0, 300)}`;
  expect(allowed(answer.statusCode), what).toBe(true);
  expect(millis, what).toBeLessThan(millisMax);
  if (answer.statusCode >= 400 && !url.startsWith('/readyz')) {
    expect(answer.headers['content-type'], what).toMatch(/^application\/problem\+json/);
    expect(validProblem(answer.json()), what).toBe(true);
    expect(answer.body, what).not.toMatch(/\bat .*\.[jt]s:\d|node_modules|DB::Exception/);
  }
  expect(answer.headers['x-request-id'], what).toBeTruthy();
  // Each query of a request has a status of its own.
  const results = answer.body.startsWith('{"results"') ? answer.json<{ results: Results }>().results : {};
  for (const { status = 200, error } of Object.values(results)) {
    expect(allowed(status), `${what}: ${error}`).toBe(true);
  }
  return {
    status: answer.statusCode,
    results,
    document: answer.statusCode >= 400 ? (answer.json() as Problem) : undefined,
    millis,
  };
}
type Results = Record<string, { status?: number; error?: string; errors?: { pointer: string }[] }>;
interface Problem {
  readonly type: string;
  readonly errors?: readonly { readonly pointer: string }[];
}

const query = { refId: 'A', type: 'table', measures: ['bytes'] };
const range = { from: start, to: start + 60_000 };
/** As many as the longest filter holds. */
const many = (between: string, item: (i: number) => string, length = 16_000): string => {
  const items: string[] = [];
  for (let size = 0, i = 0; size < length; i += 1) {
    items.push(item(i));
    size += items[i]!.length + between.length;
  }
  return items.slice(0, 1000).join(between);
};
const post = (body: string): Promise<Awaited<ReturnType<typeof send>>> =>
  send({ method: 'POST', url: '/api/v1/query', body });

describe('the longest filters', () => {
  const networks = many(', ', (i) => `10.${i >> 8}.${i & 255}.0/24`);
  const forms = [
    { type: 'table', measures: ['bytes'], groupBy: ['src_ip'] },
    { type: 'timeseries', measures: ['bits_per_second'], groupBy: ['client_ip'], compareTo: { offset: '1d' } },
    { type: 'flows', measures: [], groupBy: [] },
    { type: 'graph', measures: ['bytes'], groupBy: ['src_ip', 'dst_ip'] },
    { type: 'explain', measures: ['bytes'], groupBy: ['src_ip', 'dst_ip', 'dst_port'] },
  ];
  const each = (filter: string): Promise<Awaited<ReturnType<typeof send>>> =>
    post(JSON.stringify({ ...range, queries: forms.map((form, i) => ({ ...form, refId: `q${i}`, filter })) }));

  test.each([
    ['networks', `host in (${networks})`],
    ['networks, negated', `not (host not in (${networks}))`],
    ['addresses', `host in (${many(', ', (i) => `10.0.${i >> 8}.${i & 255}`)})`],
    ['ports', `port in (${many(', ', (i) => String(i))})`],
  ])('lists of %s are answered, in every type of query', async (_, filter) => {
    const { results } = await each(filter);
    expect(Object.values(results).map(({ error }) => error)).toEqual(forms.map(() => undefined));
    const url = `/api/v1/flows?from=${range.from}&to=${range.to}&filter=${encodeURIComponent(filter)}`;
    expect((await send({ method: 'GET', url })).status).toBe(200);
  });

  test.each([
    ['terms', many(' or ', (i) => `port = ${i}`)],
    [
      'ranges',
      `host in (${many(', ', (i) => `10.0.${i}.1..10.0.${i}.9`)})`.replaceAll(/10\.0\.(\d{3,})\./g, '10.1.9.'),
    ],
    ['texts', many(' or ', (i) => `as_name != "${i}"`)],
    ['patterns', many(' and ', (i) => `not as_name ~ "*${i}*a*b*"`)],
  ])('%s one by one are answered, or are too many: with the filter named', async (_, filter) => {
    const { results } = await each(filter);
    for (const [i, { status, errors }] of Object.values(results).entries()) {
      if (status !== undefined) expect([status, errors?.[0]?.pointer]).toEqual([400, `#/queries/${i}/filter`]);
    }
  });
});

describe('bodies', () => {
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  test.each([
    ['deep arrays', `{"from":${nested(60_000)},"to":1,"queries":[]}`, '#/from'],
    ['deep objects', `{"from":${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)},"to":1,"queries":[]}`, '#/from'],
    ['10,000 queries', JSON.stringify({ ...range, queries: Array.from({ length: 10_000 }, () => ({})) }), '#/queries'],
    ['60,000 unknown keys', `{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":1`).join(',')}}`, '#/k0'],
    [
      'a time that is infinite',
      JSON.stringify({ ...range, from: 'F', queries: [query] }).replace('"F"', '1e400'),
      '#/from',
    ],
    ['a time below zero', `{"from":-1e308,"to":1,"queries":[]}`, '#/from'],
    [
      'a limit that is infinite',
      JSON.stringify({ ...range, queries: [query] }).replace('"A"', '"A","limit":1e999'),
      '#/queries/0/limit',
    ],
    [
      'a giant limit',
      JSON.stringify({ ...range, queries: [{ ...query, limit: Number.MAX_SAFE_INTEGER }] }),
      '#/queries/0/limit',
    ],
    [
      'a giant interval',
      JSON.stringify({ ...range, queries: [{ ...query, intervalMs: 1e15 }] }),
      '#/queries/0/intervalMs',
    ],
    ['a long refId', JSON.stringify({ ...range, queries: [{ ...query, refId: 'x'.repeat(65) }] }), '#/queries/0/refId'],
    ['null for the body', 'null', '#'],
    ['a list for the body', '[]', '#'],
    ['times of the wrong kind', JSON.stringify({ from: true, to: {}, queries: [query] }), '#/from'],
    [
      'years beyond the calendar',
      JSON.stringify({ from: '+275760-09-13T00:00:00Z', to: start, queries: [query] }),
      '#/from',
    ],
    [
      'the thirtieth of February',
      JSON.stringify({ from: '2026-02-30T00:00:00Z', to: start, queries: [query] }),
      '#/from',
    ],
  ])('%s: 400 with the field named', async (_name, body, pointer) => {
    const { status, document } = await post(body);
    expect(status).toBe(400);
    expect(document?.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  test.each([
    ['NaN', '{"from":NaN}'],
    ['a prototype', '{"__proto__":{"admin":true},"from":1,"to":2,"queries":[]}'],
    ['a constructor with a prototype', '{"constructor":{"prototype":{"x":1}},"from":1}'],
    ['half of a pair', '{"from":"\\ud800'],
    ['nothing but a mark', '\ufeff'],
    ['a comment', '{/* */}'],
  ])('%s is no JSON of ours', async (_name, body) => {
    const { status } = await post(body);
    expect(status).toBe(400);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  test('more than the bound is 413 at once', async () => {
    const { status, millis } = await post(`{"from":"${'x'.repeat(5_000_000)}"}`);
    expect(status).toBe(413);
    expect(millis).toBeLessThan(1000);
  });

  test('names that look alike are different names, and come back as they were', async () => {
    // Latin A, Cyrillic A, Greek Alpha, A with a mark in two ways, the names of an object's own.
    const names = [
      'A',
      '\u0410',
      '\u0391',
      'A\u030a',
      '\u00c5',
      '__proto__',
      'constructor',
      'toString',
      '\u202eA',
      '\0',
    ];
    const { results } = (
      await t.post('/api/v1/query', { ...range, queries: names.map((refId) => ({ ...query, refId })) })
    ).json() as { results: object };
    expect(Object.keys(results).sort()).toEqual([...names].sort());
  });
});

describe('addresses and headers', () => {
  test.each([
    ['/api/v1/flows?from=1&from=2&to=3', '#/from'],
    [`/api/v1/flows?from=${start}&to=NaN`, '#/to'],
    [`/api/v1/flows?from=${start}&to=Infinity`, '#/to'],
    [`/api/v1/flows?from=${start}&to=1e400`, '#/to'],
    [`/api/v1/flows?from=${start}&to=${start + 1}&limit=1e9`, '#/limit'],
    [`/api/v1/flows?from=${start}&to=${start + 1}&__proto__=1`, '#/__proto__'],
    [`/api/v1/values?from=${start}&to=${start + 1}&dimension=${'x'.repeat(65)}`, '#/dimension'],
    [`/api/v1/values?from=${start}&to=${start + 1}&dimension=__proto__`, '#/dimension'],
    ['/api/v1/hosts/active?seconds=-1', '#/seconds'],
  ])('GET %s names the field', async (url, pointer) => {
    const { status, document } = await send({ method: 'GET', url });
    expect(status).toBe(400);
    expect(document?.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  test.each([
    '/api/v1/flows/../../etc/passwd',
    '/api/v1//flows',
    '/api/v1/flows/',
    '/API/V1/FLOWS',
    '/docs/static/..%2f..%2f..%2fpackage.json',
    '/docs/static/%2e%2e/%2e%2e/package.json',
    '/%00',
    '/api/v1/hosts/%00',
    '/api/v1/hosts/..%2f..%2frules',
    `/${'a/'.repeat(3000)}`,
    `/api/v1/hosts/${'9'.repeat(5000)}`,
  ])('GET %.60s is nothing here', async (url) => {
    const { status } = await send({ method: 'GET', url });
    expect([400, 404, 414]).toContain(status);
  });

  test('bombs of headers, of Accept ranges and of tags are answered', async () => {
    for (const headers of [
      { accept: 'text/csv;q=0.1,'.repeat(900) },
      { accept: ';'.repeat(14_000) },
      { 'if-none-match': 'W/"x",'.repeat(2000) },
      { 'last-event-id': 'x'.repeat(10_000) },
      { authorization: `Bearer ${'x'.repeat(10_000)}` },
      { range: 'bytes=0-,0-,0-' },
      { 'accept-encoding': 'gzip;q=0.1,'.repeat(1000) },
    ]) {
      await send({ method: 'GET', url: '/api/v1/dimensions', headers });
      await send({ method: 'GET', url: `/api/v1/flows?from=${start}&to=${start + 1000}`, headers });
    }
  });
});

describe('slow and many', () => {
  test('a request that trickles in is given up by the server, and does not hold up the others', async () => {
    const { address } = await t.api.start();
    const { server } = t.api.app;
    expect([server.headersTimeout, server.requestTimeout, server.maxConnections]).toEqual([10_000, 30_000, 1_000]);
    const slow = Array.from({ length: 50 }, () =>
      request(`${address}/api/v1/query`, { method: 'POST', headers: { 'content-type': 'application/json' } }).on(
        'error',
        () => undefined,
      ),
    );
    for (const each of slow) each.write('{');
    const answer = await fetch(`${address}/api/v1/measures`);
    expect(answer.status).toBe(200);
    await answer.text();
    for (const each of slow) each.destroy();
  });
});

// --- every operation ---

type Schema = Record<string, unknown>;
interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

const oddities: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    null,
    true,
    '',
    '\0',
    '__proto__',
    '\ud800',
    "' OR 1=1 --",
    '../..',
    '\u202e',
    '1e400',
    'NaN',
    -1,
    0,
    1e300,
    2 ** 53,
    [],
    {},
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
);
const words = fc.constantFrom(
  'bytes',
  'packets',
  'flows',
  'rtt_p95',
  'distinct_src_ip',
  'src_ip',
  'dst_port',
  'src_ip/24',
  'application',
  'dns_name',
  'protocol',
  '5m',
  '1d',
  'previous',
  'src_ip = 10.0.0.1',
  'bytes > 1MB and not (port = 80)',
  'dns_name =~ /(a+)+$/',
  '2023-11-14T22:13:20Z',
  String(start),
);

/** Values that mostly fit a schema, with an oddity here and there. */
function valuesOf(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const odd = (fitting: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 14, arbitrary: fitting }, { weight: 1, arbitrary: oddities });
  const options = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(options)) return odd(fc.oneof(...(options as Schema[]).map((option) => valuesOf(option, depth))));
  if ('const' in schema) return odd(fc.constant(schema['const']));
  if (Array.isArray(schema['enum'])) return odd(fc.constantFrom(...(schema['enum'] as unknown[])));
  switch (schema['type']) {
    case 'object': {
      const required = (schema['required'] ?? []) as string[];
      const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
      const shape = Object.fromEntries(properties.map(([name, child]) => [name, valuesOf(child, depth + 1)]));
      return odd(fc.record(shape, { requiredKeys: required, noNullPrototype: true } as never));
    }
    case 'array':
      return odd(fc.array(valuesOf((schema['items'] ?? {}) as Schema, depth + 1), { maxLength: 3 }));
    case 'integer':
    case 'number': {
      const low = Number(schema['minimum'] ?? 0);
      const high = Math.min(Number(schema['maximum'] ?? start * 2), Number.MAX_SAFE_INTEGER);
      return odd(
        fc.oneof(fc.integer({ min: Math.ceil(low), max: Math.floor(high) }), fc.constantFrom(start, start + 60_000)),
      );
    }
    case 'boolean':
      return odd(fc.boolean());
    default:
      return odd(fc.oneof({ weight: 4, arbitrary: words }, { weight: 1, arbitrary: fc.string({ maxLength: 30 }) }));
  }
}

function requestsOf(method: string, path: string, { parameters = [], requestBody }: Operation): fc.Arbitrary<Sent> {
  const texts = (where: string) =>
    fc.record(
      Object.fromEntries(
        parameters
          .filter((each) => each.in === where)
          .map(({ name, schema, required }) => {
            const fitting = valuesOf(schema).map((value) =>
              typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
            );
            return [name, required === true ? fitting : fc.option(fitting, { nil: undefined })];
          }),
      ),
    ) as fc.Arbitrary<Record<string, string | undefined>>;
  const schema = Object.values(requestBody?.content ?? {})[0]?.schema;
  const accept = fc.constantFrom('*/*', 'text/csv', 'application/x-ndjson', 'application/json;q=0.1', 'x/y', '\u00e9');
  return fc
    .record({
      query: texts('query'),
      path: texts('path'),
      body: schema ? valuesOf(schema) : fc.constant(undefined),
      accept,
    })
    .map(({ query: asked, path: places, body, accept: form }) => {
      const encode = (text: string): string => encodeURIComponent(Buffer.from(text).toString());
      const url = path.replace(/\{(\w+)\}/g, (_, name: string) => encode(places[name] || 'x'));
      const pairs = Object.entries(asked).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}=${encode(value)}`],
      );
      return {
        method: method.toUpperCase(),
        url: pairs.length > 0 ? `${url}?${pairs.join('&')}` : url,
        headers: { accept: form },
        ...(body === undefined ? {} : { body: JSON.stringify(body) ?? 'null' }),
      };
    });
}

test(`every operation answers whatever it is sent as planned (seed ${seed})`, async () => {
  const { paths } = (await t.get('/openapi.json')).json() as { paths: Record<string, Record<string, Operation>> };
  // A stream does not end by itself; live.test.ts looks at it.
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    path === '/api/v1/live'
      ? []
      : Object.entries(methods).map(([method, operation]) => requestsOf(method, path, operation)),
  );
  expect(operations.length).toBeGreaterThan(20);
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(fc.oneof(...operations), async (sent) => {
      const { status } = await send(sent, (given) => given < 500 || given === 503 || given === 504);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }),
    { seed, numRuns: 5_000, interruptAfterTimeLimit: fuzzMillis, markInterruptAsFailure: false },
  );
  // It found the way past the schemas, too.
  expect(statuses.get(200)).toBeGreaterThan(20);
  expect(statuses.get(400)).toBeGreaterThan(20);
}, 60_000);
