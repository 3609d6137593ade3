/**
 * One worker of the pipeline: it decodes chunks for all, and runs the tasks for its own partition of all chunks. Runs in a thread of its own, or, alone, in the caller's.
 */
import { CaptureDamage, CaptureFramer, FrameFlag, FrameTable } from '@netspectra/collector';
import { Defragmenter, DefragmentResult, PacketDecoder, partitionOf } from '@netspectra/collector/decode';
import { Layer, PacketBatch } from '@netspectra/proto';
import type { RowBlock } from '../../tables/index.js';
import { Accounting, mergeAccounting } from '../accounting.js';
import type { AccountingReport } from '../accounting.js';
import { Conversations } from '../conversations.js';
import type { ConversationReport } from '../conversations.js';
import { FlowTable } from '../flow-table/index.js';
import { createSelection } from '../packet-selection.js';
import type { PacketSelection } from '../packet-selection.js';
import { RowSink } from '../row-sink.js';
import { ApplicationTracker } from '../tasks/application.js';
import { taskTypes } from '../tasks/index.js';
import type { Task, TaskContext } from '../task.js';
import { FileSource, RingSource } from './chunk-source.js';
import type { ChunkRead, ChunkSource } from './chunk-source.js';
import { writeProbeStats } from './probe-stats.js';
import type { PipelineShared } from './shared-state.js';

/** Everything a worker needs besides the shared buffers; plain data. */
export interface WorkerOptions {
  readonly probe: string;
  /** decimal u64 */
  readonly epoch: string;
  /** names the source in the accounting rows */
  readonly sourceName: string;
  readonly source:
    { readonly kind: 'file'; readonly path: string; readonly size: number } | { readonly kind: 'stream' };
  readonly firstChunk: number;
  /** sequence number of the first flush, see `sequenceOf` */
  readonly firstSeq: number;
  /**
   * Flushes that were under way when an earlier run died: they must end with exactly these sequence numbers (ascending),
   * so that what of them is stored already is recognised. After the last one flushes are free again.
   */
  readonly flushAt: readonly number[];
  /** event seconds per wall-clock second; 0 = as fast as possible */
  readonly replaySpeed: number;
  readonly maxFlows: number;
  readonly idleTimeoutSeconds: number;
  readonly counterWindowSeconds: number;
  readonly flowWindowSeconds: number;
  readonly sketchWindowSeconds: number;
  readonly windows: boolean;
  readonly report: boolean;
  readonly reportTop: number;
  /** Rows are written out after so many bytes of capture, bytes of gathered rows, or milliseconds, whichever is first. */
  readonly flushCaptureBytes: number;
  readonly flushRowBytes: number;
  readonly flushMilliseconds: number;
  readonly fragmentsMax: number;
  readonly tasks: readonly { readonly type: string; readonly options: unknown }[];
}

/** What one partition gathered since the flush before. */
export interface FlushMessage {
  readonly kind: 'flush';
  readonly partition: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly blocks: RowBlock[];
  readonly accounting: AccountingReport;
}

/** What a worker met of other partitions. */
export interface Foreign {
  /** records of FlowTable.exportForeign */
  readonly flows: readonly Uint32Array[];
  /** keys of Conversations.exportForeign */
  readonly tuples: readonly Uint32Array[];
}

/** The result of a whole run, one partition's. */
export interface WorkerReport {
  readonly accounting: AccountingReport;
  readonly conversations: ConversationReport;
  readonly tasks: { readonly type: string; readonly report: unknown }[];
}

/**
 * Sequence number of a chunk: even. The odd number after it is the end of a run there: what tasks gave up waiting for is
 * written under it, and a later run that goes on with the next chunk never uses it for anything else.
 */
export const sequenceOf = (chunk: number): number => chunk * 2;
/** The chunk a sequence number belongs to. */
export const chunkOf = (sequence: number): number => Math.floor(sequence / 2);

