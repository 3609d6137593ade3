/**
 * The stateless half of the pipeline: reads, frames and decodes the next chunk, whoever's turn it is. Any number of
 * threads may do this; see shared-state.ts for how they take turns.
 */
import { CaptureDamage, CaptureFramer, FrameFlag, FrameTable } from '@netspectra/collector';
import { PacketDecoder } from '@netspectra/collector/decode';
import { Layer } from '@netspectra/proto';
import { FileSource, RingSource } from './chunk-source.js';
import type { ChunkRead, ChunkSource } from './chunk-source.js';
import type { PipelineShared } from './shared-state.js';

/** What decoding needs to know; plain data. */
export interface DecodeOptions {
  readonly source:
    | { readonly kind: 'file'; readonly path: string; readonly size: number }
    | {
        readonly kind: 'stream';
        /** comes as it happens, and is never read a second time */
        readonly live: boolean;
      };
  /** rows are wanted, so there are flushes */
  readonly windows: boolean;
  /**
   * Flushes that were under way when an earlier run died: they must end with exactly these sequence numbers (ascending),
   * so that what of them is stored already is recognised. After the last one flushes are free again.
   */
  readonly flushAt: readonly number[];
  /** Rows are written out after so many bytes of capture, bytes of gathered rows, or milliseconds, whichever is first. */
  readonly flushCaptureBytes: number;
  readonly flushRowBytes: number;
  readonly flushMilliseconds: number;
  /** event seconds per wall-clock second; 0 = as fast as possible */
  readonly replaySpeed: number;
}

/**
 * Sequence number of a chunk: even. The odd number after it is the end of a run there: what tasks gave up waiting for is
 * written under it, and a later run that goes on with the next chunk never uses it for anything else.
 */
export const sequenceOf = (chunk: number): number => chunk * 2;
/** The chunk a sequence number belongs to. */
export const chunkOf = (sequence: number): number => Math.floor(sequence / 2);

export class ChunkDecoder {
  private readonly shared: PipelineShared;
  private readonly options: DecodeOptions;
  private readonly framer: CaptureFramer;
  private readonly frames: FrameTable;
  private readonly decoder = new PacketDecoder();
  private readonly source: ChunkSource;
  private readonly chunkRead: ChunkRead = { bytes: 0, atEnd: false, retryMilliseconds: null };
  /** a chunk whose records are found but which is not due yet (replay): the chain is held */
  private framed: { end: number } | null = null;
  private untilDue: number | null = null;

  constructor(shared: PipelineShared, options: DecodeOptions) {
    this.shared = shared;
    this.options = options;
    this.framer = new CaptureFramer(shared.capture);
    this.frames = new FrameTable(shared.shape.chunkRows);
    const { source } = options;
    this.source =
      source.kind === 'file' ? new FileSource(source.path, source.size) : new RingSource(shared, source.live);
  }

  /** How long to wait at most when `produce` could do nothing: a replay must look at the clock. */
  get waitMilliseconds(): number {
    return this.untilDue ?? 1000;
  }

  close(): void {
    this.source.close();
  }

  /** Read, frame and decode the next chunk, when a slot is free and nobody else is finding its records. */
  produce(): boolean {
    const { shared } = this;
    if (this.framed === null && !this.hold()) return false;
    const chunk = shared.nextChunk;
    if (this.framed === null) {
      if (shared.stop) {
        shared.endAt(chunk, false);
        shared.releaseChain();
        shared.changed();
        return true;
      }
      this.untilDue = null;
      this.framed = this.frameChunk(chunk) ?? this.pause();
      if (this.framed === null) {
        shared.releaseChain();
        return false;
      }
    }
    // In a replay the chain is held until the chunk's first packet is due.
    if (this.options.replaySpeed > 0 && !shared.stop && !this.isDue()) return false;
    const { end } = this.framed;
    this.framed = null;
    const { count } = this.frames;
    const flush = this.options.windows && this.flushWanted(chunk, end);
    if (shared.capture.ended || shared.capture.fatal) shared.endAt(chunk + 1, true);
    shared.passOn(chunk, end, count, flush);
    shared.changed();

    const { bytes, batch } = shared.slots[chunk % shared.shape.slots]!;
    batch.clear();
    const { offset, capturedLength, wireLength, seconds, nanoseconds, linkType, flags } = this.frames;
    for (let i = 0; i < count; i += 1) {
      const decoded = this.decoder.decode(
        bytes,
        offset[i]!,
        capturedLength[i]!,
        wireLength[i]!,
        linkType[i]!,
        seconds[i]!,
        nanoseconds[i]!,
        flags[i]! & FrameFlag.NoTimestamp ? Layer.NoTimestamp : 0,
        batch,
      );
      if (!decoded) throw new Error('a batch with room for every frame refused one');
    }
    shared.publish(chunk);
    shared.changed();
    return true;
  }

