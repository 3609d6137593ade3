/**
 * All live views of the process: a channel for each filter that somebody looks at, and bounds on both. Readers that are too
 * slow are let go and counted, never buffered without end.
 */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { ApiError } from '../problem.js';
import type { OwnWork } from '../runner.js';
import { Channel } from './channel.js';
import type { LiveSource } from './channel.js';

export interface LiveLimits {
  /** milliseconds between looks at whether another window is over */
  readonly intervalMs: number;
  /** readers at once, of all filters */
  readonly subscribersMax: number;
  /** filters at once: each costs the store some queries a second */
  readonly filtersMax: number;
  /** bytes that wait for a slow reader */
  readonly bufferedBytesMax: number;
  /** a stream ends after so long and the reader comes again, so that its token is looked at again, milliseconds */
  readonly lifetimeMs: number;
  /** a comment goes out when nothing else did for so long, milliseconds */
  readonly heartbeatMs: number;
}

export const defaultLiveLimits: LiveLimits = {
  intervalMs: 500,
  subscribersMax: 64,
  filtersMax: 16,
  bufferedBytesMax: 256 * 1024,
  lifetimeMs: 15 * 60_000,
  heartbeatMs: 15_000,
};

/** A connection, as the hub sees it. */
export interface Reader {
  /** Send; the text is whole events. */
  write(text: string): void;
  /** bytes that it has not taken yet */
  buffered(): number;
  /** Let go of it. */
  end(): void;
}

interface Entry {
  readonly channel: Channel;
  readonly ready: Promise<void>;
  waiting: number;
}

export class LiveHub {
  readonly #limits: LiveLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #readers = new Set<Reader>();
  readonly #dropped: Counter;
  #admitted = 0;
  #stopped = false;

  constructor(metrics: Registry, limits: LiveLimits) {
    this.#limits = limits;
    this.#dropped = new Counter({
      name: 'netspectra_live_readers_dropped_total',
      help: 'Readers of the live view that were let go because they did not read',
      registers: [metrics],
    });
    const readers = this.#readers;
    new Gauge({
      name: 'netspectra_live_readers',
      help: 'Readers of the live view now',
      registers: [metrics],
      collect() {
        this.set(readers.size);
      },
    });
  }

  /**
   * Look at a filter. Resolves when its first event is there; then `attach` gives a reader its events until `detach`.
   * Rejects with `overloaded` at the bounds, and with what is wrong with the filter.
   * @param key equal for equal filters
   * @param source makes what reckons its events, @param work the frame in which it does; called for the first reader only
   * @param afterMs the reader has what was before; its first event begins there. Absent: it begins with the latest
   */
  async open(key: string, source: () => LiveSource, work: () => OwnWork, afterMs?: number) {
    const { subscribersMax, filtersMax, intervalMs } = this.#limits;
    if (this.#stopped) throw new ApiError('unavailable', 'the server is stopping');
    if (this.#admitted >= subscribersMax) {
      throw new ApiError('overloaded', `${this.#admitted} live views are open, more are not allowed; try again later`);
    }
    if (!this.#entries.has(key) && this.#entries.size >= filtersMax) {
      throw new ApiError(
        'overloaded',
        `live views of ${filtersMax} filters are open; use one of them, or try again later`,
      );
    }
    let entry = this.#entries.get(key);
    if (!entry) {
      const channel = new Channel(source(), work(), { intervalMs });
      entry = { channel, ready: channel.begin(), waiting: 0 };
      entry.ready.catch(() => {}); // who waits for it is told
      this.#entries.set(key, entry);
    }
    const looked = entry;
    this.#admitted += 1;
    looked.waiting += 1;
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      this.#admitted -= 1;
      looked.waiting -= 1;
      if (looked.waiting > 0) return;
      looked.channel.end();
      if (this.#entries.get(key) === looked) this.#entries.delete(key);
    };
    try {
      await looked.ready;
      if (afterMs !== undefined) await looked.channel.reachBack(afterMs);
    } catch (error) {
      leave();
      throw error;
    }
    return {
      leave,
      attach: (reader: Reader): (() => void) => this.#attach(looked.channel, reader, afterMs, leave),
    };
  }

  #attach(channel: Channel, reader: Reader, afterMs: number | undefined, leave: () => void): () => void {
    const { bufferedBytesMax, heartbeatMs, lifetimeMs } = this.#limits;
    let written = performance.now();
    const drop = (): false => {
      this.#dropped.inc();
      detach();
      return false;
    };
    const heartbeat = setInterval(() => {
      if (reader.buffered() > bufferedBytesMax) drop();
      else if (performance.now() - written >= heartbeatMs) reader.write(': still here\n\n');
    }, heartbeatMs);
    const lifetime = setTimeout(() => detach(), lifetimeMs);
    let off = (): void => undefined;
    const detach = (): void => {
      clearInterval(heartbeat);
      clearTimeout(lifetime);
      off();
      this.#readers.delete(reader);
      leave();
      reader.end();
    };
    this.#readers.add(reader);
    off = channel.subscribe((text) => {
      if (reader.buffered() > bufferedBytesMax) return drop();
      written = performance.now();
      reader.write(text);
      return true;
    }, afterMs);
    return detach;
  }

  /** End all streams; later ones are refused. */
  stop(): void {
    this.#stopped = true;
    for (const { channel } of this.#entries.values()) channel.end();
    for (const reader of this.#readers) reader.end();
  }
}
