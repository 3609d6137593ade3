/**
 * One live view: what one filter sees, window by window, reckoned once for all who look at it. Each window that is over makes
 * one event, in order, and none is left out unless it says so. Events are named by the time at which their window ends, so
 * a reader that comes again, to this process or another, says up to where it has them. It reckons only while somebody looks,
 * and never waits for a reader.
 */
import { ApiError, problem } from '../problem.js';
import type { OwnWork } from '../runner.js';

interface LiveEvent {
  readonly fromMs: number;
  readonly toMs: number;
  /** the event as it goes over the wire (WHATWG HTML, "Server-sent events") */
  readonly text: string;
}

/** Takes the text of an event; returns false when it cannot take more and must be let go. */
export type Subscriber = (text: string) => boolean;

/** Where events come from. All reject with ApiErrors. */
export interface LiveSource {
  /** width of the windows of this filter, milliseconds */
  width(signal: AbortSignal): Promise<number>;
  /** Packet time up to which windows of this width are over, milliseconds; null when nothing is stored. */
  closed(widthMs: number, signal: AbortSignal): Promise<number | null>;
  /** What a window that is over holds, as a JSON value. */
  window(fromMs: number, toMs: number, signal: AbortSignal): Promise<object>;
}

export interface ChannelOptions {
  /** milliseconds between looks at whether another window is over */
  readonly intervalMs: number;
}

/** Windows that are kept, and reckoned again, for readers that were away. */
export const windowsBackMax = 120;
/** When more windows than this came to an end at once (a capture of the past is read), the last one stands for all. */
const windowsAtOnceMax = 60;

const idOf = (toMs: number): string => `w${toMs}`;

/** The packet time up to which a reader has events, from the id of the last one; undefined when it is not one of ours. */
export function timeOfEventId(id: string | undefined): number | undefined {
  const [, digits] = /^w(\d{1,16})$/.exec(id ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

export class Channel {
  readonly #source: LiveSource;
  readonly #options: ChannelOptions;
  /** with the time before which each has all windows: another process may have been ahead of this one */
  readonly #subscribers = new Map<Subscriber, number>();
  readonly #work: OwnWork;
  /** without holes, but where an event says so */
  readonly #events: LiveEvent[] = [];
  #widthMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** reaching back is done by one reader at a time */
  #reaching: Promise<void> = Promise.resolve();

  constructor(source: LiveSource, work: OwnWork, options: ChannelOptions) {
    this.#source = source;
    this.#work = work;
    this.#options = options;
  }

  /** Reckon the latest window that is over. Rejects when this filter cannot be answered. */
  async begin(): Promise<void> {
    const { signal } = this.#work;
    this.#widthMs = await this.#source.width(signal);
    const end = await this.#end();
    if (end !== null) this.#events.push(await this.#eventOf(end - this.#widthMs));
    this.#schedule(performance.now());
  }

  /**
   * Have the windows from this time on, for a reader that has those before: as far as `windowsBackMax` windows back.
   * @param afterMs packet time; a window that began before it is not wanted
   */
  reachBack(afterMs: number): Promise<void> {
    const reach = this.#reaching.then(() => this.#reachBack(afterMs));
    this.#reaching = reach.catch(() => {});
    return reach;
  }

  /**
   * Add a reader; it is given the latest event, or those that begin at `afterMs` or later.
   * @returns a function that takes it off again
   */
  subscribe(subscriber: Subscriber, afterMs: number | undefined): () => void {
    const missed =
      afterMs === undefined ? this.#events.slice(-1) : this.#events.filter(({ fromMs }) => fromMs >= afterMs);
    this.#subscribers.set(subscriber, afterMs ?? 0);
    const [first] = missed;
    const wanted = afterMs === undefined ? undefined : this.#aligned(afterMs);
    if (first && wanted !== undefined && first.fromMs > wanted) subscriber(skippedText(wanted, first.fromMs));
    for (const { text } of missed) if (!subscriber(text)) break;
    return () => void this.#subscribers.delete(subscriber);
  }

  /** Reckon no more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#work.end();
    this.#subscribers.clear();
  }

  /** The first window that begins at this time or later. */
  #aligned(ms: number): number {
    return Math.ceil(ms / this.#widthMs) * this.#widthMs;
  }

  /** Where the last window ends that is over; null when nothing is stored. */
  async #end(): Promise<number | null> {
    const closed = await this.#source.closed(this.#widthMs, this.#work.signal);
    return closed === null ? null : Math.floor(closed / this.#widthMs) * this.#widthMs;
  }

  async #reachBack(afterMs: number): Promise<void> {
    const earlier: LiveEvent[] = [];
    for (;;) {
      // Looked at anew each time: meanwhile windows come to their end, and the oldest are forgotten.
      const [first] = this.#events;
      if (!first) return;
      const last = this.#events.at(-1)!.toMs;
      const oldest = Math.max(this.#aligned(afterMs), last - windowsBackMax * this.#widthMs, 0);
      const next = earlier.at(-1)?.toMs ?? oldest;
      if (next >= first.fromMs) break;
      if (next < oldest) earlier.length = 0;
      else earlier.push(await this.#eventOf(next));
    }
    this.#events.unshift(...earlier);
  }

  #schedule(last: number): void {
    if (this.#work.signal.aborted) return;
    const due = last + this.#options.intervalMs;
    this.#timer = setTimeout(() => void this.#tick(), Math.max(0, due - performance.now()));
  }

  async #tick(): Promise<void> {
    const begin = performance.now();
    try {
      await this.#catchUp();
    } catch (error) {
      if (this.#work.signal.aborted) return;
      const known = error instanceof ApiError ? error : new ApiError('internal', 'something failed here', [], error);
      // Without an id: who comes again then still says which window was its last.
      this.#send(`event: problem\ndata: ${JSON.stringify(problem(known.kind, known.message, 'live'))}\n\n`);
    }
    this.#schedule(begin);
  }

  /** An event for each window that came to its end since the last one. */
  async #catchUp(): Promise<void> {
    const end = await this.#end();
    if (end === null) return;
    const width = this.#widthMs;
    let next = this.#events.at(-1)?.toMs ?? end - width;
    if ((end - next) / width > windowsAtOnceMax) {
      this.#send(skippedText(next, end - width));
      next = end - width;
      this.#events.length = 0;
    }
    for (; next < end; next += width) {
      const event = await this.#eventOf(next);
      this.#events.push(event);
      if (this.#events.length > windowsBackMax) this.#events.shift();
      this.#send(event.text, event.fromMs);
    }
  }

  async #eventOf(fromMs: number): Promise<LiveEvent> {
    const toMs = fromMs + this.#widthMs;
    const data = await this.#source.window(fromMs, toMs, this.#work.signal);
    const text = `event: traffic\nid: ${idOf(toMs)}\ndata: ${JSON.stringify(data)}\n\n`;
    return { fromMs, toMs, text };
  }

  /** @param fromMs where its window begins; absent: it is for everybody */
  #send(text: string, fromMs = Infinity): void {
    for (const [subscriber, afterMs] of this.#subscribers) {
      if (fromMs >= afterMs && !subscriber(text)) this.#subscribers.delete(subscriber);
    }
  }
}

/** Windows that are in the store, but in no event. */
const skippedText = (fromMs: number, toMs: number): string =>
  `event: skipped\nid: ${idOf(toMs)}\ndata: ${JSON.stringify({ from: fromMs, to: toMs })}\n\n`;