/** Flushes a worker may be ahead of the writer: what bounds the memory of rows that wait. */
const flushesAhead = 2;

export class PartitionWorker {
  private readonly shared: PipelineShared;
  private readonly index: number;
  private readonly options: WorkerOptions;
  private readonly onFlush: (flush: FlushMessage) => void;
  private readonly framer: CaptureFramer;
  private readonly frames: FrameTable;
  private readonly decoder = new PacketDecoder();
  private readonly defragmenter: Defragmenter;
  private readonly fragment = new PacketBatch(1, 0);
  private readonly source: ChunkSource;
  private readonly chunkRead: ChunkRead = { bytes: 0, atEnd: false };
  private readonly flowTable: FlowTable;
  private readonly applications: ApplicationTracker;
  private readonly tasks: { readonly type: string; readonly task: Task }[];
  private readonly rows: RowSink;
  private readonly accounting = new Accounting();
  private readonly conversations: Conversations;
  private readonly selection: PacketSelection;
  private readonly single: PacketSelection;
  private readonly owns: (hash: number) => boolean;
  private total: AccountingReport | null = null;
  private nextConsumed: number;
  private firstUnflushed: number;
  private framed: { end: number } | null = null;
  private untilDue: number | null = null;
  private flushes = 0;
  private foldedReported = 0;
  private lateReported = 0;

  constructor(
    shared: PipelineShared,
    index: number,
    options: WorkerOptions,
    onFlush: (flush: FlushMessage) => void = () => {},
  ) {
    this.shared = shared;
    this.index = index;
    this.options = options;
    this.onFlush = onFlush;
    const { workers, chunkRows, slots } = shared.shape;
    this.framer = new CaptureFramer(shared.capture);
    this.frames = new FrameTable(chunkRows);
    this.source =
      options.source.kind === 'file'
        ? new FileSource(options.source.path, options.source.size)
        : new RingSource(shared);
    this.flowTable = new FlowTable({
      maxFlows: Math.max(1024, Math.ceil(options.maxFlows / workers)),
      windowSeconds: options.windows ? options.flowWindowSeconds : 0,
      idleTimeoutSeconds: options.windows ? options.idleTimeoutSeconds : 0,
    });
    this.rows = new RowSink(options.probe, BigInt(options.epoch), index);
    const context: TaskContext = {
      flowTable: this.flowTable,
      rows: this.rows,
      probe: options.probe,
      counterWindowSeconds: options.counterWindowSeconds,
      flowWindowSeconds: options.flowWindowSeconds,
      sketchWindowSeconds: options.sketchWindowSeconds,
      windows: options.windows,
      report: options.report,
      reportTop: options.reportTop,
    };
    this.applications = new ApplicationTracker(context);
    this.tasks = options.tasks.map(({ type, options: taskOptions }) => {
      const taskType = taskTypes.get(type);
      if (!taskType) throw new Error(`no task type '${type}'`);
      return { type, task: taskType.create(taskOptions as never, context) };
    });
    this.defragmenter = new Defragmenter({ datagramsMax: Math.max(64, Math.ceil(options.fragmentsMax / workers)) });
    this.conversations = new Conversations(options.maxFlows);
    this.selection = createSelection(shared.slots[0]!.batch, chunkRows);
    this.single = createSelection(this.defragmenter.completed, 1);
    this.owns = workers === 1 ? () => true : (hash) => partitionOf(hash, workers) === index;
    this.nextConsumed = options.firstChunk;
    this.firstUnflushed = options.firstSeq;
    if (slots < workers) throw new Error('a pipeline needs a slot for each worker');
  }

  /** Take one chunk or make one; 'waiting' when neither can be done until something shared changes. */
  step(): 'worked' | 'waiting' | 'done' {
    if (this.consume() || this.produce()) return 'worked';
    const count = this.shared.chunkCount;
    return count >= 0 && this.nextConsumed >= count ? 'done' : 'waiting';
  }

