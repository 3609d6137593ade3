/**
 * Processes one partition while its lease is held: reads the bus in order, counts, and writes flushes so that every
 * message is in the store exactly once, whatever dies when.
 *
 * A flush is: cut the open stretches of all streams, declare them in the lease, write each (its accounting row last), let
 * the bus forget what is stored. Everything kept between flushes is additive, so an engine that takes over needs nothing
 * of the one before but the store and the declaration: it repeats a declared flush with the same borders, whose inserts
 * bear the same tokens, and goes on behind.
 *
 * Back-pressure: one flush may be under way while the next gathers, and of a thread's partitions only some at once
 * (`FlushGate`). Beyond that nothing more is taken from the bus, which keeps it. A store that is away is tried again as long as the lease is held.
 */
import type { Bus, BusLog, Delivery, PartitionConsumer, ReceivedMessage, StreamState } from '@netspectra/collector/bus';
import type { EnrichmentData } from '../enrichment/index.js';
import { addCounts } from '../engine/accounting.js';
import type { FlushContent, PacketProcessor } from '../engine/pipeline/packet-processor.js';
import { WriteForbidden } from '../tables/index.js';
import type { RowBlock, Writer } from '../tables/index.js';
import { DuplicateMemory, noDuplicateState } from './duplicate-memory.js';
import type { DuplicateOptions, DuplicateState } from './duplicate-memory.js';
import type { FlowBudget } from './flow-budget.js';
import type { FlushGate } from './flush-gate.js';
import { stretchesMax } from './lease.js';
import type { Lease } from './lease.js';
import { messagesOf, StreamIntake } from './stream-intake.js';
import type { CutStretch, RefusalReason, StoredPart } from './stream-intake.js';
import type { Turns } from './turns.js';

export interface RunnerParts {
  readonly bus: Bus;
  readonly lease: Lease;
  readonly writer: Writer;
  readonly budget: FlowBudget;
  readonly gate: FlushGate;
  readonly turns: Turns;
  readonly log: BusLog;
  /** What the store has. Rejects when it does not answer. */
  readonly readStored: (probe: string, epoch: bigint, partition: number) => Promise<StoredPart>;
  readonly newProcessor: (probe: string) => PacketProcessor;
  /** told of every stretch when it is stored */
  readonly onStored?: (stretch: CutStretch, partition: number) => void;
  /** given the rows of every flush that is stored, which are not read any more; absent: the writer reads them later */
  readonly recycleRows?: (blocks: readonly RowBlock[]) => void;
  /** told of points that a test may want to stop at */
  readonly reached?: (point: RunnerPoint) => void | Promise<void>;
}

/** Where a crash is most interesting. */
export type RunnerPoint = 'cut' | 'declared' | 'written' | 'acknowledged';

export interface RunnerOptions {
  readonly partition: number;
  /** milliseconds between flushes at most, while there are packets */
  readonly flushMs: number;
  /** bytes of rows that make a flush early */
  readonly rowBytesMax: number;
  /** packets that make a flush early: bounds its rows */
  readonly packetsMax: number;
  /** bytes of messages fetched ahead */
  readonly pendingBytesMax: number;
  /** most bytes of messages that wait for one before them */
  readonly heldBytesMax: number;
  /** how long a hole may be open before it is gone past */
  readonly holeMs: number;
  /** most streams (probe, epoch) at once: the one that was silent longest goes when another comes */
  readonly streamsMax: number;
  /** packets that several probes bring count once; absent: they count for each */
  readonly duplicates?: DuplicateOptions;
}

/** What a runner did since it began, and holds. Counters only rise. */
export interface RunnerState extends DuplicateState {
  readonly messages: number;
  readonly packets: number;
  readonly bytes: number;
  /** messages in the stream that were not taken yet, as far as is known (see `streamIs`) */
  readonly unread: number;
  /** messages in the stream that are not stored yet: unread, or taken and on their way */
  readonly lag: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly duplicates: number;
  readonly gaps: number;
  readonly late: number;
  readonly missing: number;
  readonly flushes: number;
  readonly flushRetries: number;
  readonly streams: number;
  readonly streamsEvicted: number;
  /** how often processors met limits, by name */
  readonly limits: Readonly<Record<string, number>>;
  /** messages that wait for one before them */
  readonly waiting: number;
  /** packet time, unix milliseconds, of the newest packet that is stored */
  readonly storedUntilMs: number | null;
  /** one line: why the store does not take rows; '' when it does */
  readonly storeError: string;
}

