/** Real-time state in one process: what is kept of a flush, bounds, expiry, the frontier. Redis: test/integration/redis.test.ts. */
import { describe, expect, test } from 'vitest';
import { makeFlush, rowBlock } from '../storage/testing.js';
import { frontierOf } from './frontier.js';
import type { StreamProgress } from './frontier.js';
import { InProcessState } from './in-process.js';
import { hostsPerFlush, summariseFlush } from './summary.js';
import { Telling } from './telling.js';
import { Watermark } from './watermark.js';

const start = 1_700_000_000;
const stamp = { probe: 'p1', epoch: 2n ** 63n, partition: 3, firstSeq: 5, lastSeq: 9 };
const address = (i: number) => `0000:0000:0000:0000:0000:ffff:0a00:${i.toString(16).padStart(4, '0')}`;
const flow = (client: number, bytes: number, over: object = {}) => ({
  window_start: start,
  window_seconds: 10,
  client_ip: address(client),
  server_ip: '2001:0db8:0000:0000:0000:0000:0000:0001',
  client_packets: 1,
  client_bytes: bytes,
  last: `${start + 3}.250000000`,
  ...over,
});
const stats = (over: object = {}) => ({
  timestamp: `${start + 5}.500000000`,
  last_packet: `${start + 4}.000000000`,
  source: 'eth0',
  partitions: 4,
  flows_live: 11,
  ...over,
});

describe('summary of a flush', () => {
  test('sums counters by second and hosts by window, and names exactly the flush', () => {
    const summary = summariseFlush(
      makeFlush(stamp, {
        traffic: [
          { window_start: start + 4, window_seconds: 1, application: 'a\tb', packets: 2, bytes: 300 },
          { window_start: start + 4, window_seconds: 1, vlan: 7, packets: 1, bytes: 2 ** 40 },
          { window_start: start - 500, window_seconds: 1, packets: 9, bytes: 9 },
        ],
        flows: [flow(1, 100), flow(1, 50), flow(2, 900, { window_start: start - 200 })],
        probe_stats: [stats()],
      }),
    );
    expect(summary).toEqual({
      name: 'p1/9223372036854775808/3/5-9',
      probe: 'p1',
      epoch: '9223372036854775808',
      partition: 3,
      lastSeq: 9,
      source: 'eth0',
      partitions: 4,
      watermarkMs: (start + 5) * 1000 + 500,
      complete: false,
      flowsLive: 11,
      counters: [{ start: start + 4, seconds: 1, packets: 3, bytes: 300 + 2 ** 40 }],
      hostWindowSeconds: 10,
      hosts: [
        expect.objectContaining({ address: '10.0.0.1', bytesSent: 150, bytesReceived: 0, packetsSent: 2 }),
        expect.objectContaining({
          address: '2001:db8::1',
          bytesSent: 0,
          bytesReceived: 150,
          lastMs: (start + 3) * 1000,
        }),
      ],
      hostsLeftOut: false,
    });
  });

  test('keeps the heaviest hosts, and says that there were others', () => {
    const flows = Array.from({ length: 5_000 }, (_, i) => flow(i + 1, (i * 7919) % 5_003));
    const { hosts, hostsLeftOut } = summariseFlush(makeFlush(stamp, { flows, probe_stats: [stats()] }));
    expect([hosts.length, hostsLeftOut]).toEqual([hostsPerFlush, true]);
    const heaviest = flows.map(({ client_bytes }) => client_bytes).sort((a, b) => b - a);
    expect(hosts.slice(1).map(({ bytesSent }) => bytesSent)).toEqual(heaviest.slice(0, hostsPerFlush - 1));
  });

  test('rows that are torn or foreign end the reading, and nothing is thrown', () => {
    const whole = rowBlock('flows', [flow(1, 100), flow(2, 50)]);
    for (let length = 0; length < whole.bytes.length; length += 7) {
      const torn = { ...whole, bytes: whole.bytes.subarray(0, length) };
      expect(summariseFlush({ ...stamp, blocks: [torn] }).hosts.length).toBeLessThanOrEqual(3);
    }
    const noise = { table: 'traffic' as const, rows: 1, bytes: new Uint8Array(1_000).map((_, i) => (i * 31) % 256) };
    expect(() => summariseFlush({ ...stamp, blocks: [noise, { ...noise, table: 'probe_stats' }] })).not.toThrow();
    expect(summariseFlush({ ...stamp, blocks: [] })).toMatchObject({ watermarkMs: null, counters: [], hosts: [] });
  });
});

