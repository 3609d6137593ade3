/**
 * A lease of one partition: who processes it now, under which fencing number, and which flush is under way.
 *
 * The record `partition.<n>` is changed by compare-and-set only. Nobody's clock is compared with anybody else's: a holder
 * writes the record again and again, and who sees the same revision for longer than the lease lasts, by its own clock,
 * takes it. The holder counts from before it asked, so that it gives up before anybody takes.
 *
 * Time alone cannot fence: a process may be stopped between looking at its clock and writing a row. Therefore a holder
 * declares each flush in the record before it writes the first row of it: which messages, to the number. Who takes the
 * partition finds the declaration and repeats exactly that flush first, under the same deduplication tokens; whichever of
 * the two comes second is dropped by the store. And a holder that lost the lease cannot declare another flush.
 */
import type { Records } from '@netspectra/collector/bus';

/** Messages of one (probe, epoch), from the first to the last of a flush. */
export interface FlushStretch {
  readonly probe: string;
  readonly epoch: bigint;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** What stands in the record. */
export interface LeaseRecord {
  /** engine id; '' = released */
  readonly holder: string;
  /** rises with every change of holder */
  readonly fence: number;
  /** how long a holder may be silent, milliseconds */
  readonly ttlMs: number;
  /** the flush that was declared last */
  readonly flush: readonly FlushStretch[];
}

/** most stretches of a declared flush: keeps the record below NATS' limit */
export const stretchesMax = 1024;

/** How a lease can be left. */
export type LeaseEnd = 'released' | 'taken' | 'lapsed';

export interface LeaseOptions {
  readonly records: Records;
  readonly key: string;
  readonly engine: string;
  readonly ttlMs: number;
  /** monotonic milliseconds */
  readonly now: () => number;
}

/** A lease that is held. Methods may be called at any time; the writes go one after the other. */
export class Lease {
  readonly fence: number;
  /** what the holder before had declared, to be repeated first */
  readonly inherited: readonly FlushStretch[];
  private readonly options: LeaseOptions;
  private revision: number | null;
  private flush: readonly FlushStretch[];
  private validUntil: number;
  private end: LeaseEnd | null = null;
  private writing: Promise<unknown> = Promise.resolve();

  constructor(options: LeaseOptions, record: LeaseRecord, revision: number, askedAt: number) {
    this.options = options;
    this.fence = record.fence;
    this.inherited = record.flush;
    this.flush = record.flush;
    this.revision = revision;
    this.validUntil = askedAt + options.ttlMs;
  }

  /** Milliseconds for which nobody can take it; 0 when it is not held any longer. Look right before every insert. */
  get remainingMs(): number {
    return this.ended === null ? this.validUntil - this.options.now() : 0;
  }

  /** Why it is not held; null while it is. */
  get ended(): LeaseEnd | null {
    if (this.end === null && this.options.now() >= this.validUntil) this.end = 'lapsed';
    return this.end;
  }

  /** Show that the holder is there. False: it is not the holder any longer. Rejects when the bus does not answer. */
  renew(): Promise<boolean> {
    return this.write(() => ({ ...this.record(), flush: this.flush }));
  }

  /**
   * Before the first row of a flush is written: which messages it has. False: do not write, the partition is another's.
   * Rejects when the bus does not answer; the flush may be declared again then.
   */
  declare(flush: readonly FlushStretch[]): Promise<boolean> {
    if (flush.length > stretchesMax) throw new RangeError(`a flush of ${flush.length} stretches`);
    return this.write(() => {
      this.flush = flush;
      return { ...this.record(), flush };
    });
  }

  /** Let the next one have it at once. The last flush stays declared: whether it is stored whole, the store knows. */
  async release(): Promise<void> {
    await this.write(() => ({ ...this.record(), holder: '', flush: this.flush })).catch(() => false); // it lapses, then
    this.end ??= 'released';
  }

  private record(): Omit<LeaseRecord, 'flush'> {
    return { holder: this.options.engine, fence: this.fence, ttlMs: this.options.ttlMs };
  }

  private write(make: () => LeaseRecord): Promise<boolean> {
    const result = this.writing.then(() => this.writeNow(make));
    this.writing = result.catch(() => {});
    return result;
  }

  private async writeNow(make: () => LeaseRecord): Promise<boolean> {
    if (this.ended !== null) return false;
    const { records, key, now, ttlMs } = this.options;
    for (;;) {
      const askedAt = now();
      const revision = await records.put(key, formatRecord(make()), this.revision);
      if (revision !== null) {
        // It may have lapsed while the answer was on its way; nobody took it, but nobody may count on it either.
        if (this.ended !== null) return false;
        this.revision = revision;
        this.validUntil = askedAt + ttlMs;
        return true;
      }
      // An answer to an earlier write may have been lost: then the record is ours, under a revision we do not know.
      // Or somebody who is no engine removed it or wrote over it, and with it the flush that is declared: then it is
      // written again, which engines that want it wait for.
      const found = await records.get(key);
      const record = found && parseRecord(found.text);
      if (record && (record.holder !== this.options.engine || record.fence !== this.fence)) {
        this.end ??= 'taken';
        return false;
      }
      if (this.ended !== null) return false;
      this.revision = found?.revision ?? null;
    }
  }
}

export const formatRecord = ({ flush, ...record }: LeaseRecord): string =>
  JSON.stringify({
    ...record,
    flush: flush.map(({ probe, epoch, firstSeq, lastSeq }) => [probe, String(epoch), firstSeq, lastSeq]),
  });

/** The reverse of formatRecord; null for anything else. Who can write the bucket may write anything. */
export function parseRecord(text: string): LeaseRecord | null {
  const found = parseObject(text);
  if (!found) return null;
  const { holder, fence, ttlMs, flush } = found;
  if (typeof holder !== 'string' || !isCount(fence) || !isCount(ttlMs) || !Array.isArray(flush)) return null;
  if (flush.length > stretchesMax) return null;
  const stretches = flush.map(parseStretch);
  if (!stretches.every((stretch) => stretch !== null)) return null;
  return { holder, fence, ttlMs, flush: stretches };
}

function parseStretch(found: unknown): FlushStretch | null {
  if (!Array.isArray(found)) return null;
  const [probe, epoch, firstSeq, lastSeq] = found as unknown[];
  if (typeof probe !== 'string' || typeof epoch !== 'string' || !/^\d{1,20}$/.test(epoch)) return null;
  if (!isCount(firstSeq) || !isCount(lastSeq) || firstSeq > lastSeq) return null;
  return { probe, epoch: BigInt(epoch), firstSeq, lastSeq };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
