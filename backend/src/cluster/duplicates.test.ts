/** Packets that several probes bring count once: in every table alike, whichever engine judges, and whenever one dies. */
import type { OutgoingMessage } from '@netspectra/collector/bus';
import { describe, expect, it, vi } from 'vitest';
import { Random } from '../../../scripts/lib/random.js';
import type { Lease } from './lease.js';
import type { PartitionRunner } from './partition-runner.js';
import { numberedMessage, TestCluster } from './testing.js';

const long = 600_000;
const windowMs = 1_000;
const duplicates = { windowMs, maxPackets: 100_000 };
const never = new Promise<never>(() => {});
const until = (what: () => void | Promise<void>): Promise<void> => vi.waitFor(what, { timeout: 5_000, interval: 5 });
const lastStep = 24;
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const message = (probe: string, sequence: number, numbers: readonly number[]): OutgoingMessage =>
  numberedMessage({ probe, epoch: 1n, sequence }, numbers);

function sums({ store }: TestCluster, probe?: string) {
  const of = (flush: { probe: string }): boolean => probe === undefined || flush.probe === probe;
  const sided = (name: string): number =>
    store.sum('flows', `client_${name}`, of) + store.sum('flows', `server_${name}`, of);
  return {
    brought: store.sum('probe_stats', 'packets', of),
    told: store.sum('probe_stats', 'duplicate_packets', of),
    toldBytes: store.sum('probe_stats', 'duplicate_bytes', of),
    flows: sided('packets'),
    flowBytes: sided('bytes'),
    flowDuplicates: sided('duplicate_packets'),
    flowDuplicateBytes: sided('duplicate_bytes'),
    traffic: store.sum('traffic', 'packets', of),
  };
}

/** `counted` of `brought` packets count, and the rest are told as copies, everywhere. */
function expectCounted(cluster: TestCluster, brought: number, counted: number, probe?: string): void {
  const told = brought - counted;
  expect(sums(cluster, probe)).toEqual({
    brought,
    told,
    toldBytes: told * 100,
    flows: counted,
    flowBytes: counted * 100,
    flowDuplicates: told,
    flowDuplicateBytes: told * 100,
    traffic: counted,
  });
}

/** A cluster whose bus has a clock that stands still until it is told. */
function clusterWithClock(): { cluster: TestCluster; pass: (milliseconds: number) => void } {
  let nowMs = 1_767_225_600_000;
  return { cluster: new TestCluster(() => nowMs), pass: (milliseconds) => void (nowMs += milliseconds) };
}

