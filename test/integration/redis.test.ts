/** Real-time state in a real Redis: sums, repeated flushes, expiry, kills, refusals. */
import { createClient } from '@redis/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InProcessState } from '../../backend/src/realtime/in-process.js';
import { RedisState } from '../../backend/src/realtime/redis-state.js';
import { summariseFlush } from '../../backend/src/realtime/summary.js';
import { makeFlush } from '../../backend/src/storage/testing.js';
import { makeAuthority } from '../kit/certificates.js';
import { hasRedis, startRedis } from '../kit/redis.js';
import type { RedisServer } from '../kit/redis.js';
import { freePort, temporaryFolder, until } from './process.js';

const start = 1_700_000_000;

/** A flush of one partition: 10 packets of 1000 bytes in a second, from 10.0.0.<host> to 192.0.2.1. */
function flushOf(sequence: number, { probe = 'p1', partition = 0, host = 1, second = start } = {}) {
  const flow = {
    window_start: second - (second % 10),
    window_seconds: 10,
    client_ip: `0000:0000:0000:0000:0000:ffff:0a00:000${host}`,
    server_ip: '2001:0db8:0000:0000:0000:0000:0000:0001',
    client_packets: 8,
    client_bytes: 9000,
    server_packets: 2,
    server_bytes: 1000,
    last: `${second}.500000000`,
  };
  const stats = {
    timestamp: `${second}.900000000`,
    last_packet: `${second}.900000000`,
    source: 'eth0',
    partitions: 2,
    flows_live: 7,
  };
  return summariseFlush(
    makeFlush(
      { probe, epoch: 5n, partition, firstSeq: sequence, lastSeq: sequence },
      {
        traffic: [
          { window_start: second, window_seconds: 1, protocol: 6, packets: 6, bytes: 6000 },
          { window_start: second, window_seconds: 1, protocol: 17, packets: 4, bytes: 4000 },
        ],
        flows: [flow],
        probe_stats: [stats],
      },
    ),
  );
}

const beat = {
  id: 'engine-1',
  state: 'reading' as const,
  source: null,
  workers: 2,
  packetsRead: 1,
  packetsStored: 2,
  bytesStored: 3,
  flowsLive: 4,
  watermarkMs: null,
  memoryBytes: 5,
  limits: { late_packets: 1 },
};

const opened = new Set<RedisState>();
function open(url: string, options: { password?: string; prefix?: string; ca?: string } = {}) {
  const log: string[] = [];
  const note = (_fields: object, text: string): void => void log.push(text);
  const state = new RedisState({
    url,
    user: '',
    password: options.password ?? '',
    tls: options.ca === undefined ? {} : { ca: options.ca },
    prefix: options.prefix ?? 'test',
    log: { info: note, warn: note },
  });
  opened.add(state);
  return { state, log };
}
const told = (state: RedisState, count: number): Promise<void> =>
  until(`${count} flushes are told`, () => state.counters.told >= count && state.counters.waiting === 0);

