import { expect, it } from 'vitest';
import { freeMemory } from './index.js';

const megabyte = 1 << 20;

it('gives memory back at once, without a collection', () => {
  const before = process.memoryUsage().arrayBuffers;
  const array = new Uint32Array(8 * megabyte);
  expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(31 * megabyte);
  freeMemory(array.buffer);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(megabyte);
  expect(array).toHaveLength(0);
  freeMemory(array.buffer); // there is none any more
});

it('leaves small arrays to the collector, and alone what several threads may read', () => {
  const small = new Uint8Array(1024);
  freeMemory(small.buffer);
  expect(small).toHaveLength(1024);
  const shared = new Uint8Array(new SharedArrayBuffer(megabyte));
  freeMemory(shared.buffer);
  expect(shared).toHaveLength(megabyte);
});
