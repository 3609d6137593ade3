import { describe, expect, it, vi } from 'vitest';
import type { Bus, OutgoingMessage } from '@netspectra/collector/bus';
import { emptyCounters } from '@netspectra/proto';
import { Random } from '../../../scripts/lib/random.js';
import type { Lease } from './lease.js';
import type { PartitionRunner } from './partition-runner.js';
import { TestCluster, testMessage } from './testing.js';

const stream = { probe: 'p1', epoch: 5n };
const messages = (from: number, to: number, packets = 10): OutgoingMessage[] =>
  Array.from({ length: to - from + 1 }, (_, i) => testMessage({ ...stream, sequence: from + i }, packets));
const long = 60_000;
const never = new Promise<never>(() => {});

/** Every table's own sum says the same, and stretches neither overlap nor leave out. */
function expectStored(cluster: TestCluster, packets: number): void {
  const { store } = cluster;
  expect({
    accounts: store.sum('probe_stats', 'packets'),
    flows: store.sum('flows', 'client_packets') + store.sum('flows', 'server_packets'),
    traffic: store.sum('traffic', 'packets'),
    bytes: store.sum('flows', 'client_bytes') + store.sum('flows', 'server_bytes'),
  }).toEqual({ accounts: packets, flows: packets, traffic: packets, bytes: packets * 100 });
}
/** A bus whose consumers know of nothing behind the message at hand, as a server's that is not asked for more. */
function withoutLag(bus: Bus): Bus {
  const consume: Bus['consume'] = (partition, options) => {
    const consumer = bus.consume(partition, options);
    return {
      partition,
      messages: consumer.messages,
      acknowledge: (sequence) => consumer.acknowledge(sequence),
      recycle: (bytes) => consumer.recycle(bytes),
      stop: () => consumer.stop(),
      get state() {
        return { ...consumer.state, lag: 0 };
      },
    };
  };
  return Object.assign(Object.create(bus) as Bus, { consume });
}
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 5_000, interval: 5 });

