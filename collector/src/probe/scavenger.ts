/**
 * Frees the memory of messages soon after they are gone. A message is a small object with a large buffer outside of V8's
 * heap. V8 collects by what the heap holds, so tens of megabytes of dead buffers wait for it; asking for a collection of the
 * young generation (a millisecond) for every megabyte of messages keeps that small. Node 20 has no other way to free a buffer.
 */
import { memoryUsage } from 'node:process';
import { collectAll, collectYoung } from './collect-garbage.js';

/** bytes of messages after which dead buffers are freed */
const minorBytes = 1 << 20;
/** bytes of messages between two collections of everything, at least */
const majorBytes = 16 << 20;

export class Scavenger {
  private sinceMinor = 0;
  private sinceMajor = 0;

  /**
   * @param buffersMax bytes of buffers beyond which everything is collected (some 10 ms): where messages waited, as on a
   * machine without a free core, they have become old, and the young generation's collection leaves them
   */
  constructor(private readonly buffersMax = Infinity) {}

  /** So many bytes of messages are not needed any more, or soon will not be. */
  count(bytes: number): void {
    this.sinceMinor += bytes;
    this.sinceMajor += bytes;
    if (this.sinceMinor < minorBytes) return;
    this.sinceMinor = 0;
    // Buffers are freed beside us, after a collection: what the one before left shows only now.
    if (this.sinceMajor < majorBytes || memoryUsage().arrayBuffers < this.buffersMax) {
      collectYoung();
      return;
    }
    this.sinceMajor = 0;
    collectAll();
  }
}
