import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeKinds } from '../../../test/kit/stores.js';
import type { TestTarget } from '../../../test/kit/stores.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';

describe.each(storeKinds)('queries of the $kind store', ({ start }) => {
  let place: TestTarget;
  let store: Store;
  beforeAll(async () => {
    place = await start();
    store = await place.open({ migrate: false });
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  it('binds parameters of every kind without splicing them', async () => {
    const nasty = "a'b\\c\td\ne; DROP TABLE flows --";
    const result = await store.query(
      `SELECT {ip:IPv6} AS ip, {text:String} AS text, {list:Array(String)} AS list, {ports:Array(UInt16)} AS ports,
              {big:UInt64} AS big, {none:Nullable(String)} IS NULL AS none, {yes:Bool} AS yes`,
      {
        ip: '::ffff:192.0.2.7',
        text: nasty,
        list: [nasty, ''],
        ports: [80, 443],
        big: 2n ** 64n - 1n,
        none: null,
        yes: true,
      },
      { exactIntegers: true },
    );
    expect(rowsOf(result)).toEqual([
      {
        ip: '::ffff:192.0.2.7',
        text: nasty,
        list: [nasty, ''],
        ports: [80, 443],
        big: '18446744073709551615',
        none: 1,
        yes: true,
      },
    ]);
  });

  it('need one listener of a signal, however many they are', async () => {
    const { signal } = new AbortController();
    await store.query('SELECT 1', {}, { signal });
    await expect(store.query('SELECT broken', {}, { signal })).rejects.toThrow();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  });

  it('answers in columns with types, and says what was read', async () => {
    const result = await store.query('SELECT number AS n, toString(number) AS s FROM numbers(3) ORDER BY n');
    expect(result.columns).toEqual([
      { name: 'n', type: 'UInt64', values: [0, 1, 2] },
      { name: 's', type: 'String', values: ['0', '1', '2'] },
    ]);
    expect(result.rows).toBe(3);
    expect(result.statistics.rowsRead).toBe(3);
  });

  it('speaks UTC whatever the zone of the process', async () => {
    const result = await store.query('SELECT toDateTime(0) AS t, timezone() AS zone');
    expect(rowsOf(result)).toEqual([{ t: '1970-01-01 00:00:00', zone: 'UTC' }]);
  });

  it('does not let settings of one statement reach the next', async () => {
    await store.query('SELECT 1 AS x', {}, { settings: { max_threads: 1, max_block_size: 777 } });
    const result = await store.query("SELECT getSetting('max_block_size') AS size");
    expect(result.columns[0]!.values[0]).not.toBe(777);
  });

  it('refuses results over the limit, queries over their time or memory, and nonsense, each with its code', async () => {
    await expect(store.query('SELECT number FROM numbers(100)', {}, { maxRows: 10 })).rejects.toMatchObject({
      code: 'NS_QUERY_TOO_LARGE',
    });
    await expect(store.query('SELECT 1 AS x UNION ALL SELECT 2', {}, { maxRows: 1 })).rejects.toMatchObject({
      code: 'NS_QUERY_TOO_LARGE',
    });
    await expect(
      store.query('SELECT count() FROM numbers(100000000000) WHERE number % 7 = 3', {}, { timeoutMs: 200 }),
    ).rejects.toMatchObject({ code: 'NS_QUERY_TIMEOUT' });
    await expect(
      store.query(
        'SELECT number, count() FROM numbers(10000000) GROUP BY number',
        {},
        { settings: { max_memory_usage: 10_000_000 } },
      ),
    ).rejects.toMatchObject({ code: 'NS_QUERY_MEMORY' });
    await expect(store.query('SELECT * FROM nowhere')).rejects.toMatchObject({ code: 'NS_STORE_REJECTED' });
    await expect(store.query('SELECT 1, 1')).rejects.toThrow('two result columns');
  });

  it('answers rightly after a query that failed in the middle of its output', async () => {
    for (let i = 0; i < 3; i += 1) {
      await expect(
        store.query(
          'SELECT throwIf(number = 70000) AS x FROM numbers(100000)',
          {},
          { settings: { max_block_size: 1000 } },
        ),
      ).rejects.toMatchObject({ code: 'NS_STORE_REJECTED' });
      expect(rowsOf(await store.query('SELECT 7 AS x'))).toEqual([{ x: 7 }]);
    }
  });

  it('stops running queries in the engine when their caller leaves, and those that wait before they start', async () => {
    const abort = new AbortController();
    // More than either kind of store works on at a time.
    const asked = Array.from({ length: 16 }, () =>
      store.query(
        'SELECT count() AS c FROM numbers({n:UInt64}) WHERE number % 7 = 3',
        { n: 10n ** 13n },
        { signal: abort.signal },
      ),
    );
    setTimeout(() => abort.abort(), 150);
    for (const query of asked) await expect(query).rejects.toMatchObject({ code: 'NS_QUERY_ABORTED' });
    // Were one still running, this one would wait for its limit of 30 s, or the server would still have it.
    const before = performance.now();
    await store.query('SELECT 1 AS x');
    expect(performance.now() - before).toBeLessThan(3_000);
    const end = Date.now() + 10_000;
    while (place.server && (await place.server.running()) > 0) expect(Date.now()).toBeLessThan(end);
  });

  it('inserts while a query runs', async () => {
    const order: string[] = [];
    const slow = store.query('SELECT sleep(1) AS s').then(() => order.push('query'));
    await store.command('CREATE TABLE side (a UInt8) ENGINE = MergeTree ORDER BY a');
    await store.insert({ table: 'side', columns: ['a'], bytes: new TextEncoder().encode('1\n2\n') });
    order.push('insert');
    await slow;
    expect(order).toEqual(['insert', 'query']);
    expect(rowsOf(await store.query('SELECT sum(a) AS s FROM side'))).toEqual([{ s: 3 }]);
  });
});
