import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MessageOrder } from './message-order.js';

const numbers = (messages: readonly { sequence: number }[]): number[] => messages.map(({ sequence }) => sequence);

it('brings every message once and in order, however a window of sends mixed and repeated them', () => {
  const arrival = fc.record({ sequence: fc.nat(199), delay: fc.nat(30), again: fc.boolean() });
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 200 }), fc.integer({ min: -1, max: 50 }), (arrivals, position) => {
      const delays = new Map(arrivals.map(({ sequence, delay }) => [sequence, delay]));
      const stream = [
        ...Array.from({ length: 200 }, (_, sequence) => ({ sequence, at: sequence + (delays.get(sequence) ?? 0) })),
        ...arrivals
          .filter(({ again }) => again)
          .map(({ sequence, delay }) => ({ sequence, at: sequence + delay + 40 })),
      ].sort((a, b) => a.at - b.at);
      const order = new MessageOrder<{ sequence: number }>({ position, heldMax: 64 });
      const found = stream.flatMap((message) => numbers(order.add(message)));
      expect(found).toEqual(Array.from({ length: 199 - position }, (_, i) => i + position + 1));
      expect(order.counters).toMatchObject({ gaps: 0, late: 0, duplicates: stream.length - found.length });
      expect(order.waitingCount).toBe(0);
    }),
  );
});

it('goes past a hole when it holds too much, counts it, and gives out once what comes late', () => {
  const order = new MessageOrder<{ sequence: number }>({ position: -1, heldMax: 3 });
  expect(numbers(order.add({ sequence: 0 }))).toEqual([0]);
  for (const sequence of [3, 4, 6]) expect(order.add({ sequence })).toEqual([]);
  expect(numbers(order.add({ sequence: 7 }))).toEqual([3, 4]);
  expect(order.counters).toMatchObject({ gaps: 2, heldMost: 3 });
  expect(numbers(order.add({ sequence: 1 }))).toEqual([1]);
  expect(order.add({ sequence: 1 })).toEqual([]);
  expect(order.add({ sequence: 3 })).toEqual([]);
  expect(order.counters).toMatchObject({ late: 1, duplicates: 2 });
  expect(numbers(order.skipHole())).toEqual([6, 7]);
  expect(order.counters.gaps).toBe(3);
  expect(order.skipHole()).toEqual([]);
  expect(order.next).toBe(8);
});

it('takes what fills a gap that the store has, and nothing else from before the position', () => {
  const gaps = [
    { first: 2, last: 4 },
    { first: 7, last: 7 },
  ];
  const order = new MessageOrder<{ sequence: number }>({ position: 9, gaps, heldMax: 4 });
  const found = [1, 3, 3, 7, 2, 4, 4, 9].flatMap((sequence) => numbers(order.add({ sequence })));
  expect(found).toEqual([3, 7, 2, 4]);
  expect(order.counters).toMatchObject({ late: 4, duplicates: 4, gaps: 0 });
  expect(numbers(order.add({ sequence: 10 }))).toEqual([10]);
});
