/**
 * What the workers of one run share: a block of counters and a ring of chunk slots, all SharedArrayBuffers.
 *
 * The capture is cut into chunks, numbered from 0. Chunk i is read, framed and decoded by whichever worker is free into
 * slot i mod S, and then consumed by every partition's worker: each takes the rows of its own, in the order of the chunks.
 * Finding where records begin is a chain: one worker at a time holds it, frames the next chunk, and passes the offset on
 * *before* it decodes, so decoding runs in parallel and every record boundary is known, never guessed. Nobody overwrites
 * a slot before all have consumed it, and whoever cannot go on waits for `Version` to change.
 */
import { CaptureState, recordBytesMax } from '@netspectra/collector';
import { outerPerFrameMax } from '@netspectra/collector/decode';
import { PacketBatch, packetBatchBytes } from '@netspectra/proto';

const Cell = {
  /** changes whenever anything else here does: what waiters wait for */
  Version: 0,
  /** the chunk to be framed next */
  NextChunk: 1,
  /** how many chunks there are, -1 while unknown */
  ChunkCount: 2,
  /** somebody wants the run to end after the chunks already framed */
  Stop: 3,
  /** stream sources: all bytes are in the ring */
  StreamEnded: 4,
  /** flushes stored by the writer */
  FlushesStored: 5,
  /** the source ended by itself (not by Stop) */
  SourceEnded: 6,
  /** 1 while somebody frames the next chunk: holds the chain */
  Chain: 7,
  FirstPartition: 16,
} as const;

const Real = {
  /** file offset of the next chunk */
  NextOffset: 0,
  /** wall clock of the last flush decision, milliseconds */
  LastFlush: 1,
  /** file offset of the last flush decision */
  LastFlushOffset: 2,
  /** stream sources: bytes put into the ring so far */
  StreamAvailable: 3,
  /** packets framed so far */
  Packets: 4,
  /** replay: event time of the first packet, seconds, and the wall clock then, milliseconds */
  ReplayEvent: 5,
  ReplayStart: 6,
  /** bytes of rows gathered since the last flush, of one partition */
  RowBytes: 7,
  cells: 8,
} as const;

export interface PipelineShape {
  /** threads; each decodes chunks and has a partition of the packets */
  readonly workers: number;
  /** bytes read for a chunk */
  readonly chunkBytes: number;
  /** most packets of a chunk */
  readonly chunkRows: number;
  readonly slots: number;
  /** bytes of the stream ring; 0 for a file */
  readonly ringBytes: number;
}

/** The buffers themselves: plain data for workerData. */
export interface PipelineBuffers {
  readonly shape: PipelineShape;
  readonly cells: SharedArrayBuffer;
  readonly reals: SharedArrayBuffer;
  readonly capture: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
  readonly slots: readonly { readonly bytes: SharedArrayBuffer; readonly batch: SharedArrayBuffer }[];
}

/** Enough for every row to be nested as deep as the decoder goes; pages that are never touched cost nothing. */
const outerRows = (rows: number): number => (rows + 1) * outerPerFrameMax;

export function createPipelineBuffers(shape: PipelineShape): PipelineBuffers {
  return {
    shape,
    cells: new SharedArrayBuffer((Cell.FirstPartition + shape.workers + shape.slots * 2) * 4),
    reals: new SharedArrayBuffer((Real.cells + shape.slots) * 8),
    capture: new SharedArrayBuffer(CaptureState.byteLength),
    ring: new SharedArrayBuffer(shape.ringBytes),
    slots: Array.from({ length: shape.slots }, () => ({
      // A chunk grows to hold the largest record there can be; untouched pages are never made.
      bytes: new SharedArrayBuffer(shape.chunkBytes + recordBytesMax),
      batch: new SharedArrayBuffer(packetBatchBytes(shape.chunkRows, outerRows(shape.chunkRows))),
    })),
  };
}

export interface Slot {
  readonly bytes: Uint8Array;
  readonly batch: PacketBatch;
}

