/** "Save & test": every way in which a datasource can be set up wrongly has a sentence of its own. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import { makeAuthority } from '../kit/certificates.js';
import type { TestAuthority } from '../kit/certificates.js';
import { PluginProcess, fakeApi, healthyAnswer, sendJson } from '../kit/plugin-host/index.js';
import type { DatasourceOptions, FakeApi, FakeRequest } from '../kit/plugin-host/index.js';
import { freePort, temporaryFolder } from './process.js';

const folder = temporaryFolder();
const secret = 'a-secret-that-must-not-show';
const fakes: FakeApi[] = [];
let plugin: PluginProcess;
let authority: TestAuthority;

beforeAll(async () => {
  [plugin, authority] = await Promise.all([PluginProcess.start(), makeAuthority(folder.path)]);
});
afterAll(async () => {
  await plugin?.stop();
  await Promise.all(fakes.map((fake) => fake.stop()));
  await endServings();
  folder.remove();
  expect(plugin?.logMistakes).toEqual([]);
  expect(JSON.stringify(plugin?.log)).not.toContain(secret);
});

async function fake(...args: Parameters<typeof fakeApi>): Promise<FakeApi> {
  const made = await fakeApi(...args);
  fakes.push(made);
  return made;
}

const healthy = (request: FakeRequest, response: Parameters<typeof sendJson>[0], version?: string): void => {
  if (request.url === '/readyz') response.end('store: ok: answers in 1 ms\n');
  else sendJson(response, 200, healthyAnswer(request, version));
};

let updatedMs = 0;
/** Each check is one of settings that were just saved. */
const check = (datasource: DatasourceOptions) => plugin.client.health({ ...datasource, updatedMs: (updatedMs += 1) });

async function problem(datasource: DatasourceOptions): Promise<string> {
  const { ok, message, details } = await check(datasource);
  expect(ok).toBe(false);
  expect(message).not.toContain('\n');
  expect(JSON.stringify({ message, details })).not.toContain(secret);
  return message;
}