  /** How long to wait at most after 'waiting': a replay must look at the clock. */
  get waitMilliseconds(): number {
    return this.untilDue ?? 1000;
  }

  /** Once, after 'done': write out what is left. */
  finish(): void {
    for (const { task } of this.tasks) task.finish();
    if (this.options.windows) this.flush(sequenceOf(this.shared.chunkCount) - 1, true, this.shared.nextOffset);
    this.source.close();
  }

  /** Work until the source ends or a stop was asked for, and everything framed until then is consumed. Blocks. */
  run(): void {
    for (;;) {
      const version = this.shared.version();
      const state = this.step();
      if (state === 'done') break;
      if (state === 'waiting') this.shared.wait(version, this.waitMilliseconds);
    }
    this.finish();
  }

  /** What of other partitions ended up here (put together from fragments); taken out of this one's tables. */
  exportForeign(): Foreign {
    if (!this.options.report) return { flows: [], tuples: [] };
    return { flows: this.flowTable.exportForeign(this.owns), tuples: this.conversations.exportForeign() };
  }

  /** What of this partition ended up elsewhere. */
  absorb(foreign: Foreign): void {
    for (const record of foreign.flows) this.flowTable.absorb(record);
    for (const key of foreign.tuples) this.conversations.absorb(key);
  }

  report(): WorkerReport {
    this.flowTable.closeDeltas();
    return {
      accounting: this.takeAccounting(),
      conversations: this.conversations.report(this.flowTable),
      tasks: this.tasks.map(({ type, task }) => ({ type, report: task.report() })),
    };
  }

  /** Read, frame and decode the next chunk, when a slot is free and nobody else is finding its records. */
  private produce(): boolean {
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
      this.framed = this.frameChunk(chunk);
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
    let used = 0;
    for (;;) {
      this.source.read(bytes.subarray(0, wanted), start, read);
      if (read.bytes < 0) return null;
      used = this.framer.frame(bytes, read.bytes, start, read.atEnd, this.frames);
      // A record larger than the chunk: read again, as much as it needs.
      if (used > 0 || this.frames.count > 0 || read.atEnd || this.framer.neededBytes <= wanted) break;
      wanted = Math.min(this.framer.neededBytes, bytes.length);
    }
    if (this.source instanceof FileSource && this.source.error !== '') {
      shared.capture.recordDamage(CaptureDamage.ReadFailed, start + read.bytes);
    }
    const exhausted = read.atEnd && used === 0 && this.frames.count === 0;
    if (exhausted && !shared.capture.ended && !shared.capture.fatal) shared.capture.ended = true;
    return { end: start + used };
  }

  private flushWanted(chunk: number, end: number): boolean {
    const { flushAt, flushCaptureBytes, flushRowBytes, flushMilliseconds } = this.options;
    const sequence = sequenceOf(chunk);
    if (flushAt.includes(sequence) || flushAt.includes(sequence + 1)) return true;
    if (sequence < (flushAt.at(-1) ?? -1)) return false;
    // The partitions are alike, so this one's rows stand for all.
    return this.rows.size >= flushRowBytes || this.shared.flushDue(end, flushCaptureBytes, flushMilliseconds);
  }

  /** The first packet of the framed chunk may be seen now; else sets how long to wait. */
  private isDue(): boolean {
    if (this.frames.count === 0) return true;
    const time = this.frames.seconds[0]! + this.frames.nanoseconds[0]! / 1e9;
    const remaining = this.shared.replayRemaining(time, this.options.replaySpeed);
    this.untilDue = remaining > 0 ? Math.min(1000, Math.ceil(remaining)) : null;
    return remaining <= 0;
  }

