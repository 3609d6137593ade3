/**
 * What happens to the packets of one partition of one stream, wherever they come from: fragments are put together, the
 * flow table finds the flow of each, applications and tasks look at them, and rows are gathered until the next flush.
 */
import { Defragmenter, DefragmentResult } from '@netspectra/collector/decode';
import { Layer, PacketBatch } from '@netspectra/proto';
import { sharedEnricher } from '../../enrichment/index.js';
import type { Enricher, EnrichmentData } from '../../enrichment/index.js';
import type { RowBlock } from '../../tables/index.js';
import { Accounting, mergeAccounting } from '../accounting.js';
import type { AccountingReport, Time } from '../accounting.js';
import { Conversations } from '../conversations.js';
import type { ConversationReport } from '../conversations.js';
import { DuplicateFlows } from '../duplicates/index.js';
import type { DuplicateCounts } from '../duplicates/index.js';
import { FlowTable } from '../flow-table/index.js';
import { createSelection, PacketEvent } from '../packet-selection.js';
import type { PacketSelection } from '../packet-selection.js';
import { RowSink } from '../row-sink.js';
import { ApplicationTracker } from '../tasks/application.js';
import { flowTask } from '../tasks/flow.js';
import { taskTypes } from '../tasks/index.js';
import type { Task, TaskContext } from '../task.js';
import { writeProbeStats } from './probe-stats.js';
import type { CaptureShare } from './probe-stats.js';

/** Plain data. The limits are those of one processor. */
export interface ProcessorOptions {
  readonly probe: string;
  readonly maxFlows: number;
  /** as FlowTableOptions has it */
  readonly initialFlows?: number;
  readonly fragmentsMax: number;
  readonly idleTimeoutSeconds: number;
  readonly counterWindowSeconds: number;
  readonly flowWindowSeconds: number;
  readonly sketchWindowSeconds: number;
  /** false for `analyze`: nothing is kept by window, and nothing flushed */
  readonly windows: boolean;
  readonly report: boolean;
  readonly reportTop: number;
  readonly tasks: readonly { readonly type: string; readonly options: unknown }[];
  /** what rows say about addresses; without it they say nothing (`analyze` has no rows) */
  readonly enrichment?: EnrichmentData;
}

/** Which packets are this processor's: those whose flow hash it names. Absent where all of them are. */
export type Ownership = (flowHash: number) => boolean;

/** What the accounting row of a flush says besides what was counted here. */
export interface FlushPosition {
  /** names the source: file name or interface */
  readonly source: string;
  readonly partitions: number;
  /** where the source goes on after this flush; for a capture file the offset of the next record */
  readonly position: number;
  /** the stream ended with this flush */
  readonly complete: boolean;
  /** what the probe kept or lost before this; absent for capture files, which are read whole */
  readonly capture?: CaptureShare;
  /** packet time up to which the source was seen: the accounting row's when it brought no packets */
  readonly seenUntil?: Time;
}

/** Everything since the flush before. */
export interface FlushContent {
  readonly blocks: RowBlock[];
  readonly accounting: AccountingReport;
  readonly limits: LimitCounters;
  /** flows in the table now */
  readonly flowsLive: number;
  /** of the packets, those that another probe has brought already: in no other row than those that count them */
  readonly duplicates: DuplicateCounts;
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

/** What a processor met of other partitions. */
export interface Foreign {
  /** records of FlowTable.exportForeign */
  readonly flows: readonly Uint32Array[];
  /** keys of Conversations.exportForeign */
  readonly tuples: readonly Uint32Array[];
}

/** The result of a whole run, one partition's. */
export interface ProcessorReport {
  readonly accounting: AccountingReport;
  readonly conversations: ConversationReport;
  readonly tasks: { readonly type: string; readonly report: unknown }[];
}

const smallestSelection = 1024;
const noDuplicates: DuplicateCounts = { packets: 0, bytes: 0 };

export class PacketProcessor {
  private readonly options: ProcessorOptions;
  private readonly owns: Ownership | undefined;
  private readonly defragmenter: Defragmenter;
  private readonly fragment = new PacketBatch(1, 0);
  private readonly flowTable: FlowTable;
  private readonly applications: ApplicationTracker;
  private readonly tasks: { readonly type: string; readonly task: Task }[];
  private readonly rows: RowSink;
  private enricher: Enricher | null;
  private readonly enrichmentLimits = { damaged: 0, dropped: 0, forgotten: 0 };
  private readonly accounting = new Accounting();
  private readonly conversations: Conversations;
  private readonly single: PacketSelection;
  private selection: PacketSelection;
  private duplicates: DuplicateFlows | null = null;
  private total: AccountingReport | null = null;
  private foldedReported = 0;
  private lateReported = 0;

