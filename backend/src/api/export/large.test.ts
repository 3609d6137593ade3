/**
 * A million flows out of the real engine: the memory of the process does not grow with the export, a client that stops reading
 * stops the reading of the store, and one that goes away ends the statement in the engine.
 */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../storage/index.js';
import type { Store } from '../../storage/index.js';
import { temporaryDataDir } from '../../storage/testing.js';
import { createApi } from '../server.js';
import type { Api } from '../server.js';

const start = 1_700_000_000;
const flows = 1_000_000;
const folder = temporaryDataDir();
let store: Store;
let api: Api;
let address: string;
let pages = 0;
/** of an export of everything */
let allPages = NaN;
let running: Promise<unknown> = Promise.resolve();
/** from this statement on the engine is given one that takes hours */
let endlessFrom = Infinity;
const endless = 'SELECT sum(sipHash64(number)) AS n FROM numbers(100000000000)';

beforeAll(async () => {
  store = await openStore({ dataDir: folder.path });
  await store.command(`
    INSERT INTO flows (probe, epoch, partition, first_seq, last_seq, window_start, window_seconds, flow_id, client_ip, server_ip,
                       client_port, server_port, protocol, client_packets, client_bytes, first, last)
    SELECT 'p', 1, 0, 1, 1, toDateTime(${start} + intDiv(number, 10000) * 10), 10, cityHash64(number),
           toIPv6(concat('::ffff:10.', toString(number % 200), '.', toString(intDiv(number, 200) % 250), '.1')),
           toIPv6('2001:db8::1'), 1024 + number % 60000, 443, 6, 1, 100 + number % 1000,
           toDateTime64(${start} + intDiv(number, 10000) * 10, 9) + INTERVAL number % 10000 * 1000000 NANOSECOND,
           toDateTime64(${start} + intDiv(number, 10000) * 10, 9) + INTERVAL number % 10000 * 1000000 NANOSECOND
      FROM numbers(${flows})`);
  const counting = {
    query: (sql: string, ...args: Parameters<Store['query']> extends [string, ...infer Rest] ? Rest : never) => {
      pages += 1;
      const result = store.query(pages >= endlessFrom ? endless : sql, ...args);
      running = result.catch((error: unknown) => error);
      return result;
    },
  };
  const status = () => ({ dependencies: [], watermarkMs: null });
  api = createApi({ store: counting as typeof store, metrics: new Registry(), status }, { listen: '127.0.0.1:0' });
  ({ address } = await api.start());
}, 120_000);
afterAll(async () => {
  await api?.stop();
  await store?.close();
  folder.remove();
});

const url = (limit = '') =>
  `${address}/api/v1/flows?from=${start * 1000}&to=${(start + 1000) * 1000}${limit === '' ? '' : `&limit=${limit}`}`;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const bytesKept = (): number => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const get = (target: string, accept: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request(target, { headers: { accept } }, resolve).on('error', reject).end();
  });

test('every flow once, newest first, in constant memory', async () => {
  const response = await get(url(), 'application/x-ndjson');
  expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'application/x-ndjson; charset=utf-8']);
  const begin = pages;
  let lines = 0;
  let rest = '';
  let last = Infinity;
  const kept: number[] = [];
  const seen = new Set<bigint>();
  for await (const piece of response as AsyncIterable<Buffer>) {
    const parts = (rest + piece.toString('utf8')).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      const [, id = '', first] = /^\{"flow_id":"(\d+)","probe":"p","first":(\d+(?:\.\d+)?),/.exec(line) ?? [];
      if (!(Number(first) <= last)) throw new Error(`${line} after ${last}`);
      last = Number(first);
      lines += 1;
      if (lines % 10 === 0) seen.add(BigInt(id));
    }
    if (lines >= (kept.length + 1) * (flows / 10)) kept.push(bytesKept());
  }
  expect([lines, seen.size, rest]).toEqual([flows, flows / 10, '']);
  allPages = pages - begin;
  expect(allPages).toBeGreaterThanOrEqual(20);
  // What is kept after each tenth: the test's own set grows by 10 MB, and a page more or less is under way.
  expect(kept.length).toBeGreaterThanOrEqual(9);
  const text = kept.map((bytes) => Math.round(bytes / 1e6)).join(' ');
  expect(Math.max(...kept.slice(5)) - Math.max(...kept.slice(0, 5)), `MB: ${text}`).toBeLessThan(30e6);
}, 180_000);

test('a client that stops reading stops the reading of the store', async () => {
  const response = await get(url(), 'text/csv');
  const begin = pages;
  try {
    await new Promise((resolve) => response.once('readable', resolve));
    // Nothing is read on. Once its pages stand still the socket's buffers are full: how much they hold is the kernel's to say.
    let before = -1;
    while (before !== pages) {
      before = pages;
      await running;
      for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(pages - begin).toBeLessThan(allPages / 4);
  } finally {
    response.destroy();
  }
}, 60_000);

/** Resolves when the engine works on the endless statement. */
const untilEndless = async (): Promise<void> => {
  while (pages < endlessFrom) await new Promise((resolve) => setImmediate(resolve));
};
/** The statement that runs ended early, by being cancelled, and the engine is free. */
const expectCancelled = async (): Promise<void> => {
  const begin = performance.now();
  expect(await running).toMatchObject({ code: 'NS_QUERY_ABORTED' });
  // The store lets the next one in only when the engine is done with the one before.
  await store.query('SELECT 1');
  expect(performance.now() - begin).toBeLessThan(5_000);
};

test('a client that goes away ends the statement in the engine, and no further one begins', async () => {
  endlessFrom = pages + 3;
  try {
    const response = await get(url(), 'text/csv');
    response.resume();
    await untilEndless();
    response.destroy();
    await expectCancelled();
    const after = pages;
    for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(pages).toBe(after);
  } finally {
    endlessFrom = Infinity;
  }
}, 60_000);

test('the same for a query', async () => {
  // The first statement asks for what the probes lost, the second one answers.
  endlessFrom = pages + 2;
  try {
    const stop = new AbortController();
    const body = {
      from: start * 1000,
      to: (start + 1000) * 1000,
      queries: [{ refId: 'A', type: 'table', measures: ['flows'] }],
    };
    const answer = fetch(`${address}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: stop.signal,
    }).catch((error: unknown) => error);
    await untilEndless();
    stop.abort();
    await answer;
    await expectCancelled();
  } finally {
    endlessFrom = Infinity;
  }
}, 60_000);

test('limit is the number of flows of the whole export', async () => {
  const response = await get(url('25001'), 'text/csv');
  let text = '';
  for await (const piece of response as AsyncIterable<Buffer>) text += piece.toString('utf8');
  const lines = text.split('\r\n');
  expect(lines).toHaveLength(25_003); // header, rows, and nothing after the last line's end
  expect(lines[0]).toMatch(/^flow_id,probe,first,last,duration,client_ip,/);
  expect(lines[1]).toMatch(/^\d+,p,2023-11-14T22:29:59\.9/);
}, 60_000);
