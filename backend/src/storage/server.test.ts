import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClickHouseWriter } from './clickhouse-writer.js';
import { openStore } from './connect.js';
import { readPosition } from './position.js';
import { rowsOf } from './store.js';
import { makeFlush, temporaryDataDir } from './testing.js';

/** A stand-in for a ClickHouse server: its HTTP interface, as far as the client uses it, over the embedded engine. */
interface Session {
  query(sql: string, format?: string): string;
  queryAsync(sql: string, options: { format: string }): Promise<{ text(): string }>;
  queryBindAsync(sql: string, params: object, options: { format: string }): Promise<{ text(): string }>;
  close(): void;
}
const chdb = createRequire(import.meta.url)('chdb') as { Session: new (path: string) => Session };

const folder = temporaryDataDir();
const session = new chdb.Session(folder.path);
const seen: { url: URL; authorization: string }[] = [];
let http: Server;
let url: string;
/** answers for the next requests instead of the engine's: status and body; null breaks the connection */
const failures: ({ status: number; body: string } | null)[] = [];

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const asked = new URL(request.url ?? '/', 'http://server');
  seen.push({ url: asked, authorization: String(request.headers.authorization) });
  const failure = failures.shift();
  if (failure === null) return void request.socket.destroy();
  if (failure) return void response.writeHead(failure.status).end(failure.body);
  const inUrl = asked.searchParams.get('query');
  let sql = inUrl === null ? Buffer.concat(chunks).toString() : `${inUrl}\n${Buffer.concat(chunks).toString()}`;
  const params: Record<string, string> = {};
  const settings: string[] = [];
  for (const [key, value] of asked.searchParams) {
    if (key.startsWith('param_')) params[key.slice('param_'.length)] = value.replace(/\\(['\\])/g, '$1');
    else if (/^(insert_|async_insert|min_|max_|input_|date_)/.test(key))
      settings.push(`${key}='${value.replaceAll("'", "\\'")}'`);
  }
  if (inUrl?.startsWith('INSERT')) sql = sql.replace(' FORMAT ', ` SETTINGS ${settings.join(', ')} FORMAT `);
  try {
    const database = asked.searchParams.get('database') ?? 'default';
    session.query(`USE ${database}`);
    const result = Object.keys(params).length
      ? await session.queryBindAsync(sql, params, { format: 'TabSeparated' })
      : await session.queryAsync(sql, { format: 'TabSeparated' });
    response.end(result.text());
  } catch (error) {
    response.writeHead(500).end((error as Error).message);
  }
}

beforeAll(async () => {
  http = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => http.close(resolve));
  session.close();
  folder.remove();
});

describe('a ClickHouse server as the store', () => {
  it('takes schema, rows and queries like the embedded engine', async () => {
    const store = await openStore({ url, user: 'writer', password: 'se:cret', database: 'traffic' });
    expect(store).toMatchObject({ kind: 'server', location: url, database: 'traffic' });
    const credentials = `Basic ${Buffer.from('writer:se:cret').toString('base64')}`;
    expect(new Set(seen.map((request) => request.authorization))).toEqual(new Set([credentials]));

    const stamp = { probe: "p'1", epoch: 2n ** 63n, partition: 1, firstSeq: 1, lastSeq: 5 };
    const writer = createClickHouseWriter(store, { retryMs: 1 });
    const flush = makeFlush(stamp, {
      traffic: [{ window_start: 1_700_000_000, packets: 3, bytes: 300 }],
      probe_stats: [{ timestamp: '1700000000.000000000', partitions: 2, position: 77, complete: 1 }],
    });
    await writer.write(flush);
    failures.push(null, { status: 503, body: 'Code: 202. DB::Exception: too many (TOO_MANY_SIMULTANEOUS_QUERIES)' });
    await writer.write(flush);
    expect(writer.counters).toMatchObject({ inserts: 4, failures: 0 });
    expect(rowsOf(await store.query('SELECT count() AS n, sum(bytes) AS bytes FROM traffic'))).toEqual([
      { n: 1, bytes: 300 },
    ]);
    expect(await readPosition(store, "p'1", 2n ** 63n)).toMatchObject({ aheadSeq: 5, lastSeq: -1, partitions: 2 });
    const insert = seen.find((request) => request.url.searchParams.get('query')?.startsWith('INSERT INTO `traffic`'));
    expect(insert?.url.searchParams.get('async_insert')).toBe('0');
    expect(insert?.url.searchParams.get('insert_deduplication_token')).toMatch(
      /^traffic:p'1:9223372036854775808:1:1-5:1:19675\.0$/,
    );
    await store.close();
    await expect(store.ping()).rejects.toMatchObject({ code: 'NS_STORE_CLOSED' });
  });

  it('reports what the server refuses, and lets go of a query its caller left', async () => {
    const store = await openStore({ url, database: 'traffic' }, { migrate: false });
    await expect(store.query('SELECT * FROM nowhere')).rejects.toMatchObject({
      code: 'NS_STORE_REJECTED',
      message: expect.stringContaining('nowhere') as string,
    });
    failures.push({ status: 500, body: 'Code: 159. DB::Exception: Timeout exceeded. (TIMEOUT_EXCEEDED)' });
    await expect(store.query('SELECT 1')).rejects.toMatchObject({ code: 'NS_QUERY_TIMEOUT' });
    const abort = new AbortController();
    const slow = store.query('SELECT sleep(1)', {}, { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(slow).rejects.toMatchObject({ code: 'NS_QUERY_ABORTED' });
    await store.close();
  });

  it('that does not answer, or has a wrong certificate file, is one line', async () => {
    await expect(openStore({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'NS_STORE_UNAVAILABLE',
      message: expect.stringMatching(
        /^no answer from the ClickHouse server http:\/\/127\.0\.0\.1:9: .*storage\.clickhouse$/,
      ) as string,
    });
    await expect(openStore({ url: 'https://127.0.0.1:9', tls: { caFile: '/no/such/file' } })).rejects.toMatchObject({
      code: 'NS_CONFIG_NOT_FOUND',
    });
  });
});