describe('packets that two probes bring', () => {
  it('count once, and both probes are listed', async () => {
    const { cluster, pass } = clusterWithClock();
    const runner = cluster.runner((await cluster.lease(long)).lease, { duplicates });
    const run = runner.run();
    await cluster.publish(message('a', 0, range(0, 9)));
    pass(windowMs);
    await cluster.publish(message('b', 0, range(5, 14)), message('a', 1, range(10, 19)));
    await until(() => expectCounted(cluster, 30, 20));
    expectCounted(cluster, 20, 15, 'a');
    expectCounted(cluster, 10, 5, 'b');
    expect(cluster.store.sum('flows', 'new_flow')).toBe(3);
    runner.stop(long);
    await run;
    expect(runner.state).toMatchObject({
      duplicatePackets: 10,
      duplicatesUnjudgedPackets: 0,
      duplicatesOverflows: 0,
      // Ten of the generation before, and what came since.
      rememberedPackets: 10 + 15,
    });
  });

  it('count twice when it is not asked for, or when more than two windows lie between', async () => {
    for (const options of [{}, { duplicates }]) {
      const { cluster, pass } = clusterWithClock();
      const runner = cluster.runner((await cluster.lease(long)).lease, options);
      const run = runner.run();
      await cluster.publish(message('a', 0, range(0, 9)));
      if ('duplicates' in options) pass(2 * windowMs);
      await cluster.publish(message('b', 0, range(0, 9)));
      await until(() => expectCounted(cluster, 20, 20));
      runner.stop(long);
      await run;
      // Captured longer ago than a window: copies may be forgotten already.
      expect(runner.state.duplicatesLatePackets).toBe('duplicates' in options ? 10 : 0);
    }
  });

  it('count for each packet that is there, however alike, and for both interfaces of one probe', async () => {
    const { cluster } = clusterWithClock();
    const runner = cluster.runner((await cluster.lease(long)).lease, { duplicates });
    const run = runner.run();
    await cluster.publish(
      message('a', 0, [1, 1, 1]),
      message('b', 0, [1, 1]),
      numberedMessage({ probe: 'a', epoch: 2n, sequence: 0 }, [1]),
      message('b', 1, [1, 1, 1]),
    );
    await until(() => expectCounted(cluster, 9, 5));
    runner.stop(long);
    await run;
  });

  it('stay on the bus as long as who takes over must see them, and no longer', async () => {
    const { cluster, pass } = clusterWithClock();
    const runner = cluster.runner((await cluster.lease(long)).lease, { duplicates });
    const run = runner.run();
    for (let sequence = 0; sequence < 20; sequence += 1) {
      await cluster.publish(message('a', sequence, [sequence]), message('b', sequence, [sequence]));
      pass(windowMs / 4);
    }
    await until(() => expectCounted(cluster, 40, 20));
    // This generation and two before it.
    await until(async () => expect(await cluster.left()).toBe(24));
    pass(5 * windowMs);
    await cluster.publish(message('a', 20, [20]));
    await until(async () => expect(await cluster.left()).toBe(1));
    runner.stop(long);
    await run;
  });

  it('do not fill the stream, however long the window: what is kept of it leaves room for what comes', async () => {
    const cluster = new TestCluster(() => 1_767_225_600_000, 24);
    const runner = cluster.runner((await cluster.lease(long)).lease, { flushMs: 2, duplicates });
    const run = runner.run();
    for (let sequence = 0; sequence < 40; sequence += 1)
      await cluster.publish(message('a', sequence, [sequence]), message('b', sequence, [sequence]));
    await until(() => expectCounted(cluster, 80, 40));
    expect(await cluster.left()).toBeLessThanOrEqual(12);
    expect(runner.state.duplicatesOverflows).toBeGreaterThan(10);
    runner.stop(long);
    await run;
  });

  it('are judged as before by who repeats half a flush, and goes on behind it', async () => {
    const { cluster, pass } = clusterWithClock();
    const { lease, leases } = await cluster.lease(long);
    cluster.store.beforeInsert = async (_table, { probe }) => {
      if (probe === 'a') await never; // killed between the flush's two streams
    };
    void cluster.runner(lease, { flushMs: long, packetsMax: 30, duplicates }).run();
    await cluster.publish(message('b', 0, range(0, 9)), message('a', 0, range(0, 9)), message('b', 1, range(10, 19)));
    await until(() => expect(sums(cluster, 'b').brought).toBe(20));
    cluster.store.beforeInsert = async () => {};
    await leases.close();
    const next = await cluster.lease(long);
    expect(next.lease.inherited).toHaveLength(2);
    const runner = cluster.runner(next.lease, { flushMs: 5, duplicates });
    const run = runner.run();
    pass(windowMs);
    await cluster.publish(message('a', 1, range(10, 29)));
    await until(() => expectCounted(cluster, 50, 30));
    expectCounted(cluster, 20, 20, 'b');
    runner.stop(long);
    await run;
  });

  it('are remembered from the store without waiting for what left the bus before them', async () => {
    const { cluster } = clusterWithClock();
    const { lease, leases } = await cluster.lease(long);
    const first = cluster.runner(lease, { duplicates });
    const run = first.run();
    // The oldest that the bus keeps is one that was overtaken: what overtook it is in the store, and gone.
    await cluster.publish(message('a', 1, [1]), message('a', 0, [0]), message('a', 2, [2]));
    await cluster.publish(message('a', 3, [3]), message('a', 4, [4]));
    await until(() => expectCounted(cluster, 5, 5));
    first.stop(long);
    await run;
    await leases.close();
    await cluster.bus.consume(0).acknowledge(1);
    const runner = cluster.runner((await cluster.lease(long)).lease, { duplicates, holeMs: long });
    const running = runner.run();
    await until(() => expect(runner.state).toMatchObject({ messages: 4, waiting: 0, rememberedPackets: 4 }));
    await cluster.publish(message('b', 0, [3, 4, 5]), message('a', 5, [5]));
    await until(() => expectCounted(cluster, 9, 6));
    // What the engine before had told of is in its counters.
    expect(runner.state).toMatchObject({ gaps: 0, duplicatePackets: 3 });
    runner.stop(long);
    await running;
  });

  it('are judged as they come, however long a message before them is waited for', async () => {
    const { cluster } = clusterWithClock();
    const runner = cluster.runner((await cluster.lease(long)).lease, { duplicates, holeMs: 30 });
    const run = runner.run();
    await cluster.publish(message('a', 1, range(0, 9)), message('b', 0, range(0, 9)));
    await until(() => expectCounted(cluster, 20, 10));
    expectCounted(cluster, 10, 10, 'a');
    await cluster.publish(message('a', 0, range(10, 19)), message('b', 1, range(10, 14)));
    await until(() => expectCounted(cluster, 35, 20));
    expect(runner.state).toMatchObject({ gaps: 1, late: 1 });
    runner.stop(long);
    await run;
  });
});