describe('in one process', () => {
  const flush = (lastSeq: number, second: number, client = 1) =>
    summariseFlush(
      makeFlush(
        { ...stamp, firstSeq: lastSeq, lastSeq },
        {
          traffic: [{ window_start: second, window_seconds: 1, packets: 10, bytes: 1_000 }],
          flows: [flow(client, 100, { window_start: second - (second % 10) })],
          probe_stats: [stats({ timestamp: `${second}.900000000`, last_packet: `${second}.900000000` })],
        },
      ),
    );

  test('a flush that is told again counts once; what nobody renews is gone', async () => {
    let now = start * 1000;
    const state = new InProcessState(() => now);
    for (const one of [flush(1, start), flush(1, start), flush(2, start)]) state.observeFlush(one);
    expect(await state.rates()).toEqual([{ probe: 'p1', start, seconds: 1, packets: 20, bytes: 2_000 }]);
    expect(state.counters.repeated).toBe(1);
    expect(await state.probes()).toEqual([{ id: 'p1', source: 'eth0', flows: 11, lastMs: start * 1000 + 900 }]);
    now += 29_000;
    expect(await state.probes()).toHaveLength(1);
    now += 2_000;
    expect(await state.probes()).toEqual([]);
    expect(await state.rates()).toHaveLength(1);
    now += 150_000;
    expect([await state.rates(), (await state.hosts(10)).hosts]).toEqual([[], []]);
  });

  test('rates are those of two minutes, hosts those of the last one', async () => {
    let now = start * 1000;
    const state = new InProcessState(() => now);
    for (let i = 0; i < 200; i += 1) {
      now = (start + i) * 1000;
      state.observeFlush(flush(i, start + i, i < 100 ? 1 : 2));
    }
    const rates = await state.rates();
    expect([rates.length, rates[0]?.start]).toEqual([120, start + 80]);
    const { hosts, fromMs, toMs } = await state.hosts(10);
    expect(hosts.map(({ address: of }) => of)).toEqual(['10.0.0.2', '2001:db8::1']);
    expect([fromMs, toMs]).toEqual([(start + 140) * 1000, (start + 200) * 1000]);
  });

  test('a packet from the future does not make the present old', async () => {
    const state = new InProcessState(() => start * 1000);
    state.observeFlush(flush(1, start));
    state.observeFlush(flush(2, 4_000_000_000));
    expect((await state.rates()).map((rate) => rate.start)).toEqual([start]);
    expect((await state.hosts(1)).toMs).toBe((start + 10) * 1000);
    expect(state.counters.leftOut).toBeGreaterThan(0);
  });
});

describe('frontier', () => {
  const stream = (over: Partial<StreamProgress>): StreamProgress => ({
    partitions: 2,
    seen: 2,
    complete: false,
    untilMs: 1_000,
    newestMs: 2_000,
    silentMs: 0,
    ...over,
  });

  test('the partition that is furthest behind decides, of the streams under way', () => {
    expect(frontierOf([stream({}), stream({ untilMs: 1_500 })])).toEqual({ closedMs: 1_000, atRest: false });
    expect(frontierOf([stream({ complete: true }), stream({ untilMs: 1_500 })]).closedMs).toBe(1_500);
    expect(frontierOf([stream({ silentMs: 30_000 }), stream({ untilMs: 1_500 })]).closedMs).toBe(1_500);
    expect(frontierOf([stream({ silentMs: 29_000 }), stream({ untilMs: 1_500 })]).closedMs).toBe(1_000);
    const now = stream({ untilMs: 10_000_000, newestMs: 10_000_000 });
    expect(frontierOf([stream({}), now]).closedMs, 'one that reads the past').toBe(10_000_000);
    expect(frontierOf([stream({ seen: 1 })]).closedMs, 'a partition that told nothing yet').toBeNull();
    expect(frontierOf([])).toEqual({ closedMs: null, atRest: true });
  });

  test('at rest is only what has been silent for a while', () => {
    expect(frontierOf([stream({ complete: true })])).toEqual({ closedMs: 2_000, atRest: false });
    expect(frontierOf([stream({ complete: true, silentMs: 5_000 })])).toEqual({ closedMs: 2_000, atRest: true });
  });

  test("a process's own never goes back", () => {
    const told = (partition: number, second: number, epoch = 1n) =>
      summariseFlush(
        makeFlush(
          { ...stamp, epoch, partition },
          { probe_stats: [stats({ partitions: 2, timestamp: `${second}.0` })] },
        ),
      );
    const at = start + 100;
    const watermark = new Watermark(() => 0);
    expect(watermark.frontier.closedMs).toBeNull();
    watermark.observe(told(0, at + 5));
    expect(watermark.frontier.closedMs).toBeNull();
    watermark.observe(told(1, at + 3));
    expect(watermark.frontier.closedMs).toBe((at + 3) * 1000);
    watermark.observe(told(0, at + 1, 2n));
    expect(watermark.frontier.closedMs).toBe((at + 3) * 1000);
  });
});

describe('telling', () => {
  const flushed = () => new Promise((resolve) => setImmediate(resolve));

  test('keeps what it told for a while, and tells it again from the oldest on', async () => {
    let now = 0;
    const sent: string[] = [];
    const telling = new Telling(async (text) => sent.push(text), {
      bytesMax: 100,
      ageMaxMs: 1_000,
      windowMax: 2,
      now: () => now,
    });
    telling.add('a');
    telling.add('b');
    telling.add('c');
    expect(sent).toEqual([]);
    telling.begin();
    expect(sent, 'not more than the window').toEqual(['a', 'b']);
    await flushed();
    expect(sent).toEqual(['a', 'b', 'c']);
    now = 600;
    telling.add('d');
    await flushed();
    now = 1_200;
    telling.begin();
    await flushed();
    expect(sent.slice(4), 'a, b and c are old').toEqual(['d']);
    expect(telling.counters).toEqual({ told: 4, dropped: 0, failed: 0 });
  });

  test('drops the oldest beyond its bound, and counts each once', async () => {
    let refuse = true;
    const telling = new Telling(async () => (refuse ? Promise.reject(new Error('away')) : 1), {
      bytesMax: 10,
      ageMaxMs: 1_000,
      windowMax: 3,
      now: () => 0,
    });
    telling.begin();
    for (let i = 0; i < 20; i += 1) telling.add('x');
    await flushed();
    await flushed();
    expect([telling.bytes, telling.counters.dropped]).toEqual([10, 10]);
    refuse = false;
    telling.begin();
    while (telling.waiting > 0) await flushed();
    expect(telling.counters).toMatchObject({ told: 10, dropped: 10 });
  });
});
