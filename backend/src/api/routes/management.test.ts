/** Rules, capture rules, tokens, alerts and audit as a client sees them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemActor } from '../../management/index.js';
import { tsvRow, tsvTime } from '../../management/tsv.js';
import { openStore } from '../../storage/index.js';
import type { Store } from '../../storage/index.js';
import { createClickHouseWriter } from '../../storage/index.js';
import { makeFlush, temporaryDataDir } from '../../storage/testing.js';
import { Registry } from 'prom-client';
import { createManagement } from '../../management/index.js';
import type { Management } from '../../management/index.js';
import { createApi } from '../server.js';
import type { Api } from '../server.js';

const adminToken = 'configured-token-of-the-administrator-0123456789';
const base = 1_700_000_040; // a whole minute
const folder = temporaryDataDir();
let store: Store;
let management: Management;
let api: Api;

interface Reply {
  readonly status: number;
  readonly etag: string | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: Record<string, unknown> & { errors?: { pointer: string; detail: string; suggestion?: string }[] };
}

async function call(method: string, url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const answer = await api.app.inject({
    method: method as 'GET',
    url,
    headers: { authorization: `Bearer ${adminToken}`, ...headers },
    ...(body === undefined ? {} : { payload: body as object }),
  });
  return {
    status: answer.statusCode,
    etag: answer.headers.etag as string | undefined,
    headers: answer.headers,
    body: answer.body === '' ? {} : answer.json(),
  };
}

beforeAll(async () => {
  store = await openStore({ dataDir: folder.path });
  const writer = createClickHouseWriter(store);
  // Ten minutes; the host 10.0.0.1 sends 1,000 bytes a minute, and 50,000 from minute 4 to 6.
  const flows = Array.from({ length: 10 }, (_, minute) =>
    [1, 2].map((host) => ({
      window_start: base + minute * 60,
      window_seconds: 10,
      flow_id: host,
      client_ip: `::ffff:10.0.0.${host}`,
      server_ip: '::ffff:192.0.2.1',
      client_port: 50_000,
      server_port: 443,
      protocol: 6,
      client_packets: 10,
      client_bytes: host === 1 && minute >= 4 && minute <= 6 ? 50_000 : 1_000,
      first: `${base + minute * 60}.000000000`,
      last: `${base + minute * 60 + 5}.000000000`,
    })),
  ).flat();
  await writer.write(makeFlush({ probe: 'p', epoch: 1n, partition: 0, firstSeq: 1, lastSeq: 1 }, { flows }));
  management = createManagement(store);
  api = createApi(
    {
      store,
      management,
      metrics: new Registry(),
      status: () => ({ dependencies: [], watermarkMs: null }),
    },
    { listen: '127.0.0.1:0', access: { adminToken } },
  );
  await api.app.ready();
});
afterAll(async () => {
  await api.stop();
  await store.close();
  folder.remove();
});

const rule = {
  name: 'Much from one host',
  query: { measure: 'bytes', groupBy: ['src_ip'] },
  condition: { type: 'threshold', operator: '>', value: 10_000 },
  interval: '1m',
  for: '1m',
  severity: 'warning',
  annotations: { summary: '{{ labels.src_ip }} sent {{value}} bytes' },
};
const captureRule = { name: 'Web', probes: ['edge-*'], filter: 'port 443', action: { type: 'drop' }, priority: 10 };

describe.each([
  ['/api/v1/rules', 'rules', rule, 'rule'],
  ['/api/v1/capture-rules', 'captureRules', captureRule, 'capture_rule'],
] as const)('%s', (url, list, thing, noun) => {
  test('are made, read, replaced and deleted, each with its version; the history stays', async () => {
    const made = await call('POST', url, thing);
    expect(made).toMatchObject({ status: 201, etag: '"1"', body: { ...thing, version: 1 } });
    const id = String(made.body['id']);
    expect(made.headers['location']).toBe(`${url}/${id}`);
    expect(made.body['updatedBy']).toMatchObject({ kind: 'configured' });
    const read = await call('GET', `${url}/${id}`);
    expect(read).toMatchObject({ status: 200, etag: '"1"', body: made.body });
    // What was read can be sent back as it came.
    const changed = await call('PUT', `${url}/${id}`, { ...read.body, name: 'Renamed' }, { 'if-match': '"1"' });
    expect(changed).toMatchObject({ status: 200, etag: '"2"', body: { name: 'Renamed', version: 2 } });
    expect(await call('PUT', `${url}/${id}`, thing, { 'if-match': '"1"' })).toMatchObject({
      status: 412,
      body: { type: 'urn:netspectra:problem:precondition-failed' },
    });
    expect((await call('PUT', `${url}/${id}`, thing)).status).toBe(428);
    expect((await call('PUT', `${url}/${id}`, thing, { 'if-match': '2' })).status).toBe(400);
    expect((await call('PUT', `${url}/${id}`, thing, { 'if-match': 'W/"2"' })).status).toBe(412);
    expect((await call('PUT', `${url}/nothing`, thing, { 'if-match': '*' })).status).toBe(404);
    expect((await call('PUT', `${url}/${id}`, thing, { 'if-match': '*' })).etag).toBe('"3"');
    expect((await call('DELETE', `${url}/${id}`)).status).toBe(428);
    expect((await call('DELETE', `${url}/${id}`, undefined, { 'if-match': '"2"' })).status).toBe(412);
    expect((await call('DELETE', `${url}/${id}`, undefined, { 'if-match': '"3"' })).status).toBe(204);
    expect((await call('GET', `${url}/${id}`)).status).toBe(404);
    const history = await call('GET', `${url}/${id}/history`);
    expect(history.body['versions']).toMatchObject([
      { version: 4, deleted: true, action: `${noun}.delete` },
      { version: 3, deleted: false, body: { name: thing.name } },
      { version: 2, action: `${noun}.update`, body: { name: 'Renamed' } },
      { version: 1, action: `${noun}.create` },
    ]);
    const page = await call('GET', `${url}/${id}/history?limit=3`);
    expect(page.body['next']).toBe('2');
    expect((await call('GET', `${url}/${id}/history?before=2`)).body['versions']).toHaveLength(1);
    expect((await call('GET', `${url}/nothing/history`)).status).toBe(404);
  });

  test('are listed by name, page by page, filtered', async () => {
    for (const name of ['c', 'a', 'b']) await call('POST', url, { ...thing, name, enabled: name !== 'b' });
    const names: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await call('GET', `${url}?limit=2${cursor}`);
      names.push(...(body[list] as { name: string }[]).map(({ name }) => name));
      if (body['next'] === null) break;
      cursor = `&cursor=${String(body['next'])}`;
    }
    expect(names).toEqual(['a', 'b', 'c']);
    const namesOf = async (query: string) =>
      ((await call('GET', `${url}?${query}`)).body[list] as { name: string }[]).map(({ name }) => name);
    expect(await namesOf('search=B')).toEqual(['b']);
    expect(await namesOf('enabled=true')).toEqual(['a', 'c']);
    expect(await namesOf('enabled=false')).toEqual(['b']);
    for (const cursor of ['x', Buffer.from('[1,2]').toString('base64url')]) {
      expect(await call('GET', `${url}?cursor=${cursor}`)).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '#/cursor' }] },
      });
    }
  });

  test('one body for two writers of one version: one of them is told', async () => {
    const { body } = await call('POST', url, thing);
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, i) =>
        call('PUT', `${url}/${String(body['id'])}`, { ...thing, name: `n${i}` }, { 'if-match': '"1"' }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
  });
});

describe('what is wrong with a rule is told with its place', () => {
  test.each<[object, string, string?]>([
    [{ query: { measure: 'byte' } }, '#/query/measure', 'bytes'],
    [{ query: { measure: 'bytes', groupBy: ['vlan', 'srcip'] } }, '#/query/groupBy/1', 'src_ip'],
    [{ query: { measure: 'bytes', filter: 'srcip = 1' } }, '#/query/filter'],
    [{ query: { measure: 'bytes', filter: 'dns_name = x' } }, '#/query'],
    [{ exclusions: 'src_ip in' }, '#/exclusions'],
    [{ exclusions: 'bytes) or (bytes > 1' }, '#/exclusions'],
    [{ interval: '15s' }, '#/interval'],
    [{ interval: '2w' }, '#/interval'],
    [{ interval: '0s' }, '#/interval'],
    [{ interval: '5 minutes' }, '#/interval'],
    [{ for: '900000000w' }, '#/for'],
    [{ condition: { type: 'rate_of_change', over: '90s', operator: '>', value: 1 } }, '#/condition/over'],
    [{ condition: { type: 'band', learn: '5m' } }, '#/condition/learn'],
    [{ condition: { type: 'seasonal', period: '30s', operator: '>', value: 1 } }, '#/condition/period'],
    [{ annotations: { summary: 'from {{ labels.src_ipp }}' } }, '#/annotations/summary', '{{ labels.src_ip }}'],
    [{ recoveryMessage: 'over {{ value' }, '#/recoveryMessage'],
    [{ silence: { until: 'tomorrow', reason: 'x' } }, '#/silence/until'],
    [{ severity: 'loud' }, '#/severity'],
    [{ labels: { 'a b': 'c' } }, '#/labels/a b'],
    [{ name: 'two\nlines' }, '#/name'],
    [{ colour: 'red' }, '#/colour'],
  ])('%j', async (wrong, pointer, suggestion) => {
    const { status, body } = await call('POST', '/api/v1/rules', { ...rule, ...wrong });
    expect([status, body.errors?.[0]?.pointer]).toEqual([400, pointer]);
    if (suggestion !== undefined) expect(body.errors?.[0]?.suggestion).toBe(suggestion);
    expect(await call('PUT', '/api/v1/rules/x', { ...rule, ...wrong }, { 'if-match': '*' })).toMatchObject({
      status: 400,
    });
  });

  test('a filter that is too long for the store, which would refuse it whenever the rule is judged', async () => {
    const filter = Array.from({ length: 250 }, (_, i) => `host = 10.0.${i}.0/24`).join(' or ');
    const { status, body } = await call('POST', '/api/v1/rules', {
      ...rule,
      query: { measure: 'bytes', groupBy: ['src_ip'], filter },
    });
    expect([status, body.errors?.[0]?.pointer]).toEqual([400, '#/query/filter']);
  });

  test('a capture rule says what the kernel does of it; one that packets cannot answer is refused', async () => {
    const good = await call('POST', '/api/v1/capture-rules', captureRule);
    expect(good.body['kernel']).toMatchObject({ ok: true, text: expect.stringContaining('443') as string });
    const notPacket = await call('POST', '/api/v1/capture-rules', { ...captureRule, filter: 'rtt > 5ms' });
    expect(notPacket).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/filter', position: { offset: 0, length: 3 } }] },
    });
    expect(await call('POST', '/api/v1/capture-rules', { ...captureRule, filter: 'port = ' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/filter', position: { line: 1 } }] },
    });
    for (const action of [{ type: 'sample', rate: 1 }, { type: 'payload' }, { type: 'explode' }]) {
      expect((await call('POST', '/api/v1/capture-rules', { ...captureRule, action })).status).toBe(400);
    }
  });
});

describe('POST /api/v1/rules/test', () => {
  const range = { from: base * 1000, to: (base + 600) * 1000 };
  const at = (minute: number): number => (base + minute * 60) * 1000;
  const tried = (more: object = {}) => call('POST', '/api/v1/rules/test', { ...range, rule: { ...rule, ...more } });

  test('tells when which group would have fired', async () => {
    const { status, body } = await tried();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      firings: [
        {
          labels: { src_ip: '10.0.0.1' },
          pendingSinceMs: at(5),
          startMs: at(6),
          endMs: at(8),
          peak: 50_000,
          peakAtMs: at(5),
          lower: null,
          upper: 10_000,
        },
      ],
      firingsInAll: 1,
      groups: 2,
      truncated: false,
      evaluations: 10,
      fromMs: range.from,
      toMs: range.to,
      summary: { min: 1_000, max: 50_000 },
      quietThreshold: 50_000,
    });
    expect((await tried({ condition: { ...rule.condition, value: 50_000 } })).body['firings']).toEqual([]);
  });

  test('with exclusions and a filter', async () => {
    expect((await tried({ exclusions: 'src_ip = 10.0.0.1 or port = 53' })).body).toMatchObject({
      firings: [],
      groups: 1,
    });
    expect((await tried({ query: { ...rule.query, filter: 'host = 10.0.0.2' } })).body['firings']).toEqual([]);
    const many = Array.from({ length: 1000 }, (_, port) => `port = ${port}`).join(' or ');
    const tooLong = await tried({ query: { ...rule.query, filter: many } });
    expect([tooLong.status, tooLong.body.errors?.[0]?.pointer]).toEqual([400, '#/rule/query/filter']);
  });

  test('against earlier values', async () => {
    const condition = { type: 'rate_of_change', over: '2m', unit: 'absolute', operator: '>', value: 100 };
    const later = { from: at(2), to: range.to };
    const change = await call('POST', '/api/v1/rules/test', { ...later, rule: { ...rule, for: '0s', condition } });
    expect(change.body['firings']).toMatchObject([{ startMs: at(5), endMs: at(7), peak: 49_000 }]);
    const seasonal = { type: 'seasonal', period: '4m', operator: '>', value: 1_000 };
    const season = await call('POST', '/api/v1/rules/test', {
      from: at(4),
      to: at(7),
      rule: { ...rule, condition: seasonal, for: '0s' },
    });
    expect(season.body['firings']).toMatchObject([{ startMs: at(5), endMs: null, peak: 4_900 }]);
  });

  test('a band that never learned anything says nothing', async () => {
    const condition = { type: 'band', learn: '20m' };
    expect((await tried({ condition })).body).toMatchObject({ evaluations: 10, quietThreshold: null });
  });

  test('refuses what cannot be looked at, with the place', async () => {
    expect((await tried({ query: { measure: 'byte' } })).body.errors?.[0]?.pointer).toBe('#/rule/query/measure');
    expect((await tried({ interval: '1h' })).body.errors?.[0]?.pointer).toBe('#/to');
    const long = { from: 0, to: 30 * 86_400_000, rule };
    expect((await call('POST', '/api/v1/rules/test', long)).body.errors?.[0]?.pointer).toBe('#/from');
    const kept = await call('POST', '/api/v1/rules', rule);
    const again = await call('POST', '/api/v1/rules/test', { ...range, rule: kept.body });
    expect([again.status, again.body['firingsInAll']]).toEqual([200, 1]);
  });
});

describe('tokens', () => {
  test('are shown once, work until they are revoked, and are listed without secrets', async () => {
    const made = await call('POST', '/api/v1/tokens', { name: 'grafana', role: 'viewer', networks: ['127.0.0.0/8'] });
    const token = String(made.body['token']);
    const id = String(made.body['id']);
    expect(made).toMatchObject({ status: 201, etag: '"1"', headers: { 'cache-control': 'no-store' } });
    expect(token).toMatch(/^nst_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
    expect(made.body['prefix']).toBe(token.slice(0, 17));
    const as = (text: string) => ({ authorization: `Bearer ${text}` });
    expect((await call('GET', '/api/v1/rules', undefined, as(token))).status).toBe(200);
    expect((await call('POST', '/api/v1/rules', rule, as(token))).status).toBe(403);
    await expect.poll(async () => (await call('GET', `/api/v1/tokens/${id}`)).body['lastUsedFrom']).toBe('127.0.0.1');
    const kept = await call('GET', `/api/v1/tokens/${id}`);
    const changed = await call('PUT', `/api/v1/tokens/${id}`, { ...kept.body, role: 'editor' }, { 'if-match': '"1"' });
    expect(changed).toMatchObject({ status: 200, body: { role: 'editor', networks: ['127.0.0.0/8'] } });
    expect((await call('POST', '/api/v1/rules', rule, as(token))).status).toBe(201);

    const rotated = await call('POST', `/api/v1/tokens/${id}/rotate`, { grace: '1h' }, { 'if-match': '"2"' });
    const second = String(rotated.body['token']);
    expect(rotated.status).toBe(200);
    expect(Number(rotated.body['previousValidUntilMs'])).toBeGreaterThan(Date.now());
    for (const text of [token, second])
      expect((await call('GET', '/api/v1/rules', undefined, as(text))).status).toBe(200);
    const third = await call('POST', `/api/v1/tokens/${id}/rotate`, {}, { 'if-match': '*' });
    for (const text of [token, second])
      expect((await call('GET', '/api/v1/rules', undefined, as(text))).status).toBe(401);
    expect((await call('GET', '/api/v1/rules', undefined, as(String(third.body['token'])))).status).toBe(200);

    const list = await call('GET', '/api/v1/tokens');
    const text = JSON.stringify(list.body);
    expect(list.body['tokens']).toMatchObject([{ id, name: 'grafana', role: 'editor' }]);
    for (const secret of [token, second, 'secret', 'hash']) expect(text).not.toContain(secret);
    expect((await call('DELETE', `/api/v1/tokens/${id}`, undefined, { 'if-match': '"4"' })).status).toBe(204);
    expect((await call('GET', '/api/v1/rules', undefined, as(String(third.body['token'])))).status).toBe(401);
    expect((await call('GET', `/api/v1/tokens/${id}`)).status).toBe(404);
  });

  test('mistakes are told with their place', async () => {
    const wrong = async (more: object) =>
      (await call('POST', '/api/v1/tokens', { name: 'x', role: 'viewer', ...more })).body;
    expect((await wrong({ networks: ['10.0.0.0/8', '10.0.0.0/33'] })).errors?.[0]?.pointer).toBe('#/networks/1');
    expect((await wrong({ expiresAt: '2001-01-01T00:00:00Z' })).errors?.[0]?.pointer).toBe('#/expiresAt');
    expect((await wrong({ role: 'root' })).errors?.[0]?.pointer).toBe('#/role');
    expect((await wrong({ secret: 'x' })).errors?.[0]?.pointer).toBe('#/secret');
  });
});

describe('GET /api/v1/audit', () => {
  test('has every change and every refused change, and no secret', async () => {
    const made = await call('POST', '/api/v1/tokens', { name: 'robot', role: 'editor', onBehalfOf: true });
    const token = String(made.body['token']);
    const robot = { authorization: `Bearer ${token}`, 'x-grafana-user': 'ann' };
    const created = await call('POST', '/api/v1/rules', rule, robot);
    const id = String(created.body['id']);
    await call('PUT', `/api/v1/rules/${id}`, rule, { ...robot, 'if-match': '"1"' });
    await call('DELETE', `/api/v1/rules/${id}`, undefined, { ...robot, 'if-match': '"2"' });
    const refused = await call('DELETE', `/api/v1/tokens/${String(made.body['id'])}`, undefined, robot);
    expect(refused.status).toBe(403);
    const stranger = { authorization: `Bearer ${token.slice(0, -1)}${token.endsWith('x') ? 'y' : 'x'}` };
    expect((await call('POST', '/api/v1/rules', rule, stranger)).status).toBe(401);
    const audit = async (query: string) =>
      (await call('GET', `/api/v1/audit?${query}`)).body['entries'] as Record<string, unknown>[];
    expect(await audit(`object=${id}`)).toMatchObject([
      { action: 'rule.delete', versionBefore: 2, versionAfter: 0, result: 'done' },
      { action: 'rule.update', versionBefore: 1, versionAfter: 2, actor: { id: made.body['id'], role: 'editor' } },
      {
        action: 'rule.create',
        versionBefore: 0,
        versionAfter: 1,
        address: '127.0.0.1',
        requestId: created.headers['x-request-id'],
        actor: { kind: 'token', name: 'robot', onBehalfOf: 'ann' },
      },
    ]);
    await expect.poll(async () => (await audit('result=refused')).length).toBeGreaterThanOrEqual(2);
    expect(await audit('result=refused&action=token')).toMatchObject([
      { action: 'token.revoke', actor: { name: 'robot', onBehalfOf: 'ann' }, object: made.body['id'] },
    ]);
    expect(await audit('result=refused&action=rule.create&limit=1')).toMatchObject([
      { actor: { kind: 'unknown' }, detail: expect.any(String) as string },
    ]);
    const ids: unknown[] = [];
    for (let cursor = ''; ;) {
      const { body } = await call('GET', `/api/v1/audit?limit=3${cursor}`);
      ids.push(...(body['entries'] as { id: string }[]).map((entry) => entry.id));
      if (body['next'] === null) break;
      cursor = `&cursor=${String(body['next'])}`;
    }
    const whole = await audit('limit=1000');
    expect(ids).toEqual(whole.map((entry) => entry['id']));
    expect(JSON.stringify(whole)).not.toContain(token.slice(17));
  });
});

describe('GET /api/v1/alerts', () => {
  test('pages, filters, and shows of each alert its last state', async () => {
    const columns = [
      ...['id', 'version', 'kind', 'source', 'name', 'severity', 'state', 'labels', 'value', 'threshold'],
      ...['started_at', 'ended_at', 'changed_at', 'summary'],
    ];
    const event = (id: string, version: number, state: string, started: number, ended: number, host: string) =>
      store.insert({
        table: 'events',
        columns,
        bytes: tsvRow([
          ...[id, version, 'alert', 'rule-1', 'Much', 'critical', state, `{'src_ip':'${host}'}`, 7, 5],
          ...[tsvTime(started * 1000), tsvTime(ended * 1000), tsvTime((ended || started) * 1000), `${host} is loud`],
        ]),
      });
    await event('a', 1, 'firing', base, 0, '10.0.0.1');
    await event('a', 2, 'resolved', base, base + 500, '10.0.0.1');
    await event('b', 1, 'firing', base + 1_000, 0, '10.0.0.2');
    const alerts = async (query: string) =>
      (await call('GET', `/api/v1/alerts?${query}`)).body['alerts'] as Record<string, unknown>[];
    expect(await alerts('')).toMatchObject([
      {
        id: 'b',
        state: 'firing',
        endedAtMs: null,
        labels: { src_ip: '10.0.0.2' },
        value: 7,
        startedAtMs: (base + 1_000) * 1000,
      },
      { id: 'a', state: 'resolved', endedAtMs: (base + 500) * 1000 },
    ]);
    const ids = async (query: string) => (await alerts(query)).map(({ id }) => id);
    expect(await ids('state=firing')).toEqual(['b']);
    expect(await ids(`from=${(base + 600) * 1000}`)).toEqual(['b']);
    expect(await ids(`to=${(base + 600) * 1000}`)).toEqual(['a']);
    expect(await ids('label=src_ip%3D10.0.0.1')).toEqual(['a']);
    expect(await ids('label=src_ip%3D10.0.0.1&label=src_ip%3D10.0.0.2')).toEqual(['b']);
    expect(await ids('search=0.2%20IS')).toEqual(['b']);
    expect(await ids('severity=info')).toEqual([]);
    const first = await call('GET', '/api/v1/alerts?limit=1');
    expect(await ids(`limit=1&cursor=${String(first.body['next'])}`)).toEqual(['a']);
  });
});

test('values that look like SQL stay values', async () => {
  const nasty = `'; DROP TABLE rules; -- \\ \t {x:String} ) UNION ALL`;
  const made = await call('POST', '/api/v1/rules', { ...rule, name: nasty.replace('\t', ' '), description: nasty });
  expect(made).toMatchObject({ status: 201, body: { description: nasty } });
  const { body } = await call('GET', `/api/v1/rules?search=${encodeURIComponent(`'; DROP`)}`);
  expect(body['rules']).toMatchObject([{ description: nasty }]);
  const history = await management.rules.history(String(made.body['id']), 5);
  expect(history).toHaveLength(1);
  await management.rules.remove(String(made.body['id']), 1, systemActor, 'rule.delete');
});
