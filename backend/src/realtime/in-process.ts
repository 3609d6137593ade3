/** Real-time state of the engines of this process, in bounded maps whose entries expire. */
import { activeHosts, recentRates } from './merge.js';
import { rateSeconds } from './spans.js';
import { engineTtlSeconds, probeTtlSeconds, ttlSeconds } from './state.js';
import type {
  ActiveHosts,
  EngineBeat,
  ProbeRate,
  RealtimeHost,
  RealtimeProbe,
  RealtimeSink,
  RealtimeView,
} from './state.js';
import type { FlushSummary } from './summary.js';

/** Names of flushes that are remembered, to know one that is repeated. */
const namesMax = 65_536;
const probesMax = 1_024;
const enginesMax = 1_024;
const partitionsMax = 4_096;
const hostWindowsMax = 64;
const hostsPerWindowMax = 16_384;
/** A packet that claims to be from later than this would make all others old. */
const aheadSecondsMax = 60;

interface Expiring<T> {
  readonly value: T;
  untilMs: number;
}

/** A map with a bound whose entries go when nobody renewed them. */
class ExpiringMap<T> {
  readonly #entries = new Map<string | number, Expiring<T>>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** The entry of a key, made when it is not there and there is room; undefined when there is none. */
  renew(key: string | number, make: () => T, nowMs: number, seconds: number): T | undefined {
    let entry = this.#entries.get(key);
    if (entry && entry.untilMs <= nowMs) {
      this.#entries.delete(key);
      entry = undefined;
    }
    if (!entry) {
      if (this.#entries.size >= this.#max) this.#sweep(nowMs);
      if (this.#entries.size >= this.#max) return undefined;
      entry = { value: make(), untilMs: 0 };
      this.#entries.set(key, entry);
    }
    entry.untilMs = nowMs + seconds * 1000;
    return entry.value;
  }

  *live(nowMs: number): Generator<readonly [string | number, T]> {
    for (const [key, { value, untilMs }] of this.#entries) if (untilMs > nowMs) yield [key, value];
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Remove what expired. */
  #sweep(nowMs: number): void {
    for (const [key, { untilMs }] of this.#entries) if (untilMs <= nowMs) this.#entries.delete(key);
  }
}

interface ProbeState {
  source: string;
  readonly partitions: ExpiringMap<{ flows: number; lastMs: number | null }>;
}

interface HostWindow {
  readonly start: number;
  readonly seconds: number;
  readonly hosts: Map<string, Omit<RealtimeHost, 'address'>>;
  leftOut: boolean;
}

export interface InProcessCounters {
  /** flushes that were told twice, and counted once */
  repeated: number;
  /** things that were not kept because a bound was met */
  leftOut: number;
}

export class InProcessState implements RealtimeSink, RealtimeView {
  readonly source = 'process' as const;
  readonly counters: InProcessCounters = { repeated: 0, leftOut: 0 };
  readonly #now: () => number;
  readonly #names = new Set<string>();
  readonly #rates = new ExpiringMap<{ readonly rate: ProbeRate; packets: number; bytes: number }>(
    probesMax * rateSeconds,
  );
  readonly #windows = new ExpiringMap<HostWindow>(hostWindowsMax);
  readonly #probes = new ExpiringMap<ProbeState>(probesMax);
  readonly #engines = new ExpiringMap<{ beat: EngineBeat | null }>(enginesMax);

  /** @param now clock time, milliseconds */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  observeFlush(flush: FlushSummary): void {
    if (this.#names.has(flush.name)) {
      this.counters.repeated += 1;
      return;
    }
    this.#names.add(flush.name);
    const [oldest] = this.#names;
    if (this.#names.size > namesMax && oldest !== undefined) this.#names.delete(oldest);
    const now = this.#now();
    const latest = now / 1000 + aheadSecondsMax;
    this.#observeProbe(flush, now);
    for (const { start, seconds, packets, bytes } of flush.counters) {
      const make = () => ({ rate: { probe: flush.probe, start, seconds, packets: 0, bytes: 0 }, packets: 0, bytes: 0 });
      const sum = start > latest ? undefined : this.#rates.renew(`${start} ${flush.probe}`, make, now, ttlSeconds);
      if (!sum) {
        this.counters.leftOut += 1;
        continue;
      }
      sum.packets += packets;
      sum.bytes += bytes;
    }
    this.#observeHosts(flush, now, latest);
  }

  observeEngine(beat: EngineBeat): void {
    const entry = this.#engines.renew(
      beat.id,
      () => ({ beat: null as EngineBeat | null }),
      this.#now(),
      engineTtlSeconds,
    );
    if (entry) entry.beat = beat;
    else this.counters.leftOut += 1;
  }

  async rates(): Promise<readonly ProbeRate[]> {
    return recentRates(
      [...this.#rates.live(this.#now())].map(([, { rate, packets, bytes }]) => ({ ...rate, packets, bytes })),
    );
  }

  async hosts(limit: number): Promise<ActiveHosts> {
    return activeHosts(
      [...this.#windows.live(this.#now())].map(([, window]) => window),
      limit,
    );
  }

  async probes(): Promise<readonly RealtimeProbe[]> {
    const now = this.#now();
    return [...this.#probes.live(now)].map(([id, { source, partitions }]) => {
      const all = [...partitions.live(now)].map(([, partition]) => partition);
      return {
        id: String(id),
        source,
        flows: all.reduce((sum, { flows }) => sum + flows, 0),
        lastMs: all.reduce<number | null>(
          (max, { lastMs }) => (lastMs === null ? max : Math.max(max ?? 0, lastMs)),
          null,
        ),
      };
    });
  }

  async engines(): Promise<readonly EngineBeat[]> {
    return [...this.#engines.live(this.#now())].flatMap(([, { beat }]) => (beat ? [beat] : []));
  }

  #observeProbe(flush: FlushSummary, now: number): void {
    const make = (): ProbeState => ({ source: '', partitions: new ExpiringMap(partitionsMax) });
    const probe = this.#probes.renew(flush.probe, make, now, probeTtlSeconds);
    const partition = probe?.partitions.renew(
      flush.partition,
      () => ({ flows: 0, lastMs: null as number | null }),
      now,
      probeTtlSeconds,
    );
    if (!probe || !partition) {
      this.counters.leftOut += 1;
      return;
    }
    probe.source = flush.source;
    partition.flows = flush.complete ? 0 : flush.flowsLive;
    partition.lastMs = flush.watermarkMs ?? partition.lastMs;
  }

  #observeHosts(flush: FlushSummary, now: number, latest: number): void {
    const seconds = flush.hostWindowSeconds;
    for (const { window: start, address, ...sums } of flush.hosts) {
      const make = (): HostWindow => ({ start, seconds, hosts: new Map(), leftOut: false });
      const window = start > latest ? undefined : this.#windows.renew(start, make, now, ttlSeconds);
      if (!window) {
        this.counters.leftOut += 1;
        continue;
      }
      if (flush.hostsLeftOut) window.leftOut = true;
      const known = window.hosts.get(address);
      if (!known && window.hosts.size >= hostsPerWindowMax) {
        window.leftOut = true;
        this.counters.leftOut += 1;
        continue;
      }
      window.hosts.set(address, {
        bytesSent: (known?.bytesSent ?? 0) + sums.bytesSent,
        bytesReceived: (known?.bytesReceived ?? 0) + sums.bytesReceived,
        packetsSent: (known?.packetsSent ?? 0) + sums.packetsSent,
        packetsReceived: (known?.packetsReceived ?? 0) + sums.packetsReceived,
        lastMs: Math.max(known?.lastMs ?? 0, sums.lastMs),
      });
    }
  }
}
