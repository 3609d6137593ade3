/** The watermark of the engines of this process, from the flushes that they stored. */
import { frontierOf } from './frontier.js';
import type { Frontier } from './frontier.js';
import type { FlushSummary } from './summary.js';

interface Stream {
  partitions: number;
  readonly until: Map<number, number>;
  readonly complete: Set<number>;
  atMs: number;
}

/** Streams that are remembered; the one that was silent longest goes. */
const streamsMax = 4_096;

export class Watermark {
  readonly #now: () => number;
  readonly #streams = new Map<string, Stream>();
  #value: number | null = null;

  /** @param now clock time, milliseconds */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  observe({ probe, epoch, partition, partitions, watermarkMs, complete }: FlushSummary): void {
    const key = `${probe}/${epoch}`;
    const stream = this.#streams.get(key) ?? { partitions: 1, until: new Map(), complete: new Set(), atMs: 0 };
    this.#streams.delete(key);
    this.#streams.set(key, stream); // the latest stands last
    stream.partitions = Math.max(stream.partitions, partitions);
    stream.until.set(partition, Math.max(stream.until.get(partition) ?? 0, watermarkMs ?? 0));
    if (complete) stream.complete.add(partition);
    stream.atMs = this.#now();
    const [oldest] = this.#streams.keys();
    if (this.#streams.size > streamsMax && oldest !== undefined) this.#streams.delete(oldest);
  }

  /** Up to where everything is stored; it never goes back. */
  get frontier(): Frontier {
    const now = this.#now();
    const { closedMs, atRest } = frontierOf(
      [...this.#streams.values()].map(({ partitions, until, complete, atMs }) => ({
        partitions,
        seen: until.size,
        complete: complete.size >= partitions,
        untilMs: Math.min(...until.values()),
        newestMs: Math.max(...until.values()),
        silentMs: now - atMs,
      })),
    );
    if (closedMs !== null && closedMs > (this.#value ?? 0)) this.#value = closedMs;
    return { closedMs: this.#value, atRest };
  }
}
