import { Writable } from 'node:stream';
import fc from 'fast-check';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../../errors.js';
import { createManagement, systemActor } from '../../management/index.js';
import type { Management } from '../../management/index.js';
import { newTokenId, newTokenText, tokenIdOf } from '../../management/token-format.js';
import { openStore } from '../../storage/index.js';
import type { Store } from '../../storage/index.js';
import { temporaryDataDir } from '../../storage/testing.js';
import { createApi } from '../server.js';
import type { Api } from '../server.js';
import { failureKey, Networks, originOf, parseNetwork, plainAddress } from './address.js';
import type { AccessConfig } from './config.js';
import { FailureLimit } from './failure-limit.js';
import { parseListen } from './listen.js';

const folder = temporaryDataDir();
const log: string[] = [];
const apis: Api[] = [];
let store: Store;
let management: Management;

const newApi = async (access: AccessConfig): Promise<Api> => {
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      log.push(chunk.toString());
      done();
    },
  });
  const api = createApi(
    {
      store,
      management,
      metrics: new Registry(),
      status: () => ({ dependencies: [], watermarkMs: null, samplingRate: 1 }),
      logger: pino({ level: 'trace' }, sink),
    },
    { listen: '127.0.0.1:0', access },
  );
  await api.app.ready();
  apis.push(api);
  return api;
};

beforeAll(async () => {
  store = await openStore({ dataDir: folder.path });
  management = createManagement(store);
});
afterAll(async () => {
  for (const api of apis) await api.stop();
  await store.close();
  folder.remove();
});

const settings = { name: 'x', networks: [], expiresAt: null, onBehalfOf: false };
const mint = async (role: 'viewer' | 'editor' | 'admin', more = {}) =>
  (await management.tokens.create({ ...settings, role, ...more }, systemActor)).text;

type Headers = Record<string, string>;
const ask = async (api: Api, headers: Headers, remoteAddress = '127.0.0.1', url = '/api/v1/measures') => {
  const answer = await api.app.inject({ method: 'GET', url, headers, remoteAddress });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json<{ type: string; detail: string }>() };
};
const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

describe('failures', () => {
  test('of an address are limited; right tokens and other addresses are not', async () => {
    const api = await newApi({ auth: 'token', failuresPerMinute: 3 });
    const good = bearer(await mint('viewer'));
    const bad = bearer(newTokenText(newTokenId()));
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) statuses.push((await ask(api, bad, '192.0.2.1')).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    const limited = await ask(api, bad, '192.0.2.1');
    expect(limited.body.type).toBe('urn:netspectra:problem:rate-limited');
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask(api, good, '192.0.2.1')).status).toBe(200);
    expect((await ask(api, bad, '192.0.2.2')).status).toBe(401);
    // Hosts of IPv6 have a /64 to themselves.
    for (let i = 1; i <= 3; i += 1) expect((await ask(api, bad, `2001:db8:0:1::${i}`)).status).toBe(401);
    expect((await ask(api, bad, '2001:db8:0:1:ffff::9')).status).toBe(429);
    expect((await ask(api, bad, '2001:db8:0:2::1')).status).toBe(401);
    // Nothing was guessed where nothing was sent.
    for (let i = 0; i < 5; i += 1) expect((await ask(api, {}, '192.0.2.3')).status).toBe(401);
    expect((await ask(api, bad, '192.0.2.3')).status).toBe(401);
    const metrics = await api.app.inject({ url: '/metrics', headers: good });
    expect(metrics.body).toMatch(/netspectra_api_access_refused_total\{reason="limited"\} 4/);
  });

  test('are remembered for a minute, of a bounded number of addresses', () => {
    let now = 0;
    const limit = new FailureLimit(2, () => now);
    expect([limit.fail('a'), limit.fail('a'), limit.fail('a')]).toEqual([0, 0, 60]);
    now = 59_500;
    expect(limit.fail('a')).toBe(1);
    now = 60_000;
    expect(limit.fail('a')).toBe(0);
    for (let i = 0; i < 25_000; i += 1) limit.fail(`n${i}`);
    expect([limit.size, limit.forgotten]).toEqual([10_000, 15_001]);
  });
});