describe('a partition runner', () => {
  it('stores every message once, lets the bus forget them, and a later one goes on behind', async () => {
    const cluster = new TestCluster();
    const { lease, leases } = await cluster.lease(long);
    await cluster.publish(...messages(0, 9), testMessage({ ...stream, sequence: 3 }, 10));
    const runner = cluster.runner(lease);
    const run = runner.run();
    await until(() => expectStored(cluster, 100));
    await until(async () => expect(await cluster.left()).toBe(0));
    runner.stop(long);
    expect(await run).toBe('stopped');
    await leases.close();
    await cluster.publish(...messages(10, 14));
    const next = cluster.runner((await cluster.lease(long)).lease);
    const running = next.run();
    await until(() => expectStored(cluster, 150));
    next.stop(long);
    await running;
    expect(next.state).toMatchObject({ duplicates: 0, gaps: 0, packets: 50, storeError: '' });
  });

  it('stores on stop what it has, however young', async () => {
    const cluster = new TestCluster();
    const runner = cluster.runner((await cluster.lease(long)).lease, { flushMs: long });
    const run = runner.run();
    await cluster.publish(...messages(0, 4));
    await until(() => expect(runner.state.packets).toBe(50));
    expectStored(cluster, 0);
    runner.stop(long);
    await run;
    expectStored(cluster, 50);
    expect(runner.isUnstored).toBe(false);
    expect(await cluster.left()).toBe(0);
  });

  it('repeats exactly the flush that an engine before declared and wrote in part', async () => {
    const cluster = new TestCluster();
    await cluster.publish(...messages(0, 5));
    const first = await cluster.lease(1000, () => 0);
    cluster.store.beforeInsert = async (table) => {
      if (table === 'traffic') await never; // killed before its second insert
    };
    const old = cluster.runner(first.lease, { packetsMax: 60, flushMs: long });
    void old.run();
    await until(() => expect(cluster.store.sum('flows', 'client_packets')).toBe(60));
    await cluster.publish(...messages(6, 9));
    cluster.store.beforeInsert = async () => {};
    let time = 0;
    let held = false;
    const { lease } = await cluster.lease(1000, () => (held ? time : (time += 300)));
    held = true;
    expect(lease.inherited).toEqual([{ ...stream, firstSeq: 0, lastSeq: 5 }]);
    const runner = cluster.runner(lease, { flushMs: 5 });
    const run = runner.run();
    await until(() => expectStored(cluster, 100));
    expect(cluster.store.repeats).toBeGreaterThan(0);
    expect(cluster.store.stretches('p1', 5n)[0]).toEqual([0, 5]);
    runner.abandon();
    await run;
  });

  it('writes nothing any more when the lease is gone, and leaves the messages on the bus', async () => {
    const cluster = new TestCluster();
    const { lease } = await cluster.lease(50);
    const runner = cluster.runner(lease, { flushMs: 20 });
    const run = runner.run();
    await until(() => expect(lease.ended).toBe('lapsed'));
    await cluster.publish(...messages(0, 3));
    expect(await run).toBe('lost');
    expect(cluster.store.inserts).toEqual([]);
    expect(await cluster.left()).toBe(4);
  });

  it('stops between two inserts of a flush when the lease ran out in the middle', async () => {
    const cluster = new TestCluster();
    let time = 0;
    const { lease } = await cluster.lease(long, () => time);
    cluster.store.beforeInsert = async () => void (time = 2 * long);
    const runner = cluster.runner(lease, { flushMs: 5 });
    const run = runner.run();
    await cluster.publish(...messages(0, 3));
    expect(await run).toBe('lost');
    expect(cluster.store.inserts.map(({ table }) => table)).toEqual(['flows']);
    expect(await cluster.left()).toBe(4);
  });

  it('tries again until the store takes rows, holding no more than two flushes', async () => {
    const cluster = new TestCluster();
    const runner = cluster.runner((await cluster.lease(long)).lease, { flushMs: 1, packetsMax: 20 });
    let away = true;
    cluster.store.beforeInsert = async () => {
      if (away) throw new Error('the store is away');
    };
    const run = runner.run();
    await cluster.publish(...messages(0, 49));
    await until(() => expect(runner.state.storeError).toBe('the store is away'));
    const taken = runner.state.packets;
    expect(taken).toBeLessThan(200);
    expect(await cluster.left()).toBe(50);
    // What it took and cannot store waits like what it did not take.
    await until(() => expect(runner.state.unread).toBeLessThan(50));
    expect(runner.state.lag).toBe(50);
    away = false;
    await until(() => expectStored(cluster, 500));
    await until(() => expect(runner.state).toMatchObject({ storeError: '', unread: 0, lag: 0 }));
    runner.stop(long);
    await run;
  });

  it('counts messages that wait: of a stream that cannot be looked up, and those that the bus told later', async () => {
    const cluster = new TestCluster();
    let away = true;
    const readStored: typeof cluster.store.readStored = async (probe, epoch) => {
      if (away) throw new Error('the store is away');
      return cluster.store.readStored(probe, epoch);
    };
    const bus = withoutLag(cluster.bus);
    const runner = cluster.runner((await cluster.lease(long)).lease, { flushMs: 1 }, { bus, readStored });
    const run = runner.run();
    await cluster.publish(...messages(0, 4));
    await until(() => expect(runner.state).toMatchObject({ storeError: 'the store is away', unread: 1, lag: 1 }));
    for (const stream of await bus.streams()) runner.streamIs(stream);
    expect(runner.state).toMatchObject({ unread: 5, lag: 5 });
    away = false;
    await until(() => expectStored(cluster, 50));
    await until(() => expect(runner.state).toMatchObject({ unread: 0, lag: 0 }));
    runner.stop(long);
    await run;
    // A stream whose beginning is forgotten: its numbers say nothing of how many are left.
    runner.streamIs({ firstSequence: 1_000, lastSequence: 1_002 });
    expect(runner.state.unread).toBe(3);
  });

  it('says when it ends with something that is not stored, which stays on the bus', async () => {
    const cluster = new TestCluster();
    const runner = cluster.runner((await cluster.lease(long)).lease, { flushMs: long });
    cluster.store.beforeInsert = () => Promise.reject(new Error('the store is away'));
    const run = runner.run();
    await cluster.publish(...messages(0, 4));
    await until(() => expect(runner.state.packets).toBe(50));
    runner.stop(20);
    await run;
    expect(runner.isUnstored).toBe(true);
    expect(await cluster.left()).toBe(5);
  });

  it('waits for what is missing, goes past it after its time, and still takes it when it comes', async () => {
    const cluster = new TestCluster();
    const runner = cluster.runner((await cluster.lease(long)).lease, { holeMs: 60, flushMs: 250 });
    const run = runner.run();
    await cluster.publish(...messages(0, 1), ...messages(4, 6));
    await until(() => expect(runner.state.waiting).toBe(3));
    await until(() => expectStored(cluster, 50));
    // One flush, and yet no stretch says that it has what is missing.
    expect(runner.state.flushes).toBe(1);
    expect(cluster.store.stretches('p1', 5n)).toEqual([
      [0, 1],
      [4, 6],
    ]);
    expect(runner.state).toMatchObject({ gaps: 2, late: 0 });
    await cluster.publish(...messages(3, 3), ...messages(3, 3));
    await until(() => expectStored(cluster, 60));
    runner.stop(long);
    await run;
    expect(cluster.store.stretches('p1', 5n)).toEqual([
      [0, 1],
      [3, 3],
      [4, 6],
    ]);
  }, 15_000);

  it('counts what is refused and passes it over', async () => {
    const cluster = new TestCluster();
    const runner = cluster.runner((await cluster.lease(long)).lease);
    const run = runner.run();
    const [good] = messages(0, 0);
    await cluster.publish(
      good!,
      { ...testMessage({ ...stream, sequence: 1 }, 10), bytes: Uint8Array.of(255, 255) },
      { ...testMessage({ ...stream, sequence: 9 }, 10), sequence: 2 },
      testMessage({ ...stream, sequence: 3 }, 10, { partitions: 7 }),
      ...messages(4, 4),
    );
    await until(() => expectStored(cluster, 20));
    expect(runner.state.refused).toMatchObject({ malformed: 1, foreign_header: 2 });
    expect(cluster.store.stretches('p1', 5n).at(-1)![1]).toBe(4);
    runner.stop(long);
    await run;
  });

  it('lets the longest silent stream go when there are too many, and finds its place again', async () => {
    const cluster = new TestCluster();
    const runner = cluster.runner((await cluster.lease(long)).lease, { streamsMax: 3 });
    const run = runner.run();
    const rounds = [0, 1];
    for (const sequence of rounds)
      await cluster.publish(
        ...Array.from({ length: 8 }, (_, i) => testMessage({ probe: `p${i}`, epoch: 1n, sequence }, 5)),
      );
    await until(() => expectStored(cluster, 80));
    expect(runner.state.streams).toBeLessThanOrEqual(3);
    expect(runner.state.streamsEvicted).toBeGreaterThan(4);
    runner.stop(long);
    await run;
  });

  it("tells the probe's losses once, across a change of engines", async () => {
    const cluster = new TestCluster();
    const withLoss = (sequence: number, kernelDropped: number): OutgoingMessage =>
      testMessage({ ...stream, sequence }, 1, {
        counters: { ...emptyCounters(), received: 100 + kernelDropped, kernelDropped, filtered: 2 * kernelDropped },
      });
    for (const [sequence, lost] of [
      [0, 3],
      [1, 5],
      [2, 11],
    ] as const) {
      const { lease, leases } = await cluster.lease(long);
      const runner = cluster.runner(lease);
      const run = runner.run();
      await cluster.publish(withLoss(sequence, lost));
      await until(() => expect(cluster.store.sum('probe_stats', 'kernel_dropped')).toBe(lost));
      expect(cluster.store.sum('probe_stats', 'filtered')).toBe(2 * lost);
      runner.stop(long);
      await run;
      await leases.close();
    }
  });
});

