/**
 * A probe: threads that capture interfaces, and a publisher for what they make of the packets.
 *
 * Each ring has a thread and an epoch of its own, so that its counters are of one piece: `received = kernelDropped +
 * filtered + decoded + undecodable` holds in each of its messages. Threads never wait for the bus. What they made stands
 * in a bounded queue until the publisher takes it; when that is full they drop and count.
 */
import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { OutgoingMessage, Publisher, PublisherOptions } from '../bus/index.js';
import { CaptureError } from '../capture/errors.js';
import { planOf } from './capture-loop.js';
import type { CaptureOptions, CaptureReport, RuleSet } from './capture-loop.js';
import { keepMemorySmall } from './malloc.js';
import { MessageQueue } from './message-queue.js';
import type { QueuedMessage } from './message-queue.js';
import type { ThreadData, ThreadMessage } from './probe-thread.js';
import { Scavenger } from './scavenger.js';
import { Phase, SharedControl } from './shared-control.js';
import { shrinkHeap } from './shrink-heap.js';

export interface ProbeOptions extends Omit<CaptureOptions, 'epoch' | 'source'> {
  readonly interfaces: readonly string[];
  /** rings, each with a thread, that share the packets of each interface by flow */
  readonly ringsPerInterface: number;
  /** the built thread entry, when it is not beside this module */
  readonly threadUrl?: URL;
}

/** Where log lines go; pino's loggers fit. */
export interface ProbeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ProbeDeps {
  /** Make the publisher; it must tell of what it confirms and loses. */
  publisher(options: Required<Pick<PublisherOptions, 'onConfirmed' | 'onLost'>>): Publisher;
  readonly log: ProbeLog;
}

/** What one ring tells; `report` is null before its first second is over. */
export interface RingState {
  readonly interface: string;
  readonly epoch: bigint;
  readonly report: CaptureReport | null;
}

export interface Probe {
  /** as of the last report of each ring, once a second */
  readonly rings: readonly RingState[];
  /** messages that wait for the publisher */
  readonly queued: number;
  /** Open every ring and begin. @throws CaptureError when one cannot be captured; nothing runs then */
  start(): Promise<void>;
  /**
   * From now on these capture rules, in place of all before. When a ring has them, its report names their version.
   * @throws CapturePlanError when they cannot be used; those before stay
   */
  rules(rules: RuleSet): void;
  /** Rejects when a thread fails; never resolves. */
  readonly failed: Promise<never>;
  /**
   * Read what is in the rings, publish it, end. More than once is no mistake.
   * @returns messages that are not known to be on the bus when the time is over
   */
  stop(waitMilliseconds?: number): Promise<number>;
}

const drainMilliseconds = 5_000;
/** A thread makes few objects; with Node's default it would keep three times 16 MB of garbage. */
const youngGenerationMegabytes = 4;
/** messages that are made at the moment, waiting ones and copies of them; a full window is more for as long as it is full */
const buffersMax = 8 << 20;
const giveBackMilliseconds = 1_000;

interface Ring extends RingState {
  report: CaptureReport | null;
  readonly thread: Worker;
  readonly control: SharedControl;
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
}

/**
 * @param deps where messages and log lines go. Nothing runs before `start`.
 * @throws CapturePlanError when filter or rules cannot be used on packets
 */
export function createProbe(deps: ProbeDeps, options: ProbeOptions): Probe {
  planOf(options, options.rules?.rules ?? []);
  return new CapturingProbe(deps, options);
}

