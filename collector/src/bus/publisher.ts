/**
 * The bounded window of a publisher, whatever carries its messages.
 *
 * A message that was taken is sent again, under the same name, until the carrier confirms it; only one that the carrier
 * can never take is given up. A partition whose stream is full keeps at most a quarter of the window, so that the
 * others go on. After a failure everything unconfirmed waits for one timer, and goes again in order.
 *
 * What was confirmed in the last seconds goes again over a new connection, before all else: a server that was killed, or whose
 * machine lost power, may come back without it (docs/bus.md). Where it is still there it is not taken twice.
 */
import { windowMessagesMax } from './bus.js';
import type { OutgoingMessage, Publisher, PublisherOptions, PublisherState, PublishResult } from './bus.js';

/** Why a send did not succeed: `full` and `retry` may later, `too_large` never will. */
export class SendFailure extends Error {
  readonly kind: 'full' | 'retry' | 'too_large';

  constructor(kind: SendFailure['kind'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

export interface Carrier {
  readonly partitions: number;
  readonly connected: boolean;
  /** Resolves when the message is on disk; rejects with a SendFailure. */
  send(message: OutgoingMessage): Promise<{ readonly duplicate: boolean }>;
  /** Calls back at every new connection; the returned function ends it. */
  onConnected(callback: () => void): () => void;
}

interface Entry {
  readonly message: OutgoingMessage;
  /** how many the partition had taken before it */
  readonly ordinal: number;
  /** tells an answer to the last send from one to an earlier */
  attempt: number;
  /** nothing is on its way for it */
  idle: boolean;
}

interface PartitionWindow {
  /** unconfirmed, oldest first */
  readonly entries: Set<Entry>;
  bytes: number;
  taken: number;
}

const windowDefaults = { windowMessages: 256, windowBytes: 16 << 20, repeatMs: 5_000, repeatBytes: 4 << 20 };
/** a partition may have this part of the window: all of it when it is the only one */
const partitionShare = 4;
const retryMsMin = 100;
const retryMsMax = 5000;

/** Make a publisher over a carrier. */
export function createWindowPublisher(carrier: Carrier, options: PublisherOptions = {}): Publisher {
  return new WindowPublisher(carrier, options);
}

class WindowPublisher implements Publisher {
  private readonly entries = new Set<Entry>();
  private readonly partitions = new Map<number, PartitionWindow>();
  private readonly carrier: Carrier;
  private readonly options: PublisherOptions & typeof windowDefaults;
  private readonly stopListening: () => void;
  private readonly waiting: (() => void)[] = [];
  private bytes = 0;
  private closed = false;
  /** a message found no room, and none came free since */
  private turnedAway = false;
  private retryTimer: NodeJS.Timeout | null = null;
  private retryMs = retryMsMin;
  /** confirmed a moment ago, oldest first */
  private readonly recent: { readonly message: OutgoingMessage; readonly confirmedMs: number }[] = [];
  private recentBytes = 0;
  private readonly counters = {
    confirmed: 0,
    confirmedBytes: 0,
    duplicates: 0,
    retries: 0,
    repeated: 0,
    restored: 0,
    refused: 0,
    lost: 0,
  };

  constructor(carrier: Carrier, options: PublisherOptions) {
    this.carrier = carrier;
    this.options = { ...windowDefaults, ...options };
    if (this.options.windowMessages > windowMessagesMax)
      throw new RangeError(`a window of ${this.options.windowMessages} messages; ${windowMessagesMax} is the most`);
    this.stopListening = carrier.onConnected(() => {
      this.repeatRecent();
      this.resendAll();
    });
  }

  get state(): PublisherState {
    return {
      connected: this.carrier.connected,
      unacknowledged: this.entries.size,
      unacknowledgedBytes: this.bytes,
      spooled: 0,
      spooledBytes: 0,
      ...this.counters,
    };
  }

  publish(message: OutgoingMessage): PublishResult {
    if (this.closed) return 'full';
    if (!this.hasRoom(message)) {
      this.turnedAway = true;
      return 'full';
    }
    const window = this.partitions.get(message.partition) ?? { entries: new Set(), bytes: 0, taken: 0 };
    window.bytes += message.bytes.length;
    this.partitions.set(message.partition, window);
    this.bytes += message.bytes.length;
    const entry: Entry = { message, ordinal: window.taken, attempt: 0, idle: true };
    window.taken += 1;
    window.entries.add(entry);
    this.entries.add(entry);
    // While an earlier one waits for its next try, this one waits with it: order is kept, and a full stream left alone.
    if (this.retryTimer === null && this.carrier.connected) this.send(entry);
    return 'taken';
  }

  async room(): Promise<void> {
    if (this.closed || !this.turnedAway) return;
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  async close(waitMilliseconds = 5000): Promise<readonly OutgoingMessage[]> {
    this.closed = true;
    const deadline = Date.now() + waitMilliseconds;
    while (this.entries.size > 0) {
      const remaining = deadline - Date.now();
      if (remaining <= 0) break;
      await this.settledWithin(remaining);
    }
    this.stopListening();
    if (this.retryTimer) clearTimeout(this.retryTimer);
    const left = [...this.entries].map(({ message }) => message);
    this.entries.clear();
    this.recent.length = 0;
    this.wake();
    return left;
  }

  private hasRoom({ partition, bytes }: OutgoingMessage): boolean {
    const { windowMessages, windowBytes } = this.options;
    if (this.entries.size >= windowMessages) return false;
    if (this.bytes > 0 && this.bytes + bytes.length > windowBytes) return false;
    const window = this.partitions.get(partition);
    const [oldest] = window?.entries ?? [];
    if (!window || !oldest) return true;
    const share = Math.min(partitionShare, this.carrier.partitions);
    // From the oldest unconfirmed one on, not only the unconfirmed ones: none may be overtaken by more than a reader holds.
    return window.bytes + bytes.length <= windowBytes / share && window.taken - oldest.ordinal < windowMessages / share;
  }

  private send(entry: Entry): void {
    entry.attempt += 1;
    entry.idle = false;
    const { attempt } = entry;
    this.carrier.send(entry.message).then(
      ({ duplicate }) => this.confirmed(entry, duplicate),
      (error: unknown) => this.failed(entry, attempt, error),
    );
  }

  private confirmed(entry: Entry, duplicate: boolean): void {
    if (!this.forget(entry)) return; // the answer to an earlier try came first
    this.counters.confirmed += 1;
    this.counters.confirmedBytes += entry.message.bytes.length;
    if (duplicate) this.counters.duplicates += 1;
    this.retryMs = retryMsMin;
    this.remember(entry.message);
    this.options.onConfirmed?.(entry.message);
    this.wake();
  }

  private failed(entry: Entry, attempt: number, error: unknown): void {
    if (!this.entries.has(entry) || entry.attempt !== attempt) return;
    entry.idle = true;
    const failure = error instanceof SendFailure ? error : new SendFailure('retry', String(error));
    if (failure.kind === 'too_large') {
      this.forget(entry);
      this.counters.lost += 1;
      this.options.onLost?.(entry.message, failure.message);
      this.wake();
      return;
    }
    if (failure.kind === 'full') this.counters.refused += 1;
    if (this.retryTimer !== null) return;
    this.retryTimer = setTimeout(() => this.resend(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, retryMsMax);
  }

  private remember(message: OutgoingMessage): void {
    const { repeatMs, repeatBytes } = this.options;
    const { recent } = this;
    const now = performance.now();
    recent.push({ message, confirmedMs: now });
    this.recentBytes += message.bytes.length;
    for (let oldest = recent[0]; oldest; oldest = recent[0]) {
      const isMuch = this.recentBytes > repeatBytes || recent.length > this.options.windowMessages;
      if (!isMuch && now - oldest.confirmedMs <= repeatMs) return;
      recent.shift();
      this.recentBytes -= oldest.message.bytes.length;
    }
  }

  /** Nothing depends on the answers: over the next new connection what is still remembered goes again. */
  private repeatRecent(): void {
    for (const { message } of this.recent) {
      this.counters.repeated += 1;
      this.carrier.send(message).then(
        ({ duplicate }) => {
          if (!duplicate) this.counters.restored += 1;
        },
        () => {},
      );
    }
  }

  /** Answers to what went over an earlier connection will not come. */
  private resendAll(): void {
    for (const entry of this.entries) entry.idle = true;
    this.resend();
  }

  /** Everything that nothing is on its way for, in order. */
  private resend(): void {
    if (this.retryTimer) clearTimeout(this.retryTimer);
    this.retryTimer = null;
    if (!this.carrier.connected) return; // comes again with the connection
    for (const entry of this.entries) {
      if (!entry.idle) continue;
      if (entry.attempt > 0) this.counters.retries += 1;
      this.send(entry);
    }
  }

  private forget(entry: Entry): boolean {
    if (!this.entries.delete(entry)) return false;
    const { partition, bytes } = entry.message;
    this.bytes -= bytes.length;
    const window = this.partitions.get(partition);
    if (window) {
      window.entries.delete(entry);
      window.bytes -= bytes.length;
      if (window.entries.size === 0) this.partitions.delete(partition);
    }
    return true;
  }

  private wake(): void {
    this.turnedAway = false;
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private settledWithin(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
