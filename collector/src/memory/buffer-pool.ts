/**
 * Large byte arrays that are used again and again, in one thread.
 *
 * As garbage an array of 256 KB costs its pages twice (they are mapped, zeroed and given back), and V8 collects all of its
 * heap after every 64 MB of such arrays. So whoever has read one gives it back. What is not given back is collected as ever.
 */
import { freeMemory } from './free-memory.js';

/** Smaller ones are left to the collector: they die young, which costs next to nothing. */
const bytesMin = 16 << 10;

export interface BufferPoolOptions {
  /** most that is kept */
  readonly bytesMax: number;
  /** @returns the size of the memory in which an array of `length` bytes is put, at least `length`; there should be few sizes */
  readonly sizeOf: (length: number) => number;
}

export class BufferPool {
  /** arrays that found memory that was given back, and those that did not */
  reused = 0;
  made = 0;
  /** bytes that are kept */
  freeBytes = 0;
  private readonly options: BufferPoolOptions;
  /** by size */
  private readonly free = new Map<number, ArrayBuffer[]>();
  /** memory of ours that is in use */
  private readonly lent = new WeakSet<ArrayBufferLike>();

  constructor(options: BufferPoolOptions) {
    this.options = options;
  }

  /** An array of so many bytes, at the beginning of its memory; what is in it is undefined. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length < bytesMin) return new Uint8Array(length);
    const size = this.options.sizeOf(length);
    let buffer = this.free.get(size)?.pop();
    if (buffer) {
      this.reused += 1;
      this.freeBytes -= size;
    } else {
      this.made += 1;
      // Kept for sizes that are not asked for any more, they would keep out those that are.
      const { bytesMax } = this.options;
      if (size <= bytesMax && this.freeBytes + size > bytesMax) this.clear();
      buffer = new ArrayBuffer(size);
    }
    this.lent.add(buffer);
    return new Uint8Array(buffer, 0, length);
  }

  /** Nobody reads these bytes, or others of the same memory, any more: it is kept or freed. What `take` did not give is passed over. */
  giveBack({ buffer }: Uint8Array): void {
    if (!this.lent.delete(buffer)) return;
    const size = buffer.byteLength;
    if (size === 0) return; // it went to another thread
    if (this.freeBytes + size > this.options.bytesMax) {
      freeMemory(buffer);
      return;
    }
    this.freeBytes += size;
    const found = this.free.get(size);
    if (found) found.push(buffer as ArrayBuffer);
    else this.free.set(size, [buffer as ArrayBuffer]);
  }

  private clear(): void {
    for (const buffers of this.free.values()) buffers.forEach(freeMemory);
    this.free.clear();
    this.freeBytes = 0;
  }
}
