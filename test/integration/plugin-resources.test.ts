/**
 * Resource routes before a running API: what is listed works with the role it needs, and nothing else is reached, however the
 * path is written.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mayUse, routes } from '../../plugin/server/src/contract/routes.js';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { PluginProcess, fakeApi, sendJson } from '../kit/plugin-host/index.js';
import type { DatasourceOptions, FakeApi, ResourceAnswer } from '../kit/plugin-host/index.js';
import { sampleCapture, temporaryFolder, until } from './process.js';

const from = Date.UTC(2026, 0, 1);
const to = from + 60_000;
const admin = 'admin-token-for-tests-0123456789';
const folder = temporaryFolder();
let plugin: PluginProcess;
let api: Serving;
let fake: FakeApi;
let token = '';

beforeAll(async () => {
  [plugin, api, fake] = await Promise.all([
    PluginProcess.start(),
    startServing(['up', '--read', sampleCapture, '--data', folder.path], {
      env: { NETSPECTRA_ADMIN_TOKEN: admin, NETSPECTRA_API_AUTH: 'token' },
    }),
    fakeApi((_, response) => sendJson(response, 200, {})),
  ]);
  const made = await fetch(`${api.url}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'grafana', role: 'admin', onBehalfOf: true }),
  });
  ({ token } = (await made.json()) as { token: string });
  await until('the capture is read', () => api.stderr().includes('"capture read"'));
});
afterAll(async () => {
  await plugin?.stop();
  await fake?.stop();
  await endServings();
  folder.remove();
  expect(plugin?.logMistakes).toEqual([]);
});

const as = (role: string, url = api.url): DatasourceOptions => ({
  url,
  secure: { token },
  user: { login: `the-${role.toLowerCase()}`, role },
});
type Options = Parameters<PluginProcess['client']['resource']>[3];
const call = (role: string, method: string, path: string, options?: Options): Promise<ResourceAnswer> =>
  plugin.client.resource(as(role), method, path, options);

const range = `from=${from}&to=${to}`;
const rule = {
  name: 'Much traffic from one host',
  query: { measure: 'bits_per_second', groupBy: ['src_ip'] },
  condition: { type: 'threshold', operator: '>', value: 100_000_000 },
  interval: '1m',
  for: '5m',
  severity: 'warning',
};

describe('reading', () => {
  test.each([
    ['dimensions', 'dimensions'],
    ['measures', 'measures'],
    [`values?dimension=protocol&prefix=u&${range}`, 'values'],
    [`flows?${range}&limit=2`, 'flows'],
    ['hosts/active?seconds=60', 'hosts'],
    ['probes', 'probes'],
    ['engines', 'engines'],
    ['rules', 'rules'],
    ['capture-rules', 'captureRules'],
    ['alerts', 'alerts'],
  ])('a viewer reads %s, as the API has it', async (url, key) => {
    const answer = await call('Viewer', 'GET', url);
    expect(answer.code).toBe(200);
    expect(answer.headers['content-type']![0]).toMatch(/^application\/json/);
    expect(answer.headers['x-content-type-options']).toEqual(['nosniff']);
    const direct = await fetch(`${api.url}/api/v1/${url}`, { headers: { authorization: `Bearer ${admin}` } });
    const expected = (await direct.json()) as Record<string, unknown>;
    expect(Object.keys(answer.json() as object)).toEqual(Object.keys(expected));
    // What holds the time that it took, or memory, differs from call to call.
    if (!['probes', 'engines'].includes(key)) {
      expect((answer.json() as Record<string, unknown>)[key]).toEqual(expected[key]);
    }
  });

  test('an address with colons, and one with an encoding', async () => {
    const direct = await fetch(`${api.url}/api/v1/hosts/2001:db8::1?${range}`, {
      headers: { authorization: `Bearer ${admin}` },
    });
    for (const path of ['hosts/2001:db8::1', 'hosts/2001%3Adb8%3A%3A1']) {
      const { code } = await call('Viewer', 'GET', `${path}?${range}`);
      expect(code).toBe(direct.status);
    }
  });

  test('questions that need a body; answers as CSV where that is wanted', async () => {
    const body = { from, to, queries: [{ refId: 'A', type: 'table', measures: ['bytes'], groupBy: ['protocol'] }] };
    expect((await call('Viewer', 'POST', 'query', { body })).json()).toMatchObject({
      results: { A: { frames: [{}] } },
    });
    const csv = await call('Viewer', 'POST', 'query', { body, headers: { Accept: 'text/csv' } });
    expect(csv.headers['content-type']![0]).toMatch(/^text\/csv/);
    expect(csv.body.toString()).toMatch(/tcp/);
    const validated = await call('Viewer', 'POST', 'filter/validate', { body: { filter: 'srcip = 192.0.2.1' } });
    expect(validated.json()).toMatchObject({ ok: false, errors: [{ suggestion: 'src_ip' }] });
  });

  test('what did not change is not sent again', async () => {
    const first = await call('Viewer', 'GET', 'measures');
    const etag = first.headers['etag']![0]!;
    const second = await call('Viewer', 'GET', 'measures', { headers: { 'If-None-Match': etag } });
    expect(second).toMatchObject({ code: 304 });
    expect(second.body).toHaveLength(0);
  });

  test('status: the API, the limits, and what the user may do', async () => {
    const answer = await call('Editor', 'GET', 'status');
    expect(answer.json()).toMatchObject({
      reachable: true,
      ready: true,
      version: '0.1.0',
      role: 'Editor',
      may: { changeRules: true, changeCaptureRules: false, tokens: false },
      limits: { rows: 50_000 },
      dependencies: expect.arrayContaining([expect.objectContaining({ name: 'store', ok: true })]) as unknown,
    });
    const down = await plugin.client.resource({ ...as('Viewer', 'http://127.0.0.1:1'), uid: 'down' }, 'GET', 'status');
    expect(down.json()).toMatchObject({ reachable: false, error: expect.stringContaining('refused') as string });
  });

  test('a flow export is streamed', async () => {
    const answer = await call('Viewer', 'GET', `flows?${range}&limit=1000`, {
      headers: { Accept: 'application/x-ndjson' },
    });
    expect(answer.code).toBe(200);
    expect(answer.body.toString().trim().split('\n').length).toBeGreaterThan(100);
    expect(answer.messages).toBeGreaterThan(1);
  });
});

describe('changing', () => {
  test('an editor changes rules, and the audit knows who', async () => {
    expect(await call('Viewer', 'POST', 'rules', { body: rule })).toMatchObject({ code: 403 });
    const made = await call('Editor', 'POST', 'rules', { body: rule });
    expect(made.code).toBe(201);
    const { id } = made.json() as { id: string };
    const changed = await call('Editor', 'PUT', `rules/${id}`, {
      body: { ...rule, name: 'Other' },
      headers: { 'If-Match': made.headers['etag']![0]! },
    });
    expect(changed).toMatchObject({ code: 200 });
    expect(await call('Viewer', 'DELETE', `rules/${id}`, { headers: { 'If-Match': '*' } })).toMatchObject({
      code: 403,
    });
    expect(await call('Editor', 'DELETE', `rules/${id}`, { headers: { 'If-Match': '*' } })).toMatchObject({
      code: 204,
    });
    const { entries } = (await call('Admin', 'GET', `audit?object=${id}`)).json() as {
      entries: { action: string; actor: { onBehalfOf: string } }[];
    };
    expect(entries.map(({ action, actor }) => [action, actor.onBehalfOf])).toEqual([
      ['rule.delete', 'the-editor'],
      ['rule.update', 'the-editor'],
      ['rule.create', 'the-editor'],
    ]);
  });

  test('a name that a browser claims is not believed', async () => {
    await plugin.client.resource({ ...as('Viewer'), url: fake.url, uid: 'fake' }, 'GET', 'rules', {
      headers: {
        'X-Grafana-User': 'root',
        Authorization: 'Bearer stolen',
        Cookie: 'grafana_session=x',
        'X-Forwarded-For': '10.0.0.1',
      },
    });
    const { headers } = fake.requests.at(-1)!;
    expect(headers).toMatchObject({ 'x-grafana-user': 'the-viewer', authorization: `Bearer ${token}` });
    expect(Object.keys(headers).sort()).toEqual(
      ['accept', 'authorization', 'connection', 'host', 'x-grafana-user'].sort(),
    );
  });

  test('every route with every role: the API is reached exactly where the table says', async () => {
    for (const { method, path, role: needed } of routes) {
      const real = path.replace(':id', 'aB3-_x').replace(':address', '192.0.2.7');
      for (const role of ['', 'None', 'Viewer', 'Editor', 'Admin', 'admin', 'Grafana Admin']) {
        fake.requests.length = 0;
        const datasource = { ...as(role), url: fake.url, uid: 'fake', ...(role === '' ? { user: null } : {}) };
        const body = method === 'GET' ? {} : { body: {} };
        const answer = await plugin.client.resource(datasource, method, real, body);
        const allowed = mayUse(role, needed);
        expect({ method, path, role, code: answer.code, reached: fake.requests.length }).toEqual({
          method,
          path,
          role,
          code: allowed ? 200 : 403,
          reached: allowed ? 1 : 0,
        });
        if (allowed) expect(fake.requests[0]).toMatchObject({ method, url: `/api/v1/${real}` });
      }
    }
  });

  test('every operation of the API is listed with its role, or left out on purpose', async () => {
    const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { 'x-role'?: string }>>;
    };
    // Streams go through Grafana Live; the others are for machines and operators.
    const leftOut = ['/api/v1/live', '/healthz', '/readyz', '/metrics', '/openapi.json'];
    const order = ['viewer', 'editor', 'admin'];
    for (const [path, operations] of Object.entries(document.paths)) {
      if (leftOut.includes(path)) continue;
      for (const [method, operation] of Object.entries(operations)) {
        if (method === 'head') continue;
        const place = path.replace('/api/v1/', '').replace(/\{(\w+)\}/g, ':$1');
        const route = routes.find((each) => each.path === place && each.method === method.toUpperCase());
        expect(route, `${method} ${path}`).toBeDefined();
        const needed = order.indexOf((route!.role ?? 'Viewer').toLowerCase());
        expect(needed, `${method} ${path}`).toBeGreaterThanOrEqual(order.indexOf(operation['x-role'] ?? 'viewer'));
      }
    }
  });
});

describe('attacks', () => {
  const nowhere = [
    '',
    '/',
    '//',
    'tokens/../rules',
    '../tokens',
    'rules/..%2ftokens',
    'rules/%2e%2e/tokens',
    'rules/%2e%2e%2ftokens',
    'rules/%252e%252e%252ftokens',
    'rules%2ftest',
    'rules/test%2f..%2f..%2ftokens',
    'rules\\..\\tokens',
    'rules/%5c..%5ctokens',
    './rules',
    'rules/.',
    'rules/',
    'rules//test',
    '%00rules',
    'rules/%00',
    'rules%0d%0aX:y',
    'rules/%0d%0aHost:%20evil.example',
    '@evil.example/rules',
    'http://evil.example/rules',
    '//evil.example/rules',
    'rules;x=1',
    'RULES',
    'api/v1/rules',
    'metrics',
    'live',
    'openapi.json',
    'healthz',
    'docs',
    'debug/pprof',
    'rules/a/b/c/d/e/f/g',
    `rules/${'a'.repeat(5_000)}`,
    'rules/%',
    'rules/%zz',
    'rules/％2e',
    'hosts/..',
  ];

  test('paths that are not listed lead nowhere, whoever asks', async () => {
    fake.requests.length = 0;
    for (const path of nowhere) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const answer = await plugin.client.resource({ ...as('Admin'), url: fake.url, uid: 'fake' }, method, path, {
          url: path,
        });
        expect({ path, method, code: answer.code }).toMatchObject({
          code: expect.toSatisfy((code: number) => code === 404 || code === 405) as number,
        });
      }
    }
    expect(fake.requests).toEqual([]);
  });

  test('methods that are not listed, and methods that are none', async () => {
    for (const method of ['PATCH', 'TRACE', 'CONNECT', 'OPTIONS', 'HEAD', 'GET\r\nX: y', '']) {
      const answer = await plugin.client.resource({ ...as('Admin'), url: fake.url, uid: 'fake' }, method, 'rules');
      expect({ method, code: answer.code }).toEqual({ method, code: 405 });
    }
  });

  test('the path decides, not the address beside it', async () => {
    fake.requests.length = 0;
    await plugin.client.resource({ ...as('Viewer'), url: fake.url, uid: 'fake' }, 'GET', 'rules', {
      url: 'tokens?limit=1#x',
    });
    expect(fake.requests.map(({ url }) => url)).toEqual(['/api/v1/rules?limit=1']);
    await plugin.client.resource({ ...as('Viewer'), url: fake.url, uid: 'fake' }, 'GET', 'rules', {
      url: 'rules?a=%0d%0ax&b= c',
    });
    expect(fake.requests.at(-1)!.url).toBe('/api/v1/rules?a=%0D%0Ax&b=+c');
  });

  test('bodies: too long, no JSON, from a form', async () => {
    const post = (options: Options) =>
      plugin.client.resource({ ...as('Admin'), url: fake.url, uid: 'fake' }, 'POST', 'rules', options);
    fake.requests.length = 0;
    expect(
      await post({ raw: Buffer.alloc(256 * 1024 + 1, 0x20), headers: { 'Content-Type': 'application/json' } }),
    ).toMatchObject({ code: 413 });
    expect(await post({ raw: Buffer.from('{'), headers: { 'Content-Type': 'application/json' } })).toMatchObject({
      code: 400,
    });
    expect(await post({ raw: Buffer.from('{}'), headers: { 'Content-Type': 'text/plain' } })).toMatchObject({
      code: 415,
    });
    expect(await post({ raw: Buffer.from('{}') })).toMatchObject({ code: 415 });
    expect(fake.requests).toEqual([]);
  });

  test('limits hold here, too', async () => {
    const datasource = { ...as('Viewer'), uid: 'limited', jsonData: { limits: { rangeHours: 1, rows: 10 } } };
    const far = `from=${from}&to=${from + 2 * 3_600_000}`;
    const codes = await Promise.all([
      plugin.client.resource(datasource, 'GET', `flows?${far}`),
      plugin.client.resource(datasource, 'GET', `flows?${range}&limit=11`),
      plugin.client.resource(datasource, 'POST', 'query', { body: { from, to: from + 2 * 3_600_000, queries: [] } }),
      plugin.client.resource(datasource, 'POST', 'query', { body: { from, to, queries: [{ refId: 'A', limit: 11 }] } }),
      plugin.client.resource(datasource, 'GET', `flows?${range}&limit=10`),
    ]);
    expect(codes.map(({ code }) => code)).toEqual([400, 400, 400, 400, 200]);
  });

  test('what a browser would show as a page is not passed on as one; a refused token does not end the session', async () => {
    const page = await fakeApi(({ url }, response) => {
      if (url.includes('rules'))
        response.writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'a=b' }).end('<script>alert(1)</script>');
      else sendJson(response, 401, { detail: 'the token has expired' });
    });
    const datasource = { ...as('Viewer'), url: page.url, uid: 'page' };
    const html = await plugin.client.resource(datasource, 'GET', 'rules');
    expect(html.headers).toMatchObject({ 'content-type': ['application/octet-stream'] });
    expect(html.headers).not.toHaveProperty('set-cookie');
    const refused = await plugin.client.resource(datasource, 'GET', 'measures');
    expect(refused).toMatchObject({ code: 502 });
    expect(refused.json()).toMatchObject({ detail: 'the API does not accept the token: the token has expired' });
    await page.stop();
  });

  test('a reader that leaves ends the request to the API', async () => {
    const silent = await fakeApi(() => undefined);
    const control = new AbortController();
    const asked = plugin.client.resource({ ...as('Viewer'), url: silent.url, uid: 'silent' }, 'GET', 'measures', {
      signal: control.signal,
    });
    asked.catch(() => undefined);
    await until('the API is asked', () => silent.requests.length === 1);
    control.abort();
    await silent.requests[0]!.closed;
    await expect(asked).rejects.toMatchObject({ code: 1 });
    await silent.stop();
  });
});
