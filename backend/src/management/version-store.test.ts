import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../errors.js';
import { openStore } from '../storage/index.js';
import type { InsertBlock, Store } from '../storage/index.js';
import { temporaryDataDir } from '../storage/testing.js';
import { systemActor } from './actor.js';
import { NotFoundError, OutcomeUnknownError, TooManyError, VersionConflictError } from './errors.js';
import { VersionStore } from './version-store.js';

interface Body {
  readonly name: string;
  readonly value: number;
}

const folder = temporaryDataDir();
let store: Store;
beforeAll(async () => {
  store = await openStore({ dataDir: folder.path });
});
afterAll(async () => {
  await store.close();
  folder.remove();
});

const seed = process.env['FC_SEED'] === undefined ? {} : { seed: Number(process.env['FC_SEED']) };
let names = 0;
const newId = (): string => `id-${(names += 1)}`;

/** The store as another process sees it: calls are let through one at a time, in an order that the test draws. */
function interleaved(turn: () => Promise<void>, inserts: (block: InsertBlock) => Promise<void>): Store {
  return {
    ...store,
    kind: 'server',
    layout: store.layout,
    location: '',
    database: store.database,
    version: '',
    query: async (...call) => {
      await turn();
      return store.query(...call);
    },
    command: (...call) => store.command(...call),
    insert: async (block) => {
      await turn();
      await inserts(block);
    },
    ping: () => store.ping(),
    close: async () => undefined,
  };
}

describe('versions', () => {
  test('are made, changed and deleted; all of them are the history', async () => {
    let now = 1_700_000_000_000;
    const rules = new VersionStore<Body>(store, 'rules', { now: () => (now += 1000) });
    const id = newId();
    const actor = { ...systemActor, id: 't1', name: 'tab\tquote\'"\\\nend', onBehalfOf: 'ann' };
    const first = await rules.create(id, { name: 'a', value: 1 }, actor, 'rule.create');
    expect(first).toMatchObject({ id, version: 1, createdAt: now, changedAt: now, body: { name: 'a', value: 1 } });
    const second = await rules.update(id, 1, { name: 'é \u{1F600}\t\\', value: 2 }, actor, 'rule.update');
    expect(second).toMatchObject({ version: 2, createdAt: first.createdAt, changedAt: now });
    expect(await rules.get(id)).toEqual(second);
    expect(second.actor).toEqual({ kind: 'system', id: 't1', name: actor.name, onBehalfOf: 'ann' });
    await expect(rules.update(id, 1, first.body, actor, 'rule.update')).rejects.toThrow(VersionConflictError);
    await expect(rules.create(id, first.body, actor, 'rule.create')).rejects.toThrow(VersionConflictError);
    expect(await rules.update(id, null, first.body, actor, 'rule.update')).toMatchObject({ version: 3 });
    await expect(rules.remove(id, 2, actor, 'rule.delete')).rejects.toMatchObject({ current: 3 });
    expect(await rules.remove(id, 3, actor, 'rule.delete')).toMatchObject({ version: 4, deleted: true });
    expect(await rules.get(id)).toBeNull();
    await expect(rules.update(id, 4, first.body, actor, 'rule.update')).rejects.toThrow(NotFoundError);
    await expect(rules.update('nothing', 1, first.body, actor, 'rule.update')).rejects.toThrow(NotFoundError);
    const history = await rules.history(id, 10);
    expect(history.map(({ version, deleted, body }) => [version, deleted, body.value])).toEqual([
      [4, true, 1],
      [3, false, 1],
      [2, false, 2],
      [1, false, 1],
    ]);
    expect((await rules.history(id, 2, 3)).map(({ version }) => version)).toEqual([2, 1]);
  });

  test('are listed by name, page by page, with a search', async () => {
    const rules = new VersionStore<Body>(store, 'capture_rules', { thingsMax: 5 });
    for (const name of ['b', 'a', 'c', 'B', 'a']) {
      await rules.create(newId(), { name, value: name === 'c' ? 7 : 0 }, systemActor, 'create');
    }
    const seen: string[] = [];
    for (let after = undefined as Parameters<typeof rules.list>[0]['after']; ;) {
      const { versions, next } = await rules.list({ limit: 2, after });
      seen.push(...versions.map((version) => version.body.name));
      if (!next) break;
      after = next;
    }
    expect(seen).toEqual(['B', 'a', 'a', 'b', 'c']);
    expect((await rules.list({ limit: 9, search: 'b' })).versions).toHaveLength(2);
    const where = [`JSONExtractInt(body, 'value') = {value:Int32}`];
    expect((await rules.list({ limit: 9, where, params: { value: 7 } })).versions).toHaveLength(1);
    await expect(rules.create(newId(), { name: 'd', value: 0 }, systemActor, 'create')).rejects.toThrow(TooManyError);
  });
});

