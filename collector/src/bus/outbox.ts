/**
 * A publisher with a disk behind it: what finds no room in the window waits in the spool, and goes to the bus in order
 * when there is. A message of a partition that has others on disk goes behind them; other partitions go on directly.
 *
 * While there is no connection everything goes to disk first, and what was on its way when it broke, too: a process that is
 * killed then leaves it all to the next one.
 */
import type {
  Bus,
  BusLog,
  OutgoingMessage,
  Publisher,
  PublisherOptions,
  PublisherState,
  PublishResult,
} from './bus.js';
import { silentLog } from './bus.js';
import type { Spool } from './spool.js';

/** Make one. Closing it closes the spool, too. */
export function createOutbox(
  bus: Bus,
  spool: Spool,
  options: PublisherOptions = {},
  log: BusLog = silentLog,
): Publisher {
  return new Outbox(bus, spool, options, log);
}

class Outbox implements Publisher {
  private readonly spool: Spool;
  private readonly log: BusLog;
  private readonly inner: Publisher;
  /** of what is in the window, how to let its record go */
  private readonly confirmations = new Map<OutgoingMessage, () => void>();
  /** in the window and not on disk, in order */
  private readonly direct = new Set<OutgoingMessage>();
  private readonly emptied: (() => void)[] = [];
  private spooling = false;
  private failing = false;
  /** takes nothing more; what is on disk still goes to the bus */
  private closing = false;
  private closed = false;

  constructor(bus: Bus, spool: Spool, options: PublisherOptions, log: BusLog) {
    this.spool = spool;
    this.log = log;
    this.inner = bus.publisher({
      ...options,
      onConfirmed: (message) => {
        this.settle(message);
        options.onConfirmed?.(message);
      },
      onLost: (message, reason) => {
        this.settle(message);
        options.onLost?.(message, reason);
      },
    });
    this.pump();
  }

  get state(): PublisherState {
    const { records, bytes } = this.spool.state;
    return { ...this.inner.state, spooled: records, spooledBytes: bytes };
  }

  publish(message: OutgoingMessage): PublishResult {
    if (this.closing) return 'full';
    const { connected } = this.inner.state;
    if (connected && this.publishDirectly(message)) return 'taken';
    if (!connected) this.backUp();
    const kept = this.spool.append(message);
    this.tell(kept);
    if (kept) this.pump(); // room may have come free since
    return kept || (!connected && this.publishDirectly(message)) ? 'taken' : 'full';
  }

  room(): Promise<void> {
    return this.inner.room();
  }

  async close(waitMilliseconds = 5000): Promise<readonly OutgoingMessage[]> {
    const deadline = Date.now() + waitMilliseconds;
    this.closing = true;
    this.pump();
    await this.emptyWithin(waitMilliseconds);
    this.closed = true;
    const left = await this.inner.close(Math.max(0, deadline - Date.now()));
    // What came from the disk is there still.
    const lost = left.filter((message) => !this.confirmations.has(message) && !this.spool.append(message));
    this.spool.close();
    return lost;
  }

  private publishDirectly(message: OutgoingMessage): boolean {
    if (this.spool.waiting(message.partition) > 0 || this.inner.publish(message) === 'full') return false;
    this.direct.add(message);
    return true;
  }

  /** Put on disk what is in the window only. Not behind what waits there already: it is older. */
  private backUp(): void {
    if (this.direct.size === 0 || this.spool.peek()) return;
    for (const message of this.direct) {
      if (!this.spool.append(message)) return;
      this.hold(message);
      this.direct.delete(message);
    }
  }

  /** Take the next record; it stays on disk until the message is confirmed. */
  private hold(message: OutgoingMessage): void {
    const taken = this.spool.take();
    if (taken) this.confirmations.set(message, () => taken.confirm());
  }

  private settle(message: OutgoingMessage): void {
    this.direct.delete(message);
    this.confirmations.get(message)?.();
    this.confirmations.delete(message);
    if (this.spool.state.records === 0) for (const resolve of this.emptied.splice(0)) resolve();
    // The window has counted this one out only after this call.
    queueMicrotask(() => this.pump());
  }

  /** Resolves when nothing is on disk any more, or after the time. */
  private async emptyWithin(milliseconds: number): Promise<void> {
    if (this.spool.state.records === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.emptied.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private pump(): void {
    for (;;) {
      if (this.closed) return;
      const message = this.spool.peek();
      if (!message) {
        // Not before it is confirmed: a bus that just keeps up would be told away and back at every other message.
        if (!this.spooling || this.spool.state.records > 0) return;
        this.log.info({}, 'everything that waited on disk is with the bus');
        this.spooling = false;
        this.failing = false;
        return;
      }
      if (this.inner.publish(message) === 'full') return;
      this.hold(message);
    }
  }

  /** Says once when the disk begins to be used, and when it does not take any more. */
  private tell(kept: boolean): void {
    const { records, lastError, failed } = this.spool.state;
    if (kept && !this.spooling)
      this.log.warn({ spooled: records }, 'the bus does not keep up or is away; messages wait on disk');
    this.spooling = kept || this.spooling;
    if (!kept && !this.failing)
      this.log.error(
        { spooled: records },
        failed > 0 && lastError !== ''
          ? `the spool cannot be written (${lastError}); what comes is dropped and counted: free disk space`
          : 'the spool is full; what comes is dropped and counted: bring the bus back, or give the spool more bytes',
      );
    // Until everything is off the disk: a full one may still take a small message between two large ones.
    this.failing = this.failing || !kept;
  }
}
