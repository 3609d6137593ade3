/**
 * Conservation: what a probe handed over arrives exactly once and in order, whatever dies. An oracle issues the messages and
 * knows their payloads; a seeded schedule (BUS_SEED) kills and stops nats-server and ends the engine, which goes on from
 * what it had stored, in runs of its own. The stream is small, so most messages go by the disk. In the end everything
 * that was confirmed or on disk, and nothing else, must stand in the store once.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BusError, createJetStreamBus, createOutbox, openSpool } from '@netspectra/collector/bus';
import type { JetStreamBus, OutgoingMessage, PartitionConsumer, Publisher } from '@netspectra/collector/bus';
import { MessageOrder } from '../../backend/src/cluster/index.js';
import { hasNats, startNats } from '../kit/nats.js';
import { temporaryFolder, until } from './process.js';

/** mulberry32: the same numbers for the same seed */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const payload = (epoch: bigint, sequence: number): Uint8Array => {
  const digest = createHash('sha256').update(`${epoch}:${sequence}`).digest();
  return Buffer.concat(Array.from({ length: 1 + (sequence % 8) }, () => digest));
};

const seeds = process.env.BUS_SEED ? [Number(process.env.BUS_SEED)] : [1, 2];

describe.runIf(hasNats)('conservation on the bus', () => {
  it.each(seeds)('holds under kills of server, probe and engine, seed %i', async (seed) => {
    const dice = random(seed);
    const folder = temporaryFolder();
    const server = await startNats();
    const buses: JetStreamBus[] = [];
    const bus = (): JetStreamBus => {
      const made = createJetStreamBus({
        connection: { servers: [server.url], retryMsMax: 100 },
        streams: { partitions: 1, bytesMax: 1 << 20, messageBytesMax: 8192 },
      });
      buses.push(made);
      return made;
    };
    onTestFinished(async () => {
      if (engine) engine.alive = false;
      await engine?.consumer.stop();
      await Promise.all(buses.map((one) => one.close()));
      await server.close();
      folder.remove();
    });
    await bus().ensureStreams();

    // The probe: a new epoch at each start, as a live capture has.
    const obligations = new Set<string>();
    let epoch = 0n;
    let sequence = 0;
    let probe: { outbox: Publisher; onDisk: () => boolean } | null = null;
    const startProbe = (): void => {
      epoch += 1n;
      sequence = 0;
      const spool = openSpool({ folder: join(folder.path, 'spool'), bytesMax: 4 << 20, segmentBytes: 8192 });
      const outbox = createOutbox(bus(), spool, {
        windowMessages: 32,
        onConfirmed: (message) => obligations.add(`${message.epoch}:${message.sequence}`),
      });
      probe = { outbox, onDisk: () => spool.state.full === 0 };
    };
    const publish = (): void => {
      const message: OutgoingMessage = { partition: 0, probe: 'p', epoch, sequence, bytes: payload(epoch, sequence) };
      const before = probe!.outbox.state.spooled;
      if (probe!.outbox.publish(message) === 'full') return;
      if (probe!.outbox.state.spooled > before) obligations.add(`${epoch}:${sequence}`);
      sequence += 1;
    };

    // The engine: its store is what survives it.
    const store = new Map<string, string>();
    const positions = new Map<bigint, number>();
    let engine: { consumer: PartitionConsumer; alive: boolean; done: Promise<void> } | null = null;
    let failure: unknown = null;
    const startEngine = (): void => {
      const consumer = bus().consume(0, { pendingBytesMax: 64 << 10 });
      const me = { consumer, alive: true, done: Promise.resolve() };
      engine = me;
      me.done = (async () => {
        const orders = new Map<bigint, MessageOrder<OutgoingMessage & { streamSequence: number }>>();
        let gathered: OutgoingMessage[] = [];
        for await (const delivery of consumer.messages) {
          if (!me.alive) return;
          if (delivery.kind === 'rejected') throw new Error(delivery.reason);
          const order =
            orders.get(delivery.epoch) ??
            new MessageOrder({ position: positions.get(delivery.epoch) ?? -1, heldMax: 64 });
          orders.set(delivery.epoch, order);
          gathered.push(...order.add(delivery));
          if (consumer.state.lag > 0 && gathered.length < 1 + dice(40)) continue;
          // A flush: rows and position at once, as the store's inserts are.
          for (const message of gathered) {
            const name = `${message.epoch}:${message.sequence}`;
            if (store.has(name)) throw new Error(`${name} twice`);
            store.set(name, Buffer.from(message.bytes).toString('hex'));
            expect(message.sequence).toBe((positions.get(message.epoch) ?? -1) + 1);
            positions.set(message.epoch, message.sequence);
          }
          gathered = [];
          if (dice(4) === 0) continue; // killed before the acknowledgement, as often as not
          const held = [...orders.values()].flatMap((one) =>
            [...one.waiting].map(({ streamSequence }) => streamSequence),
          );
          const upTo = Math.min(delivery.streamSequence, ...held.map((streamSequence) => streamSequence - 1));
          await consumer.acknowledge(upTo).catch(() => {}); // the server may be down: the next one frees it
        }
      })().catch((error: unknown) => {
        // The server came back with less than it had confirmed (docs/bus.md): the partition is taken anew.
        if (!(error instanceof BusError) || error.code !== 'NS_BUS_STREAM') failure ??= error;
        else if (me.alive) startEngine();
      });
    };

    startProbe();
    startEngine();
    for (let step = 0; step < 60; step += 1) {
      for (let i = dice(80); i > 0; i -= 1) publish();
      await new Promise((resolve) => setImmediate(resolve));
      switch (dice(10)) {
        case 0:
          await server.kill();
          for (let i = dice(60); i > 0; i -= 1) publish();
          await server.start();
          break;
        case 1:
          server.signal('SIGSTOP');
          for (let i = dice(60); i > 0; i -= 1) publish();
          server.signal('SIGCONT');
          break;
        case 2:
          engine!.alive = false;
          await engine!.consumer.stop();
          await engine!.done;
          startEngine();
          break;
        default:
      }
    }
    expect(probe!.onDisk()).toBe(true);
    await until('the disk is empty', () => failure !== null || probe!.outbox.state.spooled === 0);
    expect(failure).toBeNull();
    expect(await probe!.outbox.close(20_000)).toEqual([]);
    // Another start of the probe finds nothing left to send.
    startProbe();
    expect(probe!.outbox.state.spooled).toBe(0);
    publish();
    expect(await probe!.outbox.close(20_000)).toEqual([]);
    await until(`everything is stored (seed ${seed})`, () => failure !== null || store.size === obligations.size);
    expect(failure).toBeNull();
    expect([...store.keys()].sort()).toEqual([...obligations].sort());
    for (const [name, hex] of store) {
      const [storedEpoch, storedSequence] = name.split(':');
      expect(hex).toBe(Buffer.from(payload(BigInt(storedEpoch!), Number(storedSequence))).toString('hex'));
    }
  });
});
