/**
 * One partition's worker: it runs the tasks for its own rows of every chunk, and decodes chunks when there are none to
 * take. Runs in a thread of its own, or, alone, in the caller's.
 */
import { partitionOf } from '@netspectra/collector/decode';
import type { PacketBatch } from '@netspectra/proto';
import type { EnrichmentData } from '../../enrichment/index.js';
import { ChunkDecoder, sequenceOf } from './chunk-decoder.js';
import type { DecodeOptions } from './chunk-decoder.js';
import { PacketProcessor } from './packet-processor.js';
import type { FlushContent, Foreign, ProcessorOptions, ProcessorReport } from './packet-processor.js';
import type { PipelineShared } from './shared-state.js';

/** Everything a worker needs besides the shared buffers; plain data. The limits are those of all workers together. */
export interface WorkerOptions extends DecodeOptions, ProcessorOptions {
  /** names the source in the accounting rows */
  readonly sourceName: string;
  readonly firstChunk: number;
  /** sequence number of the first flush, see `sequenceOf` */
  readonly firstSeq: number;
}

/** What one partition gathered since the flush before. */
export interface FlushMessage extends FlushContent {
  readonly kind: 'flush';
  readonly partition: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** Flushes a worker may be ahead of the writer: what bounds the memory of rows that wait. */
const flushesAhead = 2;

export class PartitionWorker {
  private readonly shared: PipelineShared;
  private readonly index: number;
  private readonly options: WorkerOptions;
  private readonly onFlush: (flush: FlushMessage) => void;
  private readonly newEnrichment: () => EnrichmentData | undefined;
  private readonly decoder: ChunkDecoder;
  private readonly processor: PacketProcessor;
  private nextConsumed: number;
  private firstUnflushed: number;
  /** time of the latest packet at the end of a chunk, of whatever partition: up to there this one is complete too */
  private seenUntil = { seconds: 0, nanoseconds: 0 };
  private flushes = 0;

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
    const { workers: partitions } = shared.shape;
    this.decoder = new ChunkDecoder(shared, options);
    this.processor = new PacketProcessor(
      {
        ...options,
        maxFlows: Math.max(1024, Math.ceil(options.maxFlows / partitions)),
        fragmentsMax: Math.max(64, Math.ceil(options.fragmentsMax / partitions)),
      },
      ...(partitions === 1 ? [] : [(hash: number) => partitionOf(hash, partitions) === index]),
    );
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
    this.processor.finish();
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
    return this.processor.exportForeign();
  }

  /** What of this partition ended up elsewhere. */
  absorb(foreign: Foreign): void {
    this.processor.absorb(foreign);
  }

  report(): ProcessorReport {
    return this.processor.report();
  }

  /** Take my rows of the next chunk in order, when it is there. */
  private consume(): boolean {
    const { shared } = this;
    const chunk = this.nextConsumed;
    if (!shared.isPublished(chunk)) return false;
    const { batch } = shared.slots[chunk % shared.shape.slots]!;
    const flush = shared.flushAfter(chunk);
    const end = shared.chunkEnd(chunk);
    this.processor.take(batch);
    this.see(batch);
    this.nextConsumed = chunk + 1;
    // The partitions are alike, so the first one's rows stand for all when the next flush is decided.
    if (this.index === 0) shared.rowBytes = this.processor.rowBytes;
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

  private see({ count, timestampSeconds, timestampNanoseconds }: PacketBatch): void {
    if (count === 0) return;
    const seconds = timestampSeconds[count - 1]!;
    const nanoseconds = timestampNanoseconds[count - 1]!;
    const { seenUntil } = this;
    if (seconds < seenUntil.seconds || (seconds === seenUntil.seconds && nanoseconds < seenUntil.nanoseconds)) return;
    seenUntil.seconds = seconds;
    seenUntil.nanoseconds = nanoseconds;
  }

  /** Hand everything gathered since the last flush to the writer; wait when it is too far behind. */
  private flush(sequence: number, last: boolean, end: number): void {
    this.onFlush({
      kind: 'flush',
      partition: this.index,
      firstSeq: this.firstUnflushed,
      lastSeq: sequence,
      ...this.processor.flush({
        source: this.options.sourceName,
        partitions: this.shared.shape.workers,
        position: end,
        complete: last && this.shared.sourceEnded,
        seenUntil: this.seenUntil,
      }),
    });
    this.firstUnflushed = sequence + 1;
    this.flushes += 1;
    const enrichment = this.newEnrichment();
    if (enrichment) this.processor.enrich(enrichment);
    // `flushesStored` counts every partition's.
    while (!last && this.shared.flushesStored < (this.flushes - flushesAhead) * this.shared.shape.workers) {
      this.shared.wait(this.shared.version());
    }
  }
}
