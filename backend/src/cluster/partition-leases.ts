/**
 * Shares the partitions among the engines that are there: each holds its part, gives back what is more, and takes what
 * nobody holds. Engines show that they are there by a record of their own; who is silent for the time of a lease is gone.
 */
import type { Records, StoredRecord } from '@netspectra/collector/bus';
import { formatRecord, Lease, parseRecord } from './lease.js';
import type { LeaseRecord } from './lease.js';

export interface PartitionLeasesOptions {
  readonly records: Records;
  readonly partitions: number;
  /** this engine: letters, digits, `-` and `_` */
  readonly engine: string;
  /** how long a holder may be silent, milliseconds */
  readonly ttlMs: number;
  /** monotonic milliseconds; Node's unless a test has its own */
  readonly now?: () => number;
}

/** What a round found. */
export interface LeaseRound {
  /** partitions that were taken now */
  readonly taken: readonly number[];
  /** leases that ended without our doing, and were forgotten */
  readonly lost: readonly number[];
  /** held beyond our share: finish, flush and `release` them */
  readonly surplus: readonly number[];
  /** engines that are there, this one included */
  readonly engines: number;
}

/** A silent engine's record is removed after so many times of a lease. */
const forgottenAfter = 10;

export class PartitionLeases {
  private readonly options: PartitionLeasesOptions;
  private readonly now: () => number;
  private readonly held = new Map<number, Lease>();
  /** by key: which revision, since when */
  private readonly seen = new Map<string, { revision: number; since: number }>();
  private registration: number | null = null;
  /** what happened to leases and no round has answered yet: a round that fails in its middle keeps it for the next */
  private readonly taken = new Set<number>();
  private readonly lost = new Set<number>();

  constructor(options: PartitionLeasesOptions) {
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(options.engine)) throw new RangeError(`engine id '${options.engine}'`);
    this.options = options;
    this.now = options.now ?? (() => performance.now());
  }

  get leases(): ReadonlyMap<number, Lease> {
    return this.held;
  }

  /** Milliseconds between two rounds: three of them may fail before a lease lapses. */
  get roundMs(): number {
    return Math.floor(this.options.ttlMs / 4);
  }

  /** Renew, give back, take. Rejects when the bus does not answer; leases then lapse by themselves. */
  async round(): Promise<LeaseRound> {
    await this.renewAll();
    const engines = await this.liveEngines();
    const share = shareOf(this.options.partitions, engines, this.options.engine);
    const surplus = [...this.held.keys()].sort((a, b) => a - b).slice(share);
    // Not all from the first one on: two engines that start together want different ones.
    const begin = Math.floor((this.options.partitions * engines.indexOf(this.options.engine)) / engines.length);
    for (let i = 0; i < this.options.partitions && this.held.size < share; i += 1) {
      const partition = (begin + i) % this.options.partitions;
      if (!this.held.has(partition) && (await this.tryTake(partition))) this.taken.add(partition);
    }
    const taken = [...this.taken].filter((partition) => this.held.has(partition));
    const lost = [...this.lost];
    this.taken.clear();
    this.lost.clear();
    return { taken, lost, surplus, engines: engines.length };
  }

  /** Let the others know of this engine, before it takes anything. */
  async announce(): Promise<void> {
    await this.register();
  }

  /** Show that the holder is there, nothing else: before the end, when nothing is taken any more. */
  async renew(): Promise<void> {
    await this.renewAll();
  }

  /** Give a partition back after its last flush. */
  async release(partition: number): Promise<void> {
    const lease = this.held.get(partition);
    this.held.delete(partition);
    await lease?.release();
  }

  /** Give everything back. */
  async close(): Promise<void> {
    await Promise.all([...this.held.keys()].map((partition) => this.release(partition)));
    if (this.registration !== null)
      await this.options.records.remove(engineKey(this.options.engine), this.registration).catch(() => false);
  }

  private async renewAll(): Promise<void> {
    await Promise.all(
      [...this.held].map(async ([partition, lease]) => {
        const renewed = await lease.renew().catch(() => lease.ended === null);
        if (renewed) return;
        this.held.delete(partition);
        this.lost.add(partition);
      }),
    );
  }

  /** Ids of the engines that are there, sorted; tells the others of this one. */
  private async liveEngines(): Promise<string[]> {
    const { records, engine, ttlMs } = this.options;
    await this.register();
    const live = [engine];
    for (const key of await records.keys(engineKey(''))) {
      const id = key.slice(engineKey('').length);
      const record = id === engine ? null : await records.get(key);
      if (!record || record.text === '') continue;
      const silentMs = this.unchangedMs(key, record);
      if (silentMs <= ttlMs) live.push(id);
      else if (silentMs > forgottenAfter * ttlMs && (await records.remove(key, record.revision))) this.seen.delete(key);
    }
    return live.sort();
  }

  private async register(): Promise<void> {
    const { records, engine } = this.options;
    const key = engineKey(engine);
    this.registration = await records.put(key, 'here', this.registration);
    if (this.registration !== null) return;
    const found = await records.get(key);
    this.registration = await records.put(key, 'here', found?.revision ?? null);
  }

  private async tryTake(partition: number): Promise<boolean> {
    const { records, engine, ttlMs } = this.options;
    const key = partitionKey(partition);
    const found = await records.get(key);
    const before = found && parseRecord(found.text);
    if (found && before?.holder !== '') {
      // Also a record that is not one of ours, or was removed, is waited out: its holder writes it again if it is there.
      if (this.unchangedMs(key, found) <= Math.max(ttlMs, Math.min(before?.ttlMs ?? 0, 10 * ttlMs))) return false;
    }
    const record: LeaseRecord = {
      holder: engine,
      fence: (before?.fence ?? 0) + 1,
      ttlMs,
      flush: before?.flush ?? [],
    };
    const askedAt = this.now();
    const revision = await records.put(key, formatRecord(record), found?.revision ?? null);
    if (revision === null) return false;
    this.seen.delete(key);
    this.held.set(partition, new Lease({ records, key, engine, ttlMs, now: this.now }, record, revision, askedAt));
    return true;
  }

  /** How long this record has been the same, as far as this process knows. */
  private unchangedMs(key: string, { revision }: StoredRecord): number {
    const known = this.seen.get(key);
    if (known?.revision === revision) return this.now() - known.since;
    this.seen.set(key, { revision, since: this.now() });
    return 0;
  }
}

const partitionKey = (partition: number): string => `partition.${partition}`;
const engineKey = (engine: string): string => `engine.${engine}`;

/** How many partitions an engine has when all are shared out; the first ones in the order of ids have one more. */
export function shareOf(partitions: number, engines: readonly string[], engine: string): number {
  const rest = partitions % engines.length;
  return Math.floor(partitions / engines.length) + (engines.indexOf(engine) < rest ? 1 : 0);
}