describe('engines that die at any moment', () => {
  const seed = Number(process.env['CLUSTER_SEED'] ?? 20_261_123);
  it.each([0, 1, 2, 3, 4, 5])(
    `count what several probes bring once (seed ${seed} + %i)`,
    async (round) => {
      const random = new Random(seed + round);
      const { cluster, pass } = clusterWithClock();
      const ttlMs = 60;
      // A stopped process: what it wanted to insert goes on when it is woken, whoever has the partition by then.
      const frozen: (() => void)[] = [];
      let freeze = false;
      let inserts = 0;
      cluster.store.beforeInsert = async () => {
        inserts += 1;
        if (freeze || inserts % 13 === 0) await new Promise<void>((resolve) => frozen.push(resolve));
      };
      let running: { runner: PartitionRunner; lease: Lease } | null = null;
      const ends: Promise<unknown>[] = [];
      const takeOver = async (): Promise<void> => {
        const { lease, leases } = await cluster.lease(ttlMs);
        const runner = cluster.runner(lease, {
          flushMs: 3 + random.between(0, 9),
          packetsMax: 30 + random.between(0, 199),
          holeMs: random.between(5, 80),
          duplicates,
        });
        const run = runner.run();
        running = { runner, lease };
        const renewal = setInterval(() => void (running?.lease === lease ? leases.renew() : undefined), ttlMs / 4);
        ends.push(run.finally(() => clearInterval(renewal)));
      };
      const kill = (): void => void (running = null);
      const wake = (): void => frozen.splice(0).forEach((go) => go());
      let withheld: { readonly one: OutgoingMessage; readonly until: number }[] = [];
      let brought = 0;
      let counted = 0;
      let next = 0;
      const sequences = new Map<string, number>();
      for (let step = 0; step <= lastStep; step += 1) {
        const pending: OutgoingMessage[] = [];
        for (let i = random.between(0, 6); i > 0; i -= 1) {
          const numbers = range(next, next + random.between(0, 15)).flatMap((number) =>
            random.between(0, 3) === 0 ? [number, number] : [number],
          );
          next = numbers.at(-1)! + 1;
          const probes = ['a', 'b', 'c'].filter(() => random.between(0, 2) > 0);
          for (const probe of probes) {
            const sequence = sequences.get(probe) ?? 0;
            sequences.set(probe, sequence + 1);
            brought += numbers.length;
            pending.push(message(probe, sequence, numbers));
          }
          if (probes.length > 0) counted += numbers.length;
        }
        // Sent twice, and behind later ones, as a publisher does after a lost answer.
        for (let i = pending.length - 1; i > 0; i -= 1)
          if (random.between(0, 3) === 0) pending.push(...pending.splice(i, 1).flatMap((one) => [one, one]));
        // Some come when others behind them are counted already: how long is waited for them is each engine's own time.
        const now = pending.filter((one) => {
          const isHeld = random.between(0, 2) === 0;
          if (isHeld) withheld.push({ one, until: step + random.between(1, 2) });
          return !isHeld;
        });
        const due = withheld.filter(({ until }) => until <= step || step === lastStep).map(({ one }) => one);
        withheld = withheld.filter(({ until }) => until > step);
        for (const one of [...now, ...due]) {
          await cluster.publish(one);
          pass(random.between(0, 20));
        }
        switch (random.between(0, 4)) {
          case 0:
            kill();
            break;
          case 1: // stopped, and woken when another has the partition
            freeze = true;
            kill();
            await takeOver();
            freeze = false;
            wake();
            break;
          default:
            await new Promise((resolve) => setTimeout(resolve, random.between(0, 24)));
        }
        if (running === null) {
          freeze = false;
          await takeOver();
        }
      }
      const current = (): { runner: PartitionRunner; lease: Lease } | null => running;
      // On a busy machine even the last one may be silent for too long.
      for (const end = performance.now() + 20_000; performance.now() < end;) {
        wake();
        if (sums(cluster).brought === brought) break;
        if (current()?.lease.ended !== null) await takeOver();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const { runner } = current()!;
      runner.stop(long);
      const waking = setInterval(wake, 10);
      await Promise.all(ends);
      clearInterval(waking);
      expectCounted(cluster, brought, counted);
    },
    40_000,
  );
});
