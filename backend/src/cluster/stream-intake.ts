/**
 * What one (probe, epoch) of a partition brings: its messages in order, decoded, counted by a processor of its own, and
 * cut into stretches of the sequence. A stretch is what one flush of the store covers, so it is cut wherever the
 * sequence jumps and wherever an engine before this one had declared a border.
 */
import { PacketBatch, decodePacketBatch } from '@netspectra/proto';
import type { BatchHeader, CaptureCounters, DecodedBatch, WireError } from '@netspectra/proto';
import type { ReceivedMessage } from '@netspectra/collector/bus';
import type { FlushContent, PacketProcessor } from '../engine/pipeline/packet-processor.js';
import type { DuplicateMemory } from './duplicate-memory.js';
import { MessageOrder } from './message-order.js';
import type { OrderCounters, SequenceRange } from './message-order.js';

/** What the store has of a (probe, epoch, partition). */
export interface StoredPart {
  readonly lastSeq: number;
  readonly gaps: readonly SequenceRange[];
  readonly filtered: number;
  readonly kernelDropped: number;
}

/** Why a message that the bus let through has no packets for us. `foreign_header`: it says another name inside. */
export type RefusalReason = WireError | 'foreign_header';

/** Rows of a stretch, ready to be written. */
export interface CutStretch {
  readonly probe: string;
  readonly epoch: bigint;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** lowest stream sequence of its messages: the bus must keep from here on until it is stored */
  readonly streamSequence: number;
  readonly content: FlushContent;
  /** the probe's clock when its last message was made (unix milliseconds), for the latency; 0 = unknown */
  readonly lastPacketMs: number;
  /** the epoch ended with it */
  readonly complete: boolean;
  /** it repeats what an engine before had declared */
  readonly declared: boolean;
}

export interface StreamIntakeOptions {
  readonly probe: string;
  readonly epoch: bigint;
  readonly partition: number;
  readonly partitions: number;
  readonly stored: StoredPart;
  readonly processor: PacketProcessor;
  /** tells which packets another probe has brought; null: all count */
  readonly memory: DuplicateMemory | null;
  /** most messages held while one before them is missing */
  readonly heldMax: number;
  /** stretches that an engine before declared and may have written in part: repeated to the number */
  readonly declared: readonly SequenceRange[];
  /** told of a message that is passed over; its sequence counts as taken */
  readonly onRefused: (reason: RefusalReason) => void;
  /** given the bytes of every message that was counted: they are not read any more */
  readonly recycle: (bytes: Uint8Array) => void;
}

/**
 * All messages of a thread, of whatever stream, are read into one batch, for nothing keeps it beyond the call that counts it: 0.7 MB that are neither allocated, zeroed nor
 * collected for each. Larger messages than usual (bus.message_bytes holds 2,300 rows) get one of their own.
 */
const scratchRows = 4_096;
let scratch: PacketBatch | undefined;

/** A message, and what was told of it when it came. */
interface Arrival extends ReceivedMessage {
  /** 1 for each packet that another probe has brought already; absent: all count */
  readonly copies?: Uint8Array;
}

interface OpenStretch {
  readonly firstSeq: number;
  lastSeq: number;
  streamSequence: number;
  packets: number;
  readonly sinceMs: number;
  header: BatchHeader | null;
  /** a declared border it must end at; null = free */
  readonly declared: SequenceRange | null;
}

export class StreamIntake {
  readonly probe: string;
  readonly epoch: bigint;
  readonly processor: PacketProcessor;
  /** monotonic milliseconds of the last message */
  lastActiveMs = 0;
  private readonly options: StreamIntakeOptions;
  private readonly order: MessageOrder<Arrival>;
  /** of the message that came last, which is mostly counted at once; good until another is read */
  private decoded: { readonly bytes: Uint8Array; readonly result: DecodedBatch } | null = null;
  private readonly cuts: CutStretch[] = [];
  private declared: SequenceRange[];
  private open: OpenStretch | null = null;
  /** as far as the accounting rows tell the probe's cumulative counters */
  private told: { filtered: number; kernelDropped: number };
  private waitingSinceMs: number | null = null;
  private waitingFor = -1;