/** How a run ends: asked to, or because the partition is another's. */
export type RunnerEnd = 'stopped' | 'lost';

/**
 * A stretch without packets is written too, because it says up to when its partition is complete, and who looks at the newest
 * seconds waits for the last one. The more streams there are the longer it may take: each costs an insert.
 */
const idleStretchMsPerStream = 250;
const idleStretchMs = { least: 1_000, most: 10_000 } as const;
/** A stream that is silent for so long gives its memory back. */
const idleStreamMs = 120_000;
const tickMs = 50;
/** Streams of a flush that are written at a time. */
const writesMax = 4;
const retryMsMin = 250;
const retryMsMax = 5_000;
/** An inherited flush whose messages do not come although everything was read is given up after so long. */
const declaredMs = 30_000;
/** most messages of a stream held while one before them is missing: more than a publisher's window */
const heldMessagesMax = 1_024;

export class PartitionRunner {
  readonly partition: number;
  private readonly parts: RunnerParts;
  private readonly options: RunnerOptions;
  private readonly intakes = new Map<string, StreamIntake>();
  private readonly ended = new AbortController();
  private end: RunnerEnd | null = null;
  private memory: DuplicateMemory | null = null;
  private consumer: PartitionConsumer | null = null;
  private patience: NodeJS.Timeout | undefined;
  private enrichment: EnrichmentData | null = null;
  private writing: Promise<void> = Promise.resolve();
  private flushesUnderWay = 0;
  private leftUnstored = false;
  private readonly underWay = new Set<CutStretch>();
  private readonly declaredOf = new Map<string, { first: number; last: number }[]>();
  private lastFlushMs: number;
  /** since when messages come without the connection having been lost; null: not read yet */
  private readingSinceMs: number | null = null;
  private reconnects: number;
  private packetsGathered = 0;
  /** of rows that wait for the next flush, as of the last message of each stream */
  private rowBytes = 0;
  private lastTaken = 0;
  /** a message was delivered and is not taken yet: its stream is looked up in the store */
  private isTaking = false;
  private streamNow: Pick<StreamState, 'firstSequence' | 'lastSequence'> = { firstSequence: 1, lastSequence: 0 };
  private lastAcknowledged = 0;
  private acknowledging: Promise<void> = Promise.resolve();
  private readonly refused: Record<string, number> = {};
  private readonly gone = { duplicates: 0, gaps: 0, late: 0 };
  private readonly limitsGone: Record<string, number> = {};
  private messages = 0;
  private packets = 0;
  private bytes = 0;
  private flushes = 0;
  private flushRetries = 0;
  private streamsEvicted = 0;
  private storedUntilMs: number | null = null;
  private storeError = '';

  constructor(parts: RunnerParts, options: RunnerOptions) {
    this.parts = parts;
    this.options = options;
    this.partition = options.partition;
    this.lastFlushMs = performance.now();
    this.reconnects = parts.bus.state.reconnects;
    for (const { probe, epoch, firstSeq, lastSeq } of parts.lease.inherited) {
      const key = keyOf(probe, epoch);
      this.declaredOf.set(key, [...(this.declaredOf.get(key) ?? []), { first: firstSeq, last: lastSeq }]);
    }
  }

  get state(): RunnerState {
    const counters = { ...this.gone };
    const limits = { ...this.limitsGone };
    let waiting = 0;
    let unstored = 0;
    for (const intake of this.intakes.values()) {
      addOrder(counters, intake);
      addCounts(limits, { ...intake.processor.limits });
      waiting += intake.waitingCount;
      unstored += intake.heldCount;
    }
    for (const stretch of this.underWay) unstored += messagesOf(stretch);
    const { unread } = this;
    const consumer = this.consumer?.state;
    return {
      messages: this.messages,
      packets: this.packets,
      bytes: this.bytes,
      unread,
      lag: unread + unstored,
      refused: { ...this.refused, ...consumer?.rejected },
      ...counters,
      missing: consumer?.missing ?? 0,
      flushes: this.flushes,
      flushRetries: this.flushRetries,
      streams: this.intakes.size,
      streamsEvicted: this.streamsEvicted,
      limits,
      ...(this.memory?.state ?? noDuplicateState),
      waiting,
      storedUntilMs: this.storedUntilMs,
      storeError: this.storeError,
    };
  }

