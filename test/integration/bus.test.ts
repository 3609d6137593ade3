/** The bus on a real nats-server: order, names, bounds, kills. */
import { cpSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, headers } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { createJetStreamBus } from '@netspectra/collector/bus';
import type {
  Delivery,
  JetStreamBus,
  OutgoingMessage,
  PartitionConsumer,
  Publisher,
  StreamOptions,
  StreamState,
} from '@netspectra/collector/bus';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsServer } from '../kit/nats.js';
import { temporaryFolder, until } from './process.js';

const message = (sequence: number, over: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  partition: 0,
  probe: 'probe.one *',
  epoch: 7n,
  sequence,
  bytes: new TextEncoder().encode(`message ${sequence}`),
  ...over,
});

async function take(consumer: PartitionConsumer, count: number): Promise<Delivery[]> {
  const found: Delivery[] = [];
  for await (const delivery of consumer.messages) {
    found.push(delivery);
    if (found.length === count) break;
  }
  return found;
}

describe.runIf(hasNats)('the bus on JetStream', () => {
  let server: NatsServer;
  const buses: JetStreamBus[] = [];
  const open = (streams: Partial<StreamOptions> = {}): JetStreamBus => {
    const bus = createJetStreamBus({
      connection: { servers: [server.url], retryMsMax: 200 },
      streams: { partitions: 2, bytesMax: 8 << 20, messageBytesMax: 64 << 10, ...streams },
    });
    buses.push(bus);
    return bus;
  };
  /** The plain client, for what a foreign program could do. */
  const foreign = async <Result>(work: (nats: NatsConnection) => Promise<Result>): Promise<Result> => {
    const nats = await connect({ servers: server.url });
    try {
      return await work(nats);
    } finally {
      await nats.close();
    }
  };

  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await server.close();
  });
  /** Empty streams, and their names forgotten. */
  const fresh = (): Promise<void> =>
    foreign(async (nats) => {
      const manager = await jetstreamManager(nats);
      for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
    });

  it('brings messages in order, each name once, and forgets what is acknowledged', async () => {
    await fresh();
    const bus = open();
    expect(await bus.ensureStreams()).toEqual([]);
    expect(await bus.ensureStreams()).toEqual([]);
    const publisher = bus.publisher();
    for (let sequence = 0; sequence < 50; sequence += 1) {
      expect(publisher.publish(message(sequence))).toBe('taken');
      if (sequence % 10 === 9) expect(publisher.publish(message(sequence))).toBe('taken');
    }
    expect(await publisher.close()).toEqual([]);
    expect(publisher.state).toMatchObject({ confirmed: 55, duplicates: 5, unacknowledged: 0, lost: 0 });

    const consumer = bus.consume(0, { from: 11 });
    const found = await take(consumer, 40);
    expect(found.map((one) => one.kind === 'message' && [one.probe, one.epoch, one.sequence])).toEqual(
      Array.from({ length: 40 }, (_, i) => ['probe.one *', 7n, i + 10]),
    );
    expect(found[0]).toMatchObject({ streamSequence: 11 });
    expect(found.map((one) => one.kind === 'message' && new TextDecoder().decode(one.bytes))[39]).toBe('message 49');
    await consumer.acknowledge(20);
    expect(await bus.streams()).toMatchObject([
      { partition: 0, messages: 30, firstSequence: 21, lastSequence: 50 },
      { partition: 1, messages: 0 },
    ]);
    await consumer.stop();
    const late = bus.consume(0, { from: 1 });
    expect(await take(late, 1)).toMatchObject([{ streamSequence: 21 }]);
    await late.stop();
  });

  it('bounds the window; one partition leaves room for others', async () => {
    await fresh();
    const bus = open();
    await bus.ensureStreams();
    server.signal('SIGSTOP');
    const publisher = bus.publisher({ windowMessages: 16, windowBytes: 1 << 20 });
    const answers = Array.from({ length: 10 }, (_, i) => publisher.publish(message(i)));
    expect(answers.filter((answer) => answer === 'taken')).toHaveLength(8); // the half: there are two partitions
    expect(publisher.publish(message(0, { partition: 1 }))).toBe('taken');
    expect(publisher.state).toMatchObject({ unacknowledged: 9 });
    server.signal('SIGCONT');
    await until('room', () => publisher.state.unacknowledged === 0);
    expect(publisher.publish(message(8))).toBe('taken');
    expect(await publisher.close()).toEqual([]);
    expect((await bus.streams()).map(({ messages }) => messages)).toEqual([9, 1]);
  });

  it('tells the publisher that a stream is full, and goes on when there is room', async () => {
    await fresh();
    const bus = open({ bytesMax: 40_000, messageBytesMax: 10_000 });
    await bus.ensureStreams();
    const publisher = bus.publisher();
    const big = (sequence: number): OutgoingMessage =>
      message(sequence, { bytes: new Uint8Array(9000).fill(sequence) });
    for (let sequence = 0; sequence < 6; sequence += 1) expect(publisher.publish(big(sequence))).toBe('taken');
    await until('it is refused', () => publisher.state.refused > 0);
    expect(publisher.state.confirmed).toBe(4);
    const consumer = bus.consume(0);
    expect(await take(consumer, 4)).toHaveLength(4);
    await consumer.acknowledge(4);
    await until('all are confirmed', () => publisher.state.confirmed === 6);
    const rest = bus.consume(0);
    expect((await take(rest, 2)).map((one) => one.kind === 'message' && one.sequence)).toEqual([4, 5]);
    await publisher.close();
  });

  it('gives up what the bus can never take, and says so', async () => {
    await fresh();
    const bus = open();
    await bus.ensureStreams();
    const lost: string[] = [];
    const publisher = bus.publisher({ onLost: ({ sequence }, reason) => lost.push(`${sequence}: ${reason}`) });
    publisher.publish(message(0, { bytes: new Uint8Array(70_000) }));
    publisher.publish(message(0));
    expect(await publisher.close()).toEqual([]);
    expect(publisher.state).toMatchObject({ confirmed: 1, lost: 1 });
    expect(lost).toEqual(['0: a message of 70000 bytes; the bus takes 65536']);
  });

  it('rejects and counts what is no message of ours', async () => {
    await fresh();
    const bus = open();
    await bus.ensureStreams();
    await foreign(async (nats) => {
      const client = jetstream(nats);
      await client.publish('netspectra.packets.0.a', 'x');
      await client.publish('netspectra.packets.0.a', 'x', { msgID: 'a:1' });
      await client.publish('netspectra.packets.0.a', 'x', { msgID: 'a:1:01' });
      await client.publish('netspectra.packets.0.a', 'x', { msgID: 'a:99999999999999999999:1' });
      await client.publish('netspectra.packets.0.a', 'x', { msgID: 'b:1:1' });
      const strange = headers();
      strange.append('X-Other', 'y');
      await client.publish('netspectra.packets.0.a', 'x', { headers: strange, msgID: 'a:18446744073709551615:0' });
    });
    const consumer = bus.consume(0);
    const found = await take(consumer, 6);
    expect(found.map((one) => (one.kind === 'rejected' ? one.reason : one.probe))).toEqual([
      'no_id',
      'no_id',
      'no_id',
      'no_id',
      'foreign_probe',
      'a',
    ]);
    expect(consumer.state).toMatchObject({ received: 6, rejected: { no_id: 4, foreign_probe: 1 } });
  });

  it('tells where the configuration of a stream drifted, and sets right what may be changed', async () => {
    await fresh();
    await open().ensureStreams();
    const drifts = await open({ bytesMax: 9 << 20 }).ensureStreams();
    expect(drifts).toHaveLength(2);
    expect(drifts[0]).toMatchObject({ setting: 'max_msgs', wanted: '144', found: '128', corrected: true });
    expect(await open({ bytesMax: 9 << 20 }).ensureStreams()).toEqual([]);
    await expect(open({ partitions: 3 }).ensureStreams()).rejects.toMatchObject({
      code: 'NS_BUS_CONFIGURATION',
      message: expect.stringContaining('made for 2 partitions and 3 are configured') as string,
    });
  });

  it('carries signals to who listens', async () => {
    const bus = open();
    const other = open();
    const heard: string[] = [];
    await Promise.all([bus.ready(), other.ready()]);
    const stop = other.listen('netspectra.control.>', (subject, bytes) =>
      heard.push(`${subject} ${new TextDecoder().decode(bytes)}`),
    );
    await (await other.ready()).flush();
    bus.send('netspectra.control.rules', new TextEncoder().encode('new'));
    await until('it is heard', () => heard.length === 1);
    expect(heard).toEqual(['netspectra.control.rules new']);
    stop();
    expect(() => bus.send('$JS.API.STREAM.DELETE.x', new Uint8Array())).toThrow('no subject for signals');
  });

  it('loses nothing and keeps the order when the server is killed in the middle, twice', async () => {
    await fresh();
    const bus = open({ bytesMax: 1 << 28 });
    await bus.ensureStreams();
    const publisher = bus.publisher({ windowMessages: 64 });
    const consumer = bus.consume(0);
    const total = 3000;
    const seen = new Map<number, string>();
    const order: number[] = [];
    const reading = (async () => {
      for await (const delivery of consumer.messages) {
        if (delivery.kind !== 'message') throw new Error(delivery.reason);
        seen.set(delivery.sequence, new TextDecoder().decode(delivery.bytes));
        order.push(delivery.streamSequence);
        if (seen.size === total) break;
      }
    })();
    let killed = 0;
    for (let sequence = 0; sequence < total;) {
      if (publisher.publish(message(sequence)) === 'full') {
        await publisher.room();
        continue;
      }
      sequence += 1;
      if (sequence === 1000 || sequence === 2000) {
        await server.kill();
        killed += 1;
        await server.start();
      }
    }
    await reading;
    expect(await publisher.close()).toEqual([]);
    expect(killed).toBe(2);
    expect([...seen].every(([sequence, text]) => text === `message ${sequence}`)).toBe(true);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(order).size).toBe(order.length);
    expect(bus.state.reconnects).toBeGreaterThanOrEqual(2);
    expect(publisher.state.confirmed).toBe(total);
  });

  describe('when the server comes back without what it had confirmed', () => {
    /** Publish, remember how the server's disk is, publish more, and bring the server back as it was before that. */
    async function setBack(
      publisher: Publisher,
      { before, after, meanwhile = async () => {} }: { before: number; after: number; meanwhile?: () => Promise<void> },
    ): Promise<void> {
      const confirm = async (from: number, to: number): Promise<void> => {
        for (let sequence = from; sequence < to; sequence += 1)
          expect(publisher.publish(message(sequence))).toBe('taken');
        await until('all are confirmed', () => publisher.state.confirmed === to);
      };
      const copy = temporaryFolder();
      try {
        await confirm(0, before);
        await server.kill();
        cpSync(server.storeDir, copy.path, { recursive: true });
        await server.start();
        await confirm(before, before + after);
        await meanwhile();
        await server.kill();
        rmSync(server.storeDir, { recursive: true });
        cpSync(copy.path, server.storeDir, { recursive: true });
      } finally {
        copy.remove();
      }
    }

    it('publishers bring again what was confirmed last', async () => {
      await fresh();
      const bus = open();
      await bus.ensureStreams();
      const publisher = bus.publisher({ windowMessages: 64 });
      await setBack(publisher, { before: 10, after: 30 });
      publisher.publish(message(40));
      await server.start();
      await until('it is confirmed', () => publisher.state.confirmed === 41);
      const found = await take(open().consume(0), 41);
      expect(found.map((one) => one.kind === 'message' && one.sequence)).toEqual(
        Array.from({ length: 41 }, (_, i) => i),
      );
      expect(publisher.state).toMatchObject({ confirmed: 41, lost: 0, restored: 30 });
      expect(publisher.state.repeated).toBeGreaterThanOrEqual(30);
      await publisher.close();
    });

    it('a reader ends before it takes other messages for those it knows, and lets none of them go', async () => {
      await fresh();
      const bus = open();
      await bus.ensureStreams();
      const publisher = open().publisher({ windowMessages: 64 });
      const consumer = bus.consume(0);
      const messages = consumer.messages[Symbol.asyncIterator]();
      const read = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i += 1) await messages.next();
      };
      await setBack(publisher, { before: 10, after: 30, meanwhile: () => read(40) });
      await publisher.close();
      await server.start();
      const other = open().publisher({ windowMessages: 64 });
      for (let sequence = 0; sequence < 30; sequence += 1) other.publish(message(sequence, { probe: 'other' }));
      await until('numbers are given out again', () => other.state.confirmed === 30);
      await bus.ready();
      await expect(consumer.acknowledge(40)).rejects.toThrow('is not read again yet');
      await expect(messages.next()).rejects.toThrow(/older than it was.*message 40 is another/);
      const [{ messages: kept }] = (await open().streams()) as [StreamState];
      expect(kept).toBe(40);
      await other.close();
    });

    it('a reader whose messages are where they were goes on', async () => {
      await fresh();
      const bus = open();
      await bus.ensureStreams();
      const publisher = bus.publisher({ windowMessages: 64 });
      const consumer = bus.consume(0);
      const messages = consumer.messages[Symbol.asyncIterator]();
      const next = async (): Promise<unknown> => {
        const { value } = (await messages.next()) as { value: Delivery };
        return value.kind === 'message' && value.sequence;
      };
      for (let sequence = 0; sequence < 20; sequence += 1) publisher.publish(message(sequence));
      for (let sequence = 0; sequence < 15; sequence += 1) expect(await next()).toBe(sequence);
      await server.kill();
      await server.start();
      for (let sequence = 15; sequence < 20; sequence += 1) expect(await next()).toBe(sequence);
      let coming = next();
      await until('it has looked, and lets them go', () =>
        consumer.acknowledge(20).then(
          () => true,
          () => false,
        ),
      );
      await server.kill();
      await server.start();
      publisher.publish(message(20));
      // What was let go and is not known to the server any more may come again, behind it.
      while ((await coming) !== 20) coming = next();
      await publisher.close();
    });
  });
});