  constructor(options: StreamIntakeOptions) {
    const { stored } = options;
    this.options = options;
    this.probe = options.probe;
    this.epoch = options.epoch;
    this.processor = options.processor;
    this.order = new MessageOrder({ position: stored.lastSeq, gaps: stored.gaps, heldMax: options.heldMax });
    this.told = { filtered: stored.filtered, kernelDropped: stored.kernelDropped };
    this.declared = options.declared.filter((range) => !isStored(stored, range));
  }

  get counters(): Readonly<OrderCounters> {
    return this.order.counters;
  }

  /** Declared stretches that were not brought to their end yet. */
  get declaredLeft(): number {
    return this.declared.length;
  }

  /** Messages taken since the last cut, or cut and not fetched. */
  get hasUnflushed(): boolean {
    return this.open !== null || this.cuts.length > 0;
  }

  get hasCuts(): boolean {
    return this.cuts.length > 0;
  }

  /** Messages taken and not in a cut that was fetched. */
  get heldCount(): number {
    let count = this.order.waitingCount + (this.open ? messagesOf(this.open) : 0);
    for (const cut of this.cuts) count += messagesOf(cut);
    return count;
  }

  /** Messages that wait for one before them, and their bytes. */
  get waitingCount(): number {
    return this.order.waitingCount;
  }
  get waitingBytes(): number {
    let bytes = 0;
    for (const message of this.order.waiting) bytes += message.bytes.length;
    return bytes;
  }

  /** The open stretch should be written: it has packets or the epoch's end, or is open for `idleMs`. */
  isDue(nowMs: number, idleMs: number): boolean {
    const { open } = this;
    return open !== null && (open.packets > 0 || open.header?.complete === true || nowMs - open.sinceMs >= idleMs);
  }

  /** Lowest stream sequence that is not in a cut yet; Infinity = none. */
  get lowestHeld(): number {
    let lowest = this.open?.streamSequence ?? Infinity;
    for (const { streamSequence } of this.order.waiting) lowest = Math.min(lowest, streamSequence);
    for (const cut of this.cuts) lowest = Math.min(lowest, cut.streamSequence);
    return lowest;
  }

  /** Take a message; what is in order then is counted. @returns packets that were counted */
  take(message: ReceivedMessage, nowMs: number): number {
    this.lastActiveMs = nowMs;
    return this.countAll(this.order.add(this.judged(message)));
  }

  /** How long the hole before the first held message is open; 0 = there is none. */
  holeMs(nowMs: number): number {
    if (this.order.waitingCount === 0) {
      this.waitingSinceMs = null;
      return 0;
    }
    if (this.waitingSinceMs === null || this.waitingFor !== this.order.next) {
      this.waitingSinceMs = nowMs;
      this.waitingFor = this.order.next;
    }
    return nowMs - this.waitingSinceMs;
  }

  /** The hole's age begins anew: nobody could have filled it. */
  forgiveHole(): void {
    this.waitingSinceMs = null;
  }

  /** Go past the hole. @returns packets that were counted */
  skipHole(): number {
    return this.countAll(this.order.skipHole());
  }

  /** Declared stretches whose messages do not come any more: they end with what there is. */
  giveUpDeclared(): void {
    if (this.open?.declared) this.cut();
    this.declared = [];
  }

  /**
   * The partition changes hands: transactions that are half seen become rows now, since whoever comes next does not know of
   * them. Only with an open stretch, which such rows belong to.
   */
  finish(): void {
    if (this.open && this.open.header?.complete !== true) this.processor.finish();
  }

  /** End the open stretch. */
  cut(): void {
    const { open } = this;
    if (!open) return;
    this.open = null;
    const { probe, epoch } = this;
    const { header } = open;
    const complete = header?.complete ?? false;
    if (complete) this.processor.finish();
    const content = this.processor.flush({
      source: header?.source ?? '',
      partitions: this.options.partitions,
      position: header?.position ?? 0,
      complete,
      seenUntil: { seconds: header?.lastSeconds ?? 0, nanoseconds: header?.lastNanoseconds ?? 0 },
      capture: this.captureShare(header?.counters),
    });
    this.cuts.push({
      probe,
      epoch,
      firstSeq: open.firstSeq,
      lastSeq: open.lastSeq,
      streamSequence: open.streamSequence,
      content,
      lastPacketMs: header ? header.lastSeconds * 1000 + header.lastNanoseconds / 1e6 : 0,
      complete,
      declared: open.declared !== null,
    });
    if (open.declared) this.declared = this.declared.filter((range) => range !== open.declared);
  }

