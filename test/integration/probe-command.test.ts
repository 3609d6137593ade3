/** `netspectra probe` as a user runs it: a real interface, a real nats-server, signals and mistakes. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createJetStreamBus } from '@netspectra/collector/bus';
import type { JetStreamBus } from '@netspectra/collector/bus';
import { decodePacketBatch } from '@netspectra/proto';
import { readCapture } from '../../collector/src/decode/testing.js';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsServer } from '../kit/nats.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { freePort, run, sampleCapture, start, temporaryFolder, until } from './process.js';
import type { Started } from './process.js';

const partitions = 4;
const frames = readCapture(new Uint8Array(readFileSync(sampleCapture)));
const bytes = frames.reduce((sum, frame) => sum + frame.wireLength, 0);

describe.runIf(hasNats)('netspectra probe', () => {
  let server: NatsServer;
  let bus: JetStreamBus;
  let env: Record<string, string>;
  const begun: Started[] = [];
  const data = temporaryFolder();
  beforeAll(async () => {
    server = await startNats();
    bus = createJetStreamBus({ connection: { servers: [server.url] }, streams: { partitions } });
    await bus.ready(10_000);
    env = {
      NETSPECTRA_BUS_SERVERS: server.url,
      NETSPECTRA_BUS_PARTITIONS: String(partitions),
      NETSPECTRA_PROBE_LISTEN: '127.0.0.1:0',
      NETSPECTRA_DATA_DIR: data.path,
    };
  });
  afterEach(async () => {
    for (const { child, ended } of begun.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
  });
  afterAll(async () => {
    await bus?.close();
    await server?.close();
    data.remove();
  });

  /** What a probe published so far. */
  async function published(probe: string) {
    const sum = { packets: 0, bytes: 0, messages: 0, complete: 0, received: 0, kernelDropped: 0, toBus: 0 };
    const busPort = Number(new URL(server.url).port);
    for (const { partition, lastSequence } of await bus.streams()) {
      if (lastSequence === 0) continue;
      const consumer = bus.consume(partition);
      for await (const delivery of consumer.messages) {
        if (delivery.kind !== 'message') throw new Error(delivery.reason);
        if (delivery.probe === probe) {
          const decoded = decodePacketBatch(delivery.bytes);
          if (!decoded.ok) throw new Error(decoded.error);
          const { batch, header } = decoded;
          sum.packets += batch.count;
          sum.bytes += batch.wireLength.reduce((total, length) => total + length, 0);
          sum.messages += 1;
          sum.toBus += batch.destinationPort.filter((port) => port === busPort).length;
          if (header.complete) sum.complete += 1;
          sum.received = Math.max(sum.received, header.counters.received);
          sum.kernelDropped = Math.max(sum.kernelDropped, header.counters.kernelDropped);
        }
        if (delivery.streamSequence === lastSequence) break;
      }
      await consumer.stop();
    }
    return sum;
  }

  it('publishes a file; again, and nothing counts twice', async () => {
    const file = { ...env, NETSPECTRA_PROBE_ID: 'file' };
    for (let turn = 0; turn < 2; turn += 1) {
      const { code, stderr, stdout } = await run(['probe', '--read', sampleCapture], { env: file });
      expect([code, stdout], stderr).toEqual([0, '']);
      expect(await published('file')).toMatchObject({ packets: frames.length, bytes, received: frames.length });
    }
  });

  it('prints what is on the bus, by message and by packet', async () => {
    await run(['probe', '--read', sampleCapture], { env: { ...env, NETSPECTRA_PROBE_ID: 'shown' } });
    for (const flags of [[], ['--packets']]) {
      const sub = start(['probe', '--mode', 'sub', '--all', ...flags], { env });
      begun.push(sub);
      let stdout = '';
      sub.child.stdout!.on('data', (text: string) => (stdout += text));
      const lines = (): string[] => stdout.split('\n').filter((line) => line !== '');
      if (flags.length === 0) {
        await until(
          'messages are printed',
          () => lines().filter((line) => / probe=shown .* complete$/.test(line)).length > 0,
        );
        const packets = lines().flatMap((line) => / probe=shown .* packets=(\d+) /.exec(line)?.[1] ?? []);
        await until('all of them', () => packets.length > 0);
      } else {
        const expected = /^2026-01-01T00:00:03\.383402000Z 192\.0\.2\.104:40026 > 203\.0\.113\.25:443 tcp 66$/;
        await until('packets are printed', () => lines().length >= frames.length);
        // Other probes' packets stand on the bus, too, so that this one may come later.
        await until('a packet of the sample is among them', () => lines().some((line) => expected.test(line)));
      }
      sub.child.kill('SIGTERM');
      expect((await sub.ended).code).toBe(0);
    }
  });

  describe.runIf(hasCables)('on a veth pair', () => {
    let cable: Cable;
    beforeAll(() => void (cable = layCable()));
    afterAll(() => cable?.remove());

    async function probe(id: string, args: string[] = [], over: Record<string, string> = {}) {
      const begin = start(['probe', '--interface', cable.interface, ...args], {
        env: { ...env, NETSPECTRA_PROBE_ID: id, ...over },
      });
      begun.push(begin);
      await until('it captures', () => begin.stderr().includes('netspectra: capturing'));
      const address = /(http:\/\/[^/]+)\/metrics/.exec(begin.stderr())![1]!;
      const health = async () => {
        const alive = await fetch(`${address}/healthz`);
        expect(alive.status).toBe(200);
        const { status } = (await alive.json()) as { status: string };
        const ready = await fetch(`${address}/readyz`);
        return { code: ready.status, status, lines: (await ready.text()).trim().split('\n') };
      };
      const metric = async (name: string): Promise<number> =>
        Number(new RegExp(`^${name}\\S* (\\S+)$`, 'm').exec(await (await fetch(`${address}/metrics`)).text())?.[1]);
      const stop = async () => {
        begin.child.kill('SIGTERM');
        return begin.ended;
      };
      return { ...begin, health, metric, stop };
    }

    it('publishes what passes the interface, tells its state, and ends with code 0', async () => {
      const told: { probe: string; received: number; memory_bytes: number }[] = [];
      const unhear = bus.listen('netspectra.live.>', (_, message) =>
        told.push(JSON.parse(new TextDecoder().decode(message))),
      );
      const running = await probe('edge');
      expect(await cable.send(sampleCapture, { packetsPerSecond: 20_000 })).toBe(frames.length);
      await until(
        'it counts them',
        async () => (await running.metric('netspectra_probe_packets_total')) === frames.length,
      );
      expect(await running.metric('netspectra_probe_bytes_total')).toBe(bytes);
      expect(await running.health()).toEqual({
        code: 200,
        status: 'ok',
        lines: [
          'loss: ok: 0.00 % of the packets of the last minute were lost',
          `interfaces: ok: ${cable.interface} is up`,
          'bus: ok: connected',
          'spool: ok: empty',
          'capture_rules: ok: 0 rules',
        ],
      });
      await until('it tells', () =>
        told.some(({ probe: id, received }) => id === 'edge' && received === frames.length),
      );
      expect(told.at(-1)!.memory_bytes).toBeGreaterThan(1e7);
      const { code, stdout, stderr } = await running.stop();
      unhear();
      expect([code, stdout], stderr).toEqual([0, '']);
      expect(await published('edge')).toMatchObject({
        packets: frames.length,
        bytes,
        received: frames.length,
        kernelDropped: 0,
        complete: partitions,
      });
    });

    it.each([
      ['does not capture its own connection to the bus', 'false'],
      ['captures it when told to', 'true'],
    ])('%s', async (_, own) => {
      const id = `own-${own}`;
      const over = { NETSPECTRA_PROBE_ID: id, NETSPECTRA_CAPTURE_OWN_BUS_TRAFFIC: own };
      const running = start(['probe', '--interface', 'lo', '--filter', 'tcp'], { env: { ...env, ...over } });
      begun.push(running);
      await until('it captures', () => running.stderr().includes('netspectra: capturing'));
      const address = /(http:\/\/[^/]+)\/metrics/.exec(running.stderr())![1]!;
      const confirmed = /^netspectra_probe_messages_confirmed_total (\d+)$/m;
      await until('what it captured is published', async () => {
        const text = await (await fetch(`${address}/metrics`)).text(); // it is on lo itself
        return Number(confirmed.exec(text)?.[1]) > 12;
      });
      running.child.kill('SIGTERM');
      expect((await running.ended).code).toBe(0);
      const { packets, toBus } = await published(id);
      expect(packets).toBeGreaterThan(10);
      if (own === 'true') expect(toBus).toBeGreaterThan(0);
      else expect(toBus).toBe(0);
    });

    it('captures while the bus is away or killed, and brings everything when it is back', async () => {
      const running = await probe('patient');
      const twice = cable.send(sampleCapture, { packetsPerSecond: 2_000, times: 2 });
      await until(
        'something is published',
        async () => (await running.metric('netspectra_probe_messages_confirmed_total')) > 0,
      );
      await server.kill();
      await until('it is told', async () => (await running.health()).code === 503);
      expect(await running.health()).toMatchObject({
        status: 'error',
        lines: expect.arrayContaining([expect.stringMatching(/^bus: failed: no connection to the bus/)]) as string[],
      });
      await until('packets go on', async () => (await running.metric('netspectra_probe_held_packets')) > 100);
      await twice;
      await server.start();
      await until('it is well again', async () => (await running.health()).code === 200);
      expect((await running.stop()).code).toBe(0);
      await bus.ready(10_000);
      expect(await published('patient')).toMatchObject({
        packets: 2 * frames.length,
        bytes: 2 * bytes,
        kernelDropped: 0,
      });
    });

    it('without a spool it ends with code 1 when what it holds cannot be published', async () => {
      const port = await freePort();
      const over = {
        NETSPECTRA_BUS_SERVERS: `nats://127.0.0.1:${port}`,
        NETSPECTRA_BUS_SPOOL_BYTES: '0',
        NETSPECTRA_PROBE_DRAIN_TIMEOUT: '200ms',
      };
      const running = await probe('alone', [], over);
      await cable.send(sampleCapture, { packetsPerSecond: 20_000 });
      await until(
        'it counts them',
        async () => (await running.metric('netspectra_probe_packets_total')) === frames.length,
      );
      const { code, stderr } = await running.stop();
      expect(code).toBe(1);
      expect(stderr).toContain('messages are not known to be on the bus');
    });

    const withoutRight = (args: string[]) =>
      spawnSync('setpriv', ['--bounding-set=-net_raw', process.execPath, 'backend/bin/netspectra.js', ...args], {
        env: { ...process.env, ...env },
        encoding: 'utf8',
      });
    it('says which right it needs', () => {
      const { status, stderr } = withoutRight(['probe', '--interface', cable.interface]);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^netspectra: \S+: no permission to capture; .*cap_net_raw/m);
    });
  });

  const mistakes: [string, string[], Record<string, string>, RegExp][] = [
    ['no interface', [], {}, /^netspectra: nothing to capture: name an interface/m],
    [
      'another interface',
      ['--interface', 'no-such-if0'],
      {},
      /^netspectra: no-such-if0: no such interface; there are /m,
    ],
    [
      'interface and file',
      ['--interface', 'lo', '--read', sampleCapture],
      {},
      /--interface and --read exclude each other/,
    ],
    ['a filter', ['--interface', 'lo', '--filter', 'prot 3'], {}, /capture filter, column 1: Unknown field "prot"/],
    ['a filter of flows', ['--interface', 'lo', '--filter', 'rtt > 1ms'], {}, /column 1: cannot be a capture filter/],
    ['an address', ['--interface', 'lo', '--listen', 'here'], {}, /--listen here: expected host:port/],
    ['a file', ['--read', '/nowhere.pcap'], {}, /^netspectra: \/nowhere.pcap: no such file/m],
    [
      'a certificate',
      ['--interface', 'lo'],
      { NETSPECTRA_BUS_TLS_CA_FILE: '/no/ca.pem' },
      /bus.tls.ca_file: \/no\/ca.pem/,
    ],
  ];
  it.each(mistakes)('one line and code 2 for a mistake: %s', async (_, args, over, said) => {
    const { code, stdout, stderr } = await run(['probe', ...args], { env: { ...env, ...over } });
    expect([code, stdout], stderr).toEqual([2, '']);
    expect(stderr).toMatch(said);
    expect(stderr).not.toContain('internal error');
  });

  it('one line and code 1 when the bus does not know us', async () => {
    const strict = await startNats({ configuration: 'authorization { user: probe, password: right-one }' });
    try {
      const { code, stderr } = await run(['probe', '--read', sampleCapture], {
        env: {
          ...env,
          NETSPECTRA_BUS_SERVERS: strict.url,
          NETSPECTRA_BUS_USER: 'probe',
          NETSPECTRA_BUS_PASSWORD: 'wrong-one',
        },
      });
      expect(code, stderr).toBe(1);
      expect(stderr).toMatch(/^netspectra: .*(credentials|user|password|authorization)/im);
      expect(stderr).not.toContain('wrong-one');
    } finally {
      await strict.close();
    }
  });
});
