/**
 * The threads that partitions' workers run in. To start one and to load its code takes as long as to load everything that asks
 * for it, so whoever knows early that threads will be wanted says so (`warmThreads`), and both load side by side. This file is
 * loaded before anything else for that reason: nothing but Node's own modules is imported here.
 */
import { Worker } from 'node:worker_threads';

/** Started, and not wanted yet. They do not keep the process alive. */
const warm: Worker[] = [];

/**
 * The built thread entry (bundled, see scripts/bundle.js). Tests that run on the sources use the build too, since a
 * thread cannot load TypeScript.
 */
function threadUrl(): URL {
  const here = import.meta.url;
  const bundle = here.endsWith('.ts') ? '../../../dist/bundle' : here.includes('/bundle/') ? '.' : '../../bundle';
  return new URL(`${bundle}/worker-thread.js`, here);
}

/** Start threads that `takeThread` will give. Those that nobody takes end with the process. */
export function warmThreads(count: number): void {
  while (warm.length < count) {
    const thread = new Worker(threadUrl());
    thread.unref();
    // One that fails now fails again when it is wanted, and is heard then.
    thread.on('error', () => warm.splice(0, warm.length, ...warm.filter((other) => other !== thread)));
    warm.push(thread);
  }
}

/** A thread that waits for its BeginMessage (see worker-thread.ts). */
export function takeThread(): Worker {
  const thread = warm.shift() ?? new Worker(threadUrl());
  thread.removeAllListeners('error');
  thread.ref();
  return thread;
}
