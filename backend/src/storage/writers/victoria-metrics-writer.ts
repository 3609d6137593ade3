/**
 * Sends the counters of flushes to VictoriaMetrics, beside the store: what was added since the process began, as counters.
 *
 * A sample's time is when it was taken, every `intervalMs`, not the packets' time: counters only grow, so a late packet
 * counts when it comes, and the past is never written anew. Changed series are sent at each interval, all of them once a
 * minute. A series begins with a 0 at the interval before, because `increase()` counts from the first sample.
 *
 * Samples are cumulative: those that are dropped (the queue is full, the server away) cost detail, not packets.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { CounterSeries, groupLines, labelsText, zerosOfNew } from './counter-series.js';
import type { SeriesGroup } from './counter-series.js';
import { createImportClient } from './import-client.js';
import type { ImportTarget } from './import-client.js';
import type { SideWriter, WriterLogger } from './side-writer.js';

export interface VictoriaMetricsOptions extends ImportTarget {
  /** on every series besides its own */
  readonly labels: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  /** most series; what is beyond is added to `other="1"` */
  readonly seriesMax: number;
  /** also by VLAN */
  readonly vlan: boolean;
  /** most bytes that wait to be sent, compressed */
  readonly queueBytesMax: number;
  /** longest wait for the queue when it is closed */
  readonly drainMs: number;
  /** wait before the second try; doubles up to 30 s */
  readonly retryMs?: number;
  readonly logger?: WriterLogger;
}

export interface VictoriaMetricsCounters {
  /** samples the server took */
  sent: number;
  /** samples dropped because the queue was full, or the process ended */
  dropped: number;
  /** samples the server refused for good */
  refused: number;
  /** requests that were tried again */
  retries: number;
  /** flushes that came twice and were left out */
  repeated: number;
}

export interface VictoriaMetricsWriter extends SideWriter {
  readonly counters: Readonly<VictoriaMetricsCounters>;
  readonly queueBytes: number;
  readonly series: number;
  /** rows that were added to `other="1"` */
  readonly folded: number;
}

interface Batch {
  readonly body: Uint8Array;
  readonly samples: number;
  /** groups whose first 0 is in it */
  readonly begun: readonly SeriesGroup[];
}

const name = 'victoria_metrics';
const compress = promisify(gzip);
const fullIntervalMs = 60_000;
const batchTextMax = 1 << 20;
const retryMsMax = 30_000;
/** Streams (probe, epoch, partition) whose last flush is remembered. */
const streamsMax = 10_000;

/** @throws UserError: a PEM file of the target cannot be used */
export function createVictoriaMetricsWriter(options: VictoriaMetricsOptions): VictoriaMetricsWriter {
  return new CounterSender(options);
}

class CounterSender implements VictoriaMetricsWriter {
  readonly counters: VictoriaMetricsCounters = { sent: 0, dropped: 0, refused: 0, retries: 0, repeated: 0 };
  private readonly options: VictoriaMetricsOptions;
  private readonly client;
  private readonly store: CounterSeries;
  /** ends every line's labels; each start has its own `run`, so that series of two never mix */
  private readonly common: string;
  private readonly timer: NodeJS.Timeout;
  /** stream -> number up to which it was counted, least recently used first */
  private readonly counted = new Map<string, number>();
  private readonly queue: Batch[] = [];
  private readonly ending = new AbortController();
  private readonly givingUp = new AbortController();
  private waitingBytes = 0;
  private failure = '';
  private lastTime = Date.now();
  private lastFull = 0;
  private packing: Promise<void> = Promise.resolve();
  private sending: Promise<void> | null = null;

  constructor(options: VictoriaMetricsOptions) {
    this.options = options;
    this.client = createImportClient(options);
    this.store = new CounterSeries(options);
    this.common = labelsText({ ...options.labels, run: randomBytes(6).toString('hex') });
    this.timer = setInterval(() => this.takeSamples(), options.intervalMs);
    this.timer.unref();
  }

  get queueBytes(): number {
    return this.waitingBytes;
  }

  get series(): number {
    return this.store.count;
  }

  get folded(): number {
    return this.store.folded;
  }

  write(flush: Parameters<SideWriter['write']>[0]): Promise<void> {
    const stream = `${flush.probe}:${flush.epoch}:${flush.partition}`;
    const before = this.counted.get(stream) ?? -1;
    if (flush.lastSeq <= before) {
      this.counters.repeated += 1;
      return Promise.resolve();
    }
    this.counted.delete(stream);
    this.counted.set(stream, flush.lastSeq);
    if (this.counted.size > streamsMax) this.counted.delete(this.counted.keys().next().value!);
    this.store.add(flush, this.lastTime);
    return Promise.resolve();
  }

