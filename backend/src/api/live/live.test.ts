/** The live view: events once a second for all, bounds, and readers that do not read. */
import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ajv } from 'ajv';
import { ApiError } from '../problem.js';
import { createApi } from '../server.js';
import { liveEventSchema } from '../schemas/index.js';
import { openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';
import { Channel, timeOfEventId, windowsBackMax } from './channel.js';
import type { LiveSource } from './channel.js';
import { LiveHub, defaultLiveLimits } from './hub.js';
import type { Reader } from './hub.js';

const start = 1_700_000_000;
let t: TestApi;
let address: string;
let watermarkMs: number | null = null;

interface Event {
  readonly type: string;
  readonly id: string;
  readonly data: Record<string, unknown> & { rates?: Record<string, number>; talkers?: { rows: object[] } };
}

/** Reads a stream of events until `count` of them are there. */
async function events(path: string, count: number, headers: Record<string, string> = {}): Promise<Event[]> {
  const stop = new AbortController();
  const response = await fetch(address + path, { headers, signal: stop.signal });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('x-request-id')).toBeTruthy();
  const decoder = new TextDecoder();
  const found: Event[] = [];
  let text = '';
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0 && found.length < count; end = text.indexOf('\n\n')) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)));
      if (fields['event']) found.push({ type: fields['event'], id: fields['id'], data: JSON.parse(fields['data']) });
    }
    if (found.length >= count) break;
  }
  stop.abort();
  return found;
}

const row = (second: number, bytes: number) => ({
  window_start: start + second,
  window_seconds: 1,
  protocol: 6,
  ip_version: 4,
  application: 'tls',
  packets: 10,
  bytes,
});