class CapturingProbe implements Probe {
  readonly failed: Promise<never>;
  private readonly all: Ring[] = [];
  private readonly byEpoch = new Map<bigint, Ring>();
  private readonly publisher: Publisher;
  private readonly queue: MessageQueue;
  private readonly scavenger = new Scavenger(buffersMax);
  private fail: (reason: unknown) => void = () => {};
  private stopping: Promise<number> | null = null;
  private giveBackTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly deps: ProbeDeps,
    private readonly options: ProbeOptions,
  ) {
    this.failed = new Promise<never>((_, reject) => (this.fail = reject));
    this.failed.catch(() => {}); // whoever waits for it hears of it
    this.publisher = deps.publisher({
      onConfirmed: (message) => {
        this.byEpoch.get(message.epoch)?.control.addQueuedRows(-rowsOf(message));
        this.scavenger.count(message.bytes.length);
      },
      onLost: (message, reason) => this.lost(message, reason),
    });
    this.queue = new MessageQueue(this.publisher, ({ epoch, bytes }) =>
      this.byEpoch.get(epoch)?.control.addQueuedBytes(-bytes.length),
    );
  }

  get rings(): readonly RingState[] {
    return this.all;
  }

  get queued(): number {
    return this.queue.length;
  }

  async start(): Promise<void> {
    const { interfaces, ringsPerInterface } = this.options;
    const giveBack = await keepMemorySmall();
    await shrinkHeap(); // before threads add theirs
    try {
      for (const name of interfaces) {
        const group = ringsPerInterface > 1 ? { fanout: { id: randomBytes(2).readUInt16LE(0) } } : {};
        for (let i = 0; i < ringsPerInterface; i += 1) {
          const ring = this.startThread(name, group);
          this.all.push(ring);
          this.byEpoch.set(ring.epoch, ring);
          await ring.ready;
        }
      }
    } catch (error) {
      await Promise.all(this.all.map(({ thread }) => thread.terminate()));
      await this.publisher.close(0);
      throw error;
    }
    await shrinkHeap();
    this.giveBackTimer = setInterval(giveBack, giveBackMilliseconds).unref();
    // All rings of a group are there: none of them sees another's packets.
    for (const { control } of this.all) control.phase = Phase.Capture;
  }

  rules(rules: RuleSet): void {
    planOf(this.options, rules.rules);
    for (const { thread } of this.all) thread.postMessage(rules);
  }

  stop(waitMilliseconds = drainMilliseconds): Promise<number> {
    this.stopping ??= this.drain(waitMilliseconds);
    return this.stopping;
  }

  private async drain(waitMilliseconds: number): Promise<number> {
    clearInterval(this.giveBackTimer);
    const deadline = Date.now() + waitMilliseconds;
    for (const { control } of this.all) control.phase = Phase.Stop;
    await Promise.all(this.all.map(({ done }) => done));
    const queued = (await this.queue.end(Math.max(0, deadline - Date.now()))).length;
    const left = await this.publisher.close(Math.max(0, deadline - Date.now()));
    return queued + left.length;
  }

  private startThread(name: string, group: Pick<CaptureOptions['live'], 'fanout'>): Ring {
    const { interfaces: _, ringsPerInterface: __, threadUrl, ...options } = this.options;
    const epoch = randomBytes(8).readBigUInt64BE(0);
    const control = new SharedControl();
    const data: ThreadData = {
      control: control.buffer,
      interfaceName: name,
      options: { ...options, epoch, source: name, live: { ...options.live, ...group } },
    };
    const thread = new Worker(threadUrl ?? new URL('./probe-thread.js', import.meta.url), {
      workerData: data,
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMegabytes },
    });
    let ready = (): void => {};
    let refuse = (_: unknown): void => {};
    const ring: Ring = {
      interface: name,
      epoch,
      report: null,
      thread,
      control,
      ready: new Promise<void>((resolve, reject) => {
        ready = resolve;
        refuse = reject;
      }),
      done: new Promise<void>((resolve) => thread.on('exit', () => resolve())),
    };
    thread.on('message', (message: ThreadMessage) => {
      if (message.kind === 'ready') ready();
      else if (message.kind === 'refused') refuse(new CaptureError(message.code, message.text));
      else this.hear(ring, message);
    });
    thread.on('error', (error) => {
      refuse(error);
      this.fail(error);
    });
    thread.on('exit', (code) => {
      const early = new Error(`capture thread of ${name} ended early (exit code ${code})`);
      refuse(early);
      if (control.phase === Phase.Capture) this.fail(early);
    });
    return ring;
  }

  private hear(ring: Ring, message: Exclude<ThreadMessage, { kind: 'ready' | 'refused' }>): void {
    const { probe } = this.options;
    if (message.kind === 'report') ring.report = message.report;
    else if (message.kind === 'warning') this.deps.log.warn({ interface: ring.interface }, message.text);
    else {
      const { epoch } = ring;
      this.queue.add(message.messages.map((built): QueuedMessage => ({ ...built, probe, epoch })));
    }
  }

  private lost(message: OutgoingMessage, reason: string): void {
    const ring = this.byEpoch.get(message.epoch);
    ring?.control.addQueuedRows(-rowsOf(message));
    ring?.control.addLostRows(rowsOf(message));
    this.deps.log.warn({ partition: message.partition, sequence: message.sequence, reason }, 'a message was given up');
  }
}

/** What we gave to the publisher comes back with its rows, also from disk. */
const rowsOf = ({ rows = 0 }: OutgoingMessage): number => rows;