/** One thread's view of the shared state. */
export class PipelineShared {
  readonly shape: PipelineShape;
  readonly capture: CaptureState;
  readonly slots: readonly Slot[];
  readonly ring: Uint8Array;
  private readonly cells: Int32Array;
  private readonly reals: Float64Array;
  private readonly readyBase: number;
  private readonly flushBase: number;

  constructor(buffers: PipelineBuffers) {
    this.shape = buffers.shape;
    this.cells = new Int32Array(buffers.cells);
    this.reals = new Float64Array(buffers.reals);
    this.capture = new CaptureState(buffers.capture);
    this.ring = new Uint8Array(buffers.ring);
    this.readyBase = Cell.FirstPartition + buffers.shape.workers;
    this.flushBase = this.readyBase + buffers.shape.slots;
    this.slots = buffers.slots.map((slot) => {
      const bytes = new Uint8Array(slot.bytes);
      return {
        bytes,
        batch: new PacketBatch(buffers.shape.chunkRows, outerRows(buffers.shape.chunkRows), slot.batch, bytes),
      };
    });
  }

  /** Before the first worker starts. */
  begin(firstChunk: number, firstOffset: number): void {
    this.cells[Cell.NextChunk] = firstChunk;
    this.cells[Cell.ChunkCount] = -1;
    this.reals[Real.NextOffset] = firstOffset;
    this.reals[Real.StreamAvailable] = firstOffset;
    this.reals[Real.LastFlushOffset] = firstOffset;
    this.reals[Real.LastFlush] = Date.now();
    this.cells.fill(firstChunk, Cell.FirstPartition, Cell.FirstPartition + this.shape.workers);
  }

  /** Chunks that were begun and that not every partition has taken its rows of. */
  get chunksInWork(): number {
    const { workers } = this.shape;
    const taken = this.cells.subarray(Cell.FirstPartition, Cell.FirstPartition + workers);
    return Math.max(0, Atomics.load(this.cells, Cell.NextChunk) - Math.min(...taken));
  }