test('a flood of refused changes is audited up to a limit, in few inserts', async () => {
  let inserts = 0;
  const counted = {
    kind: store.kind,
    query: (...call: Parameters<Store['query']>) => store.query(...call),
    insert: (block: Parameters<Store['insert']>[0]) => {
      inserts += 1;
      return store.insert(block);
    },
  };
  const guarded = createManagement(counted as unknown as Store);
  const api = createApi(
    {
      store,
      management: guarded,
      metrics: new Registry(),
      status: () => ({ dependencies: [], watermarkMs: null, samplingRate: 1 }),
    },
    { listen: '127.0.0.1:0', access: { auth: 'token' } },
  );
  apis.push(api);
  for (let i = 0; i < 100; i += 1) {
    await api.app.inject({ method: 'DELETE', url: '/api/v1/rules/flooded', remoteAddress: '203.0.113.9' });
  }
  await guarded.audit.flush();
  expect((await guarded.audit.list({ object: 'flooded', limit: 1000 })).entries).toHaveLength(60);
  expect(guarded.audit.lost).toBe(40);
  expect(inserts).toBeLessThan(20);
});

describe('where a request comes from', () => {
  test('X-Forwarded-For counts as far as trusted proxies wrote it', () => {
    const trusted = new Networks(['10.0.0.0/8', '::1']);
    const from = (peer: string, header?: string) =>
      originOf(peer, header === undefined ? {} : { 'x-forwarded-for': header }, trusted);
    expect(from('192.0.2.1', '127.0.0.1')).toEqual({ address: '192.0.2.1', proxied: true });
    expect(from('192.0.2.1')).toEqual({ address: '192.0.2.1', proxied: false });
    expect(from('10.0.0.1', '127.0.0.1, 198.51.100.7')).toEqual({ address: '198.51.100.7', proxied: false });
    expect(from('10.0.0.1', '127.0.0.1, 198.51.100.7, 10.9.9.9')).toMatchObject({ address: '198.51.100.7' });
    expect(from('::ffff:10.0.0.1', '2001:db8::1')).toMatchObject({ address: '2001:db8::1' });
    expect(from('10.0.0.1', 'nonsense')).toMatchObject({ address: '10.0.0.1' });
    expect(from('::1', '')).toMatchObject({ address: '::1' });
    expect(originOf(undefined, {}, trusted)).toMatchObject({ address: '0.0.0.0' });
  });

  test('networks and addresses', () => {
    expect([parseNetwork('10.0.0.0/8'), parseNetwork('::1')]).toEqual([
      { address: '10.0.0.0', length: 8 },
      { address: '::1', length: 128 },
    ]);
    for (const text of [
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      'x',
      '',
      'fe80::1%eth0',
      '10.0.0.0/08',
      '1.2.3/8',
    ]) {
      expect(parseNetwork(text), text).toBeNull();
    }
    expect(plainAddress('::FFFF:192.0.2.1')).toBe('192.0.2.1');
    expect(plainAddress('fe80::1%eth0')).toBe('fe80::1');
    expect(['192.0.2.1', '::1', '2001:db8::', '2001:0DB8:1:2:3:4:5:6', '1:2:3:4::'].map(failureKey)).toEqual([
      '192.0.2.1',
      '0:0:0:0::/64',
      '2001:db8:0:0::/64',
      '2001:db8:1:2::/64',
      '1:2:3:4::/64',
    ]);
  });

  test('a token may be bound to networks', async () => {
    const api = await newApi({ auth: 'token', trustedProxies: ['10.0.0.1'] });
    const token = bearer(await mint('viewer', { networks: ['192.0.2.0/24', '2001:db8::/32'] }));
    const forwarded = (address: string) => ({ ...token, 'x-forwarded-for': address });
    expect((await ask(api, token, '192.0.2.77')).status).toBe(200);
    expect((await ask(api, token, '::ffff:192.0.2.77')).status).toBe(200);
    expect((await ask(api, token, '2001:db8::5')).status).toBe(200);
    expect((await ask(api, token, '198.51.100.1')).status).toBe(401);
    expect((await ask(api, forwarded('192.0.2.77'), '198.51.100.1')).status).toBe(401);
    expect((await ask(api, forwarded('192.0.2.77'), '10.0.0.1')).status).toBe(200);
  });
});

