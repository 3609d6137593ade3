/**
 * Chaos: every process of a cluster is killed, stopped and ended in a seeded order, under load, and in the end the store
 * has what was published: nothing lost, nothing double. CHAOS_SEED repeats an order, CHAOS_ROUNDS makes more of it. What
 * else happens meanwhile (who reads what first) no seed decides.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createJetStreamBus } from '@netspectra/collector/bus';
import { Random } from '../../scripts/lib/random.js';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startClickHouse } from '../kit/clickhouse.js';
import { Engines } from '../kit/engines.js';
import { hasNats, startNats } from '../kit/nats.js';
import { asking, judge, readObligations, startOracle } from '../kit/oracle.js';
import type { OracleProbe } from '../kit/oracle.js';
import { hasRedis, startRedis } from '../kit/redis.js';
import { temporaryFolder, until } from './process.js';

const seed = Number(process.env.CHAOS_SEED ?? 1);
const rounds = Number(process.env.CHAOS_ROUNDS ?? 20);
const partitions = 4;
const leaseMs = 2_000;
/** longer than a lease: others have taken what the stopped one held */
const stoppedMs = leaseMs + 1_200;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.runIf(hasNats && hasRedis)('chaos', () => {
  it(
    `stores what was published, once, whatever dies (CHAOS_SEED=${seed})`,
    { timeout: 120_000 + rounds * 6_000 },
    async () => {
      const random = new Random(seed);
      const folder = temporaryFolder();
      const nats = await startNats();
      const redis = await startRedis();
      const dataDir = join(folder.path, 'clickhouse');
      mkdirSync(dataDir);
      let clickhouse = await startClickHouse({ dataDir });
      const configuration = join(folder.path, 'netspectra.yaml');
      writeFileSync(
        configuration,
        JSON.stringify({
          log: { level: 'info' },
          bus: { servers: [nats.url], partitions },
          storage: { clickhouse: { url: clickhouse.url } },
          redis: { url: redis.url },
          engine: {
            ...{ listen: '127.0.0.1:0', workers: 1, lease: leaseMs / 1000, hole_timeout: 2 },
            flush: { interval: 0.4 },
            tasks: [{ type: 'flow' }, { type: 'traffic' }, { type: 'dns' }],
          },
        }),
      );
      const engines = new Engines(configuration);
      const probes = ['oracle-a', 'oracle-b'];
      const logs = Object.fromEntries(probes.map((probe) => [probe, join(folder.path, `${probe}.log`)]));
      const oracles = new Map<string, OracleProbe>();
      const launchOracle = async (probe: string, dice: Random): Promise<void> => {
        const spool = join(folder.path, `spool-${probe}`);
        const load = { seed: dice.next(), packets: 240, tickMs: 100 };
        oracles.set(probe, await startOracle({ url: nats.url, partitions, probe, spool, log: logs[probe]!, ...load }));
      };
      let api: Serving | null = null;
      const launchApi = async (): Promise<Serving> => (api = await startServing(['api', '--config', configuration]));
      onTestFinished(async () => {
        await engines.close('SIGKILL');
        await Promise.all([...oracles.values()].map((oracle) => oracle.kill()));
        await endServings();
        await clickhouse.kill();
        await redis.close();
        await nats.close();
        folder.remove();
      });

      // Each gets dice of its own: what happens at the same time does not change what the others throw.
      const acts: Record<string, (dice: Random) => Promise<void>> = {
        'kill an engine': async (dice) => void engines.signal(dice, 'SIGKILL'),
        'kill another engine': async (dice) => void engines.signal(dice, 'SIGKILL'),
        'end an engine': async (dice) => void engines.signal(dice, 'SIGTERM'),
        'stop an engine for longer than its lease': async (dice) => {
          const child = engines.signal(dice, 'SIGSTOP');
          await pause(stoppedMs);
          child.kill('SIGCONT');
        },
        'kill nats-server': async (dice) => {
          await nats.kill();
          await pause(dice.between(0, 1_500));
          await nats.start();
        },
        'stop nats-server': async (dice) => {
          nats.signal('SIGSTOP');
          await pause(dice.between(200, 2_500));
          nats.signal('SIGCONT');
        },
        'kill ClickHouse': async (dice) => {
          const { port } = clickhouse;
          await clickhouse.kill();
          await pause(dice.between(0, 1_000));
          clickhouse = await startClickHouse({ dataDir, port });
        },
        'lose answers of ClickHouse': async () => {
          // Rows are stored, and who sent them does not know; others are refused and not stored.
          const faults = Array.from({ length: 6 }, (_, i) =>
            i % 3 === 2
              ? { match: 'INSERT INTO', status: 503, body: 'Code: 252. DB::Exception: (TOO_MANY_PARTS)' }
              : { match: 'INSERT INTO', drop: 'after' as const },
          );
          await clickhouse.fail(...faults).catch(() => {}); // it is being killed at the same time
        },
        'kill Redis': async (dice) => {
          await redis.kill();
          await pause(dice.between(0, 1_000));
          await redis.start();
        },
        'kill a probe': async (dice) => {
          const probe = dice.pick(probes);
          await oracles.get(probe)!.kill();
          await launchOracle(probe, dice);
        },
        'kill the API': async () => {
          api!.child.kill('SIGKILL');
          await api!.ended;
          await launchApi();
        },
      };

      engines.want(2);
      await launchApi();
      for (const probe of probes) await launchOracle(probe, random);
      const done: string[] = [];
      // Out of a bag, so that each comes up before one comes again.
      let bag: string[] = [];
      const draw = (): string => {
        if (bag.length === 0) bag = Object.keys(acts);
        return bag.splice(random.between(0, bag.length - 1), 1)[0]!;
      };
      for (let round = 0; round < rounds; round += 1) {
        // Two engines, then one, then three.
        engines.want(round < rounds / 3 ? 2 : round < rounds / 2 ? 1 : 3);
        const chosen = [...new Set(random.between(1, 3) === 1 ? [draw(), draw()] : [draw()])];
        done.push(chosen.join(' and '));
        await Promise.all(chosen.map((name) => acts[name]!(new Random(random.next()))));
        await pause(random.between(300, 1_800));
      }

      const story = (): string =>
        [`CHAOS_SEED=${seed}`, ...done, ...engines.said.map((said) => said().split('\n').slice(-12).join('\n'))].join(
          '\n',
        );
      // Quiet: what is on its way arrives, and the bus lets go of what is stored.
      for (const oracle of oracles.values()) expect(await oracle.finish(), story()).toBe(0);
      const bus = createJetStreamBus({ connection: { servers: [nats.url] }, streams: { partitions } });
      onTestFinished(() => bus.close());
      const waiting = async (): Promise<number> =>
        (await bus.streams()).reduce((sum, { messages }) => sum + messages, 0);
      await until(`everything is stored\n${story()}`, async () => (await waiting()) === 0, 60_000);

      const verdict = await judge(asking(clickhouse.url), readObligations(logs));
      expect(verdict.problems.slice(0, 20), story()).toEqual([]);
      expect(verdict.confirmed).toBeGreaterThan(rounds * 20);

      // The API that was killed says the same.
      const range = {
        from: new Date(Date.now() - 3_600_000).toISOString(),
        to: new Date(Date.now() + 60_000).toISOString(),
      };
      const answer = await api!.query({ ...range, queries: [{ refId: 'A', type: 'table', measures: ['packets'] }] });
      const { results } = (await answer.json()) as { results: { A: { frames: { data: { values: number[][] } }[] } } };
      expect(results.A.frames[0]!.data.values).toEqual([[verdict.packets]]);
      // Engines that are asked to end do, also in the middle of it.
      expect(await engines.close('SIGTERM'), story()).toEqual([0, 0, 0]);
      process.stdout.write(`${verdict.stored} messages, ${verdict.packets} packets\n${done.join('\n')}\n`);
    },
  );
});
