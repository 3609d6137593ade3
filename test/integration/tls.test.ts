/** TLS and client certificates of the API, with real connections. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { connect as connectPlainly } from 'node:net';
import { once } from 'node:events';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schemaVersion } from '../../backend/src/storage/index.js';
import { createApi } from '../../backend/src/api/index.js';
import type { AccessConfig, Api } from '../../backend/src/api/index.js';
import { alternativeNames } from '../../backend/src/api/access/client-certificate.js';
import { UserError } from '../../backend/src/errors.js';
import { makeAuthority } from '../kit/certificates.js';
import type { CertificateFiles, TestAuthority } from '../kit/certificates.js';

const folder = mkdtempSync(join(tmpdir(), 'netspectra-tls-'));
const adminToken = 'configured-token-of-the-administrator-0123456789';
const started: Api[] = [];
let authority: TestAuthority;
let stranger: TestAuthority;
let server: CertificateFiles;
let clients: Record<'none' | 'viewer' | 'dns' | 'unmapped' | 'expired' | 'stranger', CertificateFiles | null>;

beforeAll(async () => {
  authority = await makeAuthority(folder, 'ours');
  stranger = await makeAuthority(folder, 'theirs');
  server = await authority.server();
  clients = {
    none: null,
    viewer: await authority.client('grafana'),
    dns: await authority.client('ignored', {
      names: [
        { type: 'dns', value: 'Robot.Example.org' },
        { type: 'url', value: 'spiffe://example.org/robot' },
      ],
    }),
    unmapped: await authority.client('somebody'),
    expired: await authority.client('grafana', { expired: true }),
    stranger: await stranger.client('grafana'),
  };
});
afterAll(async () => {
  for (const api of started) await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function serve(access: AccessConfig, asked: () => Promise<void> = async () => undefined): Promise<string> {
  const one = { columns: [{ name: 'newest', values: [schemaVersion] }], rows: 1, statistics: { rowsRead: 0 } };
  const store = { query: () => asked().then(() => one) };
  const status = () => ({ dependencies: [], watermarkMs: null, samplingRate: 1 });
  const api = createApi({ store, metrics: new Registry(), status }, { listen: '127.0.0.1:0', access });
  started.push(api);
  return (await api.start()).address;
}

/** Status of a request, or the code with which the connection broke. */
function ask(
  url: string,
  client: CertificateFiles | null,
  options: { token?: string; method?: string; path?: string; maxVersion?: 'TLSv1.1' | 'TLSv1.2' } = {},
): Promise<number | string> {
  const { token, method = 'GET', path = '/api/v1/measures', maxVersion } = options;
  return new Promise((resolve) => {
    const call = request(
      url + path,
      {
        method,
        agent: false,
        ca: readFileSync(authority.ca),
        ...(client && { cert: readFileSync(client.cert), key: readFileSync(client.key) }),
        ...(maxVersion && { maxVersion, minVersion: 'TLSv1' as const }),
        ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    call.end();
  });
}

const roles = [
  { match: 'CN:grafana', role: 'viewer' },
  { match: 'DNS:robot.example.org', role: 'editor' },
] as const;
const tls = (more: object = {}) => ({
  certFile: server.cert,
  keyFile: server.key,
  clientCaFile: authority.ca,
  clientRoles: roles,
  ...more,
});

describe('TLS', () => {
  test('serves with 1.2 and better only', async () => {
    const url = await serve({ tls: { certFile: server.cert, keyFile: server.key }, auth: 'token', adminToken });
    expect(url).toMatch(/^https:/);
    expect(await ask(url, null, { token: adminToken })).toBe(200);
    expect(await ask(url, null, { token: adminToken, maxVersion: 'TLSv1.2' })).toBe(200);
    expect(await ask(url, null, { token: adminToken, maxVersion: 'TLSv1.1' })).toEqual(expect.any(String));
    expect(await ask(url, null)).toBe(401);
  });

  test('files that cannot be used are told in one line', async () => {
    const other = await authority.server();
    const nothing = join(folder, 'no-such-file');
    const text = join(folder, 'text.pem');
    writeFileSync(text, 'this is no certificate');
    for (const [files, code] of [
      [{ certFile: nothing, keyFile: server.key }, 'NS_CONFIG_NOT_FOUND'],
      [{ certFile: text, keyFile: server.key }, 'NS_CONFIG_INVALID'],
      [{ certFile: server.cert, keyFile: other.key }, 'NS_CONFIG_INVALID'],
    ] as const) {
      const failure = await serve({ tls: files }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect(failure).toMatchObject({ code, message: expect.stringMatching(/^[^\n]*api\.tls[^\n]*$/) as string });
    }
  });

  test('new files are used without a restart; bad ones are not', async () => {
    const files = { certFile: join(folder, 'live.pem'), keyFile: join(folder, 'live.key') };
    const put = (from: CertificateFiles) => {
      copyFileSync(from.key, files.keyFile);
      copyFileSync(from.cert, files.certFile);
    };
    put(server);
    const url = await serve({ tls: { ...files, watchMs: 20 } });
    const port = Number(new URL(url).port);
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        });
        socket.on('error', reject);
      });
    const before = await shown();
    writeFileSync(files.certFile, 'half a file');
    const replacement = await authority.server();
    expect(await shown()).toBe(before);
    put(replacement);
    await expect.poll(shown).not.toBe(before);
    put(server);
    process.emit('SIGHUP');
    expect(await shown()).toBe(before);
  });
});

