/** Several API processes over one ClickHouse server: what one changes, the others see; of two changes one wins. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createManagement, systemActor, VersionConflictError } from '../../backend/src/management/index.js';
import type { Management } from '../../backend/src/management/index.js';
import type { Store } from '../../backend/src/storage/index.js';
import { storeKinds } from '../kit/stores.js';
import type { TestTarget } from '../kit/stores.js';

const kind = storeKinds.find((each) => each.kind === 'server')!;
const settings = { name: 'x', role: 'viewer', networks: [], expiresAt: null, onBehalfOf: false } as const;
let target: TestTarget;
const stores: Store[] = [];
const processes: Management[] = [];

beforeAll(async () => {
  target = await kind.start();
  for (let i = 0; i < 3; i += 1) {
    const store = await target.open();
    stores.push(store);
    processes.push(createManagement(store, { freshMsMax: 200 }));
  }
});
afterAll(async () => {
  for (const store of stores) await store.close();
  await target.remove();
});

describe('three processes over one server', () => {
  test('make the first token once', async () => {
    const first = await Promise.all(processes.map(({ tokens }) => tokens.createFirst()));
    const made = first.filter((token) => token !== null);
    expect(made).toHaveLength(1);
    for (const { tokens } of processes) expect(await tokens.check(made[0]!.text)).toMatchObject({ ok: true });
    for (const { tokens } of processes) expect(await tokens.createFirst()).toBeNull();
  });

  test('see a revocation, a rotation and a new token within seconds', async () => {
    const [a, b] = processes as [Management, Management];
    const { version, text } = await a.tokens.create(settings, systemActor);
    await expect.poll(async () => (await b.tokens.check(text)).ok, { timeout: 5_000 }).toBe(true);
    const { text: second } = await a.tokens.rotate(version.id, 1, 0, systemActor);
    await expect.poll(async () => (await b.tokens.check(text)).ok, { timeout: 5_000 }).toBe(false);
    expect((await b.tokens.check(second)).ok).toBe(true);
    await b.tokens.revoke(version.id, 2, systemActor);
    expect((await b.tokens.check(second)).ok).toBe(false);
    await expect.poll(async () => (await a.tokens.check(second)).ok, { timeout: 5_000 }).toBe(false);
  });

  test('that change one version at once: one wins each time, and every win is in the history', async () => {
    const rules = processes.map((each) => each.captureRules);
    const body = { name: 'n', probes: ['*'], filter: '', action: { type: 'drop' }, priority: 0 } as const;
    const { id } = await rules[0]!.create('race', body, systemActor, 'create');
    const won: number[] = [];
    for (let version = 1; version <= 15; version += 1) {
      const results = await Promise.allSettled(
        rules.map((each, i) =>
          each.update(id, version, { ...body, priority: version * 10 + i }, systemActor, 'update'),
        ),
      );
      const wins = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.body.priority] : []));
      expect(wins).toHaveLength(1);
      won.push(wins[0]!);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(VersionConflictError);
      }
    }
    const history = await rules[2]!.history(id, 100);
    expect(history.map((each) => each.body.priority)).toEqual([...won].reverse().concat(0));
  });

  test('a change whose answer is lost is made once', async () => {
    const { rules } = processes[0]!;
    const body = {
      name: 'n',
      query: { measure: 'bytes' },
      condition: { type: 'threshold', operator: '>', value: 1 },
      interval: '1m',
      severity: 'info',
    } as const;
    await rules.create('lost', body, systemActor, 'create');
    await target.server!.fail(
      { match: 'INSERT INTO `rules`', drop: 'after' },
      { match: 'INSERT INTO `rules`', drop: 'during' },
    );
    const made = await rules.update('lost', 1, { ...body, name: 'm' }, systemActor, 'update');
    expect(made).toMatchObject({ version: 2, body: { name: 'm' } });
    expect(await rules.history('lost', 10)).toHaveLength(2);
  });
});
