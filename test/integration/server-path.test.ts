/**
 * The way over HTTP to a ClickHouse server: what `up` stores there is row for row what it stores in the embedded
 * database, also when requests are lost on the way, and the same questions get the same answers.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { makeWorld, start } from '../../backend/src/api/planner/reference-testing.js';
import type { Room } from '../../backend/src/api/planner/reference-testing.js';
import type { TestApi } from '../../backend/src/api/testing.js';
import { openStore, rowsOf } from '../../backend/src/storage/index.js';
import type { Store, StoreTarget } from '../../backend/src/storage/index.js';
import { tables } from '../../backend/src/tables/index.js';
import type { TableName } from '../../backend/src/tables/index.js';
import { startClickHouse } from '../kit/clickhouse.js';
import type { ClickHouse } from '../kit/clickhouse.js';
import { startCluster, storeKinds } from '../kit/stores.js';
import type { TestTarget } from '../kit/stores.js';
import { run, sampleCapture, start as startProcess, temporaryFolder, until } from './process.js';

const samplePackets = 1932;
const folders: { path: string; remove(): void }[] = [];
const temporary = (): string => {
  const folder = temporaryFolder();
  folders.push(folder);
  return folder.path;
};
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  folders.splice(0).forEach((folder) => folder.remove());
});

async function server(): Promise<ClickHouse> {
  const started = await startClickHouse({ dataDir: join(temporary(), 'server'), users: ['netspectra:p%40ss word'] });
  ends.push(() => started.kill());
  return started;
}

const login = { user: 'netspectra', password: 'p%40ss word', database: 'traffic' };
const settings = ({ url }: ClickHouse): Record<string, string> => ({
  NETSPECTRA_STORAGE_CLICKHOUSE_URL: url,
  NETSPECTRA_STORAGE_CLICKHOUSE_USER: login.user,
  NETSPECTRA_STORAGE_CLICKHOUSE_PASSWORD: login.password,
  NETSPECTRA_STORAGE_CLICKHOUSE_DATABASE: login.database,
  // Flushes must fall alike in both runs: rows are deltas of a flush.
  NETSPECTRA_ENGINE_FLUSH_INTERVAL: '60s',
  NETSPECTRA_ENGINE_WORKERS: '2',
});

const readArgs = ['up', '--once', '--read', sampleCapture, '--listen', '127.0.0.1:0'];

/** Every row of every table of the engine, each as text, in one order. */
async function allRows(target: StoreTarget): Promise<Record<string, string[]>> {
  const store: Store = await openStore(target, { migrate: false });
  try {
    const found: Record<string, string[]> = {};
    for (const name of Object.keys(tables) as TableName[]) {
      const rows = rowsOf(await store.query(`SELECT * EXCEPT stored_at FROM ${name}`, {}, { exactIntegers: true }));
      found[name] = rows.map((row) => JSON.stringify(row)).sort();
    }
    return found;
  } finally {
    await store.close();
  }
}

