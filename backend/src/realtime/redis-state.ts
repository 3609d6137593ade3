/** Real-time state in Redis, shared by all engines and API processes. How it lies there: redis-script.ts. */
import { ErrorReply } from '@redis/client';
import { parseBeat } from './beat.js';
import { activeHosts, recentRates } from './merge.js';
import type { WindowOfHosts } from './merge.js';
import { connectRedis, redisReason } from './redis-connection.js';
import type { RealtimeLog, RedisConnection, RedisTarget } from './redis-connection.js';
import { observeEngineScript, observeFlushScript } from './redis-script.js';
import { hostSeconds, rateSeconds } from './spans.js';
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
import { Telling } from './telling.js';
import type { TellingCounters } from './telling.js';

/** A question that takes longer is answered without Redis. */
const askMillisMax = 1_000;
const tellingLimits = { bytesMax: 8 * 1024 * 1024, ageMaxMs: rateSeconds * 1000, windowMax: 64 };
const listedMax = 1_024;

export interface RedisStateOptions extends RedisTarget {
  /** begins all keys */
  readonly prefix: string;
  readonly log: RealtimeLog;
}

/** Numbers of a field, as many as are wanted; null when it is not as ours are. */
function numbersOf(text: string | undefined, count: number): number[] | null {
  const numbers = (text ?? '').split(' ', count + 1).map(Number);
  return numbers.length === count && numbers.every((value) => Number.isFinite(value) && value >= 0) ? numbers : null;
}

export class RedisState implements RealtimeSink, RealtimeView {
  readonly source = 'redis' as const;
  readonly #prefix: string;
  readonly #connection: RedisConnection;
  readonly #telling: Telling;
  readonly #log: RealtimeLog;
  /** the last refusal that was logged */
  #refusal = '';

  /** Begins to connect. @throws UserError as connectRedis */
  constructor(options: RedisStateOptions) {
    this.#prefix = options.prefix;
    this.#log = options.log;
    this.#telling = new Telling((text) => this.#tell(text), { ...tellingLimits, now: Date.now });
    this.#connection = connectRedis(options, options.log, () => this.#telling.begin());
  }

  /** Resolves when the first try to connect is over, well or not. */
  get tried(): Promise<void> {
    return this.#connection.tried;
  }

  /** Questions can be asked now. */
  get ready(): boolean {
    return this.#connection.ready();
  }

  /** Why not; null when ready. */
  get reason(): string | null {
    return this.#connection.reason();
  }

  get counters(): Readonly<TellingCounters> & { readonly waiting: number; readonly bytes: number } {
    const { counters, waiting, bytes } = this.#telling;
    return { ...counters, waiting, bytes };
  }

