/** The probe's spool: a nats-server that is away under traffic, a probe that is killed meanwhile, and the one after it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createJetStreamBus } from '@netspectra/collector/bus';
import { decodePacketBatch } from '@netspectra/proto';
import type { CaptureCounters } from '@netspectra/proto';
import { readCapture } from '../../collector/src/decode/testing.js';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsServer } from '../kit/nats.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { sampleCapture, start, temporaryFolder, until } from './process.js';
import type { Started } from './process.js';

const partitions = 4;
const framesInSample = readCapture(new Uint8Array(readFileSync(sampleCapture))).length;

interface Published {
  readonly partition: number;
  readonly epoch: bigint;
  readonly sequence: number;
  readonly rows: number;
  readonly complete: boolean;
  readonly counters: CaptureCounters;
}

describe.runIf(hasNats && hasCables)('the spool of a probe', () => {
  let server: NatsServer;
  let cable: Cable;
  const begun: Started[] = [];
  const data = temporaryFolder();
  beforeAll(async () => {
    server = await startNats();
    cable = layCable();
  });
  afterEach(async () => {
    for (const { child, ended } of begun.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
  });
  afterAll(async () => {
    cable?.remove();
    await server?.close();
    data.remove();
  });

  async function probe(id: string, over: Record<string, string> = {}) {
    const started = start(['probe', '--interface', cable.interface], {
      env: {
        NETSPECTRA_BUS_SERVERS: server.url,
        NETSPECTRA_BUS_PARTITIONS: String(partitions),
        NETSPECTRA_PROBE_LISTEN: '127.0.0.1:0',
        NETSPECTRA_PROBE_ID: id,
        NETSPECTRA_DATA_DIR: data.path,
        ...over,
      },
    });
    begun.push(started);
    await until('it captures', () => started.stderr().includes('netspectra: capturing'));
    const address = /(http:\/\/[^/]+)\/metrics/.exec(started.stderr())![1]!;
    const metric = async (name: string): Promise<number> =>
      Number(
        new RegExp(`^${name}(?:\\{\\S+)? (\\S+)$`, 'm').exec(await (await fetch(`${address}/metrics`)).text())?.[1],
      );
    const ready = async () => (await fetch(`${address}/readyz`)).text();
    const end = async (signal: NodeJS.Signals) => {
      started.child.kill(signal);
      return started.ended;
    };
    return { ...started, listen: new URL(address).host, metric, ready, end };
  }

  /** Everything on the bus of a probe, in the order of each stream. */
  async function published(id: string): Promise<Published[]> {
    const bus = createJetStreamBus({ connection: { servers: [server.url] }, streams: { partitions } });
    const found: Published[] = [];
    for (const { partition, lastSequence } of await bus.streams()) {
      if (lastSequence === 0) continue;
      const consumer = bus.consume(partition);
      for await (const delivery of consumer.messages) {
        if (delivery.kind !== 'message') throw new Error(delivery.reason);
        const decoded = decodePacketBatch(delivery.bytes);
        if (!decoded.ok) throw new Error(decoded.error);
        const { counters, complete } = decoded.header;
        const { epoch, sequence } = delivery;
        if (delivery.probe === id)
          found.push({ partition, epoch, sequence, rows: decoded.batch.count, complete, counters });
        if (delivery.streamSequence === lastSequence) break;
      }
      await consumer.stop();
    }
    await bus.close();
    return found;
  }

  /** Sequences of each (epoch, partition) as they stand in the stream. */
  function sequences(messages: readonly Published[]): number[][] {
    const lists = new Map<string, number[]>();
    for (const { epoch, partition, sequence } of messages) {
      const key = `${epoch}/${partition}`;
      lists.set(key, [...(lists.get(key) ?? []), sequence]);
    }
    return [...lists.values()];
  }
  const packets = (messages: readonly Published[]): number => messages.reduce((sum, { rows }) => sum + rows, 0);

  it('brings every packet once after the bus was away and the probe was killed meanwhile', async () => {
    const killed = await probe('killed');
    const sending = cable.send(sampleCapture, { packetsPerSecond: 2_000, times: 3 });
    await until('it publishes', async () => (await killed.metric('netspectra_probe_messages_confirmed_total')) > 0);
    await server.kill();
    await until('messages wait on disk', async () => (await killed.metric('netspectra_probe_spooled_messages')) > 40);
    expect(await killed.ready()).toMatch(
      /^bus: failed: no connection to the bus.*\nspool: warn: \d+ messages wait on disk/m,
    );
    await killed.end('SIGKILL');
    await sending;
    await server.start();

    const next = await probe('killed');
    expect(await next.metric('netspectra_probe_previous_epoch_unfinished')).toBe(1);
    expect(next.stderr()).toContain('the probe before was killed');
    await until('nothing is on disk', async () => (await next.metric('netspectra_probe_spooled_messages')) === 0);
    expect(await cable.send(sampleCapture, { packetsPerSecond: 20_000 })).toBe(framesInSample);
    expect((await next.end('SIGTERM')).code).toBe(0);

    const all = await published('killed');
    for (const list of sequences(all)) expect(list).toEqual(list.map((_, at) => at)); // no hole, none twice, in order
    const [before, after] = [...new Set(all.map(({ epoch }) => epoch))]
      .map((epoch) => all.filter((one) => one.epoch === epoch))
      .sort((a, b) => Number(a.some(({ complete }) => complete)) - Number(b.some(({ complete }) => complete)));
    expect(packets(after!)).toBe(framesInSample);
    // The kill may have come between the messages of one flush; those before it are whole.
    const flushes = [...new Set(before!.map(({ counters }) => counters.received))].sort((a, b) => a - b);
    const whole = flushes.at(-2)!;
    expect(packets(before!.filter(({ counters }) => counters.received <= whole))).toBe(whole);
    expect(before!.at(-1)!.counters.publishDropped).toBe(0);
  });

  it('drops and counts what goes beyond its bound, says so, and counts what was torn', async () => {
    await server.kill();
    const bound = {
      NETSPECTRA_BUS_SPOOL_BYTES: '1MB',
      NETSPECTRA_BUS_WINDOW_BYTES: '1MB',
      NETSPECTRA_PROBE_QUEUE_BYTES: '1MB',
    };
    const full = await probe('full', bound);
    const sending = cable.send(sampleCapture, { packetsPerSecond: 20_000, times: 20 });
    await until('it drops', async () => (await full.metric('netspectra_probe_publish_dropped_total')) > 0);
    expect(await full.metric('netspectra_probe_spool_refused_total')).toBeGreaterThan(0);
    expect(await full.metric('netspectra_probe_spooled_bytes')).toBeLessThanOrEqual(1024 ** 2);
    expect(await full.ready()).toContain('it is nearly full');
    expect(full.stderr().match(/the spool is full/g)).toHaveLength(1);
    await sending;
    await full.end('SIGKILL');
    const folder = join(data.path, 'spool', 'full');
    const segment = join(
      folder,
      readdirSync(folder)
        .filter((name) => name.endsWith('.spool'))
        .sort()
        .at(-1)!,
    );
    writeFileSync(segment, readFileSync(segment).subarray(0, -3));

    await server.start();
    const next = await probe('full', bound);
    await until('nothing is on disk', async () => (await next.metric('netspectra_probe_spooled_messages')) === 0);
    expect(await next.metric('netspectra_probe_spool_torn_total')).toBe(1);
    expect((await next.end('SIGTERM')).code).toBe(0);
  });

  it('leaves to the next start what could not be sent when it is stopped, and says so', async () => {
    await server.kill();
    const stopped = await probe('stopped', { NETSPECTRA_PROBE_DRAIN_TIMEOUT: '200ms' });
    await cable.send(sampleCapture, { packetsPerSecond: 20_000 });
    await until(
      'they are held',
      async () => (await stopped.metric('netspectra_probe_held_packets')) === framesInSample,
    );
    const { code, stderr } = await stopped.end('SIGTERM');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('messages wait on disk for the next start of this probe');
    await server.start();
    const taken = await probe('other');
    const refused = await start(['probe', '--interface', cable.interface], {
      env: {
        NETSPECTRA_BUS_SERVERS: server.url,
        NETSPECTRA_PROBE_LISTEN: taken.listen,
        NETSPECTRA_PROBE_ID: 'stopped',
        NETSPECTRA_DATA_DIR: data.path,
      },
    }).ended;
    expect(refused.stderr).toContain('is taken');
    const next = await probe('stopped');
    expect(await next.metric('netspectra_probe_previous_epoch_unfinished')).toBe(0); // neither was killed
    await until('nothing is on disk', async () => (await next.metric('netspectra_probe_spooled_messages')) === 0);
    expect((await next.end('SIGTERM')).code).toBe(0);
    const all = await published('stopped');
    expect(packets(all)).toBe(framesInSample);
    expect(sequences(all).every((list) => list.every((sequence, at) => sequence === at))).toBe(true);
  });

  it('says in one line which folder it cannot use', async () => {
    const first = await probe('one');
    const second = start(['probe', '--interface', cable.interface], {
      env: { NETSPECTRA_PROBE_ID: 'one', NETSPECTRA_DATA_DIR: data.path, NETSPECTRA_PROBE_LISTEN: '127.0.0.1:0' },
    });
    begun.push(second);
    const { code, stderr } = await second.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^netspectra: spool folder \S+spool\/one is in use by process \d+; .*\(bus\.spool_dir; bus\.spool_bytes: 0 does without\)$/m,
    );
    await first.end('SIGTERM');
  });
});
