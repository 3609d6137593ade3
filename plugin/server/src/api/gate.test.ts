import { setMaxListeners } from 'node:events';
import { expect, test } from 'vitest';
import { Gate } from './gate.js';

const open = new AbortController().signal;

test('so many at once, others in the order they came', async () => {
  const gate = new Gate(2);
  const order: number[] = [];
  const first = await gate.enter(open);
  const second = await gate.enter(open);
  const waiting = [3, 4].map(async (name) => {
    const leave = await gate.enter(open);
    order.push(name);
    return leave;
  });
  expect(gate.running).toBe(2);
  first();
  first();
  const third = await waiting[0]!;
  expect(order).toEqual([3]);
  second();
  const fourth = await waiting[1]!;
  expect(order).toEqual([3, 4]);
  third();
  fourth();
  expect(gate.running).toBe(0);
});

test('who leaves the line is forgotten; a place is not lost', async () => {
  const gate = new Gate(1);
  const leave = await gate.enter(open);
  const control = new AbortController();
  const gone = gate.enter(control.signal);
  const next = gate.enter(open);
  control.abort();
  await expect(gone).rejects.toMatchObject({ kind: 'cancelled' });
  leave();
  (await next)();
  expect(gate.running).toBe(0);
  await expect(gate.enter(control.signal)).rejects.toMatchObject({ kind: 'cancelled' });
});

test('too many are refused, and waiting takes its time', async () => {
  const gate = new Gate(1);
  const leave = await gate.enter(open);
  const control = new AbortController();
  setMaxListeners(0, control.signal);
  const all = Array.from({ length: 200 }, () => gate.enter(control.signal));
  await expect(gate.enter(open)).rejects.toMatchObject({ kind: 'overloaded' });
  control.abort(new DOMException('late', 'TimeoutError'));
  const results = await Promise.allSettled(all);
  expect(
    results.every((result) => result.status === 'rejected' && (result.reason as { kind: string }).kind === 'timeout'),
  ).toBe(true);
  leave();
  expect(gate.running).toBe(0);
});
