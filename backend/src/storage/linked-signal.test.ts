import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { linkedSignal } from './linked-signal.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe('a linked signal', () => {
  it('aborts with its source, for the same reason, also when that was before', () => {
    const source = new AbortController();
    const before = linkedSignal(source.signal);
    expect(before.signal.aborted).toBe(false);
    source.abort('gone');
    const after = linkedSignal(source.signal);
    expect([before.signal.reason, after.signal.reason]).toEqual(['gone', 'gone']);
  });

  it('no longer follows when it was released', () => {
    const source = new AbortController();
    const [released, kept] = [linkedSignal(source.signal), linkedSignal(source.signal)];
    released.release();
    source.abort();
    expect([released.signal.aborted, kept.signal.aborted]).toEqual([false, true]);
  });

  it('leaves nothing behind with a source that lives on, also when somebody still listens to it', () => {
    const source = new AbortController();
    const before = heapBytes();
    for (let i = 0; i < 50_000; i += 1) {
      const { signal, release } = linkedSignal(source.signal);
      signal.addEventListener('abort', () => {});
      release();
    }
    // AbortSignal.any: 60 MB
    expect(heapBytes() - before).toBeLessThan(5e6);
    expect(getEventListeners(source.signal, 'abort')).toHaveLength(1);
  });
});
