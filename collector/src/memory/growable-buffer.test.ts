import { expect, it } from 'vitest';
import { growableBuffer, growBuffer } from './index.js';

const megabyte = 1 << 20;

it('grows where it is: what arrays over it hold stays, what is new is zero', () => {
  const buffer = growableBuffer(8, 64 * megabyte);
  const first = new Uint32Array(buffer, 0, 2).fill(7);
  expect(growBuffer(buffer, 64 * megabyte)).toBe(true);
  const all = new Uint32Array(buffer, 0, 16 * megabyte);
  expect([first.length, all[0], all[1], all[2], all.at(-1)]).toEqual([2, 7, 7, 0, 0]);
  all[1] = 9;
  expect(first[1]).toBe(9);
});

it('says no beyond what was reserved, and takes nothing back', () => {
  const buffer = growableBuffer(16, 8);
  expect(buffer.maxByteLength).toBe(16);
  expect(growBuffer(buffer, 17)).toBe(false);
  expect(growBuffer(buffer, 4)).toBe(true);
  expect(buffer.byteLength).toBe(16);
});

it('takes memory for what is written only', () => {
  const before = process.memoryUsage().rss;
  const buffers = Array.from({ length: 100 }, () => growableBuffer(256 * megabyte, 1024 * megabyte));
  for (const buffer of buffers) new Uint8Array(buffer, 0, 4096).fill(1);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * megabyte);
});
