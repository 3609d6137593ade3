/** The kit's ClickHouse server does what ClickHouse's documentation of its HTTP interface says. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder, until } from '../integration/process.js';
import { startClickHouse } from './clickhouse.js';
import type { ClickHouse } from './clickhouse.js';

const folder = temporaryFolder();
let server: ClickHouse;
beforeAll(async () => {
  server = await startClickHouse({
    dataDir: join(folder.path, 'data'),
    users: ['default:', 'admin:pass word', 'viewer:v:readonly=1', 'analyst:a:readonly=2'],
  });
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

interface Answer {
  status: number;
  body: string;
  headers: Headers;
}

/** POST a statement; `params` go into the URL. */
async function post(
  statement: string | Uint8Array,
  params: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(`${server.url}/?${new URLSearchParams(params).toString()}`, {
    method: 'POST',
    body: statement as string,
    headers,
  });
  return { status: answer.status, body: await answer.text(), headers: answer.headers };
}
const get = async (params: Record<string, string>, path = '/'): Promise<Answer> => {
  const answer = await fetch(`${server.url}${path}?${new URLSearchParams(params).toString()}`);
  return { status: answer.status, body: await answer.text(), headers: answer.headers };
};
const endless = 'SELECT count() FROM numbers(10000000000000) WHERE number % 7 = 3';

