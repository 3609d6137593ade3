/**
 * A nats-server that comes back, several times and under load, without the last of what it had confirmed and with numbers that
 * mean other messages then, while engines come and go: everything is stored, once. CHAOS_SEED repeats an order.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createJetStreamBus } from '@netspectra/collector/bus';
import { Random } from '../../scripts/lib/random.js';
import { startClickHouse } from '../kit/clickhouse.js';
import { Engines } from '../kit/engines.js';
import { hasNats, startNats } from '../kit/nats.js';
import { asking, judge, readObligations, startOracle } from '../kit/oracle.js';
import type { OracleProbe } from '../kit/oracle.js';
import { temporaryFolder, until } from './process.js';

const seed = Number(process.env.CHAOS_SEED ?? 1);
const rounds = Number(process.env.CHAOS_ROUNDS ?? 8);
const partitions = 4;
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.runIf(hasNats)('a server that is set back', () => {
  it(`costs nothing that was confirmed (CHAOS_SEED=${seed})`, { timeout: 120_000 + rounds * 6_000 }, async () => {
    const random = new Random(seed);
    const folder = temporaryFolder();
    const nats = await startNats();
    const dataDir = join(folder.path, 'clickhouse');
    mkdirSync(dataDir);
    const clickhouse = await startClickHouse({ dataDir });
    const configuration = join(folder.path, 'netspectra.yaml');
    writeFileSync(
      configuration,
      JSON.stringify({
        bus: { servers: [nats.url], partitions },
        storage: { clickhouse: { url: clickhouse.url } },
        engine: {
          ...{ listen: '127.0.0.1:0', workers: 1, lease: 2, hole_timeout: 2 },
          flush: { interval: 0.3 },
          tasks: [{ type: 'flow' }, { type: 'traffic' }, { type: 'dns' }],
        },
      }),
    );
    const engines = new Engines(configuration);
    const probes = ['oracle-a', 'oracle-b'];
    const logs = Object.fromEntries(probes.map((probe) => [probe, join(folder.path, `${probe}.log`)]));
    const oracles: OracleProbe[] = [];
    onTestFinished(async () => {
      await engines.close('SIGKILL');
      await Promise.all(oracles.map((oracle) => oracle.kill()));
      await clickhouse.kill();
      await nats.close();
      folder.remove();
    });
    engines.want(2);
    for (const probe of probes) {
      const spool = join(folder.path, `spool-${probe}`);
      const load = { seed: random.next(), packets: 240, tickMs: 50 };
      oracles.push(await startOracle({ url: nats.url, partitions, probe, spool, log: logs[probe]!, ...load }));
    }
    for (let round = 0; round < rounds; round += 1) {
      await pause(random.between(1_500, 2_500));
      if (random.between(1, 3) === 1) engines.signal(random, 'SIGKILL');
      await nats.setBack(random.between(50, 800));
    }
    const story = (): string => engines.said.map((said) => said().split('\n').slice(-12).join('\n')).join('\n');
    for (const oracle of oracles) expect(await oracle.finish(), story()).toBe(0);
    const bus = createJetStreamBus({ connection: { servers: [nats.url] }, streams: { partitions } });
    onTestFinished(() => bus.close());
    const waiting = async (): Promise<number> => (await bus.streams()).reduce((sum, { messages }) => sum + messages, 0);
    await until(`everything is stored\n${story()}`, async () => (await waiting()) === 0, 60_000);
    const verdict = await judge(asking(clickhouse.url), readObligations(logs));
    expect(verdict.problems.slice(0, 20), story()).toEqual([]);
    expect(verdict.confirmed).toBeGreaterThan(rounds * 20);
    // It did what it is here for: numbers came to mean other messages behind the back of engines that knew them.
    expect(engines.said.map((said) => said()).join('')).toContain('older than it was');
  });
});
