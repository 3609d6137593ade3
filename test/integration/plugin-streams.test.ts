/** Live streams through Grafana Live: history, subscription, packets, problems and ends. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { PluginProcess, fakeApi, sendJson } from '../kit/plugin-host/index.js';
import type { DatasourceOptions, FakeApi } from '../kit/plugin-host/index.js';
import { sampleCapture, temporaryFolder, until } from './process.js';

const from = Date.UTC(2026, 0, 1);
const to = from + 60_000;
const folder = temporaryFolder();
const fakes: FakeApi[] = [];
let plugin: PluginProcess;
let api: Serving;

beforeAll(async () => {
  [plugin, api] = await Promise.all([
    PluginProcess.start(),
    startServing(['up', '--read', sampleCapture, '--data', folder.path]),
  ]);
  await until('the capture is read', () => api.stderr().includes('"capture read"'));
});
afterEach(async () => {
  await Promise.all(fakes.splice(0).map((fake) => fake.stop()));
});
afterAll(async () => {
  await plugin?.stop();
  await endServings();
  folder.remove();
  expect(plugin?.logMistakes).toEqual([]);
});

const datasource = (): DatasourceOptions => ({ url: api.url, uid: 'live' });

/** Ask a live query as a panel does, and take the path of its channel. */
async function channelOf(query: object): Promise<{
  path: string;
  columns: readonly { name: string; type: string }[];
  rows: number;
  /** of the last row, ms */
  last: number;
}> {
  const answers = await plugin.client.query(datasource(), [
    { from, to, query: { version: 1, type: 'timeseries', ...query } },
  ]);
  const { frames, error } = answers['A']!;
  expect(error).toBe('');
  expect(frames).toHaveLength(1);
  const [frame] = frames;
  const { channel } = frame!.meta;
  expect(channel).toMatch(/^ds\/live\/live\//);
  expect(channel!.length).toBeLessThanOrEqual(160);
  expect(channel).toMatch(/^[A-Za-z0-9_\-/=.]+$/);
  return {
    path: channel!.slice('ds/live/'.length),
    columns: frame!.fields.map(({ name, type }) => ({ name, type })),
    rows: frame!.fields[0]!.values.length,
    last: Math.round(Number(frame!.fields.find(({ name }) => name === 'time')!.values.at(-1)) / 1e6),
  };
}

interface Packet {
  readonly schema?: {
    readonly fields: readonly { name: string; type: string }[];
    readonly meta?: { notices?: { text: string }[] };
  };
  readonly data: { readonly values: readonly (readonly unknown[])[] };
}

describe('before the real API', () => {
  test('the stream begins where the history ends: no second is missing, none comes twice', async () => {
    const { path, last } = await channelOf({ live: 'rates', intervalMs: 1000, filter: 'protocol = udp' });
    const stream = plugin.client.run(datasource(), path);
    // The capture's last second is over when nothing came for a while.
    await until('the last second comes', () => stream.packets.length > 0);
    stream.cancel();
    await stream.ended;
    const [packet] = stream.packets as unknown as Packet[];
    expect(packet!.data.values[0]).toEqual([last + 1000]);
    expect(last).toBe(from + 58_000);
    // Who looks later has a history, but this stream's end was not its: it begins with the latest second, not in the past.
    const again = plugin.client.run(datasource(), path);
    await until('the latest second comes', () => again.packets.length > 0);
    again.cancel();
    expect((again.packets as unknown as Packet[])[0]!.data.values[0]).toEqual([from + 59_000]);
  });

  test.each([
    ['rates', ['time', 'bits_per_second', 'packets_per_second']],
    ['protocols', ['labels', 'time', 'bits_per_second', 'packets_per_second']],
    ['applications', ['labels', 'time', 'bits_per_second', 'packets_per_second']],
    ['talkers', ['labels', 'time', 'bits_per_second', 'packets_per_second']],
  ])('%s: history, then what comes, in the same columns', async (live, names) => {
    const { path, columns, rows } = await channelOf({ live, filter: 'protocol in (tcp, udp)' });
    expect(columns.map(({ name }) => name)).toEqual(names);
    expect(rows).toBeGreaterThan(10);
    expect(await plugin.client.subscribe(datasource(), path)).toBe(0);
    const stream = plugin.client.run(datasource(), path);
    await until('a packet comes', () => stream.packets.length > 0);
    stream.cancel();
    const [first] = stream.packets as unknown as Packet[];
    expect(first!.schema!.fields.map(({ name, type }) => ({ name, type }))).toEqual(columns);
    expect(first!.data.values).toHaveLength(names.length);
    expect(new Set(first!.data.values.map(({ length }) => length)).size).toBe(1);
    if (live === 'protocols')
      expect(first!.data.values[0]!.every((label) => /^protocol=(tcp|udp)$/.test(String(label)))).toBe(true);
    expect(await stream.ended).toMatchObject({ code: 1 });
  });

  test('a long filter has a path of its hash, known from the query that named it', async () => {
    const filter = `src_ip in (${Array.from({ length: 40 }, (_, i) => `10.0.0.${i}`).join(', ')})`;
    const { path } = await channelOf({ live: 'rates', filter });
    expect(path).toMatch(/^live\/rates\/h_[0-9a-f]{32}$/);
    expect(await plugin.client.subscribe(datasource(), path)).toBe(0);
    // Another datasource has not asked; with the query as data it may.
    const other = { ...datasource(), uid: 'other' };
    expect(await plugin.client.subscribe(other, path)).toBe(1);
    expect(await plugin.client.subscribe(other, path, { view: 'rates', filter: `${filter} ` })).toBe(1);
    expect(await plugin.client.subscribe(other, path, { view: 'rates', filter })).toBe(0);
  });

  test('paths that are none, and publishing', async () => {
    for (const path of [
      '',
      'live',
      'live/rates',
      'live/rates/x',
      'live/other/f_',
      'live/rates/f_***',
      '../x',
      'live/rates/f_/..',
      `live/rates/f_${'A'.repeat(81)}`,
    ]) {
      expect(await plugin.client.subscribe(datasource(), path)).toBe(1);
      expect(await plugin.client.run(datasource(), path).ended).toMatchObject({ code: 5 });
    }
    expect(await plugin.client.publish(datasource(), 'live/rates/f_', {})).toBe(2);
  });

  test('a filter that is none ends the stream with the words of the API', async () => {
    const path = `live/rates/f_${Buffer.from('srcip = 1').toString('base64url')}`;
    const { code, details } = await plugin.client.run(datasource(), path).ended;
    expect(code).toBe(3);
    expect(details).toMatch(/src_ip/);
  });
});

describe('before an API that does what it wants', () => {
  const event = (id: number, data: object, type = 'traffic'): string =>
    `event: ${type}\nid: e-${id}\ndata: ${JSON.stringify(data)}\n\n`;
  const rates = (at: number) => ({
    time: at,
    watermark: at,
    rates: { from: at, to: at + 1_000, bits_per_second: at, packets_per_second: 1 },
  });
  const fake = async (handle: Parameters<typeof fakeApi>[0]): Promise<DatasourceOptions> => {
    const made = await fakeApi(handle);
    fakes.push(made);
    return { url: made.url, uid: made.url };
  };
  const path = 'live/rates/f_';

  test('the schema once, no window twice, problems as notices until they are over, and on after an end', async () => {
    const lastIds: unknown[] = [];
    const where = await fake(({ headers }, response) => {
      lastIds.push(headers['last-event-id']);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (lastIds.length > 1) return void response.write(event(9, rates(9_000)) + event(10, rates(10_000)));
      response.write(': hello\r\n\r\nretry: 2000\n\n');
      const text = event(1, rates(1_000)) + event(2, rates(1_000)) + event(3, rates(2_000));
      // In pieces, as a network gives them.
      for (let at = 0; at < text.length; at += 7) response.write(text.slice(at, at + 7));
      response.write(event(4, { title: 'The store cannot answer', status: 503 }, 'problem'));
      response.write(event(5, { later: true }, 'something-new'));
      response.end(event(6, { time: 1, watermark: null }));
    });
    const stream = plugin.client.run(where, path);
    await until('it goes on', () => stream.packets.length === 5);
    stream.cancel();
    expect(stream.packets.map((packet) => (packet as unknown as Packet).data.values)).toEqual([
      [[1_000], [1_000], [1]],
      [[2_000], [2_000], [1]],
      [[], [], []],
      [[9_000], [9_000], [1]],
      [[10_000], [10_000], [1]],
    ]);
    // A problem that is over must not stay on the panel.
    expect(stream.packets.map((packet) => (packet as unknown as Packet).schema?.meta?.notices)).toEqual([
      undefined,
      undefined,
      [{ severity: 'error', text: 'The store cannot answer' }],
      [],
      undefined,
    ]);
    expect(stream.packets.map((packet) => 'schema' in packet)).toEqual([true, false, true, true, false]);
    expect(lastIds).toEqual([undefined, 'e-6']);
  });

  test('viewers who left end the request to the API', async () => {
    const where = await fake((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event(1, rates(1)));
    });
    const stream = plugin.client.run(where, path);
    await until('a packet comes', () => stream.packets.length === 1);
    stream.cancel();
    await fakes.at(-1)!.requests[0]!.closed;
  });

  test('an end that is none is reported, so that Grafana runs it again', async () => {
    const broken = await fake((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event(1, rates(1)), () => response.destroy());
    });
    expect(await plugin.client.run(broken, path).ended).toMatchObject({ code: 14 });
    const nonsense = await fake((_, response) => void response.writeHead(200).end('data: {\n\n'));
    expect(await plugin.client.run(nonsense, path).ended).toMatchObject({ code: 14 });
    const full = await fake((_, response) => sendJson(response, 503, { detail: '64 live views are open' }));
    expect(await plugin.client.run(full, path).ended).toMatchObject({ code: 8, details: '64 live views are open' });
  });

  test('a plugin that stops ends its streams', async () => {
    const own = await PluginProcess.start();
    const where = await fake((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event(1, rates(1)));
    });
    const stream = own.client.run(where, path);
    await until('a packet comes', () => stream.packets.length === 1);
    expect(await own.stop()).toMatchObject({ graceful: true });
    expect(await stream.ended).toMatchObject({ code: 0 });
    await fakes.at(-1)!.requests[0]!.closed;
  });
});
