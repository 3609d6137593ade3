/**
 * The work of a capture thread: ring -> batch -> messages, until it is told to stop. It never waits for the bus: what the
 * queue has no room for is counted and dropped, and the ring goes on being read.
 *
 * A flush comes when the batch is full, or `flushMilliseconds` after its first frame. A partition that had no message for
 * `idleMilliseconds` gets one without rows, so that those who read it know up to when it is complete.
 */
import { FrameTable } from '../capture/framing/frame-table.js';
import { keepAll, keepNothing, sampled } from '../capture/live/bpf-program.js';
import type { LiveSourceKind } from '../capture/live/open.js';
import type { CompileExpression } from '../capture/live/pcap/filter-compiler.js';
import type {
  BpfProgram,
  InterfaceState,
  LiveCounters,
  LiveSource,
  LiveSourceOptions,
} from '../capture/live/live-source.js';
import { BatchBuilder } from './batch-builder.js';
import type { BuiltMessage, BuilderOptions } from './batch-builder.js';
import { CapturePlan, CapturePlanError, captureRuleLimits } from './capture-plan.js';
import type { CaptureRule } from './capture-plan.js';
import { Phase } from './shared-control.js';
import type { SharedControl } from './shared-control.js';
import type { CaptureCounters } from '@netspectra/proto';

export interface CaptureOptions extends BuilderOptions {
  /** in the filter language; '' = everything */
  readonly filter: string;
  /** one packet of so many is to be captured; 1 = all */
  readonly samplingRate: number;
  /** capture rules to begin with */
  readonly rules?: RuleSet;
  /** what is never captured, whatever the filter says, in the same language */
  readonly except?: string;
  readonly flushMilliseconds: number;
  readonly idleMilliseconds: number;
  /** most bytes of messages that wait for the publisher */
  readonly queueBytesMax: number;
  readonly live: Omit<LiveSourceOptions, 'program'>;
  /** how interfaces are captured; absent: auto */
  readonly liveSource?: LiveSourceKind;
}

/** What a capture thread says of itself. */
export interface CaptureReport {
  readonly counters: CaptureCounters;
  readonly live: LiveCounters;
  readonly state: InterfaceState;
  readonly messages: number;
  /** version of the capture rules in force; '' = none ever came */
  readonly rulesVersion: string;
}

/** Capture rules, the first of which that keeps a packet decides, and what this state of them is called. */
export interface RuleSet {
  readonly version: string;
  readonly rules: readonly CaptureRule[];
}

export interface CaptureDeps {
  open(options: LiveSourceOptions): Promise<LiveSource>;
  readonly compile: CompileExpression | undefined;
  readonly control: SharedControl;
  publish(messages: BuiltMessage[]): void;
  report(report: CaptureReport): void;
  /** one line for the log */
  warn(text: string): void;
  /** capture rules that came since the last call, if some did */
  newRules(): RuleSet | undefined;
  /** the ring is there, and keeps nothing yet */
  ready(source: LiveSource): void;
}

const tableRows = 2048;
const reportMilliseconds = 1000;
/** how long one system call may hold the thread */
const waitMillisecondsMax = 20;
const reopenMilliseconds = 1000;

export class CaptureLoop {
  private readonly builder: BatchBuilder;
  private readonly table = new FrameTable(tableRows);
  private source: LiveSource;
  private plan: CapturePlan;
  private rulesVersion = '';
  private program: BpfProgram;
  /** counts of rings that were closed */
  private readonly before: LiveCounters = { received: 0, delivered: 0, dropped: 0, freezes: 0, badBlocks: 0 };
  private firstRowAt = 0;
  private reportedAt = 0;
  private messageCount = 0;
  private readonly lastMessageAt: Float64Array;

  private constructor(
    private readonly options: CaptureOptions,
    private readonly deps: CaptureDeps,
    source: LiveSource,
  ) {
    this.source = source;
    this.plan = planOf(options, []);
    this.builder = new BatchBuilder(options, this.plan);
    this.lastMessageAt = new Float64Array(options.partitions).fill(performance.now());
    this.program = keepNothing;
  }

