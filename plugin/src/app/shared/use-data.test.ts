// @vitest-environment jsdom
import '../../testing/dom.js';
import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { useData } from './use-data.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Requests that are answered by hand. */
function requests() {
  const open: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  const ask = (): Promise<string> => new Promise((resolve, reject) => open.push({ resolve, reject }));
  return { open, ask };
}
const pass = (ms: number): Promise<void> => act(async () => void (await vi.advanceTimersByTimeAsync(ms)));

describe('data of a page', () => {
  it('waits for an answer that takes longer than the pause, and asks again after it', async () => {
    const { open, ask } = requests();
    const { result } = renderHook(() => useData(ask, 1_000));
    await pass(5_000);
    expect(open).toHaveLength(1);
    open[0]!.resolve('late');
    await pass(0);
    expect(result.current.data).toBe('late');
    await pass(1_000);
    expect(open).toHaveLength(2);
  });

  it('keeps the last answer when the next one fails, and asks on', async () => {
    const { open, ask } = requests();
    const { result, unmount } = renderHook(() => useData(ask, 1_000));
    open[0]!.resolve('first');
    await pass(1_000);
    open[1]!.reject(new Error('down'));
    await pass(0);
    expect(result.current).toMatchObject({ data: 'first', error: { message: 'down' } });
    await pass(1_000);
    expect(open).toHaveLength(3);
    open[2]!.resolve('again');
    await pass(0);
    expect(result.current).toMatchObject({ data: 'again', error: undefined });
    unmount();
    await pass(5_000);
    expect(open).toHaveLength(3);
  });

  it('shows nothing of an answer that was overtaken', async () => {
    const { open, ask } = requests();
    const { result } = renderHook(() => useData(ask));
    act(() => result.current.reload());
    open[1]!.resolve('new');
    await pass(0);
    open[0]!.resolve('old');
    await pass(0);
    expect(result.current.data).toBe('new');
  });
});