  observeFlush(flush: FlushSummary): void {
    this.#telling.add(
      JSON.stringify({
        name: flush.name,
        probe: flush.probe,
        partition: String(flush.partition),
        source: flush.source,
        flows: String(flush.complete ? 0 : flush.flowsLive),
        last: String(Math.floor(flush.watermarkMs ?? 0)),
        width: String(flush.hostWindowSeconds),
        leftOut: flush.hostsLeftOut,
        counters: flush.counters.map(({ start, seconds, packets, bytes }) =>
          [start, seconds, packets, bytes].map(String),
        ),
        hosts: flush.hosts.map((host) => [
          String(host.window),
          host.address,
          ...[host.bytesSent, host.bytesReceived, host.packetsSent, host.packetsReceived, host.lastMs].map(String),
        ]),
      }),
    );
  }

  observeEngine(beat: EngineBeat): void {
    if (!this.ready) return;
    const args = [beat.id, JSON.stringify(beat), String(engineTtlSeconds), String(ttlSeconds)];
    this.#connection.client
      .eval(observeEngineScript, { keys: [this.#prefix], arguments: args })
      .catch((error: unknown) => this.#failed(error));
  }

  async rates(): Promise<readonly ProbeRate[]> {
    const starts = await this.#latest('seconds', rateSeconds);
    const hashes = await this.#ask((client) =>
      Promise.all(starts.map((start) => client.hGetAll(this.#key(`rate:${start}`)))),
    );
    const rates = hashes.flatMap((hash, i) =>
      Object.entries(hash).flatMap(([field, text]): ProbeRate[] => {
        const space = field.indexOf(' ');
        const seconds = Number(field.slice(0, space));
        const [packets, bytes] = numbersOf(text, 2) ?? [];
        if (!(seconds > 0) || packets === undefined || bytes === undefined) return [];
        return [{ probe: field.slice(space + 1), start: starts[i]!, seconds, packets, bytes }];
      }),
    );
    return recentRates(rates);
  }

  async hosts(limit: number): Promise<ActiveHosts> {
    const starts = await this.#latest('windows', hostSeconds);
    const hashes = await this.#ask((client) =>
      Promise.all(starts.map((start) => client.hGetAll(this.#key(`hosts:${start}`)))),
    );
    const windows = hashes.flatMap((hash, i): WindowOfHosts[] => {
      const [seconds, leftOut] = numbersOf(hash[''], 2) ?? [];
      if (seconds === undefined) return [];
      const hosts = Object.entries(hash).flatMap(([address, text]): [string, Omit<RealtimeHost, 'address'>][] => {
        const sums = address === '' ? null : numbersOf(text, 5);
        if (!sums) return [];
        const [bytesSent = 0, bytesReceived = 0, packetsSent = 0, packetsReceived = 0, lastMs = 0] = sums;
        return [[address, { bytesSent, bytesReceived, packetsSent, packetsReceived, lastMs }]];
      });
      return [{ start: starts[i]!, seconds, hosts, leftOut: leftOut === 1 }];
    });
    return activeHosts(windows, limit);
  }

  async probes(): Promise<readonly RealtimeProbe[]> {
    const ids = await this.#listed('probes');
    const hashes = await this.#ask((client) => Promise.all(ids.map((id) => client.hGetAll(this.#key(`probe:${id}`)))));
    return hashes.flatMap((hash, i): RealtimeProbe[] => {
      if (Object.keys(hash).length === 0) return []; // expired
      const partitions = Object.entries(hash).flatMap(([field, text]) =>
        field === '' ? [] : [numbersOf(text, 2) ?? [0, 0]],
      );
      const lastMs = Math.max(0, ...partitions.map(([, last = 0]) => last));
      return [
        {
          id: ids[i]!,
          source: hash[''] ?? '',
          flows: partitions.reduce((sum, [flows = 0]) => sum + flows, 0),
          lastMs: lastMs > 0 ? lastMs : null,
        },
      ];
    });
  }

  async engines(): Promise<readonly EngineBeat[]> {
    const ids = await this.#listed('engines');
    const texts = await this.#ask((client) => Promise.all(ids.map((id) => client.get(this.#key(`engine:${id}`)))));
    return texts.flatMap((text): EngineBeat[] => {
      const beat = text === null ? null : parseBeat(text); // null: expired
      return beat ? [beat] : [];
    });
  }

  /** Let go of the connection; what was not told is left. */
  close(): void {
    this.#telling.pause();
    this.#connection.close();
  }

  #key(name: string): string {
    return `${this.#prefix}:${name}`;
  }

  async #tell(text: string): Promise<unknown> {
    try {
      const args = [text, String(ttlSeconds), String(probeTtlSeconds)];
      return await this.#connection.client.eval(observeFlushScript, { keys: [this.#prefix], arguments: args });
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  /** What Redis itself refuses is told; that a connection broke is told by the connection. */
  #failed(error: unknown): void {
    this.#telling.counters.failed += 1;
    if (!(error instanceof ErrorReply)) return;
    const reason = redisReason(error);
    if (reason === this.#refusal) return;
    this.#refusal = reason;
    this.#log.warn({}, `Redis refuses real-time state: ${reason}`);
  }

  /** Windows of a set that lie in the last seconds before the newest one, oldest first. */
  async #latest(set: string, seconds: number): Promise<number[]> {
    const members = await this.#ask((client) => client.zRange(this.#key(set), -(seconds + 64), -1));
    const starts = members.map(Number).filter((start) => Number.isInteger(start));
    const newest = Math.max(...starts, 0);
    // Hosts have windows of some width, so one that begins earlier may reach into the last minute.
    return starts.filter((start) => start > newest - seconds);
  }

  #listed(set: string): Promise<string[]> {
    return this.#ask((client) => client.zRange(this.#key(set), 0, listedMax - 1));
  }

  /** Ask something, for a while. Rejects when Redis is away or slow. */
  async #ask<T>(question: (client: RedisConnection['client']) => Promise<T>): Promise<T> {
    if (!this.ready) throw new Error(`Redis is away: ${this.reason ?? ''}`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Redis did not answer in ${askMillisMax} ms`)), askMillisMax);
    });
    const answer = question(this.#connection.client);
    answer.catch(() => {}); // it may fail after the time is over
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
