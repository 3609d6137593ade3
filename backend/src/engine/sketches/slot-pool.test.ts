import { expect, test } from 'vitest';
import { SlotPools } from './slot-pool.js';

test('slots go round among those with the same shape, and only among them', () => {
  const pools = new SlotPools((shape: { width: number }) => ({ width: shape.width }));
  const first = pools.of({ width: 1 }).take();
  expect(pools.of({ width: 1 }).take()).not.toBe(first);
  pools.of({ width: 1 }).give(first);
  expect(pools.of({ width: 2 }).take()).toEqual({ width: 2 });
  expect(pools.of({ width: 1 }).take()).toBe(first);
});

test('a pool keeps few', () => {
  let made = 0;
  const pool = new SlotPools(() => (made += 1)).of({});
  const taken = Array.from({ length: 100 }, () => pool.take());
  for (const slot of taken) pool.give(slot);
  for (let i = 0; i < 100; i += 1) pool.take();
  expect(made).toBeGreaterThan(190);
});