describe.skipIf(!hasRedis)('real-time state in Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    for (const state of opened) state.close();
    await server?.close();
  });

  test('engines tell, others read: the same as what one process keeps', async () => {
    const { state: one } = open(server.url, { prefix: 'same' });
    const { state: two } = open(server.url, { prefix: 'same' });
    const kept = new InProcessState();
    await Promise.all([one.tried, two.tried]);
    const flushes = [0, 1, 2, 3].map((i) => flushOf(i, { partition: i % 2, host: i + 1, second: start + i * 7 }));
    flushes.push(flushOf(0, { probe: 'p2', second: start + 3 }));
    flushes.forEach((flush, i) => {
      kept.observeFlush(flush);
      (i % 2 === 0 ? one : two).observeFlush(flush);
    });
    one.observeEngine(beat);
    kept.observeEngine(beat);
    await told(one, 3);
    await told(two, 2);
    const { state: reader } = open(server.url, { prefix: 'same' });
    await reader.tried;
    expect(await reader.rates()).toEqual(await kept.rates());
    expect(await reader.rates()).toContainEqual({
      probe: 'p1',
      start: start + 7,
      seconds: 1,
      packets: 10,
      bytes: 10_000,
    });
    expect(await reader.hosts(2)).toEqual(await kept.hosts(2));
    expect(await reader.hosts(10)).toEqual(await kept.hosts(10));
    const { hosts, fromMs, toMs } = await reader.hosts(10);
    expect(hosts[0]).toEqual({
      address: '2001:db8::1',
      bytesSent: 5000,
      bytesReceived: 45_000,
      packetsSent: 10,
      packetsReceived: 40,
      lastMs: (start + 21) * 1000,
    });
    expect([fromMs, toMs]).toEqual([start * 1000, (start + 30) * 1000]);
    expect(await reader.probes()).toEqual(await kept.probes());
    expect(await reader.probes()).toContainEqual({
      id: 'p1',
      source: 'eth0',
      flows: 14,
      lastMs: (start + 21) * 1000 + 900,
    });
    await until('the engine is listed', async () => (await reader.engines()).length === 1);
    expect(await reader.engines()).toEqual([beat]);
  });

  test('a flush that a second engine repeats counts once', async () => {
    const { state: one } = open(server.url, { prefix: 'twice' });
    const { state: two } = open(server.url, { prefix: 'twice' });
    await Promise.all([one.tried, two.tried]);
    for (const state of [one, two, one]) state.observeFlush(flushOf(4));
    await told(one, 2);
    await told(two, 1);
    expect(await one.rates()).toEqual([{ probe: 'p1', start, seconds: 1, packets: 10, bytes: 10_000 }]);
    expect((await one.hosts(1)).hosts[0]).toMatchObject({ address: '10.0.0.1', bytesSent: 9000, bytesReceived: 1000 });
  });

  test('every key expires, and what nobody renews is not listed', async () => {
    const { state } = open(server.url, { prefix: 'expiring' });
    await state.tried;
    state.observeFlush(flushOf(0));
    state.observeEngine(beat);
    await told(state, 1);
    const client = await createClient({ url: server.url }).connect();
    try {
      await until('the engine is listed', async () => (await state.engines()).length === 1);
      const keys = await client.keys('expiring:*');
      expect(keys.map((key) => key.split(':')[1]).sort()).toEqual(
        ['engine', 'engines', 'flush', 'hosts', 'probe', 'probes', 'rate', 'seconds', 'windows'].sort(),
      );
      for (const key of keys) expect(await client.ttl(key), key).toBeGreaterThan(0);
      // What time does, without the wait.
      for (const key of keys) await client.pExpire(key, 1);
      await until('all is gone', async () => (await client.keys('expiring:*')).length === 0);
      expect([await state.rates(), await state.probes(), await state.engines()]).toEqual([[], [], []]);
      expect((await state.hosts(10)).hosts).toEqual([]);
    } finally {
      client.destroy();
    }
  });

  test('what is not ours under our keys is passed over', async () => {
    const { state } = open(server.url, { prefix: 'foreign' });
    await state.tried;
    state.observeFlush(flushOf(0));
    await told(state, 1);
    const client = await createClient({ url: server.url }).connect();
    try {
      await client.hSet(`foreign:rate:${start}`, { 'x p9': '1 2', '1 p8': 'NaN 2', nonsense: '-1' });
      await client.hSet(`foreign:hosts:${start}`, { '10.9.9.9': '1 2 three', '10.9.9.8': '1' });
      await client.zAdd('foreign:seconds', { score: 1, value: 'abc' });
      await client.zAdd('foreign:engines', [
        { score: 1, value: 'e1' },
        { score: 2, value: 'e2' },
      ]);
      await client.set('foreign:engine:e1', '{');
      await client.set('foreign:engine:e2', '{"id":"e2","state":"reading"}');
      expect(await state.rates()).toHaveLength(1);
      expect((await state.hosts(10)).hosts.map(({ address }) => address).sort()).toEqual(['10.0.0.1', '2001:db8::1']);
      expect(await state.engines()).toEqual([]);
    } finally {
      client.destroy();
    }
  });

  test('kill -9 of Redis: it comes back empty, and is told the last two minutes again', async () => {
    const own = await startRedis();
    try {
      const { state, log } = open(own.url);
      await state.tried;
      for (let i = 0; i < 20; i += 1) state.observeFlush(flushOf(i, { second: start + i }));
      await told(state, 20);
      const before = await state.rates();
      expect(before).toHaveLength(20);
      await own.kill();
      await until('it is noticed', () => !state.ready);
      for (let i = 20; i < 30; i += 1) state.observeFlush(flushOf(i, { second: start + i })); // nothing throws, nothing waits
      expect(state.counters.waiting).toBeGreaterThanOrEqual(10);
      await expect(state.rates()).rejects.toThrow(/away/);
      await own.start();
      await until('it is back', () => state.ready);
      await told(state, 30);
      const after = await state.rates();
      expect(after).toHaveLength(30);
      expect(after.slice(0, 20)).toEqual(before);
      expect(state.counters.dropped).toBe(0);
      expect(log.filter((line) => line.includes('away')).length).toBeGreaterThan(0);
    } finally {
      await own.close();
    }
  });

  test('a Redis that hangs holds nobody up: questions end, what waits has a bound', async () => {
    const own = await startRedis();
    try {
      const { state } = open(own.url);
      await state.tried;
      own.signal('SIGSTOP');
      const began = performance.now();
      await expect(state.rates()).rejects.toThrow();
      expect(performance.now() - began).toBeLessThan(5_000);
      for (let i = 0; i < 40_000; i += 1) state.observeFlush(flushOf(i));
      expect(state.counters.bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
      expect(state.counters.dropped).toBeGreaterThan(0);
      own.signal('SIGCONT');
      await until('it answers', async () => state.ready && (await state.rates().catch(() => [])).length > 0);
    } finally {
      own.signal('SIGCONT');
      await own.close();
    }
  });

  test('away at the start: told in one line, however often it tries', async () => {
    const port = await freePort();
    const { state, log } = open(`redis://127.0.0.1:${port}`);
    await state.tried;
    await until('it tried several times', () => state.reason !== null);
    expect(state.ready).toBe(false);
    expect(log).toEqual([expect.stringMatching(/nothing listens there: check redis.url/)]);
  });

  test('wrong password, and a certificate that nobody vouches for: one line that says so, without the password', async () => {
    const folder = temporaryFolder();
    const [right, wrong] = [await makeAuthority(folder.path), await makeAuthority(folder.path, 'other')];
    const { cert, key } = await right.server();
    const { readFileSync } = await import('node:fs');
    const own = await startRedis({ password: 'right-password', tls: { cert, key, ca: right.ca } });
    try {
      const ca = readFileSync(right.ca, 'utf8');
      const good = open(own.url, { ca, password: 'right-password' });
      await good.state.tried;
      expect([good.state.ready, good.log]).toEqual([true, ['Redis keeps real-time state']]);
      const bad = open(own.url, { ca, password: 'wrong-password' });
      await bad.state.tried;
      expect(bad.log).toEqual([
        expect.stringMatching(/refuses these credentials: check redis.user and redis.password/),
      ]);
      expect(bad.log.join()).not.toContain('wrong-password');
      const none = open(own.url, { ca });
      await none.state.tried;
      expect(none.log.join()).toMatch(/refuses these credentials/);
      const foreign = open(own.url, { ca: readFileSync(wrong.ca, 'utf8'), password: 'right-password' });
      await foreign.state.tried;
      expect(foreign.log).toEqual([
        expect.stringMatching(/certificate is not signed by the configured CA: check redis.tls.ca_file/),
      ]);
      const plain = open(own.url.replace('rediss:', 'redis:'), { password: 'right-password' });
      await plain.state.tried;
      expect(plain.state.ready).toBe(false);
    } finally {
      await own.close();
      folder.remove();
    }
  });
});