test('a stop waits for no handshake, and for the answers that are under way', async () => {
  let arrived = (): void => undefined;
  let goOn = (): void => undefined;
  const reached = new Promise<void>((resolve) => (arrived = resolve));
  const url = await serve({ tls: { certFile: server.cert, keyFile: server.key } }, () => {
    arrived();
    return new Promise((resolve) => (goOn = resolve));
  });
  const api = started.pop()!;
  const silent = connectPlainly(Number(new URL(url).port), '127.0.0.1');
  await once(silent, 'connect');
  const answer = ask(url, null, { path: '/readyz' });
  await reached;
  const ended = once(silent, 'close');
  const stopped = api.stop();
  await ended;
  goOn();
  expect(await answer).toBe(200);
  await stopped;
}, 8_000);

describe('client certificates', () => {
  test('when required: without a good one there is no connection', async () => {
    const url = await serve({ tls: tls({ clientCertificate: 'required' }), auth: 'token', adminToken });
    expect(await ask(url, clients.viewer)).toBe(200);
    expect(await ask(url, clients.viewer, { method: 'POST', path: '/api/v1/rules' })).toBe(403);
    // An editor: let in, and told what is wrong with the request.
    expect(await ask(url, clients.dns, { method: 'POST', path: '/api/v1/rules' })).toBe(400);
    expect(await ask(url, clients.unmapped)).toBe(401);
    expect(await ask(url, clients.unmapped, { token: adminToken })).toBe(200);
    expect(await ask(url, clients.viewer, { token: 'wrong' })).toBe(401);
    for (const client of [clients.none, clients.expired, clients.stranger]) {
      expect(await ask(url, client, { token: adminToken })).toEqual(expect.any(String));
    }
  });

  test('when optional: a token will do, a bad certificate alone will not', async () => {
    const url = await serve({ tls: tls({ clientCertificate: 'optional' }), auth: 'token', adminToken });
    expect(await ask(url, clients.viewer)).toBe(200);
    expect(await ask(url, clients.none)).toBe(401);
    expect(await ask(url, clients.none, { token: adminToken })).toBe(200);
    for (const client of [clients.expired, clients.stranger]) {
      expect(await ask(url, client)).toBe(401);
      expect(await ask(url, client, { token: adminToken })).toBe(200);
      expect(await ask(url, client, { path: '/healthz' })).toBe(200);
    }
  });

  test('names of a certificate cannot be two', () => {
    expect(alternativeNames('DNS:a.example, URI:spiffe://x/y, email:a@b.example, IP Address:127.0.0.1')).toEqual([
      'DNS:a.example',
      'URI:spiffe://x/y',
      'EMAIL:a@b.example',
    ]);
    expect(alternativeNames('DNS:"good.example, DNS:admin.example"')).toEqual(['DNS:good.example, dns:admin.example']);
    expect(alternativeNames('URI:"a\\"b"')).toEqual(['URI:a"b']);
    expect(alternativeNames('DNS:A.Example')).toEqual(['DNS:a.example']);
    for (const text of ['nonsense', 'DNS:a, nonsense', 'URI:"\\x"']) expect(alternativeNames(text), text).toEqual([]);
    expect(alternativeNames('')).toEqual([]);
  });
});
