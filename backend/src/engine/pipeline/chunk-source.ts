/** Where a worker gets the bytes of a chunk from: a file it opened itself, or the ring that the main thread fills. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { PipelineShared } from './shared-state.js';

/**
 * Bytes read, and whether the source ends with them. `bytes` < 0: not there yet, ask again when something changed, or
 * after `retryMilliseconds` when that is not null.
 */
export interface ChunkRead {
  bytes: number;
  atEnd: boolean;
  retryMilliseconds: number | null;
}

export interface ChunkSource {
  /** Fill `target` from file offset `offset`; `result` is reused. */
  read(target: Uint8Array, offset: number, result: ChunkRead): void;
  close(): void;
}

/** A seekable file. A read error ends the file where it happens; the reader counts it as damage. */
export class FileSource implements ChunkSource {
  /** the file could not be read on; errno code */
  error = '';
  private readonly descriptor: number;
  private readonly size: number;

  constructor(path: string, size: number) {
    this.descriptor = openSync(path, 'r');
    this.size = size;
  }

  read(target: Uint8Array, offset: number, result: ChunkRead): void {
    let filled = 0;
    const wanted = Math.min(target.length, Math.max(0, this.size - offset));
    while (filled < wanted) {
      let bytes = 0;
      try {
        bytes = readSync(this.descriptor, target, filled, wanted - filled, offset + filled);
      } catch (error) {
        this.error = (error as NodeJS.ErrnoException).code ?? String(error);
      }
      if (bytes === 0) break;
      filled += bytes;
    }
    result.bytes = filled;
    result.atEnd = offset + filled >= this.size || filled < wanted;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** What has come of a live stream is taken after so long, though it does not fill a chunk. */
const liveMilliseconds = 200;

/**
 * The ring: bytes [nextOffset, streamAvailable) of the stream stand in it, each at offset modulo its size. A chunk is
 * taken when it is full; of a live stream (a pipe that may go on for ever) also when it has waited.
 */
export class RingSource implements ChunkSource {
  private readonly shared: PipelineShared;
  private readonly live: boolean;
  private waitingAt = -1;
  private waitingSince = 0;

  constructor(shared: PipelineShared, live: boolean) {
    this.shared = shared;
    this.live = live;
  }

  read(target: Uint8Array, offset: number, result: ChunkRead): void {
    const ended = this.shared.streamEnded; // before `available`, which no longer grows once this is true
    const available = this.shared.streamAvailable - offset;
    result.atEnd = ended && available <= target.length;
    result.retryMilliseconds = null;
    if (
      !ended &&
      available < Math.min(target.length, this.shared.ring.length) &&
      !this.waitedFor(offset, available, result)
    ) {
      result.bytes = -1;
      return;
    }
    const bytes = Math.min(target.length, available);
    const ring = this.shared.ring;
    const from = offset % ring.length;
    const head = Math.min(bytes, ring.length - from);
    target.set(ring.subarray(from, from + head));
    if (head < bytes) target.set(ring.subarray(0, bytes - head), head);
    result.bytes = bytes;
  }

  close(): void {}

  private waitedFor(offset: number, available: number, result: ChunkRead): boolean {
    if (!this.live || available <= 0) return false;
    const now = Date.now();
    if (this.waitingAt !== offset) {
      this.waitingAt = offset;
      this.waitingSince = now;
    }
    const remaining = this.waitingSince + liveMilliseconds - now;
    if (remaining > 0) result.retryMilliseconds = remaining;
    return remaining <= 0;
  }
}
