/**
 * Interfaces as the source of `up`. Capture threads, a bus in memory and the engine live in a thread of their own
 * (live-thread.ts); here are its rows on their way to the store, its capture rules, and what is told of it.
 */
import { createMemoryBus } from '@netspectra/collector/bus';
import { CapturePlan } from '@netspectra/collector/probe';
import type { ProbeOptions, RingState, RuleSet } from '@netspectra/collector/probe';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { EngineStatus } from '../api/index.js';
import { RuleKeeper, controlSubject } from '../capture-rules/index.js';
import type { CounterName, RunnerState } from '../cluster/index.js';
import type { Config } from '../config/index.js';
import { addCounts, mergeAccounting } from '../engine/accounting.js';
import type { AccountingReport } from '../engine/accounting.js';
import type { EnrichmentSource } from '../enrichment/index.js';
import { UserError } from '../errors.js';
import type { DependencyStatus } from '../health.js';
import { readStretches } from '../storage/index.js';
import type { ProbeSignals } from './api-bus.js';
import { registerBusEngineMetrics } from './engine-metrics.js';
import type { BusEngineObserver } from './engine-metrics.js';
import { flushWriterOptions } from './engine-work.js';
import { LiveCapture } from './live-capture.js';
import type { LiveState } from './live-thread.js';
import type { SourceView } from './live-view.js';
import { HealthWatch, totals } from './probe-health.js';
import type { ProbeBusFigures, ProbeFigures } from './probe-health.js';
import { registerProbeMetrics } from './probe-metrics.js';
import { checkCaptureFilter, probeOptions } from './probe-options.js';
import { rulesFile } from './probe-spool.js';
import { statusMilliseconds, tellStatus } from './probe-status.js';
import { grouped, scaled } from './text.js';
import type { SourceParts, UpSource } from './up-source.js';

/** One engine reads everything, so that there is nothing to share. */
const partitions = 1;
/** what the view asks about */
const viewMs = 60_000;

export class LiveSource implements UpSource {
  readonly writerOptions = flushWriterOptions;
  readonly signals: ProbeSignals;
  private readonly figures: ProbeFigures;
  private readonly watch: HealthWatch;
  private observer: BusEngineObserver | null = null;
  private readonly asked: Promise<void>;
  private ask: () => void = () => {};
  private stopping = false;
  private running = false;
  private rates = { atMs: performance.now(), received: 0, bytes: 0, packetsPerSecond: 0, bytesPerSecond: 0 };

  private constructor(
    private readonly config: Config,
    private readonly enrichment: EnrichmentSource,
    private readonly logger: Logger,
    private readonly live: LiveCapture,
    private readonly rules: RuleKeeper,
  ) {
    // Signals only: packets never come here.
    this.signals = createMemoryBus({ partitions });
    this.asked = new Promise((resolve) => (this.ask = resolve));
    this.figures = {
      get rings(): readonly RingState[] {
        return live.state?.rings ?? [];
      },
      get queued(): number {
        return live.state?.queued ?? 0;
      },
    };
    this.watch = new HealthWatch(this.figures, () => this.busFigures, rules);
  }

  /**
   * Open the interfaces of the configuration and begin to capture.
   * @throws CaptureError when one cannot be captured; UserError NS_FILTER_INVALID, NS_CONFIG_INVALID
   */
  static async open(config: Config, enrichment: EnrichmentSource, logger: Logger): Promise<LiveSource> {
    checkCaptureFilter(config);
    if (config.api.bus) {
      throw new UserError(
        'NS_CONFIG_INVALID',
        'api.bus: true does not go with capturing in the same process, which brings capture rules to its own probe: set api.bus to false, or run probe, engine and api apart',
      );
    }
    const options = probeOptions(config, partitions, '');
    const planned = (set: RuleSet): CapturePlan => planOf(options, set);
    let live: LiveCapture | null = null;
    const rules = new RuleKeeper({
      probe: config.probe.id,
      file: rulesFile(config),
      apply: (set) => {
        planned(set);
        live?.rules(set);
      },
      versions: () => live?.state?.rings.map(({ report }) => report?.rulesVersion ?? '') ?? [],
      log: logger,
    });
    const kept = rules.load(planned);
    live = await LiveCapture.open({
      config: { ...config, log: { ...config.log, level: logger.level as Config['log']['level'] } },
      probe: { ...options, rules: kept },
    });
    logger.info({ interfaces: options.interfaces }, 'capturing');
    return new LiveSource(config, enrichment, logger, live, rules);
  }

  get stored(): AccountingReport {
    return this.observer?.accounts ?? mergeAccounting([]);
  }

  get flowsLive(): number {
    return this.state.engine.flowsLive;
  }

