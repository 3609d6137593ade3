/**
 * One partition's worker: it runs the tasks for its own rows of every chunk, and decodes chunks when there are none to
 * take. Runs in a thread of its own, or, alone, in the caller's.
 */
import { Defragmenter, DefragmentResult, partitionOf } from '@netspectra/collector/decode';
import { Layer, PacketBatch } from '@netspectra/proto';
import { Enricher } from '../../enrichment/index.js';
import type { EnrichmentData } from '../../enrichment/index.js';
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
import { ChunkDecoder, sequenceOf } from './chunk-decoder.js';
import type { DecodeOptions } from './chunk-decoder.js';
import { writeProbeStats } from './probe-stats.js';
import type { PipelineShared } from './shared-state.js';

/** Everything a worker needs besides the shared buffers; plain data. */
export interface WorkerOptions extends DecodeOptions {
  readonly probe: string;
  /** names the source in the accounting rows */
  readonly sourceName: string;
  readonly firstChunk: number;
  /** sequence number of the first flush, see `sequenceOf` */
  readonly firstSeq: number;
  readonly maxFlows: number;
  readonly idleTimeoutSeconds: number;
  readonly counterWindowSeconds: number;
  readonly flowWindowSeconds: number;
  readonly sketchWindowSeconds: number;
  readonly report: boolean;
  readonly reportTop: number;
  readonly fragmentsMax: number;
  readonly tasks: readonly { readonly type: string; readonly options: unknown }[];
  /** what rows say about addresses; without it they say nothing (`analyze` has no rows) */
  readonly enrichment?: EnrichmentData;
}

/** What one partition gathered since the flush before. */
export interface FlushMessage {
  readonly kind: 'flush';
  readonly partition: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly blocks: RowBlock[];
  readonly accounting: AccountingReport;
  readonly limits: LimitCounters;
  /** flows in the table now */
  readonly flowsLive: number;
}

/** How often the partition met a limit (or a loss on the wire it had to guess around), since the start of the run. */
export interface LimitCounters {
  flows_folded: number;
  late_packets: number;
  fragments_expired: number;
  fragments_limit_reached: number;
  fragments_unusable: number;
  connections_evicted: number;
  http_pipeline_overflows: number;
  tcp_stream_gaps: number;
  tcp_stream_limit_hits: number;
  sketch_packets_misplaced: number;
  enrichment_records_damaged: number;
  enrichment_records_dropped: number;
  enrichment_places_forgotten: number;
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

/** Flushes a worker may be ahead of the writer: what bounds the memory of rows that wait. */
const flushesAhead = 2;

export class PartitionWorker {
  private readonly shared: PipelineShared;
  private readonly index: number;
  private readonly options: WorkerOptions;
  private readonly onFlush: (flush: FlushMessage) => void;
  private readonly decoder: ChunkDecoder;
  private readonly defragmenter: Defragmenter;
  private readonly fragment = new PacketBatch(1, 0);
  private readonly flowTable: FlowTable;
  private readonly applications: ApplicationTracker;
  private readonly tasks: { readonly type: string; readonly task: Task }[];
  private readonly rows: RowSink;
  private readonly enricher: Enricher | null;
  private readonly newEnrichment: () => EnrichmentData | undefined;
  private readonly accounting = new Accounting();
  private readonly conversations: Conversations;
  private readonly selection: PacketSelection;
  private readonly single: PacketSelection;
  private readonly owns: (hash: number) => boolean;
  private total: AccountingReport | null = null;
  private nextConsumed: number;
  private firstUnflushed: number;
  private flushes = 0;
  private foldedReported = 0;
  private lateReported = 0;

