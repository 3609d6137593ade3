/**
 * Attacks through the datasource, generated: every route with every role and every trick, queries and streams whose targets
 * say more than they should, settings with odd addresses. What counts is what arrives at the API, and that nothing arrives at
 * another host.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mayUse, routes } from '../../plugin/server/src/contract/routes.js';
import type { Route } from '../../plugin/server/src/contract/routes.js';
import { PluginProcess, fakeApi, plainMeta, sendJson } from '../kit/plugin-host/index.js';
import type { DatasourceOptions, FakeApi, FakeRequest } from '../kit/plugin-host/index.js';
import { until } from './process.js';

const from = Date.UTC(2026, 0, 1);
const to = from + 60_000;
const token = 'token-of-the-datasource-0123456789';
const roles = ['', 'Viewer', 'Editor', 'Admin'];
let plugin: PluginProcess;
let api: FakeApi;
/** another host that no request may reach */
let evil: FakeApi;

beforeAll(async () => {
  [plugin, api, evil] = await Promise.all([
    PluginProcess.start(),
    fakeApi(answer),
    fakeApi((_, response) => sendJson(response, 200, {})),
  ]);
});
beforeEach(() => {
  api.requests.length = 0;
});
afterAll(async () => {
  await plugin?.stop();
  await Promise.all([api?.stop(), evil?.stop()]);
  expect(plugin?.logMistakes).toEqual([]);
});

function answer(request: FakeRequest, response: Parameters<typeof sendJson>[0]): void {
  if (request.url !== '/api/v1/query') return sendJson(response, 200, { alerts: [], next: null });
  const { queries = [] } = JSON.parse(request.body) as { queries?: { refId: string }[] };
  const results = Object.fromEntries(queries.map(({ refId }) => [refId, { frames: [], meta: plainMeta }]));
  sendJson(response, 200, { results });
}

const as = (role: string): DatasourceOptions => ({
  url: api.url,
  secure: { token },
  user: role === '' ? null : { login: `the-${role.toLowerCase()}`, role },
});

const exampleOf = ({ path }: Route): string => path.replace(':id', 'aB3-_x').replace(':address', '192.0.2.7');
const patterns = routes.map((route) => ({
  route,
  pattern: new RegExp(`^/api/v1/${route.path.replace(/:\w+/g, '[^/?#]+')}$`),
}));

const headersExpected = new Set(
  ['accept', 'authorization', 'connection', 'content-length', 'content-type', 'host'].concat([
    'if-match',
    'if-none-match',
    'x-grafana-user',
    'x-request-id',
  ]),
);

/** What is wrong with a request that arrived; undefined: it is one that the table allows to who asked. */
function wrongWith({ method, url, headers }: FakeRequest): string | undefined {
  const { pathname } = new URL(url, 'http://api');
  const login = headers['x-grafana-user'];
  const role = roles.find((each) => (each === '' ? undefined : `the-${each.toLowerCase()}`) === login);
  if (role === undefined) return `somebody else asks: ${String(login)}`;
  // As the most careless of servers would read it.
  const read = decodeURIComponent(pathname);
  if (!url.startsWith('/api/v1/') || read !== url.split('?', 1)[0]!.replaceAll(/%3A|%40/gi, decodeURIComponent))
    return `an address that can be read in two ways: ${url}`;
  const allowed = patterns.some(
    ({ route, pattern }) => route.method === method && pattern.test(read) && mayUse(role, route.role),
  );
  if (!allowed) return `${role || 'nobody'} reached ${method} ${url}`;
  const strange = Object.keys(headers).filter((name) => !headersExpected.has(name));
  if (strange.length > 0) return `headers that nobody let through: ${strange.join(', ')}`;
  if (headers.host !== new URL(api.url).host) return `host ${headers.host}`;
  return headers.authorization === `Bearer ${token}` ? undefined : 'another token';
}