  version(): number {
    return Atomics.load(this.cells, Cell.Version);
  }
  /** Sleep until something changed since `version`. */
  wait(version: number, milliseconds = 1000): void {
    Atomics.wait(this.cells, Cell.Version, version, milliseconds);
  }
  /** The same for the main thread, which must not block; resolves at once when something changed already. */
  async waitAsync(version: number, milliseconds: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.cells, Cell.Version, version, milliseconds);
    if (waiting.async) await waiting.value;
  }
  /** Tell everybody that something changed. */
  changed(): void {
    Atomics.add(this.cells, Cell.Version, 1);
    Atomics.notify(this.cells, Cell.Version);
  }

  /** Take the chain, if nobody holds it. */
  tryHoldChain(): boolean {
    return Atomics.compareExchange(this.cells, Cell.Chain, 0, 1) === 0;
  }
  /** Holder only: let go of the chain; everything written before is seen by the next holder. */
  releaseChain(): void {
    Atomics.store(this.cells, Cell.Chain, 0);
  }

  get nextChunk(): number {
    return Atomics.load(this.cells, Cell.NextChunk);
  }
  get nextOffset(): number {
    return this.reals[Real.NextOffset]!;
  }
  get packets(): number {
    return this.reals[Real.Packets]!;
  }
  get chunkCount(): number {
    return Atomics.load(this.cells, Cell.ChunkCount);
  }
  /** Holder of the chain only: there is no chunk `count` and none after it. */
  endAt(count: number, sourceEnded: boolean): void {
    Atomics.store(this.cells, Cell.SourceEnded, sourceEnded ? 1 : 0);
    Atomics.store(this.cells, Cell.ChunkCount, count);
  }
  get sourceEnded(): boolean {
    return Atomics.load(this.cells, Cell.SourceEnded) === 1;
  }
  /** Holder of the chain only: chunk `chunk` ends at `offset` and had `packets`; the chain is free again. */
  passOn(chunk: number, offset: number, packets: number, flush: boolean): void {
    const slot = chunk % this.shape.slots;
    this.reals[Real.NextOffset] = offset;
    this.reals[Real.cells + slot] = offset;
    this.reals[Real.Packets] = this.reals[Real.Packets]! + packets;
    this.cells[this.flushBase + slot] = flush ? 1 : 0;
    Atomics.store(this.cells, Cell.NextChunk, chunk + 1);
    this.releaseChain();
  }
  /** Holder of the chain only: is it time to write out what was gathered? Remembers the answer. */
  flushDue(offset: number, afterBytes: number, afterMilliseconds: number): boolean {
    const now = Date.now();
    const due =
      offset - this.reals[Real.LastFlushOffset]! >= afterBytes ||
      now - this.reals[Real.LastFlush]! >= afterMilliseconds;
    if (due) {
      this.reals[Real.LastFlush] = now;
      this.reals[Real.LastFlushOffset] = offset;
    }
    return due;
  }
  /** Milliseconds until what came since the last flush is to be written out; null when nothing came. */
  flushRemaining(afterMilliseconds: number): number | null {
    if (this.reals[Real.NextOffset]! <= this.reals[Real.LastFlushOffset]!) return null;
    return this.reals[Real.LastFlush]! + afterMilliseconds - Date.now();
  }
  /** Holder of the chain only: milliseconds until event time `seconds` is due in a replay that began with the first call. */
  replayRemaining(seconds: number, speed: number): number {
    if (this.reals[Real.ReplayStart] === 0) {
      this.reals[Real.ReplayEvent] = seconds;
      this.reals[Real.ReplayStart] = Date.now();
    }
    const due = this.reals[Real.ReplayStart]! + ((seconds - this.reals[Real.ReplayEvent]!) * 1000) / speed;
    return due - Date.now();
  }
  /** The workers write out after this chunk. */
  flushAfter(chunk: number): boolean {
    return this.cells[this.flushBase + (chunk % this.shape.slots)] === 1;
  }
  /** File offset after the chunk. */
  chunkEnd(chunk: number): number {
    return this.reals[Real.cells + (chunk % this.shape.slots)]!;
  }

  get rowBytes(): number {
    return this.reals[Real.RowBytes]!;
  }
  set rowBytes(bytes: number) {
    this.reals[Real.RowBytes] = bytes;
  }

  publish(chunk: number): void {
    Atomics.store(this.cells, this.readyBase + (chunk % this.shape.slots), chunk + 1);
  }
  isPublished(chunk: number): boolean {
    return Atomics.load(this.cells, this.readyBase + (chunk % this.shape.slots)) === chunk + 1;
  }
  consumed(partition: number, chunks: number): void {
    Atomics.store(this.cells, Cell.FirstPartition + partition, chunks);
  }
  /** Everybody has consumed what stood in the slot that this chunk needs. */
  slotFree(chunk: number): boolean {
    const needed = chunk - this.shape.slots + 1;
    for (let partition = 0; partition < this.shape.workers; partition += 1) {
      if (Atomics.load(this.cells, Cell.FirstPartition + partition) < needed) return false;
    }
    return true;
  }

  get stop(): boolean {
    return Atomics.load(this.cells, Cell.Stop) === 1;
  }
  requestStop(): void {
    Atomics.store(this.cells, Cell.Stop, 1);
    this.changed();
  }

  get flushesStored(): number {
    return Atomics.load(this.cells, Cell.FlushesStored);
  }
  flushStored(): void {
    Atomics.add(this.cells, Cell.FlushesStored, 1);
    this.changed();
  }

  get streamAvailable(): number {
    return this.reals[Real.StreamAvailable]!;
  }
  get streamEnded(): boolean {
    return Atomics.load(this.cells, Cell.StreamEnded) === 1;
  }
  /** Main thread only: bytes were put into the ring up to this offset. */
  streamFilled(offset: number): void {
    this.reals[Real.StreamAvailable] = offset;
    this.changed();
  }
  endStream(): void {
    Atomics.store(this.cells, Cell.StreamEnded, 1);
    this.changed();
  }
}
