/**
 * One thread's part of an engine: takes partitions by lease, runs each, and gives them back when others come or the
 * engine ends. Threads share nothing: each is to the others what another engine would be.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bus, BusLog, Records } from '@netspectra/collector/bus';
import { addCounts } from '../engine/accounting.js';
import type { EnrichmentData } from '../enrichment/index.js';
import type { Writer } from '../tables/index.js';
import { FlowBudget } from './flow-budget.js';
import { FlushGate } from './flush-gate.js';
import { PartitionLeases } from './partition-leases.js';
import { PartitionRunner } from './partition-runner.js';
import type { RunnerOptions, RunnerParts, RunnerState } from './partition-runner.js';
import { Turns } from './turns.js';

export interface EngineWorkerParts extends Pick<
  RunnerParts,
  'readStored' | 'newProcessor' | 'onStored' | 'recycleRows' | 'reached'
> {
  readonly bus: Bus;
  readonly records: Records;
  readonly writer: Writer;
  readonly log: BusLog;
}

export interface EngineWorkerOptions extends Omit<RunnerOptions, 'partition' | 'pendingBytesMax' | 'heldBytesMax'> {
  /** unique among all engines' workers: letters, digits, `-` and `_` */
  readonly id: string;
  /** how long it may be silent before others take its partitions, milliseconds */
  readonly leaseMs: number;
  /** most live flows of all its partitions */
  readonly maxFlows: number;
  /** bytes of messages fetched ahead, and bytes that wait for earlier ones, of all its partitions */
  readonly messageBytesMax: number;
}

export interface EngineWorkerState {
  readonly id: string;
  readonly partitions: readonly { readonly partition: number; readonly state: RunnerState }[];
  /** sums of runners that ended, so that counters do not fall */
  readonly before: Readonly<Record<CounterName, number>> & {
    readonly refused: Readonly<Record<string, number>>;
    readonly limits: Readonly<Record<string, number>>;
  };
  readonly engines: number;
  readonly flowsLive: number;
  readonly busConnected: boolean;
  readonly busReconnects: number;
  /** partitions that were lost to another engine, or to silence */
  readonly leasesLost: number;
  /** one line: why leases cannot be taken or renewed; '' when they can */
  readonly leaseError: string;
}

const counterNames = [
  'messages',
  'packets',
  'bytes',
  'duplicates',
  'gaps',
  'late',
  'missing',
  'flushes',
  'flushRetries',
  'streamsEvicted',
  'duplicatePackets',
  'duplicatesLatePackets',
  'duplicatesUnjudgedPackets',
  'duplicatesOverflows',
] as const;
export type CounterName = (typeof counterNames)[number];

/** Between two looks at whether a stream was made anew behind our back. */
const streamCheckMs = 5_000;
/** Partitions of a thread that write a flush at once. */
const flushesMax = 2;
const handOverMs = 30_000;
const announceMs = 400;
const roundGapMs = 50;
/** Somebody came, or gave partitions back: others look at once, not in their next round. */
const changedSubject = 'netspectra.control.engines.changed';
/** Least that a partition may fetch ahead. */
const fetchBytesMin = 1 << 20;

interface Running {
  readonly runner: PartitionRunner;
  readonly ended: Promise<void>;
  leaving: boolean;
}

export class EngineWorker {
  private readonly parts: EngineWorkerParts;
  private readonly options: EngineWorkerOptions;
  private readonly leases: PartitionLeases;
  private readonly budget: FlowBudget;
  private readonly gate = new FlushGate(flushesMax);
  private readonly turns = new Turns();
  private readonly running = new Map<number, Running>();
  private readonly before = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<CounterName, number>;
  private readonly refusedBefore: Record<string, number> = {};
  private readonly limitsBefore: Record<string, number> = {};
  private rounds: Promise<void> = Promise.resolve();
  private stopping = false;
  private endSleep: () => void = () => {};
  private isWoken = false;
  private deafen: () => void = () => {};
  private engines = 1;
  private leasesLost = 0;
  private lastStreamCheckMs = -Infinity;
  private lastError = '';

  constructor(parts: EngineWorkerParts, options: EngineWorkerOptions) {
    this.parts = parts;
    this.options = options;
    this.budget = new FlowBudget(options.maxFlows);
    this.leases = new PartitionLeases({
      records: parts.records,
      partitions: parts.bus.partitions,
      engine: options.id,
      ttlMs: options.leaseMs,
    });
  }

  get state(): EngineWorkerState {
    return {
      id: this.options.id,
      partitions: [...this.running].map(([partition, { runner }]) => ({ partition, state: runner.state })),
      before: { ...this.before, refused: { ...this.refusedBefore }, limits: { ...this.limitsBefore } },
      engines: this.engines,
      flowsLive: this.budget.flowsLive,
      busConnected: this.parts.bus.state.connected,
      busReconnects: this.parts.bus.state.reconnects,
      leasesLost: this.leasesLost,
      leaseError: this.lastError,
    };
  }

  /** From the next flushes on, rows say this about addresses. */
  enrich(data: EnrichmentData): void {
    for (const { runner } of this.running.values()) runner.enrich(data);
  }

  /** Begin to take partitions. */
  start(): void {
    this.deafen = this.parts.bus.listen(changedSubject, () => this.wake());
    this.rounds = this.begin().then(() => this.goRound());
  }

