/**
 * Frees the memory of buffers that nothing needs any more. Messages and rows are small objects with large buffers outside of V8's
 * heap, and V8 collects by what the heap holds, so hundreds of megabytes of dead buffers would wait for it.
 */
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'minor' | 'major' }) => void;

const lookMs = 100;
/** Buffers may grow by this share and so many bytes before everything is collected (some 10 ms). */
const growthShare = 0.1;
const growthBytes = 12 << 20;

/** Watch the buffers of this thread. @returns a function that ends it */
export function watchBuffers(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as Collect;
  let kept = memoryUsage().arrayBuffers;
  const hasGrown = (): boolean => {
    const now = memoryUsage().arrayBuffers;
    kept = Math.min(kept, now);
    return now > kept * (1 + growthShare) + growthBytes;
  };
  const timer = setInterval(() => {
    if (!hasGrown()) return;
    collect({ type: 'minor' }); // a millisecond, and most messages are young
    if (!hasGrown()) return;
    collect({ type: 'major' });
    kept = memoryUsage().arrayBuffers;
  }, lookMs);
  timer.unref();
  return () => clearInterval(timer);
}