  /**
   * The bus says how much is behind a message when it delivers it, and nothing while nothing is taken: then this, which
   * somebody asks it for now and then, shows what gathers.
   */
  streamIs(stream: Pick<StreamState, 'firstSequence' | 'lastSequence'>): void {
    this.streamNow = stream;
  }

  /** It ended with messages taken and not stored: the bus has them still. */
  get isUnstored(): boolean {
    return this.leftUnstored;
  }

  /** Highest stream sequence that was taken. */
  get takenUntil(): number {
    return this.lastTaken;
  }

  /** Run until `stop` or until the lease is lost. Rejects with a BusError when the stream is gone. */
  async run(): Promise<RunnerEnd> {
    const timer = setInterval(() => this.tick(), tickMs);
    try {
      await this.read();
      if (this.end === 'stopped') for (const intake of this.intakes.values()) intake.finish();
      this.startFlush(true);
      await this.writing;
      await this.acknowledging;
      return this.end ?? 'stopped';
    } finally {
      this.leftUnstored = this.underWay.size > 0 || [...this.intakes.values()].some((intake) => intake.hasUnflushed);
      clearInterval(timer);
      clearTimeout(this.patience);
      this.ended.abort();
      this.parts.gate.forget(this);
      this.drop();
    }
  }

  /** Take nothing more; `run` ends when what was taken is stored. What cannot be in `waitMs` stays on the bus. */
  stop(waitMs: number): void {
    this.end ??= 'stopped';
    this.parts.gate.forget(this);
    this.patience ??= setTimeout(() => this.ended.abort(), waitMs);
    void this.consumer?.stop();
  }

  /** From the next flush on, rows say this about addresses. */
  enrich(data: EnrichmentData): void {
    this.enrichment = data;
  }

  /** The partition is another's now: forget everything that is not stored. */
  abandon(): void {
    this.end ??= 'lost';
    this.ended.abort();
    this.parts.gate.forget(this);
    void this.consumer?.stop();
  }

  private get unread(): number {
    const { firstSequence, lastSequence } = this.streamNow;
    const told = lastSequence - Math.max(this.lastTaken, firstSequence - 1);
    return Math.max(told, (this.consumer?.state.lag ?? 0) + (this.isTaking ? 1 : 0), 0);
  }

  private get isOver(): boolean {
    return this.end !== null || this.ended.signal.aborted;
  }

  private async read(): Promise<void> {
    if (this.options.duplicates) await this.openMemory(this.options.duplicates);
    await this.openDeclared();
    if (this.isOver) return;
    const consumer = this.parts.bus.consume(this.partition, { pendingBytesMax: this.options.pendingBytesMax });
    this.consumer = consumer;
    this.readingSinceMs = performance.now();
    for await (const delivery of consumer.messages) {
      if (this.isOver) break;
      await this.take(delivery);
      this.flushWhenDue();
      if (this.isFull) await this.untilFlushed();
      // Here and not before: a message that came must be taken at once, for it is counted as read.
      if (this.parts.turns.isOver) await this.parts.turns.next();
    }
  }

  private async openMemory(options: DuplicateOptions): Promise<void> {
    const streams = await this.untilDone(() => this.parts.bus.streams());
    const stream = streams?.find(({ partition }) => partition === this.partition);
    this.memory = new DuplicateMemory(options, stream?.messagesMax ?? Infinity);
  }

  /** The streams of a flush that an engine before declared, so that their borders stand before anything is read. */
  private async openDeclared(): Promise<void> {
    for (const { probe, epoch } of this.parts.lease.inherited) {
      if (this.isOver) return;
      if (!this.intakes.has(keyOf(probe, epoch))) await this.openIntake(probe, epoch);
    }
  }