let metrics: Registry;
const readers = (): number => readersNow;
let readersNow = 0;
async function eventually(check: () => boolean): Promise<void> {
  for (;;) {
    readersNow = Number(/ (\d+)$/.exec((await metrics.getSingleMetricAsString('netspectra_live_readers')).trim())?.[1]);
    if (check()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

beforeAll(async () => {
  metrics = new Registry();
  t = await openTestApi(
    {
      p1: {
        traffic: [row(8, 1000), row(19, 4000), row(20, 9999)],
        flows: [
          {
            window_start: start + 10,
            window_seconds: 10,
            flow_id: 1n,
            client_ip: '::ffff:10.0.0.1',
            server_ip: '::ffff:10.0.0.2',
            protocol: 6,
            server_port: 443,
            client_packets: 5,
            client_bytes: 5000,
            server_packets: 5,
            server_bytes: 500,
            first: `${start + 11}.0`,
            last: `${start + 19}.0`,
          },
        ],
        probe_stats: [{ timestamp: `${start + 20}.5`, first_packet: `${start}.0`, last_packet: `${start + 20}.5` }],
      },
    },
    {
      config: { live: { intervalMs: 20, subscribersMax: 3, filtersMax: 2 } },
      deps: { metrics, status: () => ({ dependencies: [], watermarkMs }) },
    },
  );
  ({ address } = await t.api.start());
});
afterAll(async () => t?.close());

describe('GET /api/v1/live', () => {
  test('tells what the newest whole windows held', async () => {
    const [event] = await events('/api/v1/live', 1);
    expect(event).toMatchObject({
      type: 'traffic',
      data: {
        watermark: (start + 20) * 1000 + 500,
        rates: { from: (start + 19) * 1000, to: (start + 20) * 1000, bits_per_second: 32_000, packets_per_second: 10 },
        protocols: { rows: [{ protocol: 'tcp', bits_per_second: 32_000 }] },
        applications: { rows: [{ application: 'tls' }] },
        talkers: {
          from: (start + 10) * 1000,
          to: (start + 20) * 1000,
          rows: [
            { src_ip: '10.0.0.1', bits_per_second: 4000 },
            { src_ip: '10.0.0.2', bits_per_second: 400 },
          ],
        },
      },
    });
    const validate = new Ajv({ strict: false }).compile(liveEventSchema);
    expect(validate(event?.data), JSON.stringify(validate.errors)).toBe(true);
  });

  test('each second once and in order while it goes on; who comes again, or has the past, continues where it was', async () => {
    const seconds = (found: readonly Event[]) => found.map(({ data }) => (data.rates!['from']! - start * 1000) / 1000);
    watermarkMs = (start + 9) * 1000;
    try {
      const other = events('/api/v1/live', 6);
      const first = events('/api/v1/live?since=' + (start + 5) * 1000, 6);
      await eventually(() => readers() === 2);
      watermarkMs = (start + 11) * 1000 + 999;
      const found = await first;
      expect(seconds(found)).toEqual([5, 6, 7, 8, 9, 10]);
      expect(found.map(({ id }) => id)).toEqual([6, 7, 8, 9, 10, 11].map((second) => `w${(start + second) * 1000}`));
      expect(found[3]?.data.rates).toMatchObject({ bits_per_second: 8000, packets_per_second: 10 });
      // The stream of the other is still open: it is given what comes, and what was missed is had of the store.
      const again = await events('/api/v1/live', 3, { 'last-event-id': found[1]!.id });
      expect(seconds(again)).toEqual([7, 8, 9]);
      watermarkMs = (start + 14) * 1000;
      expect(seconds(await other)).toEqual([8, 9, 10, 11, 12, 13]);
    } finally {
      watermarkMs = null;
    }
  });

  test('a reader that was away for too long is told which seconds it does not get', async () => {
    const [first, second] = await events('/api/v1/live?since=' + (start - 1000) * 1000, 2);
    expect(first).toMatchObject({ type: 'skipped', data: { from: (start - 1000) * 1000 } });
    expect(first?.data['to']).toBe(second?.data.rates!['from']);
  });

  test('a filter narrows all of it', async () => {
    const [event] = await events(`/api/v1/live?filter=${encodeURIComponent('src_ip = 10.0.0.2')}`, 1);
    expect(event?.data.talkers?.rows).toEqual([{ src_ip: '10.0.0.2', bits_per_second: 400, packets_per_second: 0.5 }]);
    expect(event?.data.rates).toMatchObject({ from: (start + 10) * 1000, bits_per_second: 400 });
  });

  test('a filter that is wrong, or that flows cannot answer, is a problem and no stream', async () => {
    for (const [filter, kind] of [
      ['srcip = 1', 'filter'],
      ['dns_name = x', 'query'],
    ]) {
      const answer = await fetch(`${address}/api/v1/live?filter=${encodeURIComponent(filter!)}`);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ type: `urn:netspectra:problem:${kind}` });
    }
  });

  test('more readers, and more filters, than there may be are turned away; places come free', async () => {
    const streams = await Promise.all(
      ['', '', 'vlan = 0'].map(async (filter) => {
        const stop = new AbortController();
        const response = await fetch(`${address}/api/v1/live?filter=${encodeURIComponent(filter)}`, {
          signal: stop.signal,
        });
        expect(response.status).toBe(200);
        return stop;
      }),
    );
    const refused = await fetch(`${address}/api/v1/live`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    streams[0]!.abort();
    let status = 503;
    while (status === 503)
      status = (await fetch(`${address}/api/v1/live`, { signal: AbortSignal.timeout(5000) })).status;
    expect(status).toBe(200);
    for (const stop of streams) stop.abort();
  });

  test('HEAD opens no stream', async () => {
    const answer = await fetch(`${address}/api/v1/live`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
  });

  test('a process that knows its watermark is asked for it', async () => {
    watermarkMs = (start + 9) * 1000;
    try {
      const [event] = await events(`/api/v1/live?filter=${encodeURIComponent('vlan = 0')}`, 1);
      expect(event?.data.rates).toMatchObject({ from: (start + 8) * 1000, bits_per_second: 8000 });
    } finally {
      watermarkMs = null;
    }
  });
});

describe('hub', () => {
  const work = () => {
    const controller = new AbortController();
    return { signal: controller.signal, end: () => controller.abort() };
  };
  const reader = (state: { buffered: number; ended: boolean; written: string[] }): Reader => ({
    write: (text) => void state.written.push(text),
    buffered: () => state.buffered,
    end: () => (state.ended = true),
  });

  /** A window of a millisecond ends at each look. */
  const endless =
    (window: (fromMs: number, toMs: number, signal: AbortSignal) => Promise<object>) => (): LiveSource => {
      let end = 0;
      return { width: async () => 1, closed: async () => (end += 1), window };
    };

  test('a reader that does not read is let go and counted; the others read on', async () => {
    const metrics = new Registry();
    const hub = new LiveHub(metrics, { ...defaultLiveLimits, intervalMs: 1 });
    const slow = { buffered: 0, ended: false, written: [] as string[] };
    const quick = { buffered: 0, ended: false, written: [] as string[] };
    const snapshot = endless(async () => ({ time: 1 }));
    (await hub.open('', snapshot, work)).attach(reader(slow));
    (await hub.open('', snapshot, work)).attach(reader(quick));
    slow.buffered = defaultLiveLimits.bufferedBytesMax + 1;
    while (!slow.ended) await new Promise((resolve) => setImmediate(resolve));
    const seen = quick.written.length;
    while (quick.written.length < seen + 3) await new Promise((resolve) => setImmediate(resolve));
    expect(await metrics.getSingleMetricAsString('netspectra_live_readers_dropped_total')).toMatch(/ 1$/m);
    expect(quick.ended).toBe(false);
    hub.stop();
    expect(quick.ended).toBe(true);
    await expect(hub.open('', snapshot, work)).rejects.toBeInstanceOf(ApiError);
  });

  test('nothing is reckoned when nobody looks, and once for all who do', async () => {
    const hub = new LiveHub(new Registry(), { ...defaultLiveLimits, intervalMs: 1 });
    let reckoned = 0;
    const ended: AbortSignal[] = [];
    const open = async () => {
      const view = await hub.open(
        'f',
        endless(async (_from, _to, signal) => {
          reckoned += 1;
          ended.push(signal);
          return {};
        }),
        work,
      );
      const state = { buffered: 0, ended: false, written: [] as string[] };
      return { state, detach: view.attach(reader(state)) };
    };
    const [a, b] = await Promise.all([open(), open()]);
    while (a.state.written.length < 5) await new Promise((resolve) => setImmediate(resolve));
    expect(reckoned).toBeLessThanOrEqual(b.state.written.length + 1);
    a.detach();
    b.detach();
    expect(ended[0]?.aborted).toBe(true);
    const after = reckoned;
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(reckoned).toBe(after);
  });

  test('a failure of the store is an event, and the view goes on', async () => {
    const hub = new LiveHub(new Registry(), { ...defaultLiveLimits, intervalMs: 1 });
    let calls = 0;
    const windows: number[] = [];
    const view = await hub.open(
      '',
      endless(async (fromMs) => {
        calls += 1;
        if (calls === 2) throw new ApiError('unavailable', 'the store does not answer');
        windows.push(fromMs);
        return {};
      }),
      work,
    );
    const state = { buffered: 0, ended: false, written: [] as string[] };
    const detach = view.attach(reader(state));
    while (state.written.length < 3) await new Promise((resolve) => setImmediate(resolve));
    detach();
    expect(state.written.map((text) => /^event: (\w+)/.exec(text)?.[1]).slice(0, 3)).toEqual([
      'traffic',
      'problem',
      'traffic',
    ]);
    expect(windows.slice(0, 3), 'the window that failed is asked for again').toEqual([0, 1, 2]);
    expect(state.written[1], 'a problem does not move what was seen').not.toContain('id:');
  });
});

describe('channel', () => {
  const work = { signal: new AbortController().signal, end: () => undefined };
  const idOf = (text: string) => /^id: (.*)$/m.exec(text)?.[1];

  test('windows that end while a reader reaches back come once, behind the earlier ones', async () => {
    let closed = 100;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const channel = new Channel(
      {
        width: async () => 10,
        closed: async () => closed,
        window: async (fromMs) => (fromMs === 60 ? held.then(() => ({})) : {}),
      },
      work,
      { intervalMs: 1 },
    );
    await channel.begin();
    const texts: string[] = [];
    channel.subscribe((text) => texts.push(text) > 0, undefined);
    const reached = channel.reachBack(55);
    closed = 135;
    while (texts.length < 4) await new Promise((resolve) => setImmediate(resolve));
    release();
    await reached;
    const back: string[] = [];
    channel.subscribe((text) => back.push(text) > 0, 55);
    channel.end();
    expect(back.map(idOf)).toEqual(['w70', 'w80', 'w90', 'w100', 'w110', 'w120', 'w130']);
    expect(texts.map(idOf)).toEqual(['w100', 'w110', 'w120', 'w130']);
  });

  test('windows that are forgotten while a reader reaches back leave no hole that is not told', async () => {
    const width = 10;
    let closed = 2_000;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const channel = new Channel(
      {
        width: async () => width,
        closed: async () => closed,
        window: async (fromMs) => (fromMs === 1_900 ? held.then(() => ({})) : {}),
      },
      work,
      { intervalMs: 1 },
    );
    await channel.begin();
    const texts: string[] = [];
    channel.subscribe((text) => texts.push(text) > 0, undefined);
    const until = async (end: number): Promise<void> => {
      closed = end;
      while (idOf(texts.at(-1)!) !== `w${end}`) await new Promise((resolve) => setImmediate(resolve));
    };
    await until(2_500);
    await until(3_000);
    const reached = channel.reachBack(1_900);
    await until(3_400);
    release();
    await reached;
    const back: string[] = [];
    channel.subscribe((text) => back.push(text) > 0, 1_900);
    channel.end();
    const oldest = 3_400 - windowsBackMax * width;
    expect(back[0]).toBe(`event: skipped\nid: w${oldest}\ndata: {"from":1900,"to":${oldest}}\n\n`);
    expect(back.slice(1).map(idOf)).toEqual(
      Array.from({ length: windowsBackMax }, (_, i) => `w${oldest + (i + 1) * width}`),
    );
  });

  test('a reader that is ahead, because it was at another process before, is given nothing twice', async () => {
    let closed = 100;
    const channel = new Channel({ width: async () => 10, closed: async () => closed, window: async () => ({}) }, work, {
      intervalMs: 1,
    });
    await channel.begin();
    await channel.reachBack(130);
    const [behind, ahead]: [string[], string[]] = [[], []];
    channel.subscribe((text) => behind.push(text) > 0, undefined);
    channel.subscribe((text) => ahead.push(text) > 0, 130);
    closed = 150;
    while (behind.length < 6) await new Promise((resolve) => setImmediate(resolve));
    channel.end();
    expect(ahead.map(idOf)).toEqual(['w140', 'w150']);
  });

  test('when a capture of the past is read, the last window stands for all, and says so', async () => {
    let closed = 100;
    const channel = new Channel({ width: async () => 10, closed: async () => closed, window: async () => ({}) }, work, {
      intervalMs: 1,
    });
    await channel.begin();
    const texts: string[] = [];
    channel.subscribe((text) => texts.push(text) > 0, undefined);
    closed = 10_000;
    while (texts.length < 3) await new Promise((resolve) => setImmediate(resolve));
    channel.end();
    expect(texts[1]).toBe('event: skipped\nid: w9990\ndata: {"from":100,"to":9990}\n\n');
    expect(idOf(texts[2]!)).toBe('w10000');
  });

  test('an id that is not one of ours says nothing', () => {
    expect(['w1700000000000', 'w', 'w-1', '1f0c3a52-17', undefined].map(timeOfEventId)).toEqual([
      1_700_000_000_000,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test('a stream ends with the server', async () => {
  const deps = {
    store: t.store,
    metrics: new Registry(),
    status: () => ({ dependencies: [], watermarkMs }),
  };
  const other = createApi(deps, { listen: '127.0.0.1:0', live: { intervalMs: 20 } });
  const { address: where } = await other.start();
  const { port } = new URL(where);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(`GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await other.stop();
  socket.resume();
  await closed;
});
