/** The queue in front of the store: nobody starves, nothing leaks, nothing grows without bound. */
import { setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue, fairQueueLimits } from './fair-queue.js';
import { ApiError } from './problem.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const never = new AbortController().signal;
setMaxListeners(0, never); // all of the test's tasks hang on it

/** A task that runs until it is told to end. */
function held(queue: FairQueue, client: string, signal = never) {
  const state = { started: false, end: (): void => undefined, result: Promise.resolve<unknown>(undefined) };
  state.result = queue
    .run(client, signal, () => {
      state.started = true;
      return new Promise<void>((resolve) => (state.end = resolve));
    })
    .catch((error: unknown) => error);
  return state;
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('fair queue', () => {
  test('one client leaves a place for the others, and has all it may have', async () => {
    const queue = new FairQueue(fairQueueLimits(4));
    const greedy = Array.from({ length: 10 }, () => held(queue, 'greedy'));
    await settle();
    expect(greedy.filter(({ started }) => started)).toHaveLength(3);
    const modest = held(queue, 'modest');
    await settle();
    expect(modest.started).toBe(true);
  });

  test('places go round between clients, however long the line of one of them is', async () => {
    const queue = new FairQueue({ runningMax: 1, runningPerClientMax: 1, waitingMax: 100, waitingPerClientMax: 100 });
    const order: string[] = [];
    const first = held(queue, 'a');
    const rest = [...Array.from({ length: 20 }, () => 'a'), 'b', 'c', 'b'].map((client) =>
      queue.run(client, never, async () => void order.push(client)),
    );
    await settle();
    first.end();
    await Promise.all(rest);
    expect(order.slice(0, 6).sort()).toEqual(['a', 'a', 'b', 'b', 'c', expect.any(String)].sort());
    expect(order.indexOf('c')).toBeLessThan(3);
    expect(order.lastIndexOf('b')).toBeLessThan(6);
    expect([queue.active, queue.queued, queue.clients]).toEqual([0, 0, 0]);
  });

  test('a full line turns away at once: the one of a client before the one of all', async () => {
    const queue = new FairQueue({ runningMax: 1, runningPerClientMax: 1, waitingMax: 4, waitingPerClientMax: 2 });
    const tasks = ['a', 'a', 'a', 'a', 'b', 'b', 'c'].map((client) => held(queue, client));
    const refused = await Promise.race([tasks[3]!.result, settle()]);
    expect(refused).toBeInstanceOf(ApiError);
    expect((refused as ApiError).message).toContain('of this client');
    const full = await Promise.race([tasks[6]!.result, settle()]);
    expect((full as ApiError).kind).toBe('overloaded');
    expect(queue.queued).toBe(4);
  });

  test('an idle server takes the largest request (26 queries), whatever its concurrency', async () => {
    for (const concurrency of [1, 2, 4]) {
      const queue = new FairQueue(fairQueueLimits(concurrency));
      await Promise.all(Array.from({ length: 26 }, () => queue.run('a', never, settle)));
    }
  });

  test(`random comings, goings and failures keep the books (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ client: fc.constantFrom('a', 'b', 'c'), act: fc.nat(4) }), { maxLength: 60 }),
        async (steps) => {
          const limits = { runningMax: 3, runningPerClientMax: 2, waitingMax: 6, waitingPerClientMax: 4 };
          const queue = new FairQueue(limits);
          const tasks: (ReturnType<typeof held> & { abort: () => void })[] = [];
          for (const { client, act } of steps) {
            if (act < 3) {
              const controller = new AbortController();
              const task = held(queue, client, controller.signal);
              tasks.push(Object.assign(task, { abort: () => controller.abort() }));
            } else if (act === 3) tasks.find(({ started }) => started)?.end();
            else tasks.find(({ started }) => !started)?.abort();
            await settle();
            expect(queue.active).toBeLessThanOrEqual(limits.runningMax);
            expect(queue.queued).toBeLessThanOrEqual(limits.waitingMax);
          }
          for (let left = 0; left < 100 && (queue.active > 0 || queue.queued > 0); left += 1) {
            for (const task of tasks) task.end();
            await settle();
          }
          expect([queue.active, queue.queued, queue.clients]).toEqual([0, 0, 0]);
        },
      ),
      { seed, numRuns: 100 },
    );
  });
});