describe('statements', () => {
  it('come in the URL, in the body, or begun in one and ended in the other', async () => {
    expect(await get({ query: 'SELECT 1' })).toMatchObject({ status: 200, body: '1\n' });
    expect(await post('SELECT 1')).toMatchObject({ status: 200, body: '1\n' });
    expect(await post('1', { query: 'SELECT' })).toMatchObject({ status: 200, body: '1\n' });
    expect(await post('ECT 1', { query: 'SEL' })).toMatchObject({ status: 400 });
    expect(await get({})).toMatchObject({ status: 200, body: 'Ok.\n' });
    expect(await get({}, '/ping')).toMatchObject({ status: 200, body: 'Ok.\n' });
    expect(await get({}, '/nothing')).toMatchObject({ status: 404 });
    expect(await post('SELECT 1; SELECT 2')).toMatchObject({
      status: 400,
      body: expect.stringContaining('Multi-statements are not allowed') as string,
    });
    expect(await post("SELECT ';' AS x FORMAT JSONCompactEachRow;")).toMatchObject({ status: 200, body: '[";"]\n' });
  });

  it('answer with the headers of ClickHouse, and errors with code and status', async () => {
    const good = await post('SELECT 1 AS x FORMAT JSON', { query_id: 'mine', session_timezone: 'UTC' });
    expect(Object.fromEntries(good.headers)).toMatchObject({
      'content-type': 'application/json; charset=UTF-8',
      'x-clickhouse-query-id': 'mine',
      'x-clickhouse-format': 'JSON',
      'x-clickhouse-timezone': 'UTC',
      'x-clickhouse-summary': expect.stringContaining('"read_rows":"1"') as string,
    });
    for (const [statement, params, status, code] of [
      ['SELECT * FROM nowhere', {}, 404, '60'],
      ['SELECT x', {}, 404, '47'],
      ['SELEC', {}, 400, '62'],
      ['SELECT 1', { database: 'nowhere' }, 404, '81'],
      ['SELECT 1', { no_such_setting: '1' }, 404, '115'],
      ['SELECT 1', { role: 'r' }, 404, '511'],
      ['SELECT 1', { compress: '1' }, 501, '48'],
      [endless, { max_execution_time: '0.1' }, 408, '159'],
      ['SELECT number FROM numbers(100)', { max_result_rows: '10' }, 500, '396'],
    ] as const) {
      const bad = await post(statement, params);
      expect([bad.status, bad.headers.get('x-clickhouse-exception-code')], statement).toEqual([status, code]);
      expect(bad.body).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: .* \\([A-Z_]+\\) \\(version [\\d.]+`, 's'));
    }
  });

  it('are readonly by GET, by the user or by the setting', async () => {
    const make = 'CREATE TABLE IF NOT EXISTS made (x UInt8) ENGINE = Memory';
    expect(await get({ query: make })).toMatchObject({
      status: 500,
      body: expect.stringContaining('READONLY') as string,
    });
    expect(await post(make, { readonly: '2' })).toMatchObject({ status: 500 });
    expect(await post(make, { user: 'analyst', password: 'a' })).toMatchObject({ status: 500 });
    expect(await post('SELECT 1', { user: 'viewer', password: 'v', max_threads: '1' })).toMatchObject({ status: 500 });
    expect(await post('SELECT 1', { user: 'analyst', password: 'a', max_threads: '1' })).toMatchObject({ status: 200 });
    expect(await post(make)).toMatchObject({ status: 200, body: '' });
  });

  it('do not leave settings or parameters behind', async () => {
    await post('SELECT 1', { max_block_size: '77', param_a: '1' });
    expect((await post("SELECT getSetting('max_block_size') = 77")).body).toBe('0\n');
    expect(await post('SELECT {a:UInt8}')).toMatchObject({ status: 500 });
    expect(
      (await post('SELECT {a:String}, {b:Array(String)}', { param_a: "it\\'s\\t", param_b: "['x\\'y','z']" })).body,
    ).toBe("it\\'s\\t\t['x\\'y','z']\n");
  });
});

describe('users', () => {
  it('are told by basic authentication, headers or the URL, but not by two of them', async () => {
    const basic = { authorization: `Basic ${Buffer.from('admin:pass word').toString('base64')}` };
    const named = { 'x-clickhouse-user': 'admin', 'x-clickhouse-key': 'pass word' };
    expect(await post('SELECT 1', {}, basic)).toMatchObject({ status: 200 });
    expect(await post('SELECT 1', {}, named)).toMatchObject({ status: 200 });
    expect(await post('SELECT 1', { user: 'admin', password: 'pass word' })).toMatchObject({ status: 200 });
    for (const refused of [
      await post('SELECT 1', {}, { ...basic, ...named }),
      await post('SELECT 1', { user: 'admin' }, basic),
      await post('SELECT 1', { user: 'admin', password: 'wrong' }),
      await post('SELECT 1', { user: 'nobody' }),
      await post('SELECT 1', {}, { authorization: 'Bearer x' }),
    ]) {
      expect(refused.status).toBe(403);
      expect(refused.headers.get('x-clickhouse-exception-code')).toBe('516');
    }
  });
});

describe('bodies', () => {
  it('are compressed both ways when asked', async () => {
    await post('CREATE TABLE IF NOT EXISTS packed (x UInt32, t String) ENGINE = Memory');
    const rows = gzipSync(Buffer.from('1\ta\\tb\n2\t\xff\n', 'latin1'));
    const sent = await post(
      rows,
      { query: 'INSERT INTO packed (x, t) FORMAT TabSeparated' },
      { 'content-encoding': 'gzip' },
    );
    expect(sent).toMatchObject({ status: 200, body: '' });
    expect(sent.headers.get('x-clickhouse-summary')).toContain('"written_rows":"2"');
    // Bytes as they came, also those that are no UTF-8.
    expect((await post('SELECT hex(t) FROM packed ORDER BY x')).body).toBe('610962\nFF\n');
    const raw = await fetch(`${server.url}/?enable_http_compression=1&query=SELECT+x+FROM+packed+ORDER+BY+x`, {
      headers: { 'accept-encoding': 'gzip' },
    });
    expect(raw.headers.get('content-encoding')).toBe('gzip'); // fetch unpacks it
    expect(await raw.text()).toBe('1\n2\n');
    expect(await post('x', {}, { 'content-encoding': 'lzma' })).toMatchObject({ status: 500 });
  });

  it('hold an exception that comes late, unless the end was waited for', async () => {
    const late =
      "SELECT throwIf(number = 900000, 'late'), repeat('x', 10) FROM numbers(1000000) SETTINGS max_block_size = 1000";
    const waited = await post(late, { wait_end_of_query: '1' });
    expect(waited).toMatchObject({ status: 500, body: expect.stringMatching(/^Code: 395\./) as string });
    const early = await post("SELECT throwIf(number = 10, 'early') FROM numbers(100)");
    expect(early).toMatchObject({ status: 500 });

    const client = createClient({ url: server.url, log: { level: ClickHouseLogLevel.OFF } });
    const result = await client.query({
      query: late.replace(' SETTINGS', ' SETTINGS max_threads = 1,'),
      format: 'JSONEachRow',
    });
    const read = async (): Promise<number> => {
      let rows = 0;
      for await (const some of result.stream()) rows += some.length;
      return rows;
    };
    await expect(read()).rejects.toMatchObject({ code: '395' });
    await client.close();
  });
});

describe('a query', () => {
  it('is killed when its client leaves only if it is readonly and asked for', async () => {
    for (const [params, killed] of [
      [{ readonly: '2', cancel_http_readonly_queries_on_client_close: '1' }, true],
      [{ cancel_http_readonly_queries_on_client_close: '1' }, false],
      [{ readonly: '2' }, false],
    ] as const) {
      const abort = new AbortController();
      const search = new URLSearchParams({ ...params, query_id: 'left', max_execution_time: '1' }).toString();
      const begin = performance.now();
      const asked = fetch(`${server.url}/?${search}`, { method: 'POST', body: endless, signal: abort.signal });
      await until('it runs', async () => (await server.running()) === 1);
      abort.abort();
      await expect(asked).rejects.toThrow();
      await until('it is gone', async () => (await server.running()) === 0);
      expect(performance.now() - begin < 900, JSON.stringify(params)).toBe(killed);
    }
  });

  it('is known by its id: refused twice, replaced, killed', async () => {
    const first = post(endless, { query_id: 'one' });
    await until('it runs', async () => (await server.running()) === 1);
    expect(await post('SELECT 1', { query_id: 'one' })).toMatchObject({
      status: 500,
      body: expect.stringContaining('QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING') as string,
    });
    const second = post(endless, { query_id: 'one', replace_running_query: '1' });
    expect((await first).headers.get('x-clickhouse-exception-code')).toBe('394');
    await until('the other one runs', async () => (await server.running()) === 1);
    let gone = false;
    void second.then(() => (gone = true));
    await until('it is killed', async () => {
      expect(await post("KILL QUERY WHERE query_id = 'one' SYNC")).toMatchObject({ status: 200 });
      return gone;
    });
    expect((await second).headers.get('x-clickhouse-exception-code')).toBe('394');
  });

  it('of a session finds what that session left, one at a time', async () => {
    const session = { session_id: 's1' };
    expect(await post('SELECT 1', { ...session, session_check: '1' })).toMatchObject({
      status: 500,
      body: expect.stringContaining('SESSION_NOT_FOUND') as string,
    });
    await post('SET max_block_size = 123', session);
    expect((await post("SELECT getSetting('max_block_size')", { ...session, session_check: '1' })).body).toBe('123\n');
    const slow = post('SELECT sleep(0.5)', session);
    await until('it runs', async () => (await server.running()) === 1);
    expect(await post('SELECT 1', session)).toMatchObject({
      body: expect.stringContaining('SESSION_IS_LOCKED') as string,
    });
    await slow;
    await post('SELECT 1', { ...session, close_session: '1' });
    expect(await post('SELECT 1', { ...session, session_check: '1' })).toMatchObject({ status: 500 });
  });
});