describe('several processes', () => {
  test('that write one version at the same time: exactly one succeeds, and no version is lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 4 }),
        fc.infiniteStream(fc.nat()),
        fc.infiniteStream(fc.constantFrom('stored', 'stored', 'stored', 'answer lost', 'request lost')),
        async (writers, draws, fates) => {
          // Every call waits here until the test picks it: any interleaving of the calls can come about.
          const waiting: (() => void)[] = [];
          const turn = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
          const insert = async (block: InsertBlock): Promise<void> => {
            const fate = fates.next().value;
            if (fate !== 'request lost') await store.insert(block);
            if (fate !== 'stored') throw new UserError('NS_STORE_UNAVAILABLE', 'broken pipe');
          };
          const id = newId();
          await new VersionStore<Body>(store, 'rules').create(id, { name: 'n', value: 0 }, systemActor, 'create');
          const rounds = 3;
          const wins: number[] = [];
          let running = writers;
          for (let writer = 1; writer <= writers; writer += 1) {
            const rules = new VersionStore<Body>(interleaved(turn, insert), 'rules', { visibleMsMax: 200 });
            void (async () => {
              for (let round = 0; round < rounds; round += 1) {
                const seen = await rules.get(id);
                try {
                  const made = await rules.update(
                    id,
                    seen!.version,
                    { name: 'n', value: writer * 100 + round },
                    systemActor,
                    'update',
                  );
                  wins.push(made.version * 1000 + made.body.value);
                } catch (error) {
                  if (error instanceof OutcomeUnknownError) continue;
                  expect(error).toBeInstanceOf(VersionConflictError);
                }
              }
              running -= 1;
            })();
          }
          while (running > 0) {
            await new Promise((resolve) => setImmediate(resolve));
            const [next] = waiting.splice(draws.next().value % Math.max(1, waiting.length), 1);
            next?.();
          }
          const history = await new VersionStore<Body>(store, 'rules').history(id, 100);
          const stored = history.map(({ version, body }) => version * 1000 + body.value).reverse();
          expect(history.map(({ version }) => version)).toEqual(history.map((_, i) => history.length - i));
          // The engine took one row of each version: nothing is left for clocks to decide.
          const twice = 'SELECT version FROM rules WHERE id = {id:String} GROUP BY version HAVING count() > 1';
          expect((await store.query(twice, { id })).rows).toBe(0);
          expect(new Set(wins).size).toBe(wins.length);
          // Whoever was told of success stands in the history, as the one of its version.
          for (const win of wins) expect(stored).toContain(win);
          // Every version but the first was somebody's success, or of an unknown outcome.
          expect(wins.length).toBeLessThanOrEqual(history.length - 1);
        },
      ),
      { numRuns: 12, ...seed },
    );
  });

  test('a writer that slept through the memory of tokens does not replace what is there', async () => {
    const rules = new VersionStore<Body>(store, 'rules');
    const id = newId();
    await rules.create(id, { name: 'n', value: 1 }, systemActor, 'create');
    await rules.update(id, 1, { name: 'n', value: 2 }, systemActor, 'update');
    // The same version once more, under a token that the engine does not know.
    const late = interleaved(
      () => Promise.resolve(),
      (block) => store.insert({ ...block, token: `${block.token}-forgotten` }),
    );
    const stale: Store = {
      ...late,
      query: (sql, params, options) =>
        store.query(
          sql.includes('ORDER BY version DESC') ? sql.replace('ORDER BY', 'AND version < 2 ORDER BY') : sql,
          params,
          options,
        ),
    };
    await expect(
      new VersionStore<Body>(stale, 'rules').update(id, 1, { name: 'n', value: 3 }, systemActor, 'update'),
    ).rejects.toThrow(VersionConflictError);
    expect(await rules.get(id)).toMatchObject({ version: 2, body: { value: 2 } });
    expect((await rules.history(id, 10)).map(({ body }) => body.value)).toEqual([2, 1]);
  });

  test('a store that does not say what it did gives an unknown outcome', async () => {
    const gone: Store = {
      ...interleaved(
        () => Promise.resolve(),
        () => Promise.reject(new UserError('NS_STORE_UNAVAILABLE', 'gone')),
      ),
    };
    const rules = new VersionStore<Body>(gone, 'rules', { visibleMsMax: 50 });
    await expect(rules.create(newId(), { name: 'n', value: 1 }, systemActor, 'create')).rejects.toThrow(
      OutcomeUnknownError,
    );
  });
});
