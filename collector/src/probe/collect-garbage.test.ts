import { constants, PerformanceObserver } from 'node:perf_hooks';
import { expect, it } from 'vitest';
import { collectAll, collectYoung } from './collect-garbage.js';

const { NODE_PERFORMANCE_GC_FLAGS_FORCED, NODE_PERFORMANCE_GC_MINOR, NODE_PERFORMANCE_GC_MAJOR } = constants;

/** Kinds of the collections that were asked for meanwhile. */
async function forced(work: () => void): Promise<number[]> {
  const kinds: number[] = [];
  const seen = new Promise<void>((resolve) => {
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { kind, flags } = (entry as unknown as { detail: { kind: number; flags: number } }).detail;
        if (flags & NODE_PERFORMANCE_GC_FLAGS_FORCED) kinds.push(kind);
      }
      if (kinds.length > 0) {
        observer.disconnect();
        resolve();
      }
    });
    observer.observe({ entryTypes: ['gc'] });
  });
  work();
  await seen;
  return kinds;
}

it('collects the young generation, or everything', async () => {
  expect(await forced(collectYoung)).toEqual([NODE_PERFORMANCE_GC_MINOR]);
  expect(await forced(collectAll)).toEqual([NODE_PERFORMANCE_GC_MAJOR]);
});
