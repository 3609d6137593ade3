/**
 * Neighbours that are away: the store, its disk, the bus. While ClickHouse is away the probe goes on without a loss,
 * JetStream holds what it publishes, the engine's memory stays bounded, and /readyz says what is wrong; afterwards
 * everything is stored exactly once.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createJetStreamBus } from '@netspectra/collector/bus';
import type { Publisher } from '@netspectra/collector/bus';
import { testMessage } from '../../backend/src/cluster/testing.js';
import { startLiveCluster } from '../kit/live-cluster.js';
import type { LiveCluster, Monitored } from '../kit/live-cluster.js';
import { hasNats } from '../kit/nats.js';
import { until } from './process.js';

const partitions = 2;
const megabyte = 1 << 20;
/**
 * How long ClickHouse is away; OUTAGE_SECONDS=60 is the minute that is promised. 10 s are 50 flush intervals here, and what an
 * engine may hold (one flush that waits, one that gathers) is reached after a second.
 */
const awayMs = Number(process.env['OUTAGE_SECONDS'] ?? 10) * 1_000;
/** How long the bus is away: longer than a lease (2 s), so that the engine loses its partitions. */
const busAwayMs = 3_000;
const packetsOfMessage = 400;
const packetBytes = 100;
/** Messages a second and partition: 20,000 packets a second in all. */
const messagesPerSecond = 25;
/**
 * What an outage may cost an engine: the flush that waits and the one that gathers, 500,000 packets or 16 MB of rows each a
 * partition at most, and messages fetched ahead, 32 MB a process; here far less is published than that.
 */
const memoryGrowthMax = 160 * megabyte;