  /** Opens the ring, waits for its turn, and captures until the control says stop. */
  static async run(options: CaptureOptions, deps: CaptureDeps): Promise<void> {
    const source = await deps.open({ ...ringOf(options.live), program: keepNothing });
    for (const warning of source.warnings) deps.warn(warning);
    const loop = new CaptureLoop(options, deps, source);
    loop.setRules(options.rules ?? { version: '', rules: [] });
    deps.ready(source);
    await loop.work();
  }

  private async work(): Promise<void> {
    const { control, newRules } = this.deps;
    control.waitWhile(Phase.Opening);
    this.source.filter(this.program);
    while (control.phase === Phase.Capture) {
      this.turn(this.waitMilliseconds());
      const rules = newRules();
      if (rules !== undefined) this.changeRules(rules);
      this.whatTimeBrings();
      if (this.source.state === 'gone') await this.reopen();
    }
    this.drain();
  }

  /** Read once, and flush what is due. */
  private turn(waitMilliseconds: number): number {
    const { table, builder, source } = this;
    const count = source.read(table, waitMilliseconds);
    const { bytes } = source;
    for (let row = 0; row < count; row += 1) {
      if (!this.add(bytes, row)) {
        this.flush();
        this.add(bytes, row); // an empty batch has room for any frame
      }
    }
    if (builder.rows === 0) this.firstRowAt = 0;
    else if (this.firstRowAt === 0) this.firstRowAt = performance.now();
    else if (performance.now() - this.firstRowAt >= this.options.flushMilliseconds) this.flush();
    return count;
  }

  private add(bytes: Uint8Array, row: number): boolean {
    const { table } = this;
    return this.builder.add(
      bytes,
      table.offset[row]!,
      table.capturedLength[row]!,
      table.wireLength[row]!,
      table.linkType[row]!,
      table.seconds[row]!,
      table.nanoseconds[row]!,
      0,
    );
  }

  private waitMilliseconds(): number {
    if (this.firstRowAt === 0) return waitMillisecondsMax;
    const left = this.options.flushMilliseconds - (performance.now() - this.firstRowAt);
    return Math.max(0, Math.min(waitMillisecondsMax, Math.ceil(left)));
  }

  private flush(): void {
    const { builder, deps, options } = this;
    this.firstRowAt = 0;
    this.countKernel();
    this.send(builder.flush(deps.control.queuedBytes < options.queueBytesMax));
  }

  private send(messages: BuiltMessage[]): void {
    if (messages.length === 0) return;
    const { control } = this.deps;
    const now = performance.now();
    for (const { partition, bytes, rows } of messages) {
      control.addQueuedBytes(bytes.length);
      control.addQueuedRows(rows);
      this.lastMessageAt[partition] = now;
    }
    this.messageCount += messages.length;
    this.deps.publish(messages);
  }

  private countKernel(): void {
    const { counters } = this.builder;
    const { control } = this.deps;
    counters.kernelDropped = this.before.dropped + this.source.counters().dropped;
    counters.publishDropped += control.takeLostRows();
    counters.held = control.queuedRows;
  }

  /** Once a second: what was counted is told, and partitions that had nothing to say say that. */
  private whatTimeBrings(): void {
    const now = performance.now();
    if (now - this.reportedAt < reportMilliseconds) return;
    this.reportedAt = now;
    this.countKernel();
    this.report();
    const { idleMilliseconds, partitions, queueBytesMax } = this.options;
    if (this.builder.rows > 0 || this.deps.control.queuedBytes >= queueBytesMax) return;
    const idle: BuiltMessage[] = [];
    const time = Date.now();
    for (let partition = 0; partition < partitions; partition += 1) {
      if (now - this.lastMessageAt[partition]! >= idleMilliseconds) idle.push(this.bare(partition, time, false));
    }
    this.send(idle);
  }

  private bare(partition: number, milliseconds: number, complete: boolean): BuiltMessage {
    return this.builder.bare(partition, Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1e6, complete);
  }

  private report(): void {
    const { counters } = this.builder;
    const live = this.source.counters();
    counters.received = counters.kernelDropped + counters.filtered + counters.decoded + counters.undecodable;
    this.deps.report({
      counters,
      live: {
        received: this.before.received + live.received,
        delivered: this.before.delivered + live.delivered,
        dropped: this.before.dropped + live.dropped,
        freezes: this.before.freezes + live.freezes,
        badBlocks: this.before.badBlocks + live.badBlocks,
      },
      state: this.source.state,
      messages: this.messageCount,
      rulesVersion: this.rulesVersion,
    });
  }

