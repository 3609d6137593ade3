/**
 * Manager: runs a capture through the pipeline. It makes the shared state, starts the workers, feeds streams, hands
 * flushes to the writer in order, and puts the partitions' reports together.
 *
 * `stop()` ends a run gracefully: what was framed is consumed, everything gathered is written, then `run` resolves.
 */
import { CaptureFramer, FrameTable, recordBytesMax } from '@netspectra/collector';
import type { CaptureInput, StreamDamage, CaptureState } from '@netspectra/collector';
import { partitionOf } from '@netspectra/collector/decode';
import type { EnrichmentData } from '../enrichment/index.js';
import type { Flush, Writer } from '../tables/index.js';
import { addCounts, mergeAccounting } from './accounting.js';
import type { AccountingReport } from './accounting.js';
import { hashOfTuple } from './conversations.js';
import type { ConversationReport } from './conversations.js';
import { hashOfRecord } from './flow-table/index.js';
import { FileSource } from './pipeline/chunk-source.js';
import { chunkOf } from './pipeline/chunk-decoder.js';
import type { Foreign, LimitCounters, ProcessorReport } from './pipeline/packet-processor.js';
import type { FlushMessage, WorkerOptions } from './pipeline/partition-worker.js';
import { createPipelineBuffers, PipelineShared } from './pipeline/shared-state.js';
import type { PipelineBuffers } from './pipeline/shared-state.js';
import { startHere, startThread } from './pipeline/worker-host.js';
import type { WorkerHost } from './pipeline/worker-host.js';
import { taskTypes } from './tasks/index.js';

export interface ManagerOptions extends Omit<
  WorkerOptions,
  'source' | 'firstChunk' | 'firstSeq' | 'flushAt' | 'windows' | 'sourceName'
> {
  /** threads, the caller's included when there is no writer; each has a partition of its own */
  readonly workers: number;
  readonly chunkBytes?: number;
  readonly chunkRows?: number;
  /** Files up to this many bytes are read in the caller's thread when there is no writer; starting threads costs more. */
  readonly inlineBytes?: number;
}

/** Where an earlier run of the same source stopped, from the store. */
export interface ResumePoint {
  /** sequence number up to which everything is stored; -1 = nothing */
  readonly lastSeq: number;
  /** file offset to go on at */
  readonly position: number;
  /** flushes that were under way ended with these sequence numbers, ascending */
  readonly flushAt: readonly number[];
}

export interface RunSource {
  readonly capture: CaptureInput;
  readonly name: string;
  /** names the content; rows of the same epoch are the same rows */
  readonly epoch: bigint;
  readonly resume?: ResumePoint;
}

export interface RunProgress {
  /** packets framed */
  readonly packets: number;
  /** bytes of the (uncompressed) capture read */
  readonly offset: number;
  /** bytes of the file as it lies on disk, and how many of them are read; null when unknown (standard input) */
  readonly size: number | null;
  readonly read: number;
}

/** What a run holds in memory now. */
export interface EngineHeld {
  /** flows in the tables, as of the last flush */
  readonly flows: number;
  /** flushes that wait for the writer or are being written */
  readonly flushes: number;
  /** chunks of the capture between framing and the last worker that needs them */
  readonly chunks: number;
}

export interface RunResult {
  readonly accounting: AccountingReport;
  readonly conversations: ConversationReport;
  /** merged report by task type */
  readonly tasks: ReadonlyMap<string, unknown>;
  readonly capture: CaptureState;
  /** what ended a compressed or piped source early */
  readonly streamDamage: StreamDamage | null;
  /** the source ended by itself, not by `stop` */
  readonly complete: boolean;
}

/** 512 KiB: measured on two cores, 256 KiB to 2 MiB are alike within the noise and 128 KiB costs a third more. */
const defaultChunkBytes = 512 * 1024;
const slotsPerWorker = 4;