describe('a ClickHouse server', () => {
  it('gets the rows that the embedded database gets, each once, whatever happens on the way', async () => {
    const dataDir = temporary();
    const clickhouse = await server();
    const env = settings(clickhouse);
    const embedded = await run([...readArgs, '--data', dataDir], {
      env: { ...env, NETSPECTRA_STORAGE_CLICKHOUSE_URL: '' },
    });
    expect(embedded).toMatchObject({ code: 0, stdout: '' });
    await clickhouse.fail(
      { match: 'INSERT INTO `flows`', drop: 'after' },
      { match: 'INSERT INTO `flows`', drop: 'before' },
      { match: 'INSERT INTO `dns`', status: 503, body: '<html>Service Unavailable</html>' },
      { match: 'INSERT INTO `probe_stats`', drop: 'after' },
    );
    expect(await run(readArgs, { env })).toMatchObject({ code: 0, stdout: '' });

    const wanted = await allRows({ dataDir });
    const found = await allRows({ url: clickhouse.url, ...login });
    expect(Object.values(wanted).flat().length).toBeGreaterThan(200);
    expect(found).toEqual(wanted);

    const again = await run(readArgs, { env });
    expect(again).toMatchObject({ code: 0 });
    expect(again.stderr).toContain('is in the store already');
    expect(again.stderr + embedded.stderr).not.toContain(login.password);
    expect(await allRows({ url: clickhouse.url, ...login })).toEqual(wanted);
  });

  it('that hangs holds up no end: what is not stored is told, and stored by the next start', async () => {
    const dataDir = join(temporary(), 'server');
    let clickhouse = await startClickHouse({ dataDir });
    ends.push(() => clickhouse.kill());
    const env = {
      NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url,
      NETSPECTRA_ENGINE_DRAIN_TIMEOUT: '100ms',
      NETSPECTRA_ENGINE_FLUSH_INTERVAL: '60s',
    };
    const up = startProcess(['up', '--read', sampleCapture, '--replay', '1', '--listen', '127.0.0.1:0'], { env });
    await until('it serves', () => up.stderr().includes('API listens'));
    const address = /"address":"([^"]+)"/.exec(up.stderr())![1]!;
    await until('it reads', async () => {
      const metrics = await fetch(`${address}/metrics`).then((answer) => answer.text());
      return Number(/^netspectra_packets_read_total (\d+)$/m.exec(metrics)![1]) > 0;
    });
    clickhouse.hang();
    up.child.kill('SIGTERM');
    const { code, stderr } = await up.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^netspectra: the store did not answer within engine.drain_timeout \(0.1 s\): [1-9]\d* packets that were read of sample.pcap are not known to be stored; start again with the same files to go on$/m,
    );
    await clickhouse.kill();
    clickhouse = await startClickHouse({ dataDir, port: clickhouse.port });
    expect(await run(readArgs, { env })).toMatchObject({ code: 0 });
    const store = await openStore({ url: clickhouse.url }, { migrate: false });
    const [sum] = rowsOf<{ packets: number }>(await store.query('SELECT sum(packets) AS packets FROM traffic', {}));
    expect(Number(sum!.packets)).toBe(samplePackets);
    await store.close();
  });

  it('that is not there, or refuses us, ends up with one line and exit code 1', async () => {
    const clickhouse = await server();
    const wrong = await run(readArgs, {
      env: { ...settings(clickhouse), NETSPECTRA_STORAGE_CLICKHOUSE_PASSWORD: 'Wr0ng' },
    });
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/^netspectra: the ClickHouse server \S+ refused the user netspectra: [^\n]+\n$/);
    expect(wrong.stderr).not.toContain('Wr0ng');
    await clickhouse.kill();
    const gone = await run(readArgs, { env: settings(clickhouse) });
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toMatch(/^netspectra: no answer from the ClickHouse server [^\n]+\n$/);
  });
});

describe('the API over HTTP', () => {
  const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const world = makeWorld(seed);

  const open = async (start: () => Promise<TestTarget>): Promise<TestApi> => {
    const place = await start();
    const api = await world.open({ open: () => place.open() });
    ends.push(async () => {
      await api.close();
      await place.remove();
    });
    return api;
  };

  const queryOf = (room: Room): fc.Arbitrary<Record<string, unknown>> =>
    fc.record({
      type: fc.constantFrom('table', 'timeseries'),
      measures: fc.subarray(room.measures, { minLength: 1, maxLength: 4 }),
      groupBy: fc.subarray(room.dimensions, { maxLength: 2 }),
      filter: fc.constantFrom(...room.filters.map(({ text }) => text)),
      limit: fc.integer({ min: 1, max: 12 }),
      other: fc.boolean(),
    });
  const requests = fc.record({
    lengthMs: fc.integer({ min: 1_000, max: 150_000 }),
    queries: fc.array(fc.constantFrom(...Object.values(world.rooms)).chain(queryOf), { minLength: 1, maxLength: 4 }),
  });

  const ofKind = (kind: Store['kind']) => storeKinds.find((each) => each.kind === kind)!.start;

  it.each([
    ['a server', ofKind('server'), 'single'],
    ['a cluster with shards', startCluster, 'sharded'],
  ] as const)(
    `answers random queries over %s as over the embedded database (seed ${seed})`,
    async (_, begin, layout) => {
      const here = await open(ofKind('embedded'));
      const there = await open(begin);
      expect([here.store, there.store]).toMatchObject([
        { kind: 'embedded', layout: { kind: 'single' } },
        { kind: 'server', layout: { kind: layout } },
      ]);
      const from = start * 1000;
      await fc.assert(
        fc.asyncProperty(requests, async ({ lengthMs, queries }) => {
          const request = {
            from,
            to: from + lengthMs,
            queries: queries.map((query, i) => ({ refId: `Q${i}`, maxDataPoints: 20, ...query })),
          };
          const [mine, theirs] = await Promise.all([here.query(request), there.query(request)]);
          const told = (results: typeof mine) =>
            Object.entries(results).map(([id, { frames, error, status, meta }]) => ({
              ...{ id, frames, error, status },
              tables: meta?.tables,
              truncated: meta?.truncated,
            }));
          expect(told(theirs)).toEqual(told(mine));
        }),
        { seed, numRuns: 40, interruptAfterTimeLimit: 10_000, markInterruptAsFailure: false },
      );
    },
  );
});