describe('loopback without a token', () => {
  test.each<[string, Headers, string, number]>([
    ['curl on this machine', {}, '127.0.0.1', 200],
    ['curl over IPv6', { host: '[::1]:8080' }, '::1', 200],
    ['another machine', {}, '192.0.2.1', 401],
    ['a rebound name', { host: 'evil.example:8080' }, '127.0.0.1', 421],
    ['a page of another site', { host: 'localhost:8080', origin: 'https://evil.example' }, '127.0.0.1', 403],
    ['a sandboxed page', { host: 'localhost:8080', origin: 'null' }, '127.0.0.1', 403],
    ['an image of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, '127.0.0.1', 403],
    ['a link of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, '127.0.0.1', 200],
    ['the reference of this server', { host: 'localhost:8080', origin: 'http://localhost:8080' }, '127.0.0.1', 200],
    ['a reverse proxy nobody told of', { 'x-forwarded-for': '192.0.2.1' }, '127.0.0.1', 401],
    ['another proxy', { via: '1.1 squid' }, '127.0.0.1', 401],
    ['a password', { authorization: 'Basic YTpi' }, '127.0.0.1', 401],
  ])('%s', async (_, headers, address, status) => {
    const api = apis[apis.length - 1]!;
    expect((await ask(api, headers, address)).status).toBe(status);
  });
  beforeAll(async () => {
    await newApi({});
  });

  test('who may use what is said when it is refused', async () => {
    const api = await newApi({});
    const refused = await ask(api, {}, '127.0.0.1', '/api/v1/tokens');
    expect(refused).toMatchObject({ status: 403, body: { detail: expect.stringContaining('role admin') as string } });
    expect((await ask(api, { via: 'x' })).body.detail).toContain('proxy');
  });
});

test('the Grafana user is believed only where a token may name one', async () => {
  const api = await newApi({ auth: 'token' });
  const names: string[] = [];
  const act = async (token: string, user: string) => {
    const headers = { ...bearer(token), 'x-grafana-user': user, 'if-match': '*' };
    await api.app.inject({ method: 'DELETE', url: '/api/v1/tokens/nothing', headers });
    const seen = async () => (await management.audit.list({ actor: tokenIdOf(token)!, limit: 1 })).entries[0];
    await expect.poll(seen).toBeDefined();
    names.push((await seen())!.actor.onBehalfOf);
  };
  await act(await mint('editor', { onBehalfOf: true }), 'ann');
  await act(await mint('editor'), 'ann');
  await act(await mint('viewer', { onBehalfOf: true }), 'ann');
  await act(await mint('editor', { onBehalfOf: true }), 'a'.repeat(200));
  expect(names).toEqual(['ann', '', '', '']);
});

describe('the text of a token', () => {
  test('is recognised, with its check', () => {
    for (let i = 0; i < 200; i += 1) {
      const id = newTokenId();
      expect(tokenIdOf(newTokenText(id))).toBe(id);
    }
    const text = newTokenText('abcdefghijkl');
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'0aZ_-é'), (at, character) => {
        const other = text.slice(0, at) + character + text.slice(at + 1);
        expect(tokenIdOf(other) === null).toBe(other !== text);
      }),
    );
    expect(new Set(Array.from({ length: 100 }, () => newTokenText('abcdefghijkl'))).size).toBe(100);
  });

  test('and no other credential ever crashes or enters', async () => {
    const api = await newApi({ auth: 'token', failuresPerMinute: 10_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom(...'Bearer nst_0aZ=+/.~\t,"é'), maxLength: 80 }),
        async (text) => {
          // What HTTP itself refuses is not ours to look at.
          if (/[^\x20-\x7e\t]/.test(text)) return;
          expect((await ask(api, { authorization: text })).status).toBe(401);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('where it may listen', () => {
  const tls = { certFile: 'c', keyFile: 'k' };
  test.each<[string, AccessConfig, string | null]>([
    ['127.0.0.1:0', {}, null],
    ['[::1]:1', { auth: 'token' }, null],
    ['0.0.0.0:1', {}, 'api.auth: token'],
    ['0.0.0.0:1', { auth: 'loopback-open', tls }, 'api.auth: token'],
    ['0.0.0.0:1', { auth: 'token' }, 'api.tls.cert_file'],
    ['[::]:1', { auth: 'token', tls }, null],
    ['example.org:1', { auth: 'token', insecurePlain: true }, null],
  ])('%s with %j', (listen, access, mistake) => {
    if (mistake === null) expect(parseListen(listen, access)).toMatchObject({ host: expect.any(String) as string });
    else {
      expect(() => parseListen(listen, access)).toThrow(UserError);
      expect(() => parseListen(listen, access)).toThrow(mistake);
    }
  });
});

test('a store that does not answer lets nobody in on old knowledge, and says 503', async () => {
  const gone = {
    ...store,
    kind: 'server' as const,
    query: () => Promise.reject(new UserError('NS_STORE_UNAVAILABLE', 'gone')),
  };
  const api = createApi(
    {
      store,
      management: createManagement(gone as unknown as Store),
      metrics: new Registry(),
      status: () => ({ dependencies: [], watermarkMs: null, samplingRate: 1 }),
    },
    { listen: '127.0.0.1:0', access: { auth: 'token' } },
  );
  apis.push(api);
  const answer = await ask(api, bearer(await mint('admin')));
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
});

test('secrets are in no log line and no answer', async () => {
  const configured = 'planted-token-of-the-configuration-0123456789';
  const api = await newApi({ auth: 'token', adminToken: configured });
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/tokens',
    headers: bearer(configured),
    payload: { name: 'planted', role: 'admin' },
  });
  const { token, id } = made.json<{ token: string; id: string }>();
  const headers = bearer(token);
  const answers: string[] = [];
  const call = async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, more: object = {}) => {
    const answer = await api.app.inject({ method, url, headers: { ...headers, 'if-match': '*' }, ...more });
    answers.push(answer.body, JSON.stringify(answer.headers));
    return answer;
  };
  await call('GET', '/api/v1/tokens');
  await call('GET', `/api/v1/tokens/${id}`);
  await call('PUT', `/api/v1/tokens/${id}`, { payload: { name: token.slice(0, 9), role: 'admin' } });
  await call('GET', '/api/v1/audit');
  await call('GET', '/metrics');
  await call('GET', '/healthz');
  await call('POST', '/api/v1/query', { payload: { secret: 1 } });
  await call('POST', '/api/v1/query', { payload: '{', headers: { ...headers, 'content-type': 'application/json' } });
  await call('DELETE', `/api/v1/tokens/${id}`);
  await call('GET', '/api/v1/tokens');
  for (const secret of [configured, token.slice(17)]) {
    expect(answers.join('\n')).not.toContain(secret);
    expect(log.join('\n')).not.toContain(secret);
  }
  const hash = JSON.stringify(await management.tokens.get(id));
  expect(hash).not.toContain(token.slice(17));
  expect(log.length).toBeGreaterThan(5);
});
