/**
 * Bounds how many partitions of a thread write a flush at once, first come first served. Rows arise when a flush is cut, and
 * stay until the store has them: without this bound all partitions would hold theirs at the same time. When the store is slow,
 * flushes become rarer and larger by themselves.
 */
export class FlushGate {
  private readonly slots: number;
  private readonly queue = new Set<object>();
  private inside = 0;
  private wake: (() => void)[] = [];

  constructor(slots: number) {
    this.slots = slots;
  }

  /** Go in if there is room and nobody was there before; else `who` is in the queue, and asks again. */
  tryEnter(who: object): boolean {
    const [first = who] = this.queue;
    if (this.inside < this.slots && first === who) {
      this.queue.delete(who);
      this.inside += 1;
      return true;
    }
    this.queue.add(who);
    return false;
  }

  /** Go in whatever the bound: for what must not wait, the end of a partition. */
  enter(who: object): void {
    this.queue.delete(who);
    this.inside += 1;
  }

  leave(): void {
    this.inside -= 1;
    this.tellAll();
  }

  /** `who` does not want to go in any more. */
  forget(who: object): void {
    if (this.queue.delete(who)) this.tellAll();
  }

  /** Resolves when somebody left. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.wake.push(resolve));
  }

  private tellAll(): void {
    const wake = this.wake;
    this.wake = [];
    for (const resolve of wake) resolve();
  }
}
