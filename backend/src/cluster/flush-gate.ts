/**
 * Bounds how many partitions of a thread write a flush at once, first come first served. Rows arise when a flush is cut, and
 * stay until the store has them: without this bound all partitions would hold theirs at the same time. A large flush goes alone.
 * When the store is slow, flushes become rarer and larger by themselves.
 */

/** What is inside may have so many bytes of rows for another one to go in. */
const rowBytesMax = 4 << 20;

export class FlushGate {
  private readonly slots: number;
  private readonly queue = new Set<object>();
  private inside = 0;
  private rowBytes = 0;
  private wake: (() => void)[] = [];

  constructor(slots: number) {
    this.slots = slots;
  }

  /** Go in if there is room and nobody was there before; else `who` is in the queue, and asks again. */
  tryEnter(who: object): boolean {
    const [first = who] = this.queue;
    if (this.inside < this.slots && this.rowBytes < rowBytesMax && first === who) {
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

  /** Who went in holds so many bytes of rows, until it leaves with them. */
  hold(rowBytes: number): void {
    this.rowBytes += rowBytes;
  }

  leave(rowBytes: number): void {
    this.rowBytes -= rowBytes;
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
