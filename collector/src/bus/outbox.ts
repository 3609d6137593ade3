/**
 * A publisher with a disk behind it: what finds no room in the window waits in the spool, and goes to the bus in order
 * when there is. A message of a partition that has others on disk goes behind them; other partitions go on directly.
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
  private readonly confirmations = new Map<OutgoingMessage, () => void>();
  private spooling = false;
  private failing = false;
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
    if (this.closed) return 'full';
    if (this.spool.waiting(message.partition) === 0 && this.inner.publish(message) === 'taken') return 'taken';
    const kept = this.spool.append(message);
    this.tell(kept);
    if (kept) this.pump(); // room may have come free since
    return kept ? 'taken' : 'full';
  }

  room(): Promise<void> {
    return this.inner.room();
  }

  async close(waitMilliseconds?: number): Promise<readonly OutgoingMessage[]> {
    this.closed = true;
    const left = await this.inner.close(waitMilliseconds);
    // What came from the disk is there still.
    const lost = left.filter((message) => !this.confirmations.has(message) && !this.spool.append(message));
    this.spool.close();
    return lost;
  }

  private settle(message: OutgoingMessage): void {
    this.confirmations.get(message)?.();
    this.confirmations.delete(message);
    // The window has counted this one out only after this call.
    queueMicrotask(() => this.pump());
  }

  private pump(): void {
    for (;;) {
      if (this.closed) return;
      const message = this.spool.peek();
      if (!message) {
        if (this.spooling) this.log.info({}, 'everything that waited on disk is with the bus or on its way');
        this.spooling = false;
        return;
      }
      if (this.inner.publish(message) === 'full') return;
      const taken = this.spool.take();
      if (taken) this.confirmations.set(message, () => taken.confirm());
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
    this.failing = !kept;
  }
}