  /** What is in the ring is read to its end, everything flushed, and each partition told that this was all. */
  private drain(): void {
    const { source, builder, options } = this;
    source.filter(keepNothing);
    // The last block comes out when its time is over; a ring that was silent for twice as long has nothing left.
    const silentTurns = 1 + Math.ceil((2 * options.live.blockTimeoutMilliseconds) / waitMillisecondsMax);
    for (let silent = 0; silent < silentTurns;) silent = this.turn(waitMillisecondsMax) === 0 ? silent + 1 : 0;
    this.flush();
    this.countKernel();
    const time = Date.now();
    const last: BuiltMessage[] = [];
    for (let partition = 0; partition < options.partitions; partition += 1) {
      if (builder.sequenceOf(partition) > 0 || partition === 0) last.push(this.bare(partition, time, true));
    }
    this.send(last);
    this.report();
    source.close();
  }

  /** The interface was deleted: wait until there is one of its name again. */
  private async reopen(): Promise<void> {
    const { control, warn, open } = this.deps;
    this.flush();
    const { name } = this.source;
    this.source.close();
    warn(`${name}: the interface is gone; capture goes on when it is there again`);
    this.report(); // no turn comes that would
    for (;;) {
      control.waitWhile(Phase.Capture, reopenMilliseconds);
      if (control.phase !== Phase.Capture) return;
      try {
        const next = await open({ ...ringOf(this.options.live), program: this.program });
        // Only now: until there is another one, the closed ring's own counts stand.
        const counts = this.source.counters();
        for (const key of Object.keys(this.before) as (keyof LiveCounters)[]) this.before[key] += counts[key];
        this.source = next;
        warn(`${name}: the interface is there again`);
        return;
      } catch {
        // still gone; it was said once
      }
    }
  }

  /** Rules that came while capturing. Those that cannot be used are told, and the ones before stay. */
  private changeRules(rules: RuleSet): void {
    this.flush();
    this.setRules(rules);
    this.source.filter(this.program);
    this.report();
  }

  private setRules({ version, rules }: RuleSet): void {
    try {
      this.plan = planOf(this.options, rules);
    } catch (error) {
      if (!(error instanceof CapturePlanError)) throw error;
      this.deps.warn(`${error.message}; what was captured before goes on`);
      return;
    }
    // The ring may hold frames that an earlier program kept, so the plan judges each itself.
    this.builder.use(this.plan);
    this.rulesVersion = version;
    this.program = sampled(this.kernelProgram() ?? keepAll(this.plan.snapLengthMax), this.options.samplingRate);
  }

  /** What the kernel can be asked of the plan; undefined: everything comes into the ring. */
  private kernelProgram(): BpfProgram | undefined {
    const { compile, warn } = this.deps;
    const { filterLinkType } = this.source;
    const result = this.plan.bpf({ link: filterLinkType === 1 ? 'ethernet' : 'other', vlanTags: 'offloaded' });
    if (!result.ok || result.text === '') return undefined;
    if (!compile) {
      warn('libpcap is not installed (Debian: libpcap0.8): the filter is applied by the probe, not by the kernel');
      return undefined;
    }
    try {
      return compile(result.text, filterLinkType, this.plan.snapLengthMax);
    } catch (error) {
      warn(
        `the kernel does without the filter, the probe applies it: ${error instanceof Error ? error.message : String(error)}`,
      );
      return undefined;
    }
  }
}

/** What capturing with these options and rules means. @throws CapturePlanError */
export function planOf(
  options: Pick<CaptureOptions, 'filter' | 'except' | 'probe' | 'samplingRate' | 'live'>,
  rules: readonly CaptureRule[],
): CapturePlan {
  const { filter, except = '', probe, samplingRate, live } = options;
  return new CapturePlan({ filter, except, rules, probe, samplingRate, snapLength: live.snapLength });
}

/** The ring takes whole packets where a rule asks for them; the kernel's program cuts them to what is wanted. */
const ringOf = (live: CaptureOptions['live']): CaptureOptions['live'] => ({
  ...live,
  snapLength: Math.max(live.snapLength, captureRuleLimits.snapLength),
});