  constructor(options: ProcessorOptions, owns?: Ownership) {
    this.options = options;
    this.owns = owns;
    this.flowTable = new FlowTable({
      maxFlows: options.maxFlows,
      ...(options.initialFlows !== undefined && { initialFlows: options.initialFlows }),
      windowSeconds: options.windows ? options.flowWindowSeconds : 0,
      idleTimeoutSeconds: options.windows ? options.idleTimeoutSeconds : 0,
    });
    this.enricher = options.enrichment ? sharedEnricher(options.enrichment) : null;
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
    this.applications = new ApplicationTracker(context, { countTlsFrames: options.report });
    this.tasks = options.tasks.map(({ type, options: taskOptions }) => {
      const taskType = taskTypes.get(type);
      if (!taskType) throw new Error(`no task type '${type}'`);
      return { type, task: taskType.create(taskOptions as never, context) };
    });
    this.defragmenter = new Defragmenter({ datagramsMax: options.fragmentsMax });
    this.conversations = new Conversations(options.maxFlows);
    this.selection = createSelection(this.fragment, smallestSelection);
    this.single = createSelection(this.defragmenter.completed, 1);
  }

  /** Bytes of rows that wait for the next flush. */
  get rowBytes(): number {
    return this.rows.size;
  }

  /** flows in the table */
  get flowsLive(): number {
    return this.flowTable.live;
  }

  /** Most flows from now on: processors that share a bound are given what the others leave. */
  set maxFlows(maxFlows: number) {
    this.flowTable.maxFlows = maxFlows;
    if (this.duplicates) this.duplicates.maxFlows = maxFlows;
  }

  /** Count the packets of a batch that are this processor's. */
  take(batch: PacketBatch): void {
    const { count } = batch;
    if (count > this.selection.rows.length) this.selection = createSelection(batch, count);
    this.selection.batch = batch;
    this.process(this.selection, this.select(batch));
    if (this.options.report && batch.outerCount > 0) this.conversations.count(batch, this.owns ?? everything, false);
    if (this.options.windows && count > 0) this.flowTable.expire(batch.timestampSeconds[count - 1]!);
  }

  /**
   * Put rows that are this processor's into `selection`, up to the end; what a fragment cuts off is processed here.
   * A function of its own: V8 compiles a hot loop before it has seen what comes behind it, and would have to do so again.
   * @returns how many wait in `selection`
   */
  private select(batch: PacketBatch): number {
    const { flowHash, layers, count } = batch;
    const { selection, owns } = this;
    const { rows } = selection;
    let selected = 0;
    for (let row = 0; row < count; row += 1) {
      if (owns !== undefined && !owns(flowHash[row]!)) continue;
      if ((layers[row]! & (Layer.Fragment | Layer.MoreFragments)) !== 0) {
        this.process(selection, selected);
        selected = 0;
        this.takeFragment(batch, row);
        continue;
      }
      rows[selected] = row;
      selected += 1;
    }
    return selected;
  }

  /**
   * The same when rows may be copies of what another probe has brought: these are counted as such, and tasks do not see
   * them. Only with windows, and where all rows of a batch are this processor's; then for every batch of the stream.
   * @param duplicate 1 for each row that is a copy
   */
  takeWithout(batch: PacketBatch, duplicate: Uint8Array): void {
    const { layers, count } = batch;
    if (count > this.selection.rows.length) this.selection = createSelection(batch, count);
    const duplicates = (this.duplicates ??= this.openDuplicates());
    const { selection } = this;
    selection.batch = batch;
    let selected = 0;
    let copies = 0;
    for (let row = 0; row < count; row += 1) {
      const isCopy = duplicate[row]!;
      const isFragment = (layers[row]! & (Layer.Fragment | Layer.MoreFragments)) !== 0;
      // Rows of one kind go together, in their order: flow tables follow where each flow stands.
      if (isCopy !== copies || (isFragment && isCopy === 0)) {
        this.processOrCopy(selection, selected, copies, duplicates);
        selected = 0;
        copies = isCopy;
      }
      if (isFragment && isCopy === 0) {
        this.takeFragment(batch, row);
        continue;
      }
      selection.rows[selected] = row;
      selected += 1;
    }
    this.processOrCopy(selection, selected, copies, duplicates);
    if (count === 0) return;
    const seconds = batch.timestampSeconds[count - 1]!;
    this.flowTable.expire(seconds);
    duplicates.expire(seconds);
  }

  /** At the end of the stream: half-seen transactions wait no longer. */
  finish(): void {
    for (const { task } of this.tasks) task.finish();
  }

