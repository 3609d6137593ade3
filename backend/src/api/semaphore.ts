/**
 * A bound on what runs at once, with a bounded line of those who wait. Past both, `run` rejects at once: an API that
 * lets queries pile up answers none of them.
 */
import { ApiError } from './problem.js';

interface Waiter {
  start(): void;
  readonly signal: AbortSignal;
}

export class Semaphore {
  private running = 0;
  private readonly waiting: Waiter[] = [];
  readonly #runningMax: number;
  readonly #waitingMax: number;

  /** @param runningMax tasks at once, from 1; @param waitingMax tasks that may wait */
  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  /** Tasks that run now. */
  get active(): number {
    return this.running;
  }

  /** Tasks that wait now. */
  get queued(): number {
    return this.waiting.length;
  }

  /**
   * Run the task when there is room.
   * Rejects with `overloaded` when the line is full and with `cancelled` when the signal aborts while waiting.
   */
  async run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    if (signal.aborted) throw new ApiError('cancelled', 'the request was cancelled');
    if (this.running >= this.#runningMax) await this.wait(signal);
    else this.running += 1;
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      // The place goes straight to the next in line, so that `running` never counts a task twice.
      if (next) next.start();
      else this.running -= 1;
    }
  }

  private wait(signal: AbortSignal): Promise<void> {
    if (this.waiting.length >= this.#waitingMax) {
      return Promise.reject(
        new ApiError('overloaded', `${this.running} queries run and ${this.waiting.length} wait; try again later`),
      );
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        reject(new ApiError('cancelled', 'the request was cancelled'));
      };
      const waiter: Waiter = {
        signal,
        start: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.waiting.push(waiter);
    });
  }
}