  private async take(delivery: Delivery): Promise<void> {
    this.messages += 1;
    this.isTaking = true;
    if (delivery.kind === 'message') {
      this.bytes += delivery.bytes.length;
      const intake =
        this.intakes.get(keyOf(delivery.probe, delivery.epoch)) ??
        (await this.openIntake(delivery.probe, delivery.epoch));
      if (!intake) return; // over, meanwhile
      this.memory?.pass(delivery.arrivedMs, delivery.streamSequence);
      this.countInto(intake, delivery);
    }
    this.lastTaken = delivery.streamSequence;
    this.isTaking = false;
  }

  private countInto(intake: StreamIntake, message: ReceivedMessage): void {
    const { processor } = intake;
    const before = processor.rowBytes;
    this.parts.budget.grant(processor);
    this.gathered(intake.take(message, performance.now()));
    if (intake.waitingCount > 0 && intake.waitingBytes > this.options.heldBytesMax) this.gathered(intake.skipHole());
    this.parts.budget.update(processor);
    this.rowBytes += processor.rowBytes - before;
  }

  private gathered(packets: number): void {
    this.packets += packets;
    this.packetsGathered += packets;
  }

  private async openIntake(probe: string, epoch: bigint): Promise<StreamIntake | null> {
    await this.makeRoom();
    const stored = await this.untilDone(() => this.parts.readStored(probe, epoch, this.partition));
    if (!stored) return null;
    const key = keyOf(probe, epoch);
    const processor = this.parts.newProcessor(probe);
    this.parts.budget.join(processor);
    const intake = new StreamIntake({
      probe,
      epoch,
      partition: this.partition,
      partitions: this.parts.bus.partitions,
      stored,
      processor,
      memory: this.memory,
      heldMax: heldMessagesMax,
      declared: this.declaredOf.get(key) ?? [],
      onRefused: (reason) => this.refuse(reason, probe),
      recycle: (bytes) => this.consumer?.recycle(bytes),
    });
    this.declaredOf.delete(key);
    intake.lastActiveMs = performance.now();
    this.intakes.set(key, intake);
    return intake;
  }

  private refuse(reason: RefusalReason, probe: string): void {
    if (this.refused[reason] === undefined)
      this.parts.log.warn({ partition: this.partition, probe, reason }, 'a message was refused');
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
  }

  /** Let go of the stream that was silent longest when there are too many. */
  private async makeRoom(): Promise<void> {
    while (this.intakes.size >= this.options.streamsMax && !this.isOver) {
      const quiet = [...this.intakes.values()].filter(isQuiet);
      const oldest = quiet.sort((a, b) => a.lastActiveMs - b.lastActiveMs)[0];
      if (oldest) {
        this.streamsEvicted += 1;
        this.close(oldest);
        continue;
      }
      // Every one has something to store; when a flush did not help, one more than the bound is better than a loss.
      const before = this.flushes;
      this.startFlush(true);
      await this.writing;
      if (this.flushes === before) return;
    }
  }

  private close(intake: StreamIntake): void {
    this.intakes.delete(keyOf(intake.probe, intake.epoch));
    this.parts.budget.leave(intake.processor);
    addOrder(this.gone, intake);
    addCounts(this.limitsGone, { ...intake.processor.limits });
  }

  private drop(): void {
    for (const intake of [...this.intakes.values()]) this.close(intake);
  }

  private tick(): void {
    if (this.isOver) return;
    if (this.parts.lease.ended !== null) {
      this.abandon();
      return;
    }
    this.skipOldHoles();
    this.giveUpDeclared();
    this.flushWhenDue();
    const now = performance.now();
    for (const intake of [...this.intakes.values()]) {
      const silent = now - intake.lastActiveMs > idleStreamMs;
      if (silent && isQuiet(intake)) this.close(intake);
    }
    if (this.flushesUnderWay === 0) this.acknowledge();
  }

  private skipOldHoles(): void {
    const { bus } = this.parts;
    const now = performance.now();
    const reconnected = bus.state.reconnects !== this.reconnects || !bus.state.connected;
    this.reconnects = bus.state.reconnects;
    if (reconnected && this.readingSinceMs !== null) this.readingSinceMs = now;
    for (const intake of this.intakes.values()) {
      if (reconnected) intake.forgiveHole();
      if (intake.holeMs(now) <= this.options.holeMs) continue;
      this.parts.log.warn(
        { partition: this.partition, probe: intake.probe, epoch: String(intake.epoch) },
        'messages of this probe are missing; going on without them',
      );
      this.gathered(intake.skipHole());
    }
  }