  /** Everything gathered since the last flush, as rows; empties it. Only with windows. */
  flush({ capture, seenUntil, ...position }: FlushPosition): FlushContent {
    this.flowTable.flush();
    this.applications.flush();
    for (const { task } of this.tasks) task.flush();
    this.countEnrichment();
    const duplicates = this.duplicates?.flush() ?? noDuplicates;
    const accounting = this.takeAccounting();
    writeProbeStats(this.rows, accounting, {
      ...position,
      latePackets: this.flowTable.latePackets - this.lateReported,
      flowsFolded: this.flowTable.foldedFlows - this.foldedReported,
      flowsLive: this.flowTable.live,
      duplicates,
      ...(capture && { capture }),
      ...(seenUntil && { seenUntil }),
    });
    this.lateReported = this.flowTable.latePackets;
    this.foldedReported = this.flowTable.foldedFlows;
    return { blocks: this.rows.take(), accounting, limits: this.limits, flowsLive: this.flowTable.live, duplicates };
  }

  /** From now on rows say this about addresses. */
  enrich(data: EnrichmentData): void {
    if (!this.enricher) return;
    const enricher = sharedEnricher(data);
    this.countEnrichment();
    this.enricher = enricher;
    this.rows.enrich(enricher);
  }

  /** What the enricher met since anybody of this thread asked. */
  private countEnrichment(): void {
    const counters = this.enricher?.takeCounters();
    if (!counters) return;
    const { enrichmentLimits: limits } = this;
    limits.damaged += counters.damagedRecords;
    limits.dropped += counters.droppedRecords;
    limits.forgotten += counters.resets;
  }

  /** What of other partitions ended up here (put together from fragments); taken out of this one's tables. */
  exportForeign(): Foreign {
    if (!this.options.report) return { flows: [], tuples: [] };
    const owns = this.owns ?? everything;
    return { flows: this.flowTable.exportForeign(owns), tuples: this.conversations.exportForeign() };
  }

  /** What of this partition ended up elsewhere. */
  absorb(foreign: Foreign): void {
    for (const record of foreign.flows) this.flowTable.absorb(record);
    for (const key of foreign.tuples) this.conversations.absorb(key);
  }

  report(): ProcessorReport {
    this.flowTable.closeDeltas();
    return {
      accounting: this.takeAccounting(),
      conversations: this.conversations.report(this.flowTable),
      tasks: this.tasks.map(({ type, task }) => ({ type, report: task.report() })),
    };
  }

  /**
   * A fragment, by itself and in its place in the order. It is taken from a copy of the row: putting it together gives
   * rows ports and another hash, and other workers may still read the batch to see whose row is whose.
   */
  private takeFragment(batch: PacketBatch, row: number): void {
    const { fragment, defragmenter, single } = this;
    fragment.payload = batch.payload;
    fragment.copyRow(batch, row, 0);
    const completed = defragmenter.add(fragment, 0) === DefragmentResult.Completed;
    single.batch = completed ? defragmenter.completed : fragment;
    single.rows[0] = 0;
    this.process(single, 1);
    if (completed && this.options.report)
      this.conversations.count(defragmenter.completed, this.owns ?? everything, true);
  }

  private openDuplicates(): DuplicateFlows {
    const { maxFlows, flowWindowSeconds, idleTimeoutSeconds } = this.options;
    const hasRows = this.tasks.some(({ type }) => type === flowTask.type);
    return new DuplicateFlows({
      maxFlows,
      windowSeconds: flowWindowSeconds,
      idleTimeoutSeconds,
      rows: hasRows ? this.rows : null,
    });
  }

  private process(selection: PacketSelection, count: number): void {
    if (count === 0) return;
    selection.count = count;
    this.flowTable.track(selection);
    this.accounting.count(selection);
    this.applications.process(selection);
    for (const { task } of this.tasks) task.process(selection);
    this.duplicates?.follow(selection);
  }

  private processOrCopy(selection: PacketSelection, count: number, copies: number, duplicates: DuplicateFlows): void {
    if (copies === 0 || count === 0) {
      this.process(selection, count);
      return;
    }
    selection.count = count;
    this.accounting.count(selection);
    this.flowTable.track(selection, 0);
    const { flow, events } = selection;
    for (let i = 0; i < count; i += 1)
      if ((events[i]! & (PacketEvent.NewFlow | PacketEvent.Reopened)) !== 0) this.flowTable.forgetNew(flow[i]!);
    duplicates.count(selection);
  }

  /** How often limits were met so far. */
  get limits(): LimitCounters {
    const fragments = this.defragmenter.counters;
    const applications = this.applications.counters();
    const { enrichmentLimits: enrichment } = this;
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
      enrichment_records_damaged: enrichment.damaged,
      enrichment_records_dropped: enrichment.dropped,
      enrichment_places_forgotten: enrichment.forgotten,
    };
  }

  private takeAccounting(): AccountingReport {
    const report = this.accounting.take();
    this.total = this.total ? mergeAccounting([this.total, report]) : report;
    return this.options.windows ? report : this.total;
  }
}

const everything: Ownership = () => true;