export class Manager {
  private readonly options: ManagerOptions;
  private readonly writer: Writer | null;
  private shared: PipelineShared | null = null;
  private source: RunSource | null = null;
  private stopRequested = false;
  private streamDamage: StreamDamage | null = null;
  private stored: AccountingReport = mergeAccounting([]);
  private hosts: readonly WorkerHost[] = [];
  /** newer than that of the options */
  private enrichment: EnrichmentData | null = null;
  /** latest counters by partition */
  private readonly limitsMet: LimitCounters[] = [];
  private readonly flowsLiveOf: number[] = [];
  private flushesMade = 0;
  private flushesWritten = 0;

  /** @param writer where rows go; null = only the report is wanted */
  constructor(options: ManagerOptions, writer: Writer | null) {
    this.options = options;
    this.writer = writer;
  }

  /** What is done so far. */
  progress(): RunProgress {
    const capture = this.source?.capture;
    const offset = this.shared?.nextOffset ?? 0;
    return {
      packets: this.shared?.packets ?? 0,
      offset,
      size: capture ? (capture.kind === 'file' ? capture.size : (capture.compressedSize ?? null)) : null,
      read: capture?.kind === 'stream' ? capture.bytesRead() : offset,
    };
  }

  /** What is in the store of this run so far. */
  get accounting(): AccountingReport {
    return this.stored;
  }

  /** How often limits were met so far, by name, all partitions together. */
  get limits(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = {};
    for (const counters of this.limitsMet) addCounts(sum, { ...counters });
    return sum;
  }

  /** What is held at the moment, all partitions together. */
  get held(): EngineHeld {
    return {
      flows: this.flowsLiveOf.reduce((sum, flows) => sum + flows, 0),
      flushes: this.flushesMade - this.flushesWritten,
      chunks: this.shared?.chunksInWork ?? 0,
    };
  }

  /** From the workers' next flush on, rows say this about addresses. */
  enrich(data: EnrichmentData): void {
    this.enrichment = data;
    for (const host of this.hosts) host.enrich(data);
  }

  /** End the run after what is already framed. */
  stop(): void {
    this.stopRequested = true;
    this.shared?.requestStop();
  }

  /** Run a capture to its end (or to `stop`). Rejects when a worker or the writer fails. */
  async run(source: RunSource): Promise<RunResult> {
    const { options } = this;
    const { capture } = source;
    const inline = capture.kind === 'file' && !this.writer && capture.size <= (options.inlineBytes ?? 0);
    const workers = inline ? 1 : options.workers;
    const chunkBytes = options.chunkBytes ?? defaultChunkBytes;
    const buffers = createPipelineBuffers({
      workers,
      chunkBytes,
      chunkRows: options.chunkRows ?? Math.max(16, Math.ceil(chunkBytes / 64)),
      slots: inline ? 1 : workers * slotsPerWorker,
      ringBytes: capture.kind === 'stream' ? recordBytesMax + 4 * chunkBytes : 0,
    });
    const shared = new PipelineShared(buffers);
    this.shared = shared;
    this.source = source;
    const resume = source.resume ?? { lastSeq: -1, position: 0, flushAt: [] };
    if (resume.position > 0 && capture.kind === 'file')
      skipTo(capture.path, capture.size, shared.capture, resume.position);
    const firstChunk = chunkOf(resume.lastSeq) + 1;
    shared.begin(firstChunk, capture.kind === 'file' ? shared.capture.nextOffset : resume.position);
    if (this.stopRequested) shared.requestStop();
    const workerOptions: WorkerOptions = {
      ...options,
      ...(this.enrichment && { enrichment: this.enrichment }),
      sourceName: source.name,
      source:
        capture.kind === 'file'
          ? { kind: 'file', path: capture.path, size: capture.size }
          : { kind: 'stream', live: capture.compressedSize === undefined },
      firstChunk,
      firstSeq: resume.lastSeq + 1,
      flushAt: resume.flushAt,
      windows: this.writer !== null,
    };
    const reports = await this.work(shared, source, workerOptions, buffers);
    return {
      accounting: mergeAccounting(reports.map((report) => report.accounting)),
      conversations: {
        tcp: reports.reduce((sum, report) => sum + report.conversations.tcp, 0),
        udp: reports.reduce((sum, report) => sum + report.conversations.udp, 0),
      },
      tasks: mergeTaskReports(reports),
      capture: shared.capture,
      streamDamage: this.streamDamage,
      complete: shared.sourceEnded,
    };
  }

