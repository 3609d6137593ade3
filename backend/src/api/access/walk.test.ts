/**
 * Every operation of the OpenAPI document, with every kind of credential, against one table. A new route without a line in
 * the table fails, and so does a line without its route.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTokenId, newTokenText } from '../../management/token-format.js';
import { systemActor } from '../../management/index.js';
import type { GrantedRole } from '../../management/index.js';
import { openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';
import { createApi } from '../server.js';
import type { Api } from '../server.js';
import { Registry } from 'prom-client';
import type { Role } from './roles.js';

/** What each operation needs. */
const needs: Readonly<Record<string, Role>> = {
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
  'GET /metrics': 'viewer',
  'POST /api/v1/query': 'viewer',
  'GET /api/v1/flows': 'viewer',
  'GET /api/v1/dimensions': 'viewer',
  'GET /api/v1/measures': 'viewer',
  'GET /api/v1/values': 'viewer',
  'POST /api/v1/filter/complete': 'viewer',
  'POST /api/v1/filter/validate': 'viewer',
  'GET /api/v1/hosts/active': 'viewer',
  'GET /api/v1/hosts/{address}': 'viewer',
  'GET /api/v1/live': 'viewer',
  'GET /api/v1/probes': 'viewer',
  'GET /api/v1/engines': 'viewer',
  'GET /api/v1/alerts': 'viewer',
  'GET /api/v1/rules': 'viewer',
  'POST /api/v1/rules': 'editor',
  'POST /api/v1/rules/test': 'viewer',
  'GET /api/v1/rules/{id}': 'viewer',
  'PUT /api/v1/rules/{id}': 'editor',
  'DELETE /api/v1/rules/{id}': 'editor',
  'GET /api/v1/rules/{id}/history': 'viewer',
  'GET /api/v1/capture-rules': 'viewer',
  'POST /api/v1/capture-rules': 'editor',
  'GET /api/v1/capture-rules/{id}': 'viewer',
  'PUT /api/v1/capture-rules/{id}': 'editor',
  'DELETE /api/v1/capture-rules/{id}': 'editor',
  'GET /api/v1/capture-rules/{id}/history': 'viewer',
  'GET /api/v1/tokens': 'admin',
  'POST /api/v1/tokens': 'admin',
  'GET /api/v1/tokens/{id}': 'admin',
  'PUT /api/v1/tokens/{id}': 'admin',
  'DELETE /api/v1/tokens/{id}': 'admin',
  'POST /api/v1/tokens/{id}/rotate': 'admin',
  'GET /api/v1/audit': 'admin',
};

/** What a route answers a credential: let in, or the status with which it is not. */
type Outcome = 'in' | 401 | 403;

/** By what the route needs: public, viewer, editor, admin. */
const table: Readonly<Record<string, readonly [Outcome, Outcome, Outcome, Outcome]>> = {
  'no token': ['in', 401, 401, 401],
  'another scheme': ['in', 401, 401, 401],
  'malformed token': ['in', 401, 401, 401],
  'unknown token': ['in', 401, 401, 401],
  'wrong secret': ['in', 401, 401, 401],
  'expired token': ['in', 401, 401, 401],
  'revoked token': ['in', 401, 401, 401],
  'rotated away': ['in', 401, 401, 401],
  'elsewhere only': ['in', 401, 401, 401],
  viewer: ['in', 'in', 403, 403],
  editor: ['in', 'in', 'in', 403],
  admin: ['in', 'in', 'in', 'in'],
  configured: ['in', 'in', 'in', 'in'],
};
/** With auth: loopback-open, for who comes over loopback without a token. */
const openOutcome: readonly Outcome[] = ['in', 'in', 'in', 403];
const columns: readonly Role[] = ['public', 'viewer', 'editor', 'admin'];

const adminToken = 'configured-token-of-the-administrator-0123456789';
let t: TestApi;
let guarded: Api;
let open: Api;
let address: string;
let openAddress: string;
const credentials: Record<string, string | undefined> = {};