interface Attack {
  readonly method?: string;
  readonly path?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** All tricks on one route; some lead to that route, some nowhere, none may lead elsewhere. */
function attacksOn(path: string, method: string, other: string): Attack[] {
  const first = path[0]!;
  const hex = (char: string): string => `%${char.charCodeAt(0).toString(16)}`;
  const paths = [
    `${path}/`,
    `/${path}`,
    `//${path}`,
    `//${other}/${path}`,
    `/\\${other}/${path}`,
    `http://${other}/api/v1/${path}`,
    `@${other}/${path}`,
    `.${other}/${path}`,
    `:${other}/${path}`,
    `${path}@${other}`,
    `../${path}`,
    `..%2f${path}`,
    `..;/${path}`,
    `rules/../${path}`,
    `rules/%2e%2e/${path}`,
    `rules/.%2e/${path}`,
    `rules/%252e%252e/${path}`,
    `rules/%c0%ae%c0%ae/${path}`,
    `rules/\uff0e\uff0e/${path}`,
    `rules\\..\\${path}`,
    `rules%5c..%5c${path}`,
    `probes/${path}`,
    `${path}/..`,
    `${path}/.`,
    `./${path}`,
    `${path}%2f..%2f..%2ftokens`,
    `${path}/../../tokens`,
    `${path};x=1`,
    `${path}%00`,
    `${path}%20`,
    `${path}%0d%0aX-Evil:%201`,
    `${path}\r\nX-Evil: 1`,
    `${path} HTTP/1.1\r\nHost: ${other}\r\n\r\nGET /`,
    `${path}%3flimit=1`,
    `${path}%23`,
    `${path}#x`,
    path.replaceAll('/', '%2f'),
    path.replaceAll('/', '%252f'),
    path.replaceAll('/', '\u2215'),
    path.replaceAll('/', '//'),
    path.toUpperCase(),
    path.replace(first, hex(first)),
    path.replace(first, hex(first).replace('%', '%25')),
    path.replace(first, String.fromCodePoint(first.charCodeAt(0) + 0xfee0)),
    `api/v1/${path}`,
    `api%2fv1%2f${path}`,
    `${path}/${path}`,
  ].map((each) => ({ path: each, url: each }));
  const urls = [
    `tokens?limit=1`,
    `http://${other}/${path}?a=1`,
    `//${other}?a=1`,
    `${path}?_method=DELETE&method=DELETE&X-HTTP-Method-Override=DELETE`,
    `${path}?path=../tokens&url=http://${other}`,
    `${path}?a=%0d%0aHost:%20${other}`,
    `${path}?a=\r\nHost: ${other}`,
    `${path}?a=1 HTTP/1.1\r\nX-Evil: 1`,
    `${path}?%00=%ff&=&&?#@${other}`,
    `${path}?a=\u2028\ufffe`,
    `?`,
    '',
  ].map((url) => ({ path, url }));
  const headers = [
    { Host: other },
    { ':authority': other, ':path': '/api/v1/tokens', ':method': 'DELETE' },
    { 'X-HTTP-Method-Override': 'DELETE', 'X-HTTP-Method': 'DELETE', 'X-Method-Override': 'DELETE' },
    { 'X-Forwarded-Host': other, Forwarded: `host=${other}`, 'X-Host': other },
    { 'X-Original-URL': '/api/v1/tokens', 'X-Rewrite-URL': '/api/v1/tokens' },
    { Connection: 'close, x-grafana-user, authorization', 'Keep-Alive': 'timeout=1' },
    { 'Transfer-Encoding': 'chunked', 'Content-Length': '0', TE: 'trailers', Trailer: 'Host' },
    { Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__', Expect: '100-continue' },
    { Authorization: 'Bearer other', 'Proxy-Authorization': 'Basic x', 'X-ID-Token': 'x', Cookie: 'a=b' },
    { 'X-Grafana-User': 'root', 'X-GRAFANA-USER': 'root', 'X-Grafana-Role': 'Admin', 'X-WEBAUTH-USER': 'root' },
    { 'If-Match': '"1"\r\nX-Evil: 1', Accept: `text/csv\r\nHost: ${other}`, 'X-Request-Id': 'a\nb' },
    { 'If-Match\r\nX-Evil': '1', 'X-Request-Id ': 'x', '': 'x' },
    { __proto__: 'x', constructor: 'x', 'Content-Type': 'application/json; x="\r\n"' },
  ].map((each) => ({ headers: each as Record<string, string> }));
  const methods = [method.toLowerCase(), `${method} `, `${method}\r\nX-Evil: 1`, `${method}\0`, `DELETE /api/v1/tokens`]
    .concat(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND'])
    .map((each) => ({ method: each }));
  return [{}, ...paths, ...urls, ...headers, ...methods];
}

describe('resources', () => {
  test.each(roles)('as %j: whatever the trick, only listed routes of that role are reached', async (role) => {
    let calls = 0;
    for (const route of routes) {
      const plain = exampleOf(route);
      const attacks = attacksOn(plain, route.method, new URL(evil.url).host);
      const answers = await Promise.all(
        attacks.map(({ method = route.method, path = plain, url = path, headers = {} }) =>
          plugin.client.resource(as(role), method, path, {
            url,
            headers: { 'Content-Type': 'application/json', ...headers },
            ...(method === 'GET' ? {} : { raw: Buffer.from('{}') }),
          }),
        ),
      );
      calls += answers.length;
      for (const [i, { code }] of answers.entries()) {
        expect([200, 400, 403, 404, 405, 414, 415], `${code} for ${JSON.stringify(attacks[i])}`).toContain(code);
      }
      // Each answer that says so was one request, and each request one answer.
      expect(api.requests.length, `${route.method} ${route.path}`).toBe(
        answers.filter(({ code }) => code === 200).length,
      );
      expect(api.requests.flatMap((request) => wrongWith(request) ?? [])).toEqual([]);
      if (mayUse(role, route.role)) expect(api.requests.length).toBeGreaterThan(0);
      api.requests.length = 0;
    }
    expect(calls).toBeGreaterThan(2_000);
    expect(evil.requests).toEqual([]);
  });
});

const queryKeys = new Set(
  ['refId', 'type', 'measures', 'groupBy', 'filter', 'intervalMs', 'maxDataPoints', 'limit', 'other', 'orderBy'].concat(
    ['direction', 'units', 'compareTo', 'explain', 'mergeNodes'],
  ),
);

describe('queries', () => {
  const elsewhere = (): object => ({
    url: evil.url,
    host: evil.url,
    path: '/api/v1/tokens',
    method: 'DELETE',
    headers: { 'x-grafana-user': 'root' },
    datasource: { uid: '../../tokens', url: evil.url },
    resource: 'rules',
    proxy: evil.url,
  });
  const targets = (): (object | string)[] => [
    elsewhere(),
    { ...elsewhere(), type: 'table', measures: ['bytes'], groupBy: ['src_ip'] },
    { ...elsewhere(), type: 'flows', queryType: 'flows' },
    { type: '../tokens' },
    { type: 'table', measures: ['../tokens', '"; DROP TABLE flows; --'], groupBy: ['http://x'] },
    { type: 'timeseries', filter: '\r\nHost: evil\r\n\r\n', measures: ['bytes'] },
    { queryType: 'alerts', alerts: { search: '&limit=1#/../tokens', source: '\r\nX-Evil: 1', kind: 'detector' } },
    { queryType: 'alerts', alerts: { kind: '../tokens', state: '?', path: '/api/v1/tokens' } },
    { queryType: '../tokens', live: '../tokens' },
    '{"__proto__": {"url": "x"}, "constructor": {"prototype": {"path": "/"}}, "type": "table", "measures": ["bytes"]}',
    '[]',
    'null',
    '"tokens"',
    '{',
  ];

  test.each(roles)('as %j: what a target says beside its question is dropped', async (role) => {
    const queries = targets().map((query, i) => ({ refId: `q/../${i}`, from, to, query }));
    const headers = {
      'X-Grafana-User': 'root',
      Host: evil.url,
      'http_X-HTTP-Method-Override': 'DELETE',
      Cookie: 'a=b',
    };
    const answers = await plugin.client.query(as(role), queries, { headers });
    expect(Object.keys(answers)).toHaveLength(queries.length);
    expect(api.requests.length).toBeGreaterThan(0);
    for (const request of api.requests) {
      expect(wrongWith(request)).toBeUndefined();
      expect(`${request.method} ${request.url.split('?', 1)[0]}`).toMatch(
        /^(POST \/api\/v1\/query|GET \/api\/v1\/(alerts|dimensions))$/,
      );
      if (request.method !== 'POST') continue;
      const body = JSON.parse(request.body) as { queries: object[] };
      expect(Object.keys(body).sort()).toEqual(['from', 'queries', 'to']);
      expect(body.queries.flatMap(Object.keys).filter((key) => !queryKeys.has(key))).toEqual([]);
    }
    expect(evil.requests).toEqual([]);
  });
});

describe('streams', () => {
  const encoded = (filter: string): string => `live/rates/f_${Buffer.from(filter).toString('base64url')}`;
  const nowhere = [
    '',
    'live',
    'live/rates',
    'live/rates/',
    'live/../tokens',
    'live/rates/../../tokens',
    'live/rates/f_/../../tokens',
    'live/rates/f_%2e%2e',
    'live/rates/f_a?x=1',
    'live/rates/f_a b',
    'live/rates/h_00000000000000000000000000000000',
    'live/RATES/f_',
    'live/tokens/f_',
    '//evil/live/rates/f_',
    'http://evil/live/rates/f_',
    'live/rates/f_\r\nX-Evil: 1',
    `live/rates/f_${'A'.repeat(200)}`,
  ];

  test('paths that name no query lead nowhere, and nobody publishes', async () => {
    for (const path of nowhere) {
      expect(await plugin.client.subscribe(as('Admin'), path), path).toBe(1);
      const { ended } = plugin.client.run(as('Admin'), path);
      expect((await ended).code, path).not.toBe(0);
      expect(await plugin.client.publish(as('Admin'), path, { view: 'rates' }), path).toBe(2);
    }
    expect(await plugin.client.publish(as('Admin'), encoded(''), {})).toBe(2);
    expect(api.requests).toEqual([]);
  });

  test('a filter is never more than a filter', async () => {
    for (const filter of ['\r\nHost: evil', '&filter=x#/../../tokens', '../../tokens?', '\u2028\0"', 'a%0d%0ab']) {
      api.requests.length = 0;
      const { ended, cancel } = plugin.client.run(as('Viewer'), encoded(filter));
      await until('the API is asked', () => api.requests.length > 0);
      cancel();
      await ended;
      const [{ method, url, headers }] = api.requests as [FakeRequest];
      expect(method).toBe('GET');
      const asked = new URL(url, 'http://api');
      expect([asked.pathname, [...asked.searchParams]]).toEqual(['/api/v1/live', [['filter', filter]]]);
      expect(Object.keys(headers).filter((name) => !headersExpected.has(name))).toEqual([]);
    }
    expect(evil.requests).toEqual([]);
  });
});

describe('settings', () => {
  const odd = (): string[] => {
    const host = new URL(evil.url).host;
    return [
      'file:///etc/passwd',
      'unix:///var/run/docker.sock',
      'http+unix://%2Fvar%2Frun%2Fdocker.sock/',
      'ftp://127.0.0.1/',
      'gopher://127.0.0.1:70/_x',
      'javascript:alert(1)',
      'data:application/json,{}',
      `http://user:password@${host}`,
      `http://@${host}@${host}`,
      `http://:x@${host}`,
      `${evil.url}?x=1`,
      `${evil.url}#x`,
      `//${host}`,
      host,
      'http://',
      'http://[::1',
      'http://a b/',
      'http://127.0.0.1:99999/',
    ];
  };

  test('addresses that are none of an API are refused before anything is sent', async () => {
    for (const [i, url] of odd().entries()) {
      const datasource = { ...as('Admin'), url, uid: `odd-${i}` };
      expect(await plugin.client.health(datasource), url).toMatchObject({ ok: false });
      expect((await plugin.client.resource(datasource, 'GET', 'rules')).code, url).not.toBe(200);
      const answers = await plugin.client.query(datasource, [{ from, to, query: { type: 'table' } }]);
      expect(answers['A']!.error, url).not.toBe('');
      expect(JSON.stringify(answers), url).not.toContain('password@');
    }
    expect(evil.requests).toEqual([]);
    expect(JSON.stringify(plugin.log)).not.toContain(token);
  });

  test('an address goes where it says, and its path stays a path', async () => {
    const { host } = new URL(api.url);
    for (const [url, path] of [
      [`http://${host}\\@${new URL(evil.url).host}`, `/@${new URL(evil.url).host}`],
      [`http://${host}/a/../b/`, '/b'],
      [`http://${host}/a%0d%0aX:y`, '/a%0d%0aX:y'],
      [` http://${host}\r\n`, ''],
    ] as const) {
      api.requests.length = 0;
      await plugin.client.resource({ ...as('Viewer'), url, uid: `path-${path}` }, 'GET', 'rules');
      expect(api.requests.map((request) => request.url)).toEqual([`${path}/api/v1/rules`]);
    }
    expect(evil.requests).toEqual([]);
  });
});