  /**
   * Start the workers, see them through, and collect their reports. Without a writer the caller's thread is the first
   * worker: it would only wait otherwise, and has its code loaded already.
   */
  private async work(
    shared: PipelineShared,
    source: RunSource,
    options: WorkerOptions,
    buffers: PipelineBuffers,
  ): Promise<ProcessorReport[]> {
    const { workers } = shared.shape;
    const gathered = new Map<number, FlushMessage[]>();
    let writing: Promise<void> = Promise.resolve();
    let fail: (reason: unknown) => void = () => {};
    const failed = new Promise<never>((_, reject) => (fail = reject));
    failed.catch(() => {}); // awaited below, with what can also end the work
    const onFlush = (flush: FlushMessage): void => {
      // One flush after the other, each with all its partitions: then a crash leaves at most one half written.
      this.flowsLiveOf[flush.partition] = flush.flowsLive;
      this.flushesMade += 1;
      const parts = [...(gathered.get(flush.lastSeq) ?? []), flush];
      gathered.set(flush.lastSeq, parts);
      if (parts.length < workers) return;
      gathered.delete(flush.lastSeq);
      for (const part of parts.sort((a, b) => a.partition - b.partition)) {
        writing = writing.then(() => this.store(source, part)).then(() => shared.flushStored());
      }
      writing.catch(fail);
    };
    const hosts: WorkerHost[] = [];
    for (let index = workers - 1; index >= 0; index -= 1) {
      const here = index === 0 && !this.writer && source.capture.kind === 'file';
      hosts.unshift(here ? startHere(shared, index, options) : startThread({ buffers, index, options }, onFlush));
    }
    this.hosts = hosts;
    if (source.capture.kind === 'stream') {
      this.feed(shared, source.capture, source.resume?.position ?? 0).catch(fail);
    }
    const seen = async (): Promise<ProcessorReport[]> => {
      const home = routeForeign(await Promise.all(hosts.map((host) => host.foreign)), workers);
      // The threads first: the caller's own report is made at once, before anything is sent after it.
      const asked = [...hosts.entries()].reverse().map(([i, host]) => host.absorb(home[i]!));
      const reports = (await Promise.all(asked)).reverse();
      await writing;
      return reports;
    };
    try {
      return await Promise.race([seen(), failed]);
    } finally {
      // After a failure the others would wait for ever.
      shared.requestStop();
      this.hosts = [];
      await Promise.all(hosts.map((host) => host.terminate()));
    }
  }

  private async store(source: RunSource, message: FlushMessage): Promise<void> {
    const flush: Flush = {
      probe: this.options.probe,
      epoch: source.epoch,
      partition: message.partition,
      firstSeq: message.firstSeq,
      lastSeq: message.lastSeq,
      blocks: message.blocks,
    };
    await this.writer?.write(flush);
    this.stored = mergeAccounting([this.stored, message.accounting]);
    this.limitsMet[message.partition] = message.limits;
    this.flushesWritten += 1;
  }