  /** The stretches that were cut since the last call. */
  fetchCuts(): CutStretch[] {
    return this.cuts.splice(0);
  }

  /**
   * Told as it comes, whatever becomes of it: also what is in the store, or here twice. A message that has to wait for one
   * before it is decoded once more when it is counted.
   */
  private judged(message: ReceivedMessage): Arrival {
    const { memory, stored } = this.options;
    if (memory === null) return message;
    const result = this.decode(message);
    if (!result.ok || !this.isNamed(result.header, message)) return message;
    const { batch, header } = result;
    const { probe, epoch, sequence, arrivedMs } = message;
    const capturedMs = header.lastSeconds * 1000 + header.lastNanoseconds / 1e6;
    const isStored = sequence <= stored.lastSeq && !stored.gaps.some((gap) => isIn(gap, sequence));
    const marks = memory.judge({ probe, epoch, sequence, batch, arrivedMs, capturedMs, isStored });
    return { ...message, copies: marks.slice(0, batch.count) };
  }

  private countAll(messages: readonly Arrival[]): number {
    let packets = 0;
    for (const message of messages) {
      packets += this.count(message);
      this.decoded = null;
      this.options.recycle(message.bytes);
    }
    return packets;
  }

  private count(message: Arrival): number {
    const { sequence, streamSequence, copies } = message;
    if (this.open && (sequence !== this.open.lastSeq + 1 || isPast(this.open.declared, sequence))) this.cut();
    const declared = this.declared.find((range) => isIn(range, sequence)) ?? null;
    if (this.open && this.open.declared !== declared) this.cut();
    this.open ??= {
      firstSeq: sequence,
      lastSeq: sequence,
      streamSequence,
      packets: 0,
      sinceMs: this.lastActiveMs,
      header: null,
      declared,
    };
    const { open } = this;
    open.lastSeq = sequence;
    open.streamSequence = Math.min(open.streamSequence, streamSequence);
    const decoded = this.decode(message);
    let packets = 0;
    if (!decoded.ok) this.options.onRefused(decoded.error);
    else if (!this.isNamed(decoded.header, message)) this.options.onRefused('foreign_header');
    else {
      if (copies) this.processor.takeWithout(decoded.batch, copies);
      else this.processor.take(decoded.batch);
      open.header = decoded.header;
      packets = decoded.batch.count;
      open.packets += packets;
    }
    if (declared?.last === sequence) this.cut();
    return packets;
  }

  private decode({ bytes }: ReceivedMessage): DecodedBatch {
    if (this.decoded?.bytes === bytes) return this.decoded.result;
    const result = decodePacketBatch(bytes, (scratch ??= new PacketBatch(scratchRows, scratchRows)));
    if (this.options.memory !== null) this.decoded = { bytes, result };
    return result;
  }

  private isNamed(header: BatchHeader, message: ReceivedMessage): boolean {
    return (
      header.probe === message.probe &&
      header.epoch === message.epoch &&
      header.sequence === message.sequence &&
      header.partition === message.partition &&
      header.partitions === this.options.partitions
    );
  }

  /**
   * What the probe's counters grew by. They are the whole ring's and every partition's messages tell them, so only the
   * first partition's accounting rows do.
   */
  private captureShare(counters: CaptureCounters | undefined): { filtered: number; kernelDropped: number } {
    if (this.options.partition !== 0 || !counters) return { filtered: 0, kernelDropped: 0 };
    const before = this.told;
    const filtered = Math.max(before.filtered, counters.filtered);
    const kernelDropped = Math.max(before.kernelDropped, counters.kernelDropped);
    this.told = { filtered, kernelDropped };
    return { filtered: filtered - before.filtered, kernelDropped: kernelDropped - before.kernelDropped };
  }
}

/** A stretch has no holes. */
export const messagesOf = ({ firstSeq, lastSeq }: Pick<CutStretch, 'firstSeq' | 'lastSeq'>): number =>
  lastSeq - firstSeq + 1;

const isIn = ({ first, last }: SequenceRange, sequence: number): boolean => sequence >= first && sequence <= last;
const isPast = (range: SequenceRange | null, sequence: number): boolean => range !== null && sequence > range.last;

/** A stretch is stored whole or not at all. */
function isStored({ lastSeq, gaps }: StoredPart, { first, last }: SequenceRange): boolean {
  return last <= lastSeq && !gaps.some((gap) => gap.first <= last && gap.last >= first);
}