describe('engines that die at any moment', () => {
  const seed = Number(process.env['CLUSTER_SEED'] ?? 20_261_122);
  it.each([0, 1, 2, 3])(
    `lose nothing and double nothing (seed ${seed} + %i)`,
    async (round) => {
      const random = new Random(seed + round);
      const cluster = new TestCluster();
      const ttlMs = 60;
      // A stopped process: what it wanted to insert goes on when it is woken, whoever has the partition by then.
      const frozen: (() => void)[] = [];
      let freeze = false;
      cluster.store.beforeInsert = async () => {
        if (freeze) await new Promise<void>((resolve) => frozen.push(resolve));
      };
      let running: { runner: PartitionRunner; lease: Lease } | null = null;
      const ends: Promise<unknown>[] = [];
      const takeOver = async (): Promise<void> => {
        const { lease, leases } = await cluster.lease(ttlMs);
        const runner = cluster.runner(lease, {
          flushMs: 3 + random.between(0, 9),
          packetsMax: 30 + random.between(0, 199),
        });
        ends.push(runner.run());
        running = { runner, lease };
        const renewal = setInterval(() => void (running?.lease === lease ? leases.renew() : undefined), ttlMs / 4);
        ends.push(ends.at(-1)!.finally(() => clearInterval(renewal)));
      };
      let published = 0;
      const sequences = new Map<string, number>();
      for (let step = 0; step < 25; step += 1) {
        const pending: OutgoingMessage[] = [];
        for (let i = random.between(0, 11); i > 0; i -= 1) {
          const probe = `p${random.between(0, 2)}`;
          const sequence = sequences.get(probe) ?? 0;
          sequences.set(probe, sequence + 1);
          const packets = random.between(1, 20); // those without packets wait for others
          published += packets;
          pending.push(testMessage({ probe, epoch: 1n, sequence }, packets));
        }
        // Sent twice, and behind later ones, as a publisher does after a lost answer.
        for (let i = pending.length - 1; i > 0; i -= 1)
          if (random.between(0, 3) === 0) pending.push(...pending.splice(i, 1).flatMap((one) => [one, one]));
        await cluster.publish(...pending);
        switch (random.between(0, 4)) {
          case 0:
            if (running === null) await takeOver();
            break;
          case 1: // killed: it never comes back
            running = null;
            freeze = true;
            break;
          case 2: // stopped, and woken when another has the partition
            freeze = true;
            running = null;
            await takeOver();
            freeze = false;
            frozen.splice(0).forEach((wake) => wake());
            break;
          default:
            await new Promise((resolve) => setTimeout(resolve, random.between(0, 24)));
        }
        if (running === null) {
          freeze = false;
          await takeOver();
        }
      }
      freeze = false;
      frozen.splice(0).forEach((wake) => wake());
      const current = (): { runner: PartitionRunner; lease: Lease } | null => running;
      // On a busy machine even the last one may be silent for too long.
      for (const end = performance.now() + 20_000; performance.now() < end && (await cluster.left()) > 0;) {
        if (current()?.lease.ended !== null) await takeOver();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      expect(await cluster.left()).toBe(0);
      current()?.runner.stop(long);
      await Promise.all(ends);
      expectStored(cluster, published);
    },
    30_000,
  );
});
