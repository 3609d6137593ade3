/**
 * `netspectra up --interface`: capture, engine, store and API in one process, on a veth pair. What the API answers must be
 * what was sent, to the packet and byte, and nothing that was taken is lost, whenever it is told to end.
 */
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore, rowsOf } from '../../backend/src/storage/index.js';
import { endServings, startServing } from '../kit/api-process.js';
import { startClickHouse } from '../kit/clickhouse.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { LatencyWatch, analysis, ask, askSums, expectTruth, quantiles } from '../kit/traffic-truth.js';
import { generate } from '../load/generate.js';
import { repository, run, sampleCapture, temporaryFolder, until } from './process.js';

/** What `up` logs when it ends. */
interface Ending {
  readonly received: number;
  readonly kernelDropped: number;
  readonly filtered: number;
  readonly publishDropped: number;
  readonly stored: number;
}

interface ShownProbe {
  readonly id: string;
  readonly packets: number;
  readonly first_packet: number | null;
  readonly drops: Readonly<Record<string, number>>;
  readonly live: null | {
    readonly state: string;
    readonly packets: number;
    readonly drops: Readonly<Record<string, number>>;
    readonly capture_rules: { readonly state: string; readonly rules: number; readonly applied: string };
  };
}

const secondMs = 1_000;
/** Loose: where tests run, other tests run too. */
const latencyMsMax = 30_000;
/** Far below the two minutes after which a request to the store is given up. */
const hungEndMsMax = 20_000;
const loadPacketsPerSecond = 10_000;

