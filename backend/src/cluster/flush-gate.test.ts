import { expect, it } from 'vitest';
import { FlushGate } from './flush-gate.js';

it('lets so many in at once, in the order in which they came, and those who must at any time', async () => {
  const gate = new FlushGate(2);
  const [a, b, c, d] = [{}, {}, {}, {}];
  expect([a, b, c, d].map((who) => gate.tryEnter(who))).toEqual([true, true, false, false]);
  const told = gate.changed();
  gate.leave(0);
  await told;
  expect(gate.tryEnter(d)).toBe(false); // c was there before
  expect(gate.tryEnter(c)).toBe(true);
  gate.enter(a); // whatever the bound: three are inside
  gate.leave(0);
  expect(gate.tryEnter(d)).toBe(false);
  gate.leave(0);
  expect(gate.tryEnter(b)).toBe(false);
  gate.forget(d); // would stand before b for ever
  expect(gate.tryEnter(b)).toBe(true);
});

it('lets a large flush go alone', () => {
  const gate = new FlushGate(2);
  const [a, b] = [{}, {}];
  expect(gate.tryEnter(a)).toBe(true);
  gate.hold(5 << 20);
  expect(gate.tryEnter(b)).toBe(false);
  gate.leave(5 << 20);
  expect(gate.tryEnter(b)).toBe(true);
  gate.hold(1 << 20);
  expect(gate.tryEnter(a)).toBe(true);
});
