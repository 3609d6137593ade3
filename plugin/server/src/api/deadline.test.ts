import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { deadlineOf } from './deadline.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('aborts with its source, for the reason of the source', () => {
  const source = new AbortController();
  const { signal } = deadlineOf(source.signal, 1_000);
  source.abort(new Error('left'));
  expect(signal.reason).toEqual(new Error('left'));
  expect(deadlineOf(source.signal, 1_000).signal.aborted).toBe(true);
});

test('aborts when time is up, unless the clock was stopped', () => {
  const source = new AbortController().signal;
  const [running, stopped] = [deadlineOf(source, 1_000), deadlineOf(source, 1_000)];
  stopped.stopClock();
  vi.advanceTimersByTime(1_000);
  expect(running.signal.reason).toMatchObject({ name: 'TimeoutError' });
  expect(stopped.signal.aborted).toBe(false);
});

test('leaves nothing at a source that lives on', () => {
  const source = new AbortController();
  for (let i = 0; i < 100; i += 1) deadlineOf(source.signal, 1_000).end();
  expect(getEventListeners(source.signal, 'abort')).toHaveLength(0);
  expect(vi.getTimerCount()).toBe(0);
});
