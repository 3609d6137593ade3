/** Threads that `analyze` starts before it knows what to do with them. */
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { analyzeFile } from '../../backend/src/cli/analyze.js';
import { takeThread, warmThreads } from '../../backend/src/engine/pipeline/worker-threads.js';
import { sampleCapture } from './process.js';

afterEach(async () => {
  // What a test left warm.
  for (let i = 0; i < 3; i += 1) await takeThread().terminate();
});

it('are given in their order, and others are started when there are none left', async () => {
  warmThreads(2);
  warmThreads(2); // there are two
  const later = new Worker('', { eval: true });
  const taken = [takeThread(), takeThread(), takeThread()];
  expect(taken.map((thread) => thread.threadId - later.threadId)).toEqual([-2, -1, 1]);
  await Promise.all([later, ...taken].map((thread) => thread.terminate()));
});

it('find what the caller finds by itself, more of them or fewer than are wanted', async () => {
  const { analysis } = await analyzeFile(sampleCapture, { top: 10, workers: 1 });
  for (const warm of [1, 3]) {
    warmThreads(warm);
    expect((await analyzeFile(sampleCapture, { top: 10, workers: 3 })).analysis).toEqual(analysis);
  }
});