describe.runIf(hasCables)('netspectra up --interface', () => {
  const folder = temporaryFolder();
  let cable: Cable;
  beforeAll(() => void (cable = layCable()));
  afterEach(endServings);
  afterAll(() => {
    cable?.remove();
    folder.remove();
  });

  async function startUp(name: string, env: Record<string, string> = {}, device = cable.interface) {
    const up = await startServing(['up', '--interface', device, '--data', join(folder.path, name)], {
      env: { NETSPECTRA_PROBE_ID: name, ...env },
    });
    const asked = { fromMs: Math.floor(Date.now() / secondMs) * secondMs, probe: name };
    const metric = async (id: string): Promise<number> => {
      const { body } = await up.text('/metrics');
      const found = body.split('\n').filter((line) => line.startsWith(`${id} `) || line.startsWith(`${id}{`));
      return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    };
    const shown = async (): Promise<ShownProbe | undefined> => {
      const { probes } = JSON.parse((await up.text('/api/v1/probes')).body) as { probes: ShownProbe[] };
      return probes.find(({ id }) => id === name);
    };
    const stored = (packets: number): Promise<void> =>
      until(`${packets} packets are stored`, async () => (await metric('netspectra_packets_stored_total')) >= packets);
    const endAnyhow = async (signal: NodeJS.Signals): Promise<Ending & { readonly code: number | null }> => {
      up.child.kill(signal);
      const { code, stderr } = await up.ended;
      const line = stderr.split('\n').find((text) => text.includes('capture ended'))!;
      return { ...(JSON.parse(line) as Ending), code };
    };
    /** Ctrl-C. Whatever it took is stored or in a counter. */
    const end = async (signal: NodeJS.Signals = 'SIGINT') => {
      const ending = await endAnyhow(signal);
      const { received, kernelDropped, filtered, publishDropped } = ending;
      expect(received).toBe(ending.stored + kernelDropped + filtered + publishDropped);
      return ending;
    };
    return { ...up, asked, metric, shown, stored, end, endAnyhow };
  }

  it('answers what was sent, flow by flow, and tells of its probe and its health', async () => {
    const { packets, bytes } = await analysis(sampleCapture);
    const up = await startUp('sample');
    await until('it says so', () => /^netspectra: capturing \S+, serving http:.* Ctrl-C ends$/m.test(up.stderr()));
    expect(await cable.send(sampleCapture, { packetsPerSecond: 5_000 })).toBe(packets);
    await up.stored(packets);
    expect(await askSums(up, up.asked, ['packets', 'bytes'])).toEqual([packets, bytes]);
    const { meta } = await ask(up, up.asked.fromMs, { type: 'table', measures: ['packets'] });
    expect(meta.drops).toEqual({ kernelDropped: 0, undecodable: 0, flowsFolded: 0, latePackets: 0 });
    expect(meta.watermarkMs).toBeGreaterThan(up.asked.fromMs);
    await until('its status is heard', async () => (await up.shown())?.live?.packets === packets);
    expect(await up.shown()).toMatchObject({
      packets,
      drops: { kernel: 0, filtered: 0 },
      live: { state: 'live', packets, drops: { kernel: 0, filtered: 0, publish: 0 } },
    });
    expect((await up.shown())!.first_packet).toBeGreaterThanOrEqual(up.asked.fromMs);
    const { status, body } = await up.text('/readyz');
    expect(status).toBe(200);
    expect(body).toMatch(/^engine: ok: capturing \S+, \d+ messages wait$/m);
    expect(body).toMatch(/^loss: ok: 0\.00 % /m);
    expect(body).toMatch(/^interfaces: ok: \S+ is up$/m);
    expect(body).not.toMatch(/^bus:/m);
    expect((await up.end()).code).toBe(0);

    // Another start on the same folder: what was pending at the end (DNS queries without an answer) is stored too.
    const later = await startUp('sample', { NETSPECTRA_PROBE_ID: 'later' });
    await expectTruth(later, up.asked, sampleCapture);
    expect(await later.end()).toMatchObject({ code: 0, received: 0 });
  });

  it('applies capture rules of its own API', async () => {
    const up = await startUp('rules');
    const { packets } = await analysis(sampleCapture);
    await until('its status is heard', async () => (await up.shown())?.live?.state === 'live');
    await cable.send(sampleCapture, { packetsPerSecond: 5_000 });
    await up.stored(packets);
    const [udp = 0] = await askSums(up, up.asked, ['packets'], 'protocol = udp');
    expect(udp).toBeGreaterThan(0);
    const answer = await fetch(`${up.url}/api/v1/capture-rules`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'no udp', probes: ['*'], filter: 'udp', action: { type: 'drop' }, priority: 1 }),
    });
    expect(answer.status).toBe(201);
    await until('it is in force', async () => {
      const rules = (await up.shown())?.live?.capture_rules;
      return rules?.state === 'applied' && rules.rules === 1 && rules.applied !== '';
    });
    await cable.send(sampleCapture, { packetsPerSecond: 5_000 });
    await up.stored(2 * packets - udp);
    const { code, stored } = await up.end('SIGTERM');
    expect([code, stored]).toEqual([0, 2 * packets - udp]);

    // Kept on disk: the next start begins with it.
    const again = await startUp('rules');
    expect(await again.metric('netspectra_probe_capture_rules')).toBe(1);
    expect((await again.end()).code).toBe(0);
  });

  it('answers soon while it captures, and Ctrl-C in the middle loses nothing that was taken', async () => {
    const file = join(folder.path, 'load.pcap');
    generate({ packets: 80_000, flows: 4_000, seed: 11, out: file });
    const up = await startUp('load');
    const watch = new LatencyWatch(up, up.asked);
    const sent = cable.send(file, { packetsPerSecond: loadPacketsPerSecond }).catch(() => 0);
    await up.stored(6 * loadPacketsPerSecond);
    const { latencies, answers } = await watch.end();
    console.log(
      `capture to API in one process, ${loadPacketsPerSecond} packets/s, ${latencies.length} windows of 1 s, ` +
        `${answers} answers: ${quantiles(latencies)}`,
    );
    expect(latencies.length).toBeGreaterThan(3);
    expect(latencies.at(-1)).toBeLessThan(latencyMsMax);
    const { code, received, kernelDropped, stored } = await up.end();
    expect(code).toBe(0);
    expect(kernelDropped).toBe(0);
    expect(stored).toBeGreaterThanOrEqual(6 * loadPacketsPerSecond);
    await sent;
    const store = await openStore({ dataDir: join(folder.path, 'load') });
    const rows = async (sql: string) => rowsOf<Record<string, number>>(await store.query(sql, {}));
    expect(Number((await rows('SELECT sum(packets) AS packets FROM traffic'))[0]!['packets'])).toBe(received);
    expect(Number((await rows('SELECT max(complete) AS ended FROM probe_stats'))[0]!['ended'])).toBe(1);
    await store.close();
  });

  it('drops and counts, within its bounds, while the store takes nothing; told to end, it stores what it holds', async () => {
    const dataDir = join(folder.path, 'server');
    let clickhouse = await startClickHouse({ dataDir });
    try {
      const up = await startUp('slow', {
        NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url,
        NETSPECTRA_BUS_STREAM_BYTES: '4MB',
        NETSPECTRA_BUS_WINDOW_BYTES: '1MB',
        NETSPECTRA_PROBE_QUEUE_BYTES: '1MB',
        NETSPECTRA_ENGINE_DRAIN_TIMEOUT: '60s',
      });
      const file = join(folder.path, 'flood.pcap');
      generate({ packets: 40_000, flows: 2_000, seed: 5, out: file });
      await cable.send(sampleCapture, { packetsPerSecond: 5_000 });
      await up.stored(1);
      await clickhouse.kill();
      let flooding = true;
      const flood = (async () => {
        while (flooding) await cable.send(file, { packetsPerSecond: 20_000 });
      })();
      await until('packets are dropped', async () => (await up.metric('netspectra_probe_publish_dropped_total')) > 0);
      await until('health tells of them', async () => /^loss: (warn|failed)/m.test((await up.text('/readyz')).body));
      expect((await up.text('/readyz')).body).toMatch(/^engine: failed: rows wait: /m);
      flooding = false;
      await flood;
      clickhouse = await startClickHouse({ dataDir, port: clickhouse.port });
      const { code, publishDropped, stored } = await up.end();
      expect(code).toBe(0);
      expect(publishDropped).toBeGreaterThan(0);
      const server = await openStore({ url: clickhouse.url }, { migrate: false });
      const [sum] = rowsOf<{ packets: number }>(await server.query('SELECT sum(packets) AS packets FROM traffic', {}));
      expect(Number(sum!.packets)).toBe(stored);
      await server.close();
    } finally {
      await clickhouse.kill();
    }
  });

  it('says that something is lost when the store does not come back in time', async () => {
    const clickhouse = await startClickHouse({ dataDir: join(folder.path, 'away') });
    const up = await startUp('away', {
      NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url,
      NETSPECTRA_ENGINE_DRAIN_TIMEOUT: '100ms',
    });
    await clickhouse.kill();
    const packets = await cable.send(sampleCapture, { packetsPerSecond: 20_000 });
    await until('it has them', async () => (await up.metric('netspectra_probe_packets_total')) === packets);
    expect(await up.endAnyhow('SIGTERM')).toMatchObject({ code: 1, received: packets, stored: 0 });
    expect(up.stderr()).toMatch(
      /"messages":\d+,"packets":1932,"msg":"not everything could be stored in time; it is lost"/,
    );
  });

  it('ends in time when the store neither takes rows nor refuses them, and says what is lost', async () => {
    const clickhouse = await startClickHouse({ dataDir: join(folder.path, 'hangs') });
    try {
      const up = await startUp('hangs', {
        NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url,
        NETSPECTRA_ENGINE_DRAIN_TIMEOUT: '100ms',
      });
      clickhouse.hang();
      const packets = await cable.send(sampleCapture, { packetsPerSecond: 20_000 });
      await until('it has them', async () => (await up.metric('netspectra_probe_packets_total')) === packets);
      const query = up.text('/api/v1/flows').catch(() => null); // somebody waits for an answer meanwhile
      const asked = performance.now();
      expect(await up.endAnyhow('SIGTERM')).toMatchObject({ code: 1, received: packets, stored: 0 });
      expect(performance.now() - asked).toBeLessThan(hungEndMsMax);
      const line = up
        .stderr()
        .split('\n')
        .find((text) => text.includes('not everything could be stored in time'))!;
      expect(JSON.parse(line)).toMatchObject({ messages: expect.any(Number), packets });
      await query;
    } finally {
      await clickhouse.kill();
    }
  });

  it('tells of an interface that is down or deleted, and goes on', async () => {
    const own = layCable();
    try {
      const up = await startUp('gone', {}, own.interface);
      const line = async (): Promise<string> => /^interfaces: .*$/m.exec((await up.text('/readyz')).body)?.[0] ?? '';
      own.setUp(false);
      await until('it is told to be down', async () => /warn: \S+ is down/.test(await line()));
      expect((await up.text('/readyz')).status).toBe(200);
      own.setUp(true);
      await until('it is up again', async () => /ok: \S+ is up/.test(await line()));
      const packets = await own.send(sampleCapture, { packetsPerSecond: 5_000 });
      await up.stored(packets);
      own.remove();
      await until('it is told to be gone', async () => /warn: \S+ is gone/.test(await line()));
      expect(await up.end()).toMatchObject({ code: 0, stored: packets });
    } finally {
      own.remove();
    }
  });

  const data = (): string => join(folder.path, 'mistakes');
  const mistakes: [string, string[], Record<string, string>, RegExp][] = [
    [
      'another interface',
      ['--interface', 'no-such-if0'],
      {},
      /^netspectra: no-such-if0: no such interface; there are /,
    ],
    ['interface and file', ['--interface', 'lo', '--read', sampleCapture], {}, /--interface and --read exclude/],
    ['--once', ['--interface', 'lo', '--once'], {}, /--once is for capture files/],
    [
      'a filter',
      ['--interface', 'lo'],
      { NETSPECTRA_CAPTURE_FILTER: 'bytes > 1' },
      /^netspectra: capture filter, column 1: /,
    ],
    ['the bus', ['--interface', 'lo'], { NETSPECTRA_API_BUS: 'true' }, /api\.bus: true does not go with/],
    [
      'another interface in the configuration',
      [],
      { NETSPECTRA_CAPTURE_INTERFACES: 'no-such-if1' },
      /^netspectra: no-such-if1: no such interface/,
    ],
  ];
  it.each(mistakes)('says in one line what is wrong, and makes nothing: %s', async (_, args, env, line) => {
    const { code, stderr, stdout } = await run(['up', ...args, '--data', data()], { env });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(existsSync(data())).toBe(false);
  });

  it('says which right it needs', () => {
    const { status, stderr } = spawnSync(
      'setpriv',
      [
        '--bounding-set=-net_raw',
        process.execPath,
        'backend/bin/netspectra.js',
        'up',
        '--interface',
        'lo',
        '--data',
        data(),
      ],
      { cwd: repository, encoding: 'utf8' },
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/^netspectra: lo: no permission to capture; .*cap_net_raw.*\n$/);
    expect(existsSync(data())).toBe(false);
  });
});
