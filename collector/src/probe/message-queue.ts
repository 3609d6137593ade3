/**
 * Messages on their way from capture threads to the publisher. It takes what it is given; the bound is kept by those who
 * make messages, who look at `SharedControl.queuedBytes` before.
 */
import type { OutgoingMessage, Publisher } from '../bus/index.js';

export interface QueuedMessage extends OutgoingMessage {
  readonly rows: number;
}

/** a partition that is full is tried again after so long, even if the publisher has room for others */
const retryMilliseconds = 20;

export class MessageQueue {
  private waiting: QueuedMessage[] = [];
  private pumping: Promise<void> | null = null;
  private ended = false;

  /** @param taken called when the publisher has a message */
  constructor(
    private readonly publisher: Publisher,
    private readonly taken: (message: QueuedMessage) => void,
  ) {}

  get length(): number {
    return this.waiting.length;
  }

  add(messages: readonly QueuedMessage[]): void {
    this.waiting.push(...messages);
    this.pumping ??= this.pump().finally(() => (this.pumping = null));
  }

  /** Resolves when everything was taken, or after the time. @returns what was not */
  async end(waitMilliseconds: number): Promise<readonly QueuedMessage[]> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMilliseconds)));
    await Promise.race([this.pumping, timeout]);
    clearTimeout(timer);
    this.ended = true;
    return this.waiting;
  }

  private async pump(): Promise<void> {
    while (this.waiting.length > 0 && !this.ended) {
      if (this.offer()) await Promise.all([this.publisher.room(), pause(retryMilliseconds)]);
    }
  }

  /** Offer each message once; those of a partition stay in order. @returns whether one was not taken */
  private offer(): boolean {
    const blocked = new Set<number>();
    this.waiting = this.waiting.filter((message) => {
      if (blocked.has(message.partition)) return true;
      if (this.publisher.publish(message) === 'taken') {
        this.taken(message);
        return false;
      }
      blocked.add(message.partition);
      return true;
    });
    return blocked.size > 0;
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