  get engine(): EngineStatus {
    const { before } = this.state.engine;
    const limits = { ...before.limits };
    for (const runner of this.runners) addCounts(limits, runner.limits);
    const { stored } = this;
    return {
      id: this.config.probe.id,
      state: this.stopping ? 'stopping' : this.running ? 'reading' : 'starting',
      source: this.config.capture.interfaces.join(', '),
      workers: 1,
      packetsRead: this.sum('packets'),
      packetsStored: stored.packets,
      bytesStored: stored.bytes,
      limits,
    };
  }

  get dependencies(): readonly DependencyStatus[] {
    const storeError = this.runners.find((runner) => runner.storeError !== '')?.storeError;
    const lag = this.runners.reduce((all, runner) => all + runner.lag, 0);
    const state = this.stopping ? 'ending' : `capturing ${this.config.capture.interfaces.join(', ')}`;
    return [
      {
        name: 'engine',
        ok: storeError === undefined,
        detail: storeError === undefined ? `${state}, ${lag} messages wait` : `rows wait: ${storeError}`,
      },
      // The bus is in this process: there is no connection to tell of.
      ...this.watch.health().dependencies.filter(({ name }) => name !== 'bus'),
    ];
  }

  get view(): SourceView {
    const { packetsPerSecond, bytesPerSecond } = this.rates;
    const { received, kernelDropped, publishDropped } = totals(this.figures);
    const toMs = Math.ceil(Date.now() / 1000) * 1000;
    return {
      heading: () =>
        `${this.stopping ? 'ending' : 'capturing'} ${this.config.capture.interfaces.join(', ')}: ` +
        `${scaled(packetsPerSecond, 'packets/s')}, ${scaled(bytesPerSecond * 8, 'bit/s')}; ` +
        `${grouped(received)} packets, ${grouped(kernelDropped + publishDropped)} lost`,
      range: { fromMs: toMs - viewMs, toMs, text: 'the last minute' },
    };
  }

  registerMetrics(metrics: Registry): void {
    registerProbeMetrics(metrics, this.figures, () => this.busFigures, this.rules);
    this.observer = registerBusEngineMetrics(metrics, () => this.state.engine);
  }

  /** @returns 0, or 1 when not everything that was captured could be stored at the end */
  async run({ store, writer }: SourceParts): Promise<number> {
    const { live, signals, config, rules } = this;
    live.store({
      writer,
      position: (probe, epoch, partition) => readStretches(store, probe, epoch, partition),
      enrichment: this.enrichment.data,
      onStored: (accounting, latencyMs) => this.observer?.stored(accounting, latencyMs),
    });
    const forget = this.enrichment.onChange((data) => live.enrich(data));
    const unhear = signals.listen(controlSubject(config.probe.id), (_, bytes) => rules.hear(bytes));
    const telling = setInterval(() => {
      this.reckonRates();
      tellStatus(signals, config, this.figures, this.watch, rules);
    }, statusMilliseconds);
    this.running = true;
    try {
      // A capture thread that failed ends the process, but not before what the others have is stored.
      const failure = await Promise.race([this.asked, live.failed]).catch((error: unknown) => ({ error }));
      this.stopping = true;
      const left = await live.stop();
      const { received, kernelDropped, filtered, publishDropped } = totals(this.figures);
      const { packets: stored } = this.stored;
      this.logger.info({ received, kernelDropped, filtered, publishDropped, stored }, 'capture ended');
      if (failure) throw failure.error;
      if (left === 0) return 0;
      const packets = received - kernelDropped - filtered - publishDropped - stored;
      this.logger.warn({ messages: left, packets }, 'not everything could be stored in time; it is lost');
      void store.abandon(); // nobody waits for these rows any more
      return 1;
    } finally {
      clearInterval(telling);
      unhear();
      forget();
    }
  }

  stop(): void {
    this.stopping = true;
    this.ask();
  }

  async close(): Promise<void> {
    await this.live.terminate();
  }

  /** It was told before the interfaces counted as open. */
  private get state(): LiveState {
    return this.live.state!;
  }

  private get runners(): RunnerState[] {
    return this.state.engine.partitions.map((one) => one.state);
  }

  private get busFigures(): ProbeBusFigures {
    const bus = { connected: true, reconnects: 0, lastError: '' };
    return { bus, publisher: this.state.publisher, spool: null };
  }

  private sum(name: CounterName): number {
    return this.runners.reduce((all, runner) => all + runner[name], this.state.engine.before[name]);
  }

  private reckonRates(): void {
    const { atMs, received, bytes } = this.rates;
    const now = totals(this.figures);
    const seconds = Math.max(0.001, (performance.now() - atMs) / 1000);
    this.rates = {
      atMs: performance.now(),
      received: now.received,
      bytes: now.bytes,
      packetsPerSecond: (now.received - received) / seconds,
      bytesPerSecond: (now.bytes - bytes) / seconds,
    };
  }
}

const planOf = (options: ProbeOptions, { rules }: RuleSet): CapturePlan =>
  new CapturePlan({ ...options, rules, snapLength: options.live.snapLength });
