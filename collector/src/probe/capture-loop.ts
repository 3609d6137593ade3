/**
 * The work of a capture thread: ring -> batch -> messages, until it is told to stop. It never waits for the bus: what the
 * queue has no room for is counted and dropped, and the ring goes on being read.
 *
 * A flush comes when the batch is full, or `flushMilliseconds` after its first frame. A partition that had no message for
 * `idleMilliseconds` gets one without rows, so that those who read it know up to when it is complete.
 */
import { captureFilter, parseFilter } from '@netspectra/query';
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
import { compilePacketFilter } from '../filter/index.js';
import type { PacketFilter } from '../filter/index.js';
import { BatchBuilder } from './batch-builder.js';
import type { BuiltMessage, BuilderOptions } from './batch-builder.js';
import { Phase } from './shared-control.js';
import type { SharedControl } from './shared-control.js';
import type { CaptureCounters } from '@netspectra/proto';

export interface CaptureOptions extends BuilderOptions {
  /** in the filter language; '' = everything */
  readonly filter: string;
  /** what is never captured, whatever the filter says, in the same language */
  readonly except?: string;
  readonly flushMilliseconds: number;
  readonly idleMilliseconds: number;
  /** most bytes of messages that wait for the publisher */
  readonly queueBytesMax: number;
  readonly live: Omit<LiveSourceOptions, 'program'>;
}

/** What a capture thread says of itself. */
  /** how interfaces are captured; absent: auto */
  readonly liveSource?: LiveSourceKind;
export interface CaptureReport {
  readonly counters: CaptureCounters;
  readonly live: LiveCounters;
  readonly state: InterfaceState;
  readonly messages: number;
  /** in force */
  readonly filter: string;
}

export interface CaptureDeps {
  open(options: LiveSourceOptions): Promise<LiveSource>;
  readonly compile: CompileExpression | undefined;
  readonly control: SharedControl;
  publish(messages: BuiltMessage[]): void;
  report(report: CaptureReport): void;
  /** one line for the log */
  warn(text: string): void;
  /** a filter that came since the last call, if one did */
  newFilter(): string | undefined;
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
  private filter: PacketFilter | null = null;
  private filterText = '';
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
    this.builder = new BatchBuilder(options);
    this.lastMessageAt = new Float64Array(options.partitions).fill(performance.now());
    this.program = keepNothing;
  }

  /** Opens the ring, waits for its turn, and captures until the control says stop. */
  static async run(options: CaptureOptions, deps: CaptureDeps): Promise<void> {
    const source = await deps.open({ ...options.live, program: keepNothing });
    for (const warning of source.warnings) deps.warn(warning);
    const loop = new CaptureLoop(options, deps, source);
    loop.setFilter(options.filter);
    deps.ready(source);
    await loop.work();
  }

  private async work(): Promise<void> {
    const { control, newFilter } = this.deps;
    control.waitWhile(Phase.Opening);
    this.source.filter(this.program);
    while (control.phase === Phase.Capture) {
      this.turn(this.waitMilliseconds());
      const filter = newFilter();
      if (filter !== undefined) this.changeFilter(filter);
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
    this.send(builder.flush(this.filter, deps.control.queuedBytes < options.queueBytesMax));
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
      filter: this.filterText,
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
    for (;;) {
      control.waitWhile(Phase.Capture, reopenMilliseconds);
      if (control.phase !== Phase.Capture) return;
      try {
        const next = await open({ ...this.options.live, program: this.program });
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

  /** A filter that came while capturing. One that cannot be used is told, and the one before stays. */
  private changeFilter(text: string): void {
    this.flush();
    this.setFilter(text);
    this.source.filter(this.program);
    this.report();
  }

  private setFilter(text: string): void {
    const { samplingRate, live, probe, except = '' } = this.options;
    const whole = [text.trim() && `(${text})`, except && `not (${except})`].filter(Boolean).join(' and ');
    const parsed = parseFilter(whole);
    const compiled = parsed.ok ? compilePacketFilter(parsed.filter, { probe }) : undefined;
    // Alone, too: in parentheses `arp) or (udp` would be one.
    if (!parseFilter(text).ok || !parsed.ok || !compiled?.ok) {
      this.deps.warn(`the filter ${JSON.stringify(text)} cannot be used on packets; the one before stays`);
      return;
    }
    // The ring may hold frames that an earlier program kept, so the probe judges each itself.
    this.filterText = text;
    this.filter = parsed.filter.kind === 'all' ? null : compiled.filter;
    this.program = sampled(this.kernelProgram(whole) ?? keepAll(live.snapLength), samplingRate);
  }

  /** What the kernel can be asked of the filter; undefined: everything comes into the ring. */
  private kernelProgram(text: string): BpfProgram | undefined {
    if (text.trim() === '') return undefined;
    const { compile, warn } = this.deps;
    const { filterLinkType } = this.source;
    const result = captureFilter(text, {
      link: filterLinkType === 1 ? 'ethernet' : 'other',
      vlanTags: 'offloaded',
      probe: this.options.probe,
    });
    if (!result.ok || result.text === '') return undefined;
    if (!compile) {
      warn('libpcap is not installed (Debian: libpcap0.8): the filter is applied by the probe, not by the kernel');
      return undefined;
    }
    try {
      return compile(result.text, filterLinkType, this.options.live.snapLength);
    } catch (error) {
      warn(
        `the kernel does without the filter, the probe applies it: ${error instanceof Error ? error.message : String(error)}`,
      );
      return undefined;
    }
  }
}
