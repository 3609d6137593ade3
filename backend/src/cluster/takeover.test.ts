/** What an engine does that finds a flush of another, half written, in circumstances that are not the usual ones. */
import type { Delivery, OutgoingMessage, PartitionConsumer } from '@netspectra/collector/bus';
import { silentLog } from '@netspectra/collector/bus';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Lease } from './lease.js';
import { TestCluster, testMessage } from './testing.js';

const long = 600_000;
const never = new Promise<never>(() => {});
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 5_000, interval: 5 });
const messages = (probe: string, from: number, to: number): OutgoingMessage[] =>
  Array.from({ length: to - from + 1 }, (_, i) => testMessage({ probe, epoch: 5n, sequence: from + i }, 10));

/**
 * The store has the flows of messages 0 to 5 of `p1` and nothing else of them: who wrote them died.
 * @returns the lease of who comes next
 */
async function leaseAfterDeath(cluster: TestCluster): Promise<Lease> {
  const other = new TestCluster();
  await other.publish(...messages('p1', 0, 5));
  cluster.store.beforeInsert = async (table) => {
    if (table === 'traffic') await never;
  };
  void other
    .runner((await other.lease(long)).lease, { flushMs: long, packetsMax: 60 }, { writer: cluster.store })
    .run();
  await until(() => expect(cluster.store.sum('flows', 'client_packets')).toBe(60));
  cluster.store.beforeInsert = async () => {};
  const dead = await cluster.lease(long);
  await dead.lease.declare([{ probe: 'p1', epoch: 5n, firstSeq: 0, lastSeq: 5 }]);
  await dead.leases.close();
  return (await cluster.lease(long)).lease;
}

it('is repeated with its borders also when other probes come first and there is no room for more', async () => {
  const cluster = new TestCluster();
  const lease = await leaseAfterDeath(cluster);
  await cluster.publish(...messages('p2', 0, 2), ...messages('p3', 0, 2), ...messages('p1', 0, 9));
  const runner = cluster.runner(lease, { flushMs: 5, streamsMax: 1 });
  const run = runner.run();
  await until(() => expect(cluster.store.sum('probe_stats', 'packets')).toBe(160));
  for (const table of ['flows', 'traffic'] as const)
    expect(cluster.store.sum(table, table === 'flows' ? 'client_packets' : 'packets')).toBe(160);
  expect(cluster.store.stretches('p1', 5n)[0]).toEqual([0, 5]);
  runner.stop(long);
  await run;
});

it('is waited for from when the bus is read, however long the store was away before', async () => {
  const cluster = new TestCluster();
  const lease = await leaseAfterDeath(cluster);
  await cluster.publish(...messages('p1', 0, 9));
  let lateMs = 0;
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + lateMs);
  onTestFinished(() => clock.mockRestore());
  const { bus } = cluster;
  let deliver: () => void = () => {};
  const held = new Promise<void>((resolve) => (deliver = resolve));
  const slow: typeof bus = Object.create(bus, {
    consume: {
      value(...args: Parameters<typeof bus.consume>): PartitionConsumer {
        const consumer = bus.consume(...args);
        async function* late(): AsyncGenerator<Delivery> {
          await held;
          yield* consumer.messages;
        }
        return {
          partition: 0,
          // NATS says how many wait with the first message, and none before it.
          state: { ...consumer.state, lag: 0 },
          messages: late(),
          acknowledge: (sequence) => consumer.acknowledge(sequence),
          recycle: (bytes) => consumer.recycle(bytes),
          stop: () => consumer.stop(),
        };
      },
    },
  });
  const error = vi.fn();
  let away = true;
  const runner = cluster.runner(
    lease,
    { flushMs: 5 },
    {
      bus: slow,
      log: { ...silentLog, error },
      async readStored(probe, epoch) {
        if (away) throw new Error('the store is away');
        return cluster.store.readStored(probe, epoch);
      },
    },
  );
  const run = runner.run();
  await until(() => expect(runner.state.flushRetries).toBeGreaterThan(0));
  lateMs = 40_000;
  away = false;
  await until(() => expect(runner.state.storeError).toBe(''));
  await until(() => expect(runner.state.streams).toBe(1));
  const asked = clock.mock.calls.length;
  await until(() => expect(clock.mock.calls.length).toBeGreaterThan(asked + 20)); // it looked again and again
  deliver();
  await until(() => expect(cluster.store.sum('probe_stats', 'packets')).toBe(100));
  expect(error).not.toHaveBeenCalled();
  expect(cluster.store.sum('flows', 'client_packets')).toBe(100);
  expect(cluster.store.stretches('p1', 5n)[0]).toEqual([0, 5]);
  runner.stop(long);
  await run;
});
