import { expect, it } from 'vitest';
import { FlushGate } from './flush-gate.js';

it('lets so many in at once, in the order in which they came, and those who must at any time', async () => {
  const gate = new FlushGate(2);
  const [a, b, c, d] = [{}, {}, {}, {}];
  expect([a, b, c, d].map((who) => gate.tryEnter(who))).toEqual([true, true, false, false]);
  const told = gate.changed();
  gate.leave();
  await told;
  expect(gate.tryEnter(d)).toBe(false); // c was there before
  expect(gate.tryEnter(c)).toBe(true);
  gate.enter(a); // whatever the bound: three are inside
  gate.leave();
  expect(gate.tryEnter(d)).toBe(false);
  gate.leave();
  expect(gate.tryEnter(b)).toBe(false);
  gate.forget(d); // would stand before b for ever
  expect(gate.tryEnter(b)).toBe(true);
});