beforeAll(async () => {
  t = await openTestApi({});
  const { tokens } = t.management;
  const settings = { networks: [], expiresAt: null, onBehalfOf: false };
  const mint = async (role: GrantedRole, more = {}) => {
    const { version, text } = await tokens.create({ ...settings, name: role, role, ...more }, systemActor);
    return { id: version.id, header: `Bearer ${text}`, text };
  };
  for (const role of ['viewer', 'editor', 'admin'] as const) credentials[role] = (await mint(role)).header;
  const expired = await mint('admin', { expiresAt: Date.now() - 1 });
  const revoked = await mint('admin');
  await tokens.revoke(revoked.id, null, systemActor);
  const rotated = await mint('admin');
  await tokens.rotate(rotated.id, null, 0, systemActor);
  const known = await mint('admin');
  Object.assign(credentials, {
    'no token': undefined,
    'another scheme': `Basic ${Buffer.from('admin:admin').toString('base64')}`,
    'malformed token': 'Bearer nst_x',
    'unknown token': `Bearer ${newTokenText(newTokenId())}`,
    'wrong secret': `Bearer ${newTokenText(known.id)}`,
    'expired token': expired.header,
    'revoked token': revoked.header,
    'rotated away': rotated.header,
    'elsewhere only': (await mint('admin', { networks: ['192.0.2.0/24', '2001:db8::/32'] })).header,
    configured: `Bearer ${adminToken}`,
  });
  const deps = () => ({
    store: t.store,
    management: t.management,
    metrics: new Registry(),
    status: () => ({ dependencies: [], watermarkMs: null }),
  });
  guarded = createApi(deps(), {
    listen: '127.0.0.1:0',
    access: { auth: 'token', adminToken, failuresPerMinute: 10_000 },
  });
  open = createApi(deps(), { listen: '127.0.0.1:0', access: { failuresPerMinute: 10_000 } });
  ({ address } = await guarded.start());
  ({ address: openAddress } = await open.start());
});
afterAll(async () => {
  await guarded.stop();
  await open.stop();
  await t.close();
});

interface Answer {
  readonly status: number;
  readonly challenge: string | null;
  readonly body: unknown;
}

async function ask(base: string, operation: string, authorization: string | undefined): Promise<Answer> {
  const [method = '', path = ''] = operation.split(' ');
  const answer = await fetch(base + path.replace(/\{\w+\}/, 'nothing'), {
    method,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(method === 'POST' || method === 'PUT' ? { 'content-type': 'application/json' } : {}),
    },
    ...(method === 'POST' || method === 'PUT' ? { body: '{}' } : {}),
  });
  const problem = answer.headers.get('content-type')?.includes('problem+json') === true;
  const body: unknown = problem ? await answer.json() : null;
  if (!problem) await answer.body?.cancel();
  return { status: answer.status, challenge: answer.headers.get('www-authenticate'), body };
}

const outcomeOf = ({ status }: Answer): Outcome => (status === 401 || status === 403 ? status : 'in');

async function operations(): Promise<string[]> {
  const document = (await (await fetch(`${address}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { 'x-role'?: string }>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { 'x-role': role }]) => `${method.toUpperCase()} ${path} ${role}`),
  );
}

describe('every operation of the OpenAPI document', () => {
  test('stands in the table with the role that the document says', async () => {
    expect((await operations()).sort()).toEqual(
      Object.entries(needs)
        .map(([name, role]) => `${name} ${role}`)
        .sort(),
    );
  });

  test.each(Object.keys(table))('with: %s', async (credential) => {
    const outcomes: Record<string, Outcome> = {};
    const expected: Record<string, Outcome> = {};
    for (const [operation, role] of Object.entries(needs)) {
      const answer = await ask(address, operation, credentials[credential]);
      outcomes[operation] = outcomeOf(answer);
      expected[operation] = table[credential]![columns.indexOf(role)]!;
      if (answer.status === 401 || answer.status === 403) {
        expect(answer.challenge).toMatch(/^Bearer realm="netspectra"/);
        expect(answer.body).toMatchObject({ status: answer.status, detail: expect.any(String) as string });
      }
      if (answer.status === 403) expect(answer.challenge).toContain(`scope="${role}"`);
    }
    expect(outcomes).toEqual(expected);
  });

  test('without a token over loopback, when that is open', async () => {
    for (const [operation, role] of Object.entries(needs)) {
      const answer = await ask(openAddress, operation, undefined);
      expect([operation, outcomeOf(answer)]).toEqual([operation, openOutcome[columns.indexOf(role)]]);
      // A wrong token is told also where none is needed.
      if (role === 'viewer') expect((await ask(openAddress, operation, 'Bearer nst_x')).status).toBe(401);
    }
  });

  test('HEAD and wrong methods need what GET needs, or are 405', async () => {
    const head = await fetch(`${address}/api/v1/tokens`, { method: 'HEAD' });
    expect(head.status).toBe(401);
    const patch = await fetch(`${address}/api/v1/tokens`, { method: 'PATCH' });
    expect(patch.status).toBe(405);
  });
});
