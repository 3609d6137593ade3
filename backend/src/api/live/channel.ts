/**
 * One live view: what one filter sees, reckoned once a second for all who look at it. It reckons only while somebody looks,
 * keeps the events of the last minute for those who reconnect, and never waits for a reader.
 */
import { ApiError, problem } from '../problem.js';
import type { OwnWork } from '../runner.js';

export interface LiveEvent {
  readonly id: string;
  /** the event as it goes over the wire (WHATWG HTML, "Server-sent events") */
  readonly text: string;
}

/** Takes events; returns false when it cannot take more and must be let go. */
export type Subscriber = (event: LiveEvent) => boolean;

/** What is seen now, as a JSON value. Rejects with ApiErrors. */
export type Snapshot = (signal: AbortSignal) => Promise<object>;

export interface ChannelOptions {
  readonly intervalMs: number;
  /** events kept for those who reconnect */
  readonly eventsMax: number;
  /** begins the ids of the events: an id of an earlier process or channel is not one of ours */
  readonly name: string;
}

const eventText = (id: string, type: string, data: object): string =>
  `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;

export class Channel {
  readonly #snapshot: Snapshot;
  readonly #options: ChannelOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #events: LiveEvent[] = [];
  readonly #work: OwnWork;
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(snapshot: Snapshot, work: OwnWork, options: ChannelOptions) {
    this.#snapshot = snapshot;
    this.#work = work;
    this.#options = options;
  }

  /** Reckon for the first time. Rejects when this filter cannot be answered. */
  async begin(): Promise<void> {
    this.#publish('traffic', await this.#snapshot(this.#work.signal));
    this.#schedule(performance.now());
  }

  /**
   * Add a reader; it is given the latest event, or what it missed since `lastEventId`.
   * @returns a function that takes it off again
   */
  subscribe(subscriber: Subscriber, lastEventId: string | undefined): () => void {
    const seen = this.#events.findIndex(({ id }) => id === lastEventId);
    const missed = seen >= 0 ? this.#events.slice(seen + 1) : this.#events.slice(-1);
    this.#subscribers.add(subscriber);
    for (const event of missed) if (!subscriber(event)) break;
    return () => void this.#subscribers.delete(subscriber);
  }

  /** Reckon no more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#work.end();
    this.#subscribers.clear();
  }

  #schedule(last: number): void {
    if (this.#work.signal.aborted) return;
    const due = last + this.#options.intervalMs;
    this.#timer = setTimeout(() => void this.#tick(), Math.max(0, due - performance.now()));
  }

  async #tick(): Promise<void> {
    const begin = performance.now();
    try {
      this.#publish('traffic', await this.#snapshot(this.#work.signal));
    } catch (error) {
      if (this.#work.signal.aborted) return;
      const known = error instanceof ApiError ? error : new ApiError('internal', 'something failed here', [], error);
      this.#publish('problem', problem(known.kind, known.message, this.#options.name));
    }
    this.#schedule(begin);
  }

  #publish(type: string, data: object): void {
    this.#sequence += 1;
    const id = `${this.#options.name}-${this.#sequence}`;
    const event = { id, text: eventText(id, type, data) };
    this.#events.push(event);
    if (this.#events.length > this.#options.eventsMax) this.#events.shift();
    for (const subscriber of this.#subscribers) {
      if (!subscriber(event)) this.#subscribers.delete(subscriber);
    }
  }
}