  /** Take my rows of the next chunk in order, when it is there. */
  private consume(): boolean {
    const { shared } = this;
    const chunk = this.nextConsumed;
    if (!shared.isPublished(chunk)) return false;
    const { batch } = shared.slots[chunk % shared.shape.slots]!;
    const flush = shared.flushAfter(chunk);
    const end = shared.chunkEnd(chunk);
    this.take(batch);
    this.nextConsumed = chunk + 1;
    shared.consumed(this.index, chunk + 1);
    shared.changed();
    if (flush) {
      const sequence = sequenceOf(chunk);
      this.flush(this.options.flushAt.includes(sequence + 1) ? sequence + 1 : sequence, false, end);
    }
    return true;
  }

  private take(batch: PacketBatch): void {
    const { workers } = this.shared.shape;
    const { selection } = this;
    const { rows } = selection;
    const { flowHash, layers, count } = batch;
    selection.batch = batch;
    let selected = 0;
    for (let row = 0; row < count; row += 1) {
      if (workers > 1 && partitionOf(flowHash[row]!, workers) !== this.index) continue;
      if ((layers[row]! & (Layer.Fragment | Layer.MoreFragments)) !== 0) {
        this.process(selection, selected);
        selected = 0;
        this.takeFragment(batch, row);
        continue;
      }
      rows[selected] = row;
      selected += 1;
    }
    this.process(selection, selected);
    if (batch.outerCount > 0) this.conversations.count(batch, this.owns, false);
    if (this.options.windows && count > 0) this.flowTable.expire(batch.timestampSeconds[count - 1]!);
  }

  /**
   * A fragment, by itself and in its place in the order. It is taken from a copy of the row: putting it together gives
   * rows ports and another hash, and the other workers still read the batch to see whose row is whose.
   */
  private takeFragment(batch: PacketBatch, row: number): void {
    const { fragment, defragmenter, single } = this;
    fragment.payload = batch.payload;
    fragment.copyRow(batch, row, 0);
    const completed = defragmenter.add(fragment, 0) === DefragmentResult.Completed;
    single.batch = completed ? defragmenter.completed : fragment;
    single.rows[0] = 0;
    this.process(single, 1);
    if (completed) this.conversations.count(defragmenter.completed, this.owns, true);
  }

  private process(selection: PacketSelection, count: number): void {
    if (count === 0) return;
    selection.count = count;
    this.flowTable.track(selection);
    this.accounting.count(selection);
    this.applications.process(selection);
    for (const { task } of this.tasks) task.process(selection);
  }

  private takeAccounting(): AccountingReport {
    const report = this.accounting.take();
    this.total = this.total ? mergeAccounting([this.total, report]) : report;
    return this.options.windows ? report : this.total;
  }

  /** Hand everything gathered since the last flush to the writer; wait when it is too far behind. */
  private flush(sequence: number, last: boolean, end: number): void {
    this.flowTable.flush();
    this.applications.flush();
    for (const { task } of this.tasks) task.flush();
    const accounting = this.takeAccounting();
    writeProbeStats(this.rows, accounting, {
      source: this.options.sourceName,
      partitions: this.shared.shape.workers,
      position: end,
      complete: last && this.shared.sourceEnded,
      latePackets: this.flowTable.latePackets - this.lateReported,
      flowsFolded: this.flowTable.foldedFlows - this.foldedReported,
      flowsLive: this.flowTable.live,
    });
    this.lateReported = this.flowTable.latePackets;
    this.foldedReported = this.flowTable.foldedFlows;
    const blocks = this.rows.take(this.firstUnflushed, sequence);
    this.onFlush({
      kind: 'flush',
      partition: this.index,
      firstSeq: this.firstUnflushed,
      lastSeq: sequence,
      blocks,
      accounting,
    });
    this.firstUnflushed = sequence + 1;
    this.flushes += 1;
    // `flushesStored` counts every partition's.
    while (!last && this.shared.flushesStored < (this.flushes - flushesAhead) * this.shared.shape.workers) {
      this.shared.wait(this.shared.version());
    }
  }
}
