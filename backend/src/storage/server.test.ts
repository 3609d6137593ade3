/** What only a server does: the wire, users, certificates, and going away. What both stores promise: queries.test.ts and others. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from '../../../test/kit/certificates.js';
import { startClickHouse } from '../../../test/kit/clickhouse.js';
import type { ClickHouse, ClickHouseOptions } from '../../../test/kit/clickhouse.js';
import { storeKinds } from '../../../test/kit/stores.js';
import type { TestTarget } from '../../../test/kit/stores.js';
import { createClickHouseWriter } from './clickhouse-writer.js';
import { openStore } from './connect.js';
import { readPosition } from './position.js';
import { rowsOf } from './store.js';
import { makeFlush, temporaryDataDir } from './testing.js';

const oneLine = (pattern: RegExp): string => expect.stringMatching(pattern) as string;
const endless = 'SELECT count() AS n FROM numbers(10000000000000) WHERE number % 7 = 3';
const stamp = { probe: "p'1", epoch: 2n ** 63n, partition: 1, firstSeq: 1, lastSeq: 5 };
const flush = makeFlush(stamp, {
  traffic: [{ window_start: 1_700_000_000, packets: 3, bytes: 300 }],
  probe_stats: [{ timestamp: '1700000000.000000000', partitions: 2, position: 77, complete: 1 }],
});

async function eventually(check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await check())) {
    if (Date.now() > end) throw new Error('it did not come to pass');
    await delay(20);
  }
}

describe('a ClickHouse server as the store', () => {
  let place: TestTarget & { server: ClickHouse };
  beforeAll(async () => {
    const started = await storeKinds.find(({ kind }) => kind === 'server')!.start();
    if (!started.server) throw new Error('a store of the server kind without a server');
    place = { ...started, server: started.server };
  });
  afterAll(() => place.remove());

  it('is asked as its user, with the settings of the statement, and takes a flush once', async () => {
    const { server } = place;
    await server.requests();
    const store = await place.open();
    expect(store).toMatchObject({ kind: 'server', location: server.url, database: 'traffic', version: server.version });
    const writer = createClickHouseWriter(store, { retryMs: 1 });
    await writer.write(flush);
    // Broken before it ran, refused by something in between, and done although the answer was lost.
    await server.fail(
      { match: 'INSERT INTO `traffic`', drop: 'before' },
      { match: 'INSERT INTO `traffic`', status: 502, body: '<html>Bad Gateway</html>' },
      { match: 'INSERT INTO `probe_stats`', drop: 'after' },
    );
    await writer.write(flush);
    expect(writer.counters).toMatchObject({ inserts: 4, retries: 3, failures: 0 });
    expect(rowsOf(await store.query('SELECT count() AS n, sum(bytes) AS bytes FROM traffic'))).toEqual([
      { n: 1, bytes: 300 },
    ]);
    expect(await readPosition(store, "p'1", 2n ** 63n)).toMatchObject({ aheadSeq: 5, lastSeq: -1, partitions: 2 });

    const seen = await server.requests();
    const credentials = `Basic ${Buffer.from('writer:se%cret').toString('base64')}`;
    expect(new Set(seen.map(({ headers }) => headers['authorization']))).toEqual(new Set([credentials]));
    const sent = seen.find(({ statement }) => statement.startsWith('INSERT INTO `traffic`'));
    const settings = new URL(sent!.url, server.url).searchParams;
    expect(settings.get('async_insert')).toBe('0');
    expect(settings.get('insert_deduplication_token')).toMatch(/^traffic:p'1:9223372036854775808:1:1-5:\d+:19675\.0$/);
    const asked = seen.find(({ statement }) => statement.startsWith('SELECT count() AS n'));
    expect(Object.fromEntries(new URL(asked!.url, server.url).searchParams)).toMatchObject({
      database: 'traffic',
      readonly: '2',
      wait_end_of_query: '1',
      cancel_http_readonly_queries_on_client_close: '1',
    });
    await store.close();
    await expect(store.ping()).rejects.toMatchObject({ code: 'NS_STORE_CLOSED' });
  });

  it('kills a query whose caller left, and only that one', async () => {
    const store = await place.open({ migrate: false });
    const abort = new AbortController();
    const left = store.query(endless, {}, { signal: abort.signal });
    const stays = store.query(endless, {}, { timeoutMs: 1_000 });
    await eventually(async () => (await place.server.running()) === 2);
    abort.abort();
    await expect(left).rejects.toMatchObject({ code: 'NS_QUERY_ABORTED' });
    await eventually(async () => (await place.server.running()) === 1);
    await expect(stays).rejects.toMatchObject({ code: 'NS_QUERY_TIMEOUT' });
    // The one that was left would go on for the 30 s of its limit.
    await eventually(async () => (await place.server.running()) === 0);
    await store.close();
  });

  it('that hangs is given up at once when nobody waits for it any more', async () => {
    const folder = temporaryDataDir();
    const server = await startClickHouse({ dataDir: folder.path });
    try {
      const store = await openStore({ url: server.url });
      server.hang();
      // More than there are connections: some wait for one.
      const asked = Array.from({ length: 40 }, (_, i) => (i % 2 ? store.query('SELECT 1') : store.command('SELECT 1')));
      const found = Promise.allSettled(asked);
      await store.abandon();
      expect((await found).map((one) => one.status === 'rejected' && one.reason.code)).toEqual(
        asked.map(() => 'NS_STORE_UNAVAILABLE'),
      );
      await expect(store.query('SELECT 1')).rejects.toMatchObject({ code: 'NS_STORE_CLOSED' });
    } finally {
      await server.kill();
      folder.remove();
    }
  });

  it('whose answer is cut short, or comes from something in between, is unavailable', async () => {
    const store = await place.open({ migrate: false });
    for (const fault of [
      { drop: 'before' },
      { drop: 'during' },
      { drop: 'after' },
      { status: 200, body: '{"meta": [{"name": "x", "ty' },
      { status: 503, body: '<html>no server is available</html>' },
    ] as const) {
      await place.server.fail(fault);
      await expect(store.query('SELECT sleep(0.3) AS x'), JSON.stringify(fault)).rejects.toMatchObject({
        code: 'NS_STORE_UNAVAILABLE',
        retry: true,
      });
    }
    await place.server.fail({
      status: 200,
      body: '[1,\r\n__exception__\r\nCode: 159. DB::Exception: Timeout exceeded (TIMEOUT_EXCEEDED)',
    });
    await expect(store.query('SELECT 1 AS x')).rejects.toMatchObject({ code: 'NS_QUERY_TIMEOUT' });
    expect(rowsOf(await store.query('SELECT 1 AS x'))).toEqual([{ x: 1 }]);
    await store.close();
  });

  it('with many queries at once answers each its own', async () => {
    const store = await place.open({ migrate: false });
    const numbers = Array.from({ length: 60 }, (_, i) => i);
    const answers = await Promise.all(
      numbers.map((n) => store.query('SELECT {n:UInt32} AS n, sleep(0.01) AS s', { n })),
    );
    expect(answers.map((answer) => answer.columns[0]!.values[0])).toEqual(numbers);
    await store.close();
  });
});

describe('opening a server', () => {
  const folder = temporaryDataDir();
  let server: ClickHouse | undefined;
  const start = async (options: Partial<ClickHouseOptions> = {}): Promise<ClickHouse> => {
    server = await startClickHouse({ dataDir: join(folder.path, 'server'), ...options });
    return server;
  };
  afterEach(async () => {
    await server?.kill();
    server = undefined;
  });
  afterAll(() => folder.remove());

  it('that does not answer, or has a wrong certificate file, is one line', async () => {
    await expect(openStore({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'NS_STORE_UNAVAILABLE',
      message: oneLine(/^no answer from the ClickHouse server http:\/\/127\.0\.0\.1:9: .*storage\.clickhouse$/),
    });
    await expect(openStore({ url: 'https://127.0.0.1:9', tls: { caFile: '/no/such/file' } })).rejects.toMatchObject({
      code: 'NS_CONFIG_NOT_FOUND',
    });
    const bad = join(folder.path, 'bad.pem');
    writeFileSync(bad, 'not a certificate');
    await expect(openStore({ url: 'https://127.0.0.1:9', tls: { certFile: bad, keyFile: bad } })).rejects.toMatchObject(
      { code: 'NS_CONFIG_INVALID', message: oneLine(/storage\.clickhouse\.tls$/) },
    );
  });

  it('with a wrong password, or without the right to make its database, says so', async () => {
    const { url } = await start({ users: ['admin:secret', 'guest:guest:nodatabases', 'reader:reader:readonly=2'] });
    const refused = await openStore({ url, user: 'admin', password: 'Wr0ng' }).catch((error: Error) => error);
    expect(refused).toMatchObject({
      code: 'NS_STORE_REJECTED',
      message: oneLine(
        /refused the user admin: .*Authentication failed.*; check storage\.clickhouse\.user and password$/,
      ),
    });
    expect(String(refused)).not.toContain('Wr0ng');
    const guest = { url, user: 'guest', password: 'guest', database: 'traffic' };
    const reader = { url, user: 'reader', password: 'reader', database: 'traffic' };
    for (const user of [guest, reader]) {
      await expect(openStore(user)).rejects.toMatchObject({
        code: 'NS_STORE_REJECTED',
        message: oneLine(/has no database traffic, and the user (guest|reader) may not make it: create it/),
      });
    }
    await (await openStore({ url, user: 'admin', password: 'secret', database: 'traffic' })).close();
    await (await openStore(guest)).close();
    // The schema is up to date: nothing is written, so a reader is enough.
    const store = await openStore(reader);
    expect(rowsOf(await store.query('SELECT count() AS n FROM flows'))).toEqual([{ n: 0 }]);
    await store.close();
  });

  it('over TLS needs its authority, and a client certificate where it asks for one', async () => {
    const authority = await makeAuthority(folder.path);
    const other = await makeAuthority(folder.path, 'other');
    const tls = await authority.server();
    const { url } = await start({ users: ['default:', 'writer:secret'], tls });
    await expect(openStore({ url })).rejects.toMatchObject({
      code: 'NS_STORE_UNAVAILABLE',
      message: oneLine(/is not trusted: .*name its authority in storage\.clickhouse\.tls\.ca_file$/),
    });
    await expect(openStore({ url, tls: { caFile: other.ca } })).rejects.toMatchObject({ code: 'NS_STORE_UNAVAILABLE' });
    await (await openStore({ url, tls: { caFile: authority.ca } })).close();
    await expect(openStore({ url: url.replace('https', 'http'), tls: { caFile: authority.ca } })).rejects.toMatchObject(
      { code: 'NS_STORE_UNAVAILABLE' },
    );
    await server!.stop();

    const expired = await start({ tls: await authority.server({ expired: true }) });
    await expect(openStore({ url: expired.url, tls: { caFile: authority.ca } })).rejects.toMatchObject({
      message: oneLine(/certificate has expired/),
    });
    await server!.stop();

    const strict = await start({
      users: ['default:', 'writer:secret'],
      certificateUsers: ['engine:engine-1'],
      tls: { ...tls, clientCa: authority.ca },
    });
    const own = await authority.client('engine-1');
    const foreign = await other.client('engine-1');
    const withCertificate = { caFile: authority.ca, certFile: own.cert, keyFile: own.key };
    await expect(openStore({ url: strict.url, tls: { caFile: authority.ca } })).rejects.toMatchObject({
      code: 'NS_STORE_UNAVAILABLE',
      message: oneLine(/client certificate/),
    });
    await expect(
      openStore({ url: strict.url, tls: { ...withCertificate, certFile: foreign.cert, keyFile: foreign.key } }),
    ).rejects.toMatchObject({ code: 'NS_STORE_UNAVAILABLE' });
    // The certificate is who they are, or only the way in for a user with a password.
    for (const user of [{ user: 'engine' }, { user: 'writer', password: 'secret' }]) {
      const store = await openStore({ url: strict.url, ...user, tls: withCertificate });
      await store.ping();
      await store.close();
    }
    await expect(openStore({ url: strict.url, user: 'writer', tls: withCertificate })).rejects.toMatchObject({
      code: 'NS_STORE_REJECTED',
    });
  });

  it('that goes away in the middle and comes back is used again, and nothing is lost or doubled', async () => {
    const dataDir = join(folder.path, 'restarted');
    const first = await start({ dataDir });
    const store = await openStore({ url: first.url, database: 'traffic' });
    const writer = createClickHouseWriter(store, { retryMs: 20, triesMax: 200 });
    await writer.write(flush);
    const query = store.query(endless);
    query.catch(() => undefined);
    await eventually(async () => (await first.running()) === 1);
    await first.kill();
    await expect(query).rejects.toMatchObject({ code: 'NS_STORE_UNAVAILABLE' });
    await expect(store.ping()).rejects.toMatchObject({ code: 'NS_STORE_UNAVAILABLE', retry: true });
    const again = writer.write(flush);
    const next = writer.write(
      makeFlush({ ...stamp, firstSeq: 6, lastSeq: 9 }, { traffic: [{ window_start: 1_700_000_001, bytes: 7 }] }),
    );
    await eventually(async () => writer.counters.retries > 0);
    await start({ dataDir, port: first.port });
    await Promise.all([again, next]);
    expect(rowsOf(await store.query('SELECT count() AS n, sum(bytes) AS bytes FROM traffic'))).toEqual([
      { n: 2, bytes: 307 },
    ]);
    await store.close();
  });

  it('by several processes at once makes the schema once', async () => {
    const { url } = await start({ dataDir: join(folder.path, 'many') });
    const stores = await Promise.all([1, 2, 3].map(() => openStore({ url, database: 'traffic' })));
    const [counted] = rowsOf(
      await stores[0]!.query('SELECT count() AS n, uniq(version) AS versions FROM schema_migrations'),
    );
    expect(counted!['n']).toBe(counted!['versions']);
    await Promise.all(stores.map((store) => store.close()));
  });
});