describe.runIf(hasNats)('an engine whose neighbours are away', () => {
  let cluster: LiveCluster | undefined;
  let stream: { stop(): Promise<number> } | undefined;
  afterEach(async () => {
    await stream?.stop();
    await cluster?.close();
    cluster = stream = undefined;
  });

  async function begin(
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ cluster: LiveCluster; engine: Monitored }> {
    cluster = await startLiveCluster({ partitions, env });
    const engine = await cluster.engine();
    await until(
      'it has the partitions',
      async () => (await engine.metric('netspectra_engine_partitions')) === partitions,
    );
    await until('it is ready', async () => (await engine.readyz()).status === 200);
    return { cluster, engine };
  }

  /** A probe's publishing, at a steady rate, until it is stopped; answers how many packets it handed over. */
  function publishSteadily({ nats }: LiveCluster): { readonly publisher: Publisher; stop(): Promise<number> } {
    const bus = createJetStreamBus({
      connection: { servers: [nats.url], retryMsMax: 200 },
      streams: { partitions, bytesMax: 1 << 30 },
    });
    const publisher = bus.publisher({ windowMessages: 1024 });
    let sequence = 0;
    let full = 0;
    const timer = setInterval(() => {
      for (let partition = 0; partition < partitions; partition += 1) {
        const message = testMessage({ probe: 'steady', epoch: 1n, sequence, partition }, packetsOfMessage, {
          partitions,
        });
        if (publisher.publish(message) === 'full') full += 1;
      }
      sequence += 1;
    }, 1_000 / messagesPerSecond);
    let stopped: Promise<number> | undefined;
    const end = async (): Promise<number> => {
      clearInterval(timer);
      expect(await publisher.close(20_000)).toEqual([]);
      expect([full, publisher.state.lost, publisher.state.refused]).toEqual([0, 0, 0]);
      await bus.close();
      return sequence * partitions * packetsOfMessage;
    };
    return { publisher, stop: () => (stopped ??= end()) };
  }

  /** The most memory an engine takes while something goes on. */
  async function memoryDuring(engine: Monitored, work: () => Promise<void>): Promise<number> {
    let most = engine.memoryBytes();
    const timer = setInterval(() => (most = Math.max(most, engine.memoryBytes())), 100);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
    return most;
  }
  const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const storeLine = async (engine: Monitored): Promise<string> =>
    (await engine.readyz()).body.split('\n').find((line) => line.includes('store')) ?? '';

  /** All of it is there, once, and the bus is empty. */
  async function expectExact(live: LiveCluster, engine: Monitored, packets: number): Promise<void> {
    await until('everything is stored', async () => (await live.stored()).packets >= packets, 40_000);
    await until('the bus is empty', async () => (await live.bus.streams()).every(({ messages }) => messages === 0));
    expect(await live.stored()).toEqual({ packets, bytes: packets * packetBytes });
    expect(await engine.metric('netspectra_engine_missing_messages_total')).toBe(0);
    await until('nothing waits', async () => (await engine.metric('netspectra_engine_lag_messages')) === 0);
    await until('it is ready', async () => (await engine.readyz()).status === 200);
    expect(engine.child.exitCode).toBeNull();
  }

  const minuteMs = 60_000;
  it(
    `takes up where it was when ClickHouse was away for ${awayMs / 1000} s; meanwhile the bus holds`,
    { timeout: awayMs + minuteMs },
    async () => {
      const { cluster: live, engine } = await begin();
      const steady = (stream = publishSteadily(live));
      await until('it stores', async () => (await live.stored()).packets > 0);
      const before = engine.memoryBytes();
      await live.clickhouse.kill();
      let held = 0;
      const most = await memoryDuring(engine, async () => {
        await until('it says so', async () => (await engine.readyz()).status === 503);
        expect(await storeLine(engine)).toMatch(/store: failed: .* did not take rows/);
        await pause(awayMs);
        held = (await live.bus.streams()).reduce((sum, { messages }) => sum + messages, 0);
        expect(await engine.readyz()).toMatchObject({ status: 503 });
        expect(await engine.metric('netspectra_engine_lag_messages')).toBeGreaterThan(held / 2);
      });
      console.log(
        `ClickHouse away: engine grew by ${Math.round((most - before) / megabyte)} MB, the bus held ${held} messages`,
      );
      expect(held).toBeGreaterThan((messagesPerSecond * partitions * awayMs) / 1000 / 2);
      expect(most - before).toBeLessThan(memoryGrowthMax);
      await live.restartClickHouse();
      const packets = await steady.stop();
      await expectExact(live, engine, packets);
      expect(await storeLine(engine)).toContain('takes rows');
      const lines = engine
        .stderr()
        .split('\n')
        .filter((line) => line.includes('rows wait; trying again'));
      // Once for a reason, not once for a try.
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.length).toBeLessThanOrEqual(4 * partitions);
    },
  );

  it('tries again when the disk of ClickHouse is full, and stores everything once when it is not any longer', async () => {
    const { cluster: live, engine } = await begin();
    const steady = (stream = publishSteadily(live));
    await until('it stores', async () => (await live.stored()).packets > 0);
    const body =
      'Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE) (version 26.7.2.1)';
    const faults = Array.from({ length: 8 }, () => ({ match: 'INSERT INTO `traffic`', status: 500, body }));
    await live.clickhouse.fail(...faults);
    await until('it says so', async () => (await engine.readyz()).status === 503);
    expect(await storeLine(engine)).toMatch(/not enough space/);
    const packets = await steady.stop();
    await expectExact(live, engine, packets);
    expect(await engine.metric('netspectra_engine_retries_total')).toBeGreaterThan(0);
  });

  it('survives that NATS is away, idle and busy', async () => {
    const { cluster: live, engine } = await begin();
    const away = async (): Promise<void> => {
      await live.nats.kill();
      await until('it says so', async () => (await engine.readyz()).status === 503);
      expect((await engine.readyz()).body).toMatch(/bus.*not connected/);
      await pause(busAwayMs);
      await live.nats.start();
      await until('it has the partitions again', async () =>
        (await engine.readyz()).body.includes(`${partitions} of ${partitions} partitions`),
      );
    };
    await away();
    const steady = (stream = publishSteadily(live));
    await until('it stores', async () => (await live.stored()).packets > 0);
    await away();
    await expectExact(live, engine, await steady.stop());
  });
});