  /** Whether a flush of an engine before waits to be repeated. */
  private get declaredLeft(): number {
    let left = 0;
    for (const intake of this.intakes.values()) left += intake.declaredLeft;
    return left;
  }

  private giveUpDeclared(): void {
    if (this.declaredLeft === 0 || this.readingSinceMs === null) return;
    if (performance.now() - this.readingSinceMs < declaredMs || (this.consumer?.state.lag ?? 1) > 0) return;
    this.parts.log.error({ partition: this.partition }, 'messages of a declared flush are gone from the bus');
    for (const intake of this.intakes.values()) intake.giveUpDeclared();
  }

  /** As much is gathered as may be: nothing more is taken before it is cut. */
  private get isFull(): boolean {
    return this.packetsGathered >= this.options.packetsMax || this.rowBytes >= this.options.rowBytesMax;
  }

  private async untilFlushed(): Promise<void> {
    // What an engine before declared is gathered to its end, however much it is.
    while (this.isFull && this.declaredLeft === 0 && !this.isOver) {
      await (this.flushesUnderWay > 0 ? this.writing : this.parts.gate.changed());
      this.flushWhenDue();
    }
  }

  private flushWhenDue(): void {
    if (this.flushesUnderWay > 0) return;
    if (this.isFull || performance.now() - this.lastFlushMs >= this.options.flushMs) this.startFlush(false);
  }

  /** Cut what is due (or everything) and begin to write it. Until an inherited flush is whole, nothing is written. */
  private startFlush(everything: boolean): void {
    if (this.ended.signal.aborted || this.declaredLeft > 0) return;
    const now = performance.now();
    const idleMs = Math.min(
      idleStretchMs.most,
      Math.max(idleStretchMs.least, idleStretchMsPerStream * this.intakes.size),
    );
    const due = [...this.intakes.values()].filter(
      (intake) => intake.hasUnflushed && (everything || intake.hasCuts || intake.isDue(now, idleMs)),
    );
    if (due.length > 0 && everything) this.parts.gate.enter(this);
    else if (due.length > 0 && !this.parts.gate.tryEnter(this)) return;
    this.lastFlushMs = now;
    if (due.length === 0) {
      this.parts.gate.forget(this);
      return;
    }
    const stretches = due.flatMap((intake) => {
      intake.cut();
      this.parts.budget.update(intake.processor);
      return intake.fetchCuts();
    });
    this.packetsGathered = 0;
    this.rowBytes = 0;
    for (const { processor } of this.intakes.values()) this.rowBytes += processor.rowBytes;
    if (this.enrichment) for (const { processor } of this.intakes.values()) processor.enrich(this.enrichment);
    this.enrichment = null;
    for (const stretch of stretches) this.underWay.add(stretch);
    const held = stretches.reduce((sum, { content }) => sum + rowBytesOf(content), 0);
    this.parts.gate.hold(held);
    this.flushesUnderWay += 1;
    this.writing = this.writing
      .then(() => this.store(stretches))
      .finally(() => {
        this.flushesUnderWay -= 1;
        this.parts.gate.leave(held);
      });
    // Only a broken invariant of ours rejects; `run` ends with it.
    this.writing.catch(() => {
      this.ended.abort();
      void this.consumer?.stop();
    });
  }

  private async store(stretches: readonly CutStretch[]): Promise<void> {
    await this.reach('cut');
    // What was declared before is declared still: it must be whole in the store before another flush is declared.
    const repeated = stretches.filter(({ declared }) => declared);
    const fresh = stretches.filter(({ declared }) => !declared);
    await this.writeAll(repeated);
    for (let at = 0; at < fresh.length; at += stretchesMax) {
      const some = fresh.slice(at, at + stretchesMax);
      const declared = await this.untilDone(() => this.parts.lease.declare(some.map(namesOf)));
      if (declared === false) this.abandon();
      if (!declared) return;
      await this.reach('declared');
      await this.writeAll(some);
    }
    if (this.ended.signal.aborted) return;
    this.flushes += 1;
    for (const stretch of stretches) {
      this.underWay.delete(stretch);
      this.parts.recycleRows?.(stretch.content.blocks);
    }
    await this.reach('written');
    this.acknowledge();
    await this.reach('acknowledged');
  }