  constructor(
    shared: PipelineShared,
    index: number,
    options: WorkerOptions,
    onFlush: (flush: FlushMessage) => void = () => {},
    newEnrichment: () => EnrichmentData | undefined = () => undefined,
  ) {
    this.shared = shared;
    this.index = index;
    this.options = options;
    this.onFlush = onFlush;
    this.newEnrichment = newEnrichment;
    const { workers: partitions, chunkRows } = shared.shape;
    this.decoder = new ChunkDecoder(shared, options);
    this.flowTable = new FlowTable({
      maxFlows: Math.max(1024, Math.ceil(options.maxFlows / partitions)),
      windowSeconds: options.windows ? options.flowWindowSeconds : 0,
      idleTimeoutSeconds: options.windows ? options.idleTimeoutSeconds : 0,
    });
    this.enricher = options.enrichment ? new Enricher(options.enrichment) : null;
    this.rows = new RowSink(this.enricher);
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
    this.defragmenter = new Defragmenter({ datagramsMax: Math.max(64, Math.ceil(options.fragmentsMax / partitions)) });
    this.conversations = new Conversations(options.maxFlows);
    this.selection = createSelection(shared.slots[0]!.batch, chunkRows);
    this.single = createSelection(this.defragmenter.completed, 1);
    this.owns = partitions === 1 ? () => true : (hash) => partitionOf(hash, partitions) === index;
    this.nextConsumed = options.firstChunk;
    this.firstUnflushed = options.firstSeq;
  }

  /** Take one chunk or make one; 'waiting' when neither can be done until something shared changes. */
  step(): 'worked' | 'waiting' | 'done' {
    if (this.consume() || this.decoder.produce()) return 'worked';
    const count = this.shared.chunkCount;
    return count >= 0 && this.nextConsumed >= count ? 'done' : 'waiting';
  }

  /** How long to wait at most after 'waiting': a replay must look at the clock. */
  get waitMilliseconds(): number {
    return this.decoder.waitMilliseconds;
  }

  /** Once, after 'done': write out what is left. */
  finish(): void {
    for (const { task } of this.tasks) task.finish();
    if (this.options.windows) this.flush(sequenceOf(this.shared.chunkCount) - 1, true, this.shared.nextOffset);
    this.decoder.close();
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
    // The partitions are alike, so the first one's rows stand for all when the next flush is decided.
    if (this.index === 0) shared.rowBytes = this.rows.size;
    shared.consumed(this.index, chunk + 1);
    // Waking a decoder for every slot costs more than decoding into it: let half of them come free first, unless there
    // is nothing left to take or a flush may keep us.
    const half = shared.shape.slots >> 1 || 1;
    if (flush || (chunk + 1) % half === 0 || !shared.isPublished(chunk + 1)) shared.changed();
    if (flush) {
      const sequence = sequenceOf(chunk);
      this.flush(this.options.flushAt.includes(sequence + 1) ? sequence + 1 : sequence, false, end);
    }
    return true;
  }

  private take(batch: PacketBatch): void {
    const { workers: partitions } = this.shared.shape;
    const { selection } = this;
    const { rows } = selection;
    const { flowHash, layers, count } = batch;
    selection.batch = batch;
    let selected = 0;
    for (let row = 0; row < count; row += 1) {
      if (partitions > 1 && partitionOf(flowHash[row]!, partitions) !== this.index) continue;
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

  private limits(): LimitCounters {
    const fragments = this.defragmenter.counters;
    const applications = this.applications.counters();
    const enrichment = this.enricher?.counters;
    return {
      flows_folded: this.flowTable.foldedFlows,
      late_packets: this.flowTable.latePackets,
      fragments_expired: fragments.expired,
      fragments_limit_reached: fragments.limitReached,
      fragments_unusable: fragments.unusable,
      connections_evicted: applications.connectionsEvicted,
      http_pipeline_overflows: applications.pipelineOverflows,
      tcp_stream_gaps: applications.streamGaps,
      tcp_stream_limit_hits: applications.streamLimitHits,
      sketch_packets_misplaced: this.tasks.reduce((sum, { task }) => sum + (task.misplacedPackets ?? 0), 0),
      enrichment_records_damaged: enrichment?.damagedRecords ?? 0,
      enrichment_records_dropped: enrichment?.droppedRecords ?? 0,
      enrichment_places_forgotten: enrichment?.resets ?? 0,
    };
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
    const blocks = this.rows.take();
    this.onFlush({
      kind: 'flush',
      partition: this.index,
      firstSeq: this.firstUnflushed,
      lastSeq: sequence,
      blocks,
      accounting,
      limits: this.limits(),
      flowsLive: this.flowTable.live,
    });
    this.firstUnflushed = sequence + 1;
    this.flushes += 1;
    const enrichment = this.newEnrichment();
    if (enrichment) this.enricher?.load(enrichment);
    // `flushesStored` counts every partition's.
    while (!last && this.shared.flushesStored < (this.flushes - flushesAhead) * this.shared.shape.workers) {
      this.shared.wait(this.shared.version());
    }
  }
}
