/**
 * Shares a thread's time between its partitions and everything else it does. Whoever counts messages works for a slice, then
 * waits for its turn; one gets it in each round of the event loop. So leases are renewed, answers of the store heard
 * and metrics told within about a slice, however many partitions there are: were each to yield for itself, a round
 * would last a slice for every one of them, and a lease takes several rounds to renew.
 */
const sliceMs = 20;

export class Turns {
  private readonly waiting: (() => void)[] = [];
  private sliceEndMs = 0;
  private isScheduled = false;

  /** The slice is used up: wait for the next turn. */
  get isOver(): boolean {
    return performance.now() >= this.sliceEndMs;
  }

  /** Resolves when it is the caller's turn, first come first served. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.sliceEndMs = performance.now() + sliceMs;
      this.waiting.shift()?.();
      this.schedule();
    });
  }
}
