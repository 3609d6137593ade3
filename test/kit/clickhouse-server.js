// @ts-check
/**
 * A ClickHouse server for tests: its HTTP(S) interface on a loopback port over chDB, in a process of its own. What it does
 * and does not is said in clickhouse/handler.js. It is a test tool and no part of the product.
 *
 *   UV_THREADPOOL_SIZE=48 node test/kit/clickhouse-server.js --data DIR [--port 0] [--user NAME:PASSWORD[:PROFILE]]...
 *     [--certificate-user NAME:COMMON-NAME]... [--tls-cert FILE --tls-key FILE [--client-ca FILE]] [--cluster NAME]
 *
 * PROFILE is readonly=1, readonly=2 or nodatabases. Without users there is `default` with an empty password. With
 * --client-ca, clients must show a certificate of that authority. With --cluster it is the only server of a cluster of that
 * name; replicated tables are plain ones there. One line on stdout says where it listens:
 * {"url": "http://127.0.0.1:PORT", "version": "..."}. SIGTERM and SIGINT end it; with --with-parent
 * also the end of standard input.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Engine } from './clickhouse/engine.js';
import { Faults } from './clickhouse/faults.js';
import { Handler } from './clickhouse/handler.js';
import { Sessions } from './clickhouse/sessions.js';

// Statements run in Node's thread pool; KILL QUERY must find a free thread. Its size is fixed before a program begins.
if (Number(process.env.UV_THREADPOOL_SIZE ?? 4) < 32) throw new Error('start it with UV_THREADPOOL_SIZE=48');

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    port: { type: 'string', default: '0' },
    user: { type: 'string', multiple: true, default: [] },
    'certificate-user': { type: 'string', multiple: true, default: [] },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    'client-ca': { type: 'string' },
    cluster: { type: 'string' },
    'with-parent': { type: 'boolean', default: false },
  },
});
if (flags.data === undefined) throw new Error('--data DIR is missing');

/** @type {import('./clickhouse/access.js').User[]} */
const users = [
  ...flags.user.map((text) => {
    const [name = '', password = '', profile = ''] = text.split(':');
    const readonly = /** @type {0 | 1 | 2} */ (Number(/^readonly=([12])$/.exec(profile)?.[1] ?? 0));
    return { name, password, readonly, noDatabases: profile === 'nodatabases' };
  }),
  ...flags['certificate-user'].map((text) => {
    const [name = '', certificateName = ''] = text.split(':');
    return { name, password: '', certificateName };
  }),
];
if (users.length === 0) users.push({ name: 'default', password: '' });

const engine = new Engine(resolve(flags.data), flags.cluster);
const sessions = new Sessions((connection) => engine.release(connection));
const handler = new Handler(engine, sessions, new Faults(), {
  users,
  version: await engine.value('SELECT version()'),
  timezone: await engine.value('SELECT timezone()'),
});

/** @type {import('node:http').RequestListener} */
const listener = (request, response) => {
  handler.handle(request, response).catch((/** @type {Error} */ error) => {
    process.stderr.write(`clickhouse-server: ${error.stack}\n`);
    response.destroy();
  });
};
const tls = flags['tls-cert'] !== undefined && flags['tls-key'] !== undefined;
const server = tls
  ? createTlsServer(
      {
        cert: readFileSync(flags['tls-cert'] ?? ''),
        key: readFileSync(flags['tls-key'] ?? ''),
        ...(flags['client-ca'] === undefined
          ? {}
          : { ca: readFileSync(flags['client-ca']), requestCert: true, rejectUnauthorized: true }),
      },
      listener,
    )
  : createServer(listener);
server.keepAliveTimeout = 10_000;
server.listen(Number(flags.port), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  process.stdout.write(`${JSON.stringify({ url, version: handler.server.version })}\n`);
});

// A test's process that dies leaves nothing behind: its end of our standard input closes.
if (flags['with-parent']) process.stdin.resume().once('close', () => process.exit(1));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
    void engine.close().then(() => process.exit(0));
  });
}