  status() {
    const { dropped, refused } = this.counters;
    const held = `${this.queue.length + (this.sending ? 1 : 0)} requests wait, ${dropped + refused} samples dropped`;
    return {
      name,
      optional: true,
      ok: this.failure === '',
      detail: this.failure === '' ? held : `${this.failure} (${held})`,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.takeSamples(true);
    this.ending.abort();
    const bound = setTimeout(() => this.givingUp.abort(), this.options.drainMs);
    await this.packing;
    await this.sending;
    clearTimeout(bound);
    while (this.dropOldest());
    this.client.close();
  }

  /** Samples of now into the queue: of what changed, and now and then of everything. */
  private takeSamples(full = false): void {
    // A clock that steps back must not put a sample before the one it follows.
    const time = Math.max(Date.now(), this.lastTime + 1);
    const all = full || time - this.lastFull >= fullIntervalMs;
    if (all) this.lastFull = time;
    this.lastTime = time;
    let lines: string[] = [];
    let begun: SeriesGroup[] = [];
    let size = 0;
    const cut = (): void => {
      if (lines.length > 0) this.pack(lines, begun);
      lines = [];
      begun = [];
      size = 0;
    };
    for (const group of this.store.all()) {
      if (!group.changed && !all) continue;
      // The second 0 goes with a full sending, in case the server lost the first.
      if (group.zeros === zerosOfNew || (group.zeros > 0 && all)) {
        group.zeros -= 1;
        begun.push(group);
        lines.push(...groupLines(group, this.common, group.born, true));
      }
      const now = groupLines(group, this.common, time);
      group.changed = false;
      lines.push(...now);
      size += now.length * (group.labels.length + this.common.length);
      if (size > batchTextMax) cut();
    }
    cut();
  }

  private pack(lines: readonly string[], begun: readonly SeriesGroup[]): void {
    const samples = lines.length;
    const text = lines.join('');
    this.packing = this.packing.then(async () => {
      const body = await compress(text, { level: 1 });
      this.queue.push({ body, samples, begun });
      this.waitingBytes += body.length;
      while (this.waitingBytes > this.options.queueBytesMax && this.dropOldest());
      this.sending ??= this.send();
    });
  }

  /** @returns whether there was one that waits; what is being sent is not in the queue */
  private dropOldest(): boolean {
    const batch = this.queue.shift();
    if (!batch) return false;
    this.counters.dropped += batch.samples;
    this.leave(batch);
    return true;
  }

  /** A batch that will not arrive: its zeros have to come again. */
  private leave(batch: Batch): void {
    this.waitingBytes -= batch.body.length;
    for (const group of batch.begun) group.zeros = zerosOfNew;
  }

  private async send(): Promise<void> {
    for (let batch = this.queue.shift(); batch; batch = this.queue.shift()) await this.sendOne(batch);
    this.sending = null;
  }

  private async sendOne(batch: Batch): Promise<void> {
    const { retryMs = 500, logger } = this.options;
    for (let tries = 1; !this.givingUp.signal.aborted; tries += 1) {
      const { outcome, detail } = await this.client.send(batch.body, this.givingUp.signal);
      if (outcome === 'sent') {
        if (this.failure !== '') logger?.info({ writer: name }, `${name}: ${this.client.location} takes samples again`);
        this.failure = '';
        this.waitingBytes -= batch.body.length;
        this.counters.sent += batch.samples;
        return;
      }
      // Told once until it changes: a server that stays away must not fill the log.
      if (detail !== this.failure) logger?.warn({ writer: name }, `${name}: ${detail}`);
      this.failure = detail;
      if (outcome === 'refused') {
        this.counters.refused += batch.samples;
        return this.leave(batch);
      }
      this.counters.retries += 1;
      // When the process ends, waits are short: there is not much time left.
      const closing = this.ending.signal.aborted;
      const wait = closing ? retryMs : Math.min(retryMs * 2 ** (tries - 1), retryMsMax);
      const signal = closing ? this.givingUp.signal : this.ending.signal;
      await delay(wait, undefined, { signal }).catch(() => undefined);
    }
    this.counters.dropped += batch.samples;
    this.leave(batch);
  }
}