describe('settings', () => {
  test.each([
    ['', /no URL is set/],
    ['127.0.0.1:8080', /URL/],
    ['ftp://127.0.0.1', /http:\/\/ or https:\/\//],
    [`http://user:${secret}@127.0.0.1`, /URL holds a password/],
    ['http://127.0.0.1/?x=1', /without \? and #/],
  ])('URL %j', async (url, says) => {
    expect(await problem({ url })).toMatch(says);
  });

  test.each([
    [
      'headers that are not the user’s to set',
      { httpHeaderName1: 'Host' },
      { httpHeaderValue1: 'x' },
      /header Host cannot be set/,
    ],
    ['headers with line ends', { httpHeaderName1: 'X-A' }, { httpHeaderValue1: 'x\r\nHost: y' }, /value of header X-A/],
    ['tokens with line ends inside', {}, { token: `${secret}\r\nX: y` }, /token has characters/],
    ['certificates that are none', { tlsAuthWithCACert: true }, { tlsCACert: secret }, /CA certificate is not in PEM/],
    ['limits that are no numbers', { limits: { rows: 'many' } }, {}, /rows: a number/],
  ])('%s', async (_, jsonData, secure, says) => {
    expect(await problem({ url: 'http://127.0.0.1:1', jsonData, secure })).toMatch(says);
  });
});

describe('the way', () => {
  test('nothing listens there', async () => {
    const port = await freePort();
    expect(await problem({ url: `http://127.0.0.1:${port}` })).toBe(
      `nothing listens at 127.0.0.1:${port} (connection refused); is NetSpectra running, is the port right?`,
    );
  });

  test('a name that nobody knows', async () => {
    expect(await problem({ url: 'http://nobody.invalid:8080' })).toMatch(
      /nobody\.invalid:8080 cannot be found \(DNS\)/,
    );
  });

  test('something that is no HTTP, and something that closes at once', async () => {
    const answer = (on: (socket: Socket) => void) =>
      new Promise<{ port: number; close(): void }>((resolve) => {
        const server = createServer(on).listen(0, '127.0.0.1', () => {
          resolve({ port: (server.address() as AddressInfo).port, close: () => server.close() });
        });
      });
    const ssh = await answer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n'));
    expect(await problem({ url: `http://127.0.0.1:${ssh.port}` })).toMatch(/does not speak HTTP/);
    const shut = await answer((socket) => socket.on('error', () => undefined).destroy());
    expect(await problem({ url: `http://127.0.0.1:${shut.port}` })).toMatch(/closed the connection/);
    ssh.close();
    shut.close();
  });

  test('another service, an old version, a redirect, a store that is down', async () => {
    const other = await fake((_, response) => void response.end('<html>hello</html>'));
    expect(await problem({ url: other.url })).toMatch(/is not NetSpectra/);
    const old = await fake((request, response) => healthy(request, response, '0.0.9'));
    expect(await problem({ url: old.url })).toMatch(/version 0\.0\.9; this datasource needs 0\.1/);
    const elsewhere = await fake((_, response) => {
      response.writeHead(302, { location: 'http://elsewhere.example/login' }).end();
    });
    expect(await problem({ url: elsewhere.url })).toMatch(/redirects to elsewhere\.example; set the URL/);
    const down = await fake((request, response) => {
      if (request.url === '/readyz') response.writeHead(503).end('store: failed: does not answer\n');
      else sendJson(response, 200, healthyAnswer(request));
    });
    expect(await problem({ url: down.url })).toMatch(/not ready: store: failed: does not answer/);
  });

  test('an API that is silent is given up', async () => {
    const silent = await fake(() => undefined);
    expect(await problem({ url: silent.url, jsonData: { timeout: 1 } })).toMatch(/did not answer within 1 s/);
  });
});

describe('TLS', () => {
  const pem = (path: string): string => readFileSync(path, 'utf8');
  const trusting = () => ({ jsonData: { tlsAuthWithCACert: true }, secure: { tlsCACert: pem(authority.ca) } });

  test('an authority that is not known, then known, or not looked at', async () => {
    const { url } = await fake(healthy, await authority.server());
    expect(await problem({ url })).toMatch(/not of a known authority; set its CA certificate/);
    expect(await check({ url, ...trusting() })).toMatchObject({ ok: true });
    expect(await check({ url, jsonData: { tlsSkipVerify: true } })).toMatchObject({ ok: true });
  });

  test('expired, under another name, and with the name that is set', async () => {
    const expired = await fake(healthy, await authority.server({ expired: true }));
    expect(await problem({ url: expired.url, ...trusting() })).toMatch(/has expired/);
    const { url } = await fake(healthy, await authority.server());
    const named = { ...trusting(), jsonData: { tlsAuthWithCACert: true, serverName: 'api.example.org' } };
    expect(await problem({ url, ...named })).toMatch(/certificate is not for/);
  });

  test('a client certificate', async () => {
    const files = await authority.server();
    const { url } = await fake(healthy, { ...files, clientCa: authority.ca });
    expect(await problem({ url, ...trusting() })).toMatch(/client certificate/);
    const client = await authority.client('grafana');
    const secure = { tlsCACert: pem(authority.ca), tlsClientCert: pem(client.cert), tlsClientKey: pem(client.key) };
    expect(await check({ url, jsonData: { tlsAuth: true, tlsAuthWithCACert: true }, secure })).toMatchObject({
      ok: true,
    });
    const other = await (await makeAuthority(folder.path, 'other')).client('grafana');
    const wrong = { ...secure, tlsClientCert: pem(other.cert), tlsClientKey: pem(other.key) };
    expect(await problem({ url, jsonData: { tlsAuth: true, tlsAuthWithCACert: true }, secure: wrong })).toMatch(
      /client certificate/,
    );
  });

  test('https to a port without it', async () => {
    const { port } = await fake(healthy);
    expect(await problem({ url: `https://127.0.0.1:${port}` })).toMatch(/does not speak TLS/);
  });
});

describe('before the real API', () => {
  test('tokens of each role', async () => {
    const admin = 'admin-token-for-tests-0123456789';
    const api = await startServing(['up', '--data', join(folder.path, 'data-of-roles')], {
      env: { NETSPECTRA_ADMIN_TOKEN: admin, NETSPECTRA_API_AUTH: 'token' },
    });
    const { url } = api;
    expect(await problem({ url })).toMatch(/does not accept the token: send a token/);
    expect(await problem({ url, secure: { token: secret } })).toMatch(
      /does not accept the token: the token is not known/,
    );
    expect(await check({ url, secure: { token: admin } })).toMatchObject({
      ok: true,
      message: 'NetSpectra 0.1.0 answers as admin',
    });
    const make = async (role: string): Promise<string> => {
      const answer = await fetch(`${url}/api/v1/tokens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: role, role }),
      });
      return ((await answer.json()) as { token: string }).token;
    };
    expect(await check({ url, secure: { token: await make('viewer') } })).toMatchObject({
      ok: true,
      message: 'NetSpectra 0.1.0 answers; it may read only (role viewer)',
      details: { role: 'viewer', version: '0.1.0' },
    });
    expect(await check({ url: `${url}/api/v1/`, secure: { token: await make('editor') } })).toMatchObject({
      ok: true,
      message: 'NetSpectra 0.1.0 answers as editor',
    });
  });

  test('open loopback: what may be done without a token', async () => {
    const { url } = await startServing(['up', '--data', join(folder.path, 'data-of-loopback')]);
    expect(await check({ url })).toMatchObject({ ok: true, message: 'NetSpectra 0.1.0 answers as editor' });
  });
});

test('metrics: what was called, in the Prometheus text format', async () => {
  const text = await plugin.client.metrics();
  expect(text).toMatch(/^netspectra_plugin_calls_total\{method="CheckHealth",outcome="ok"\} \d+$/m);
  for (const line of text.trim().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.e+-]+)$/);
});
