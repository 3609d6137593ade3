import { expect, it } from 'vitest';
import { Turns } from './turns.js';

/** Works without a pause, as a partition does whose messages are all there. */
async function work(turns: Turns, name: string, worked: string[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    if (turns.isOver) await turns.next();
    if (worked.at(-1) !== name) worked.push(name);
  }
}

it('one works at a time, in turns, and others of the thread come in between', async () => {
  const turns = new Turns();
  const names = Array.from({ length: 8 }, (_, i) => String(i));
  const worked: string[] = [];
  let rounds = 0;
  const round = (): void => {
    rounds += 1;
    if (rounds < 20) setImmediate(round);
  };
  setImmediate(round);
  await Promise.all(names.map((name) => work(turns, name, worked, () => rounds >= 20)));
  // In 20 rounds of the event loop 20 had a turn, and not 20 times 8.
  expect(worked.length).toBeGreaterThanOrEqual(18);
  expect(worked.length).toBeLessThanOrEqual(20 + names.length);
  expect(worked.slice(0, 16)).toEqual([...names, ...names]);
});