  /** Move a stream's bytes into the ring, waiting while the workers are behind. Bytes before `position` are let go. */
  private async feed(
    shared: PipelineShared,
    capture: CaptureInput & { kind: 'stream' },
    position: number,
  ): Promise<void> {
    const { ring } = shared;
    const skipper = new StreamSkipper(shared.capture, position);
    let offset = position;
    for await (const piece of capture.chunks()) {
      const bytes = skipper.after(piece);
      let from = 0;
      while (from < bytes.length) {
        if (shared.stop || shared.chunkCount >= 0) break;
        const version = shared.version();
        const room = ring.length - (offset - shared.nextOffset);
        if (room <= 0) {
          await shared.waitAsync(version, 1000);
          continue;
        }
        const at = offset % ring.length;
        const length = Math.min(room, bytes.length - from, ring.length - at);
        ring.set(bytes.subarray(from, from + length), at);
        from += length;
        offset += length;
        shared.streamFilled(offset);
      }
      if (shared.stop || shared.chunkCount >= 0) break;
    }
    this.streamDamage = capture.damage() ?? null;
    shared.endStream();
  }
}

/** Frames a stream up to where an earlier run stopped, so that the capture state is right there. */
class StreamSkipper {
  private readonly framer: CaptureFramer;
  private readonly frames = new FrameTable(65_536);
  private readonly position: number;
  private held = new Uint8Array(0);

  constructor(state: CaptureState, position: number) {
    this.framer = new CaptureFramer(state);
    this.position = position;
  }

  /** What of the next piece of the stream lies behind the position (perhaps nothing yet). */
  after(piece: Uint8Array): Uint8Array {
    const { state } = this.framer;
    if (state.nextOffset >= this.position) return piece;
    let bytes = new Uint8Array(this.held.length + piece.length);
    bytes.set(this.held);
    bytes.set(piece, this.held.length);
    while (state.nextOffset < this.position) {
      const length = Math.min(bytes.length, this.position - state.nextOffset);
      const used = this.framer.frame(bytes, length, state.nextOffset, false, this.frames);
      bytes = bytes.subarray(used);
      if (used === 0) break;
    }
    const done = state.nextOffset >= this.position || state.fatal;
    this.held = done ? new Uint8Array(0) : bytes.slice();
    return done ? bytes : this.held.subarray(0, 0);
  }
}

/** Bring the capture state to where an earlier run stopped: the records before are framed and let go. */
function skipTo(path: string, size: number, state: CaptureState, position: number): void {
  const framer = new CaptureFramer(state);
  const frames = new FrameTable(65_536);
  const source = new FileSource(path, size);
  let bytes = new Uint8Array(1 << 20);
  const read = { bytes: 0, atEnd: false, retryMilliseconds: null };
  try {
    while (state.nextOffset < position && !state.ended && !state.fatal) {
      // Never past the position, so that framing stops exactly there.
      const target = bytes.subarray(0, Math.min(bytes.length, position - state.nextOffset));
      source.read(target, state.nextOffset, read);
      if (framer.frame(bytes, read.bytes, state.nextOffset, false, frames) > 0) continue;
      if (framer.neededBytes <= bytes.length) break;
      bytes = new Uint8Array(framer.neededBytes);
    }
  } finally {
    source.close();
  }
}

/** Sort what workers met of other partitions by the partition that owns it. */
function routeForeign(met: readonly Foreign[], partitions: number): Foreign[] {
  const home = Array.from({ length: partitions }, () => ({ flows: [] as Uint32Array[], tuples: [] as Uint32Array[] }));
  for (const { flows, tuples } of met) {
    for (const record of flows) home[partitionOf(hashOfRecord(record), partitions)]!.flows.push(record);
    for (const key of tuples) home[partitionOf(hashOfTuple(key), partitions)]!.tuples.push(key);
  }
  return home;
}

function mergeTaskReports(reports: readonly ProcessorReport[]): Map<string, unknown> {
  const merged = new Map<string, unknown>();
  for (const { type } of reports[0]?.tasks ?? []) {
    const parts = reports.map((report) => report.tasks.find((task) => task.type === type)?.report);
    merged.set(type, taskTypes.get(type)!.merge(parts as never[]));
  }
  return merged;
}
