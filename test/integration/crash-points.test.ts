/**
 * An engine dies, or is stopped, at every named point of a flush, and another goes on: nothing is lost, nothing double.
 * `z` is there all the time; whoever comes beside it is the first in the order of ids and gets the only partition, until
 * something happens to it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Kvm } from '@nats-io/kv';
import { createJetStreamBus, createNatsRecords } from '@netspectra/collector/bus';
import type { JetStreamBus } from '@netspectra/collector/bus';
import { Random } from '../../scripts/lib/random.js';
import { openStore } from '../../backend/src/storage/index.js';
import { startClickHouse } from '../kit/clickhouse.js';
import type { ClickHouse } from '../kit/clickhouse.js';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsServer } from '../kit/nats.js';
import { asking, judge, readObligations, startOracle } from '../kit/oracle.js';
import type { OracleProbe } from '../kit/oracle.js';
import { owned, temporaryFolder, until } from './process.js';

const program = fileURLToPath(new URL('../kit/engine-at-point.js', import.meta.url));
const leaseMs = 800;
const tables = ['flows', 'traffic', 'dns', 'probe_stats'];
const inserts = tables.flatMap((table) => [`before ${table}`, `after ${table}`]);

interface Happening {
  readonly at: string;
  readonly act: 'kill' | 'stop' | 'block';
  /** flushes that go well before it */
  readonly after?: number;
  readonly blockMs?: number;
  /** it acknowledges nothing, so that the next one finds on the bus what is stored */
  readonly forgetful?: boolean;
}

interface Engine {
  readonly child: ChildProcess;
  readonly said: readonly string[];
  readonly ended: Promise<void>;
  /** Resolves when it has said something that begins so. */
  says(begin: string): Promise<void>;
}

const folder = temporaryFolder();
let nats: NatsServer;
let clickhouse: ClickHouse;
let bus: JetStreamBus;
let oracle: OracleProbe;
/** epochs of the test that runs: the oracle names them by the clock, in microseconds */
let sinceEpoch = 0n;
const log = join(folder.path, 'oracle.log');
const engines = new Set<Engine>();

function startEngine(id: string, happening?: Happening, insertMs = 0): Engine {
  const options = { nats: nats.url, clickhouse: clickhouse.url, partitions: 1, id, leaseMs, flushMs: 150, insertMs };
  const child = owned(
    spawn(process.execPath, [program, JSON.stringify({ ...options, after: 2, ...happening })], { stdio: 'pipe' }),
  );
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const engine: Engine = {
    child,
    said,
    ended,
    async says(begin) {
      const heard = (): boolean => said.some((line) => line.startsWith(begin));
      await until(`${id} says ${begin}`, heard).catch((cause: unknown) => {
        throw new Error(`${String(cause)}; it said:\n${said.join('\n')}`);
      });
    },
  };
  engines.add(engine);
  void ended.then(() => engines.delete(engine));
  return engine;
}

async function end(engine: Engine): Promise<void> {
  engine.child.kill('SIGTERM');
  await engine.ended;
}

/** Messages that are stored. */
async function stored(): Promise<number> {
  const [row] = await ask('SELECT sum(last_seq - first_seq + 1) AS messages FROM probe_stats');
  return Number(row!['messages']);
}

async function storedGrowsBy(messages: number): Promise<void> {
  const before = await stored();
  await until(`${messages} more messages are stored`, async () => (await stored()) >= before + messages);
}

const ask = (sql: string): Promise<Record<string, string>[]> => asking(clickhouse.url)(sql);

/** Publish nothing more, wait until the bus has let go of everything, and compare. */
async function expectWhole(...involved: readonly Engine[]): Promise<void> {
  await oracle.pause();
  await until('the stream is empty', async () => (await bus.streams())[0]!.messages === 0);
  // What an earlier test found wrong is not this one's.
  const { problems, stored: messages } = await judge(ask, readObligations({ oracle: log }), sinceEpoch);
  expect(problems.slice(0, 20), involved.map(({ said }) => said.join('\n')).join('\n--\n')).toEqual([]);
  expect(messages).toBeGreaterThan(10);
}

describe.runIf(hasNats)('an engine that something happens to', () => {
  let standing: Engine;

  beforeAll(async () => {
    nats = await startNats();
    clickhouse = await startClickHouse({ dataDir: join(folder.path, 'clickhouse') });
    const target = { url: clickhouse.url, user: 'default', password: '', database: 'netspectra' };
    await (await openStore(target)).close();
    bus = createJetStreamBus({ connection: { servers: [nats.url] }, streams: { partitions: 1 } });
    await bus.ready(10_000);
    await bus.ensureStreams();
    standing = startEngine('z');
    await standing.says('partitions taken');
    const spool = join(folder.path, 'spool');
    const rate = { seed: 1, packets: 60, tickMs: 50 };
    oracle = await startOracle({ url: nats.url, partitions: 1, probe: 'oracle', spool, log, ...rate });
    await oracle.pause();
  });
  beforeEach(() => {
    sinceEpoch = BigInt(Date.now()) * 1_000n;
    oracle.resume();
  });
  afterAll(async () => {
    await oracle.kill();
    for (const { child } of engines) child.kill('SIGKILL');
    await Promise.all([...engines].map(({ ended }) => ended));
    await bus.close();
    await clickhouse.kill();
    await nats.close();
    folder.remove();
  });

  it.each(['cut', 'declared', ...inserts, 'written', 'acknowledged'])('is killed: %s', async (at) => {
    const victim = startEngine('a', { at, act: 'kill' });
    await victim.ended;
    expect(victim.said).toContain(`at ${at}`);
    await expectWhole(victim, standing);
  });

  it('is killed in its fifth flush, and the bus has not let go of any', async () => {
    const victim = startEngine('a', { at: 'after flows', act: 'kill', after: 4, forgetful: true });
    await victim.ended;
    await expectWhole(victim, standing);
  });

  it.each(['cut', 'declared', 'before flows', 'before dns', 'before probe_stats', 'written'])(
    'is stopped until another has its partition and wrote: %s',
    async (at) => {
      const victim = startEngine('a', { at, act: 'stop' });
      await victim.says(`at ${at}`);
      await storedGrowsBy(5);
      victim.child.kill('SIGCONT');
      await victim.says('the lease of a partition was lost');
      await storedGrowsBy(5);
      await expectWhole(victim, standing);
      await end(victim);
    },
  );

  it('loses its lease in the middle of every flush', async () => {
    const slow = startEngine('a', { at: 'before traffic', act: 'block', after: 0, blockMs: leaseMs + 300 });
    await until('it lost it twice', () => slow.said.filter((line) => line.startsWith('the lease of')).length >= 2);
    await end(slow);
    await expectWhole(slow, standing);
  });

  it('fights with another for a partition whose records are removed and written over', async () => {
    const fighters = ['a', 'b'].map((id) => startEngine(id, undefined, 30));
    await fighters[0]!.says('partitions taken');
    const records = createNatsRecords(bus, 'netspectra-engines');
    const marked = await new Kvm(await bus.ready(1_000)).open('netspectra-engines');
    const random = new Random(1);
    for (let i = 0; i < 12; i += 1) {
      // The holder's own record goes, too, so that the others think that it is gone.
      for (const key of ['partition.0', 'engine.a', 'engine.b']) {
        const record = await records.get(key);
        if (!record) continue;
        if (random.between(0, 1) === 0) await marked.delete(key);
        else await records.put(key, '{"holder":"nobody"', record.revision);
      }
      await storedGrowsBy(1);
    }
    await expectWhole(...fighters, standing);
    for (const one of fighters) await end(one);
  });
});