  /** Streams know nothing of each other, so that several are written at a time; the stretches of each one after the other. */
  private async writeAll(stretches: readonly CutStretch[]): Promise<void> {
    const lanes = new Map<string, CutStretch[]>();
    for (const stretch of stretches) {
      const key = keyOf(stretch.probe, stretch.epoch);
      const lane = lanes.get(key);
      if (lane) lane.push(stretch);
      else lanes.set(key, [stretch]);
    }
    const waiting = lanes.values();
    const work = async (): Promise<void> => {
      for (const lane of waiting) for (const stretch of lane) if (!(await this.write(stretch))) return;
    };
    await Promise.all(Array.from({ length: Math.min(writesMax, lanes.size) }, work));
  }

  /** @returns whether it is stored; else the run is over */
  private async write(stretch: CutStretch): Promise<boolean> {
    const { lease, writer } = this.parts;
    const { blocks, accounting } = stretch.content;
    const flush = { ...namesOf(stretch), partition: this.partition, blocks };
    const done = await this.untilDone(async () => {
      await writer.write(flush, () => lease.remainingMs > 0 && !this.ended.signal.aborted);
      return true;
    });
    if (!done) return false;
    if (accounting.packets > 0 && stretch.lastPacketMs > 0) {
      this.storedUntilMs = Math.max(this.storedUntilMs ?? 0, stretch.lastPacketMs);
    }
    this.parts.onStored?.(stretch, this.partition);
    return true;
  }

  /** Try until it works; null when the run is over before. A writer that may not write any longer has lost the lease. */
  private async untilDone<Result>(work: () => Promise<Result>): Promise<Result | null> {
    for (let waitMs = retryMsMin; ; waitMs = Math.min(waitMs * 2, retryMsMax)) {
      if (this.ended.signal.aborted) return null;
      try {
        const result = await work();
        if (this.storeError !== '') this.parts.log.info({ partition: this.partition }, 'going on');
        this.storeError = '';
        return result;
      } catch (error) {
        if (error instanceof WriteForbidden || this.parts.lease.ended !== null) {
          this.abandon();
          return null;
        }
        this.flushRetries += 1;
        const reason = error instanceof Error ? error.message : String(error);
        if (this.storeError !== reason)
          this.parts.log.warn({ partition: this.partition, reason }, 'rows wait; trying again');
        this.storeError = reason;
        await pause(waitMs, this.ended.signal);
      }
    }
  }

  /** Let the bus forget what is stored. */
  private acknowledge(): void {
    let until = this.lastTaken;
    for (const intake of this.intakes.values()) until = Math.min(until, intake.lowestHeld - 1);
    for (const { streamSequence } of this.underWay) until = Math.min(until, streamSequence - 1);
    if (this.memory) until = this.memory.keptFrom(until + 1) - 1;
    if (until <= this.lastAcknowledged || !this.consumer) return;
    const { consumer } = this;
    const before = this.lastAcknowledged;
    this.lastAcknowledged = until;
    this.acknowledging = this.acknowledging
      .then(() => consumer.acknowledge(until))
      .catch(() => {
        // The bus is away: what is not forgotten now is with the next one.
        if (this.lastAcknowledged === until) this.lastAcknowledged = before;
      });
  }

  private async reach(point: RunnerPoint): Promise<void> {
    await this.parts.reached?.(point);
  }
}

const rowBytesOf = ({ blocks }: FlushContent): number => blocks.reduce((sum, { bytes }) => sum + bytes.length, 0);
const keyOf = (probe: string, epoch: bigint): string => `${probe}\n${epoch}`;

/** Nothing of it waits: to be stored, for a message before it, or to be repeated because it was declared. */
const isQuiet = ({ hasUnflushed, waitingCount, declaredLeft }: StreamIntake): boolean =>
  !hasUnflushed && waitingCount === 0 && declaredLeft === 0;

const namesOf = ({ probe, epoch, firstSeq, lastSeq }: CutStretch) => ({ probe, epoch, firstSeq, lastSeq });

function addOrder(sum: { duplicates: number; gaps: number; late: number }, { counters }: StreamIntake): void {
  sum.duplicates += counters.duplicates;
  sum.gaps += counters.gaps;
  sum.late += counters.late;
}

/** Wait, or until the signal. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
