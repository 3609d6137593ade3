/**
 * How often an address may fail to prove who it is. Only failures are counted and only failures are refused: a right
 * token is let in whatever others behind the same address do.
 */

/** Addresses that are remembered; past this the one that failed longest ago is forgotten, and counted. */
const addressesMax = 10_000;
const windowMs = 60_000;

interface Failures {
  count: number;
  since: number;
}

export class FailureLimit {
  private readonly most: number;
  private readonly now: () => number;
  /** in the order of the beginning of their minute */
  private readonly failures = new Map<string, Failures>();
  /** addresses that were forgotten before their time */
  forgotten = 0;

  /** @param most failures of an address in a minute */
  constructor(most: number, now: () => number = () => performance.now()) {
    this.most = most;
    this.now = now;
  }

  /**
   * Count a failure.
   * @returns seconds after which the address may fail again; 0 while it is within its limit
   */
  fail(key: string): number {
    const now = this.now();
    let entry = this.failures.get(key);
    if (!entry || now - entry.since >= windowMs) {
      this.failures.delete(key);
      if (this.failures.size >= addressesMax) this.makeRoom(now);
      entry = { count: 0, since: now };
      this.failures.set(key, entry);
    }
    entry.count += 1;
    return entry.count <= this.most ? 0 : Math.max(1, Math.ceil((entry.since + windowMs - now) / 1000));
  }

  private makeRoom(now: number): void {
    for (const [key, { since }] of this.failures) {
      const over = now - since >= windowMs;
      if (!over && this.failures.size < addressesMax) return;
      this.failures.delete(key);
      if (!over) this.forgotten += 1;
    }
  }

  /** Addresses remembered now. */
  get size(): number {
    return this.failures.size;
  }
}