  /** Hold the chain for a chunk that can be made now. */
  private hold(): boolean {
    const { shared } = this;
    const possible = (): boolean => shared.chunkCount < 0 && shared.slotFree(shared.nextChunk);
    if (!possible() || !shared.tryHoldChain()) return false;
    if (possible()) return true;
    shared.releaseChain();
    return false;
  }

  /** Read the chunk and find its records; null when its bytes have not come yet. */
  private frameChunk(chunk: number): { end: number } | null {
    const { shared } = this;
    const { bytes } = shared.slots[chunk % shared.shape.slots]!;
    const start = shared.nextOffset;
    const read = this.chunkRead;
    let wanted = shared.shape.chunkBytes;
    let used: number;
    for (;;) {
      this.source.read(bytes.subarray(0, wanted), start, read);
      if (read.bytes < 0) {
        this.untilDue = read.retryMilliseconds;
        return null;
      }
      used = this.framer.frame(bytes, read.bytes, start, read.atEnd, this.frames);
      // A record larger than the chunk: read again, as much as it needs.
      if (used > 0 || this.frames.count > 0 || read.atEnd || this.framer.neededBytes <= wanted) break;
      wanted = Math.min(this.framer.neededBytes, bytes.length);
    }
    const nothing = used === 0 && this.frames.count === 0;
    if (nothing && !read.atEnd && !shared.capture.fatal) return null; // the rest of the record has not come yet
    if (this.source instanceof FileSource && this.source.error !== '') {
      shared.capture.recordDamage(CaptureDamage.ReadFailed, start + read.bytes);
    }
    if (nothing && read.atEnd && !shared.capture.ended && !shared.capture.fatal) shared.capture.ended = true;
    return { end: start + used };
  }

  /** Nothing comes of a live stream: an empty chunk lets what was gathered be written out, when it is time. */
  private pause(): { end: number } | null {
    const { source, windows, flushMilliseconds } = this.options;
    if (source.kind !== 'stream' || !source.live || !windows) return null;
    const remaining = this.shared.flushRemaining(flushMilliseconds);
    if (remaining === null) return null;
    if (remaining > 0) {
      this.untilDue = Math.min(this.untilDue ?? remaining, remaining);
      return null;
    }
    this.frames.count = 0;
    return { end: this.shared.nextOffset };
  }

  private flushWanted(chunk: number, end: number): boolean {
    const { flushAt, flushCaptureBytes, flushRowBytes, flushMilliseconds } = this.options;
    const sequence = sequenceOf(chunk);
    if (flushAt.includes(sequence) || flushAt.includes(sequence + 1)) return true;
    if (sequence < (flushAt.at(-1) ?? -1)) return false;
    return this.shared.rowBytes >= flushRowBytes || this.shared.flushDue(end, flushCaptureBytes, flushMilliseconds);
  }

  /** The first packet of the framed chunk may be seen now; else sets how long to wait. */
  private isDue(): boolean {
    if (this.frames.count === 0) return true;
    const time = this.frames.seconds[0]! + this.frames.nanoseconds[0]! / 1e9;
    const remaining = this.shared.replayRemaining(time, this.options.replaySpeed);
    this.untilDue = remaining > 0 ? Math.min(1000, Math.ceil(remaining)) : null;
    return remaining <= 0;
  }
}
