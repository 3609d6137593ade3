import { expect, it } from 'vitest';
import { mergeNameCounts, NameCounter } from './application-count.js';

it('counts names that share a slot each for itself, with and without slots, and beyond the limit together', () => {
  const counter = new NameCounter(3, 8);
  for (const name of ['a', 'b', 'a', 'a', 'b']) counter.addAgain(name, 5);
  counter.addAgain('c', -1);
  counter.add('a');
  counter.addAgain('d', 5);
  counter.addAgain('a', 5);
  expect(counter.read()).toEqual({ entries: [['a', 5], ['b', 2], ['c', 1]], other: 1 }); // prettier-ignore
});

it('puts counts together, largest first and equal ones by name', () => {
  const first = { entries: [['x', 1], ['b', 2]], other: 1 } as const; // prettier-ignore
  const second = { entries: [['a', 2], ['x', 4]], other: 2 } as const; // prettier-ignore
  expect(mergeNameCounts([first, second])).toEqual({ entries: [['x', 5], ['a', 2], ['b', 2]], other: 3 }); // prettier-ignore
});
