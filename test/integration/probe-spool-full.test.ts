/**
 * A disk that is really full: the spool on a small tmpfs, the bus away. Every packet is then on the bus or counted as
 * dropped, and metrics, health and log tell it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJetStreamBus } from '@netspectra/collector/bus';
import { decodePacketBatch } from '@netspectra/proto';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsServer } from '../kit/nats.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { sampleCapture, start, temporaryFolder, until } from './process.js';
import type { Started } from './process.js';

const partitions = 2;
const diskBytes = 4 << 20;
const scratch = temporaryFolder();
const disk = join(scratch.path, 'disk');

/** Whether this process may mount; a container's root often may not. */
const mounted =
  process.getuid?.() === 0 &&
  (mkdirSync(disk), spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'none', disk]).status === 0);

interface Dependency {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

afterAll(() => {
  if (mounted) spawnSync('umount', ['--lazy', disk]);
  scratch.remove();
});

describe.runIf(hasNats && hasCables && mounted)('a spool whose disk is full', () => {
  let server: NatsServer;
  let cable: Cable;
  let probe: Started;
  let address = '';
  beforeAll(async () => {
    server = await startNats();
    cable = layCable();
    await server.kill();
    probe = start(['probe', '--interface', cable.interface], {
      env: {
        NETSPECTRA_BUS_SERVERS: server.url,
        NETSPECTRA_BUS_PARTITIONS: String(partitions),
        NETSPECTRA_BUS_SPOOL_DIR: join(disk, 'spool'),
        NETSPECTRA_BUS_WINDOW_BYTES: '1MB',
        NETSPECTRA_PROBE_QUEUE_BYTES: '1MB',
        NETSPECTRA_PROBE_LISTEN: '127.0.0.1:0',
        NETSPECTRA_PROBE_ID: 'full-disk',
        NETSPECTRA_DATA_DIR: scratch.path,
      },
    });
    await until('it captures', () => probe.stderr().includes('netspectra: capturing'));
    address = /(http:\/\/[^/]+)\/metrics/.exec(probe.stderr())![1]!;
  });
  afterAll(async () => {
    probe?.child.kill('SIGKILL');
    await probe?.ended;
    cable?.remove();
    await server?.close();
  });

  async function metric(name: string, label = ''): Promise<number> {
    const text = await (await fetch(`${address}/metrics`)).text();
    const line = text.split('\n').find((one) => one.startsWith(`netspectra_probe_${name}`) && one.includes(label));
    return Number(line?.split(' ').at(-1));
  }
  const failedWrites = () => metric('spool_refused_total', 'reason="failed"');
  async function dependency(name: string): Promise<Dependency> {
    const { dependencies } = (await (await fetch(`${address}/healthz`)).json()) as { dependencies: Dependency[] };
    return dependencies.find((one) => one.name === name)!;
  }
  const said = (text: string): number => probe.stderr().split(text).length - 1;

  /** Rows of each message on the bus, once each. */
  async function published(): Promise<{ rows: number; sequences: number[][] }> {
    const bus = createJetStreamBus({ connection: { servers: [server.url] }, streams: { partitions } });
    const sequences: number[][] = [];
    let rows = 0;
    for (const { partition, lastSequence } of await bus.streams()) {
      const found: number[] = [];
      const consumer = bus.consume(partition);
      for await (const delivery of consumer.messages) {
        if (delivery.kind !== 'message') throw new Error(delivery.reason);
        const decoded = decodePacketBatch(delivery.bytes);
        if (!decoded.ok) throw new Error(decoded.error);
        rows += decoded.batch.count;
        found.push(delivery.sequence);
        if (delivery.streamSequence === lastSequence) break;
      }
      await consumer.stop();
      sequences.push(found);
    }
    await bus.close();
    return { rows, sequences };
  }

  it('is counted, told, and got over: what was seen is on the bus or counted as dropped', async () => {
    let sent = await cable.send(sampleCapture, { packetsPerSecond: 20_000, times: 30 });
    await until('it drops', async () => (await metric('publish_dropped_total')) > 0);
    expect(await failedWrites()).toBeGreaterThan(0);
    expect(statfsSync(disk).bavail * statfsSync(disk).bsize).toBeLessThan(diskBytes / 16);
    expect(await metric('spooled_bytes')).toBeLessThanOrEqual(diskBytes);
    await until('health tells of the disk', async () => /written \(ENOSPC\)/.test((await dependency('spool')).detail));
    await until('health tells of the loss', async () => !(await dependency('loss')).ok);
    expect(said('the spool cannot be written (ENOSPC); what comes is dropped and counted: free disk space')).toBe(1);

    await server.start();
    await until('what was on disk is on the bus', async () => (await metric('spooled_messages')) === 0);
    await until('nothing is held', async () => (await metric('held_packets')) === 0);
    expect((await dependency('bus')).ok).toBe(true);
    const toldEmpty = said('everything that waited on disk is with the bus');
    // What waited in memory finds the window full and goes to disk once or twice more; not at every message.
    expect(toldEmpty).toBeGreaterThan(0);
    expect(toldEmpty).toBeLessThan(5);
    // The disk has room again, and takes what comes when the bus is away once more.
    await server.kill();
    const [failed, dropped] = [await failedWrites(), await metric('publish_dropped_total')];
    sent += await cable.send(sampleCapture, { packetsPerSecond: 20_000 });
    await until('it waits on disk', async () => (await metric('spooled_messages')) > 0);
    await server.start();
    await until('it is on the bus', async () => (await metric('spooled_messages')) === 0);

    expect(await failedWrites()).toBe(failed);

    probe.child.kill('SIGTERM');
    const { code, stderr } = await probe.ended;
    expect(code, stderr).toBe(0);
    const last = JSON.parse(stderr.split('\n').find((line) => line.includes('capture ended'))!) as object;
    expect(last).toMatchObject({ received: sent, kernelDropped: 0, publishDropped: dropped });
    const { rows, sequences } = await published();
    expect(rows + dropped).toBe(sent);
    for (const list of sequences) expect(list).toEqual(list.map((_, at) => at)); // no hole, none twice, in order
  });
});
