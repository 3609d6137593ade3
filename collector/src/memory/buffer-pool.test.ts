import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.js';

const kilobytes = (count: number): number => count << 10;
const pool = (bytesMax: number): BufferPool =>
  new BufferPool({ bytesMax, sizeOf: (length) => Math.ceil(length / kilobytes(64)) * kilobytes(64) });

describe('a buffer pool', () => {
  it('gives memory that was given back to the next that fits its size', () => {
    const buffers = pool(kilobytes(1024));
    const first = buffers.take(kilobytes(100));
    expect(first).toHaveLength(kilobytes(100));
    expect(first.buffer.byteLength).toBe(kilobytes(128));
    buffers.giveBack(first.subarray(10, 20)); // any view of it
    expect(buffers.freeBytes).toBe(kilobytes(128));
    expect(buffers.take(kilobytes(40)).buffer).not.toBe(first.buffer);
    expect(buffers.take(kilobytes(128)).buffer).toBe(first.buffer);
    expect(buffers).toMatchObject({ reused: 1, made: 2, freeBytes: 0 });
  });

  it('never has one array in use twice: given back twice it is taken once', () => {
    const buffers = pool(kilobytes(1024));
    const first = buffers.take(kilobytes(64));
    buffers.giveBack(first);
    buffers.giveBack(first);
    const second = buffers.take(kilobytes(64));
    expect(second.buffer).toBe(first.buffer);
    expect(buffers.take(kilobytes(64)).buffer).not.toBe(first.buffer);
  });

  it('takes nothing that is not its own, too small to matter, or went to another thread', () => {
    const buffers = pool(kilobytes(1024));
    buffers.giveBack(new Uint8Array(kilobytes(64)));
    buffers.giveBack(pool(kilobytes(1024)).take(kilobytes(64)));
    buffers.giveBack(buffers.take(kilobytes(16) - 1));
    const sent = buffers.take(kilobytes(64));
    structuredClone(sent.buffer, { transfer: [sent.buffer] });
    buffers.giveBack(sent);
    expect(buffers.freeBytes).toBe(0);
    expect(buffers.take(kilobytes(64))).toHaveLength(kilobytes(64));
  });

  it('frees what it may not keep', () => {
    const buffers = pool(kilobytes(256));
    const large = buffers.take(kilobytes(512));
    buffers.giveBack(large);
    expect(large).toHaveLength(0);
    expect(buffers.freeBytes).toBe(0);
  });

  it('keeps no more than its limit, and lets go of sizes that nobody wants any more', () => {
    const buffers = pool(kilobytes(256));
    const some = Array.from({ length: 6 }, () => buffers.take(kilobytes(64)));
    some.forEach((one) => buffers.giveBack(one));
    expect(buffers.freeBytes).toBe(kilobytes(256));
    buffers.giveBack(buffers.take(kilobytes(1024))); // more than it may ever keep
    expect(buffers.freeBytes).toBe(kilobytes(256));
    const other = buffers.take(kilobytes(128));
    buffers.giveBack(other);
    expect(buffers.freeBytes).toBe(kilobytes(128));
    expect(buffers.take(kilobytes(128)).buffer).toBe(other.buffer);
  });
});