  /** Engines and threads that start together hear of each other before the first takes everything. */
  private async begin(): Promise<void> {
    await this.leases.announce().catch(() => {}); // the rounds tell why
    this.tellChanged();
    await delay(announceMs);
  }

  /**
   * Store what was taken, give all partitions back, and end. What is not stored in time stays on the bus.
   * @returns whether everything is stored
   */
  async stop(waitMs: number): Promise<boolean> {
    this.stopping = true;
    this.wake();
    const working = [...this.running.values()];
    for (const { runner } of working) runner.stop(waitMs);
    await Promise.all(working.map(({ ended }) => ended));
    await this.rounds;
    await this.leases.close();
    this.deafen();
    this.tellChanged();
    return working.every(({ runner }) => !runner.isUnstored);
  }

  private async goRound(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.round();
        if (this.lastError !== '') this.parts.log.info({}, 'leases are renewed again');
        this.lastError = '';
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== this.lastError) this.parts.log.warn({ reason }, 'leases cannot be renewed; trying again');
        this.lastError = reason;
      }
      await this.sleep(this.leases.roundMs);
      await delay(roundGapMs); // however often it is woken
    }
    // While the last flushes are written the leases must last.
    while (this.running.size > 0) {
      await this.leases.renew().catch(() => {});
      await Promise.race([this.sleep(this.leases.roundMs), ...[...this.running.values()].map(({ ended }) => ended)]);
    }
  }

  private async round(): Promise<void> {
    const { taken, lost, surplus, engines } = await this.leases.round();
    this.engines = engines;
    for (const partition of lost) this.lose(partition);
    for (const partition of surplus) this.handOver(partition);
    if (taken.length > 0) this.parts.log.info({ partitions: taken, engines }, 'partitions taken');
    for (const partition of taken) this.run(partition);
    await this.checkStreams();
  }

  private lose(partition: number): void {
    this.leasesLost += 1;
    this.parts.log.warn({ partition }, 'the lease of a partition was lost; what was not stored is read again');
    this.running.get(partition)?.runner.abandon();
  }

  private handOver(partition: number): void {
    const found = this.running.get(partition);
    if (!found || found.leaving) return;
    found.leaving = true;
    this.parts.log.info({ partition }, 'handing a partition over');
    found.runner.stop(handOverMs);
    void found.ended.then(() => this.leases.release(partition)).catch(() => {}); // the lease lapses, then
  }

  private run(partition: number): void {
    const lease = this.leases.leases.get(partition);
    if (!lease || this.stopping) return;
    const { bus, writer, log, readStored, newProcessor, onStored, recycleRows, reached } = this.parts;
    // A runner of a lease that was lost may still be ending: it writes nothing any more.
    const before = this.running.get(partition)?.ended ?? Promise.resolve();
    const share = Math.max(1, Math.ceil(bus.partitions / Math.max(1, this.engines)));
    const bytes = Math.max(fetchBytesMin, Math.floor(this.options.messageBytesMax / share));
    const runner = new PartitionRunner(
      {
        bus,
        lease,
        writer,
        log,
        budget: this.budget,
        gate: this.gate,
        turns: this.turns,
        readStored,
        newProcessor,
        ...(onStored && { onStored }),
        ...(recycleRows && { recycleRows }),
        ...(reached && { reached }),
      },
      { ...this.options, partition, pendingBytesMax: bytes, heldBytesMax: Math.max(bytes, 4 * fetchBytesMin) },
    );
    const ended = before
      .then(() => runner.run())
      .then(
        () => {},
        (error: unknown) => {
          const reason = error instanceof Error ? error.message : String(error);
          this.parts.log.error({ partition, reason }, 'a partition cannot be read; it is given back');
          return this.leases.release(partition);
        },
      )
      .then(() => this.forget(partition, runner));
    this.running.set(partition, { runner, ended, leaving: false });
  }

  private tellChanged(): void {
    this.parts.bus.send(changedSubject, new Uint8Array(0));
  }

  private forget(partition: number, runner: PartitionRunner): void {
    const { state } = runner;
    for (const name of counterNames) this.before[name] += state[name];
    addCounts(this.refusedBefore, state.refused);
    addCounts(this.limitsBefore, state.limits);
    if (this.running.get(partition)?.runner === runner) this.running.delete(partition);
  }

  /**
   * Tell runners how their streams stand. A stream that was deleted and made anew numbers from 1 again: who waits for a
   * later number waits for ever.
   */
  private async checkStreams(): Promise<void> {
    const now = performance.now();
    if (now - this.lastStreamCheckMs < streamCheckMs || this.running.size === 0) return;
    this.lastStreamCheckMs = now;
    const taken = new Map([...this.running].map(([partition, { runner }]) => [partition, runner.takenUntil]));
    for (const stream of await this.parts.bus.streams()) {
      const { partition, lastSequence } = stream;
      const found = this.running.get(partition);
      found?.runner.streamIs(stream);
      if (!found || found.leaving || lastSequence >= (taken.get(partition) ?? 0)) continue;
      this.parts.log.error({ partition, lastSequence }, 'the stream was made anew; reading it from its beginning');
      this.handOver(partition);
    }
  }

  /** Ends the sleep, or the next one: what is told while a round is under way may not be in it. */
  private wake(): void {
    this.isWoken = true;
    this.endSleep();
  }

  private async sleep(milliseconds: number): Promise<void> {
    if (!this.isWoken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.endSleep = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.isWoken = false;
  }
}
