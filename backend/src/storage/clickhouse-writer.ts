/**
 * Writes the engine's flushes into the store, each exactly once in effect.
 *
 * A flush is several inserts: one per table, table partition (UTC day) and slice of at most `rowsMax` rows, because an
 * insert is atomic, and its deduplication token checked, only inside one block of one table partition. Each insert's
 * token names exactly its content: `table:probe:epoch:partition:first-last:version:day.slice`. The cut depends on the
 * rows alone, so the same flush makes the same inserts: what is stored already is dropped by the store. Tables are written
 * side by side, those that newest answers come from first, and the accounting table last: when its row is there, everything is.
 *
 * Rows come without their stamp (which probe, epoch, partition and stretch of the stream they are of); it is put before
 * each on the way, in the same pass that cuts. Times before 2001 are written anew: ClickHouse takes fewer than ten digits
 * for something else ("1234" is a year).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { escapeTsv, tables, WriteForbidden } from '../tables/index.js';
import type { Flush, RowBlock, TableName, Writer } from '../tables/index.js';
import type { RowPieces, Store } from './store.js';

export interface WriterOptions {
  /** most rows of one insert; part of the token's meaning, so the same for every writer of a store */
  readonly rowsMax?: number;
  /** most bytes of one insert; a longer single row goes alone */
  readonly bytesMax?: number;
  /** tries of one insert before the flush is given up */
  readonly triesMax?: number;
  /** wait before the second try, milliseconds; doubles up to 10 s */
  readonly retryMs?: number;
  /** told of every insert that was stored and every flush that ended, for /metrics */
  readonly observer?: WriterObserver;
}

export interface WriterObserver {
  /** @param seconds of the try that succeeded */
  inserted(table: TableName, rows: number, bytes: number, seconds: number): void;
  /** @param seconds with its retries and their waits */
  flushed(seconds: number, stored: boolean): void;
}

/** What a writer did, for /metrics. */
export interface WriterCounters {
  flushes: number;
  inserts: number;
  rows: number;
  bytes: number;
  /** inserts that were tried again after a transient error */
  retries: number;
  /** flushes that were given up */
  failures: number;
}

export interface ClickHouseWriter extends Writer {
  readonly counters: Readonly<WriterCounters>;
}

/**
 * Rises when the same packets would make other rows, so that what an older build wrote is not taken for them. Not the
 * schema's version: a flush that was cut off by an update is repeated by the new build, and must meet its own tokens.
 */
const contentVersion = 5;
/** Tables of a flush that are written at a time: each has a connection. */
const tablesAtOnce = 3;
const newline = 10;
const secondsPerDay = 86_400;
/** decimal digits of every second from 2001-09-09 to 2106 */
const timeDigits = 10;
const retryMsMax = 10_000;
/** Rows with their stamp are made in pieces of so many bytes, while they are sent: a copy of a large flush would be tens of megabytes. */
const pieceBytes = 256 << 10;

/** A slice of a block: rows of one UTC day. */
export interface Slice {
  /** days since the epoch */
  readonly day: number;
  /** number of the slice within its day */
  readonly part: number;
  readonly rows: number;
  readonly bytes: RowPieces;
}

/** Make a writer on an open store. Closing the writer waits for its flushes and leaves the store open. */
export function createClickHouseWriter(store: Store, options: WriterOptions = {}): ClickHouseWriter {
  const { rowsMax = 200_000, bytesMax = 64 * 1024 ** 2, triesMax = 6, retryMs = 100, observer } = options;
  const counters: WriterCounters = { flushes: 0, inserts: 0, rows: 0, bytes: 0, retries: 0, failures: 0 };
  const running = new Set<Promise<void>>();
  let closed = false;

  async function insertSlice(block: RowBlock, slice: Slice, token: string, mayWrite: () => boolean): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      if (!mayWrite()) throw new WriteForbidden(`${block.table}: another writer has this partition now`);
      const begin = performance.now();
      try {
        await store.insert({ table: block.table, columns: columnNames(block), bytes: slice.bytes, token });
        counters.inserts += 1;
        counters.rows += slice.rows;
        counters.bytes += slice.bytes.length;
        observer?.inserted(block.table, slice.rows, slice.bytes.length, secondsSince(begin));
        return;
      } catch (error) {
        if (!(error instanceof UserError) || !error.retry || tries >= triesMax) throw error;
        counters.retries += 1;
        await delay(Math.min(retryMs * 2 ** (tries - 1), retryMsMax));
      }
    }
  }

  async function insertBlock(block: RowBlock, flush: Flush, mayWrite: () => boolean): Promise<void> {
    const name = `${block.table}:${flush.probe}:${flush.epoch}:${flush.partition}:${flush.firstSeq}-${flush.lastSeq}:${contentVersion}`;
    for (const slice of sliceBlock(block, flush, rowsMax, bytesMax)) {
      await insertSlice(block, slice, `${name}:${slice.day}.${slice.part}`, mayWrite);
    }
  }

  /** Nothing is under way any more when it rejects. */
  async function insertAll(blocks: readonly RowBlock[], flush: Flush, mayWrite: () => boolean): Promise<void> {
    const waiting = blocks.values();
    let failed = false;
    const work = async (): Promise<void> => {
      for (const block of waiting) {
        if (failed) return;
        await insertBlock(block, flush, mayWrite).catch((error: unknown) => {
          failed = true;
          throw error;
        });
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: tablesAtOnce }, work));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async function writeFlush(flush: Flush, mayWrite: () => boolean): Promise<void> {
    const begin = performance.now();
    const ordered = [...flush.blocks].sort((a, b) => rank(a) - rank(b));
    const isAccounting = ({ table }: RowBlock): boolean => table === 'probe_stats';
    try {
      await insertAll(
        ordered.filter((block) => !isAccounting(block)),
        flush,
        mayWrite,
      );
      await insertAll(ordered.filter(isAccounting), flush, mayWrite);
      counters.flushes += 1;
      observer?.flushed(secondsSince(begin), true);
    } catch (error) {
      counters.failures += 1;
      observer?.flushed(secondsSince(begin), false);
      throw error;
    }
  }

  return {
    counters,
    write(flush, mayWrite = () => true) {
      if (closed) return Promise.reject(new Error('write after close'));
      const promise = writeFlush(flush, mayWrite);
      const settled = promise.then(
        () => undefined,
        () => undefined,
      );
      running.add(settled);
      void settled.then(() => running.delete(settled));
      return promise;
    },
    async close() {
      closed = true;
      await Promise.all([...running]);
    },
  };
}

const secondsSince = (begin: number): number => (performance.now() - begin) / 1000;
/** What time series are drawn from first, then what tables and filters need, then the rest. */
const rank = ({ table }: RowBlock): number => (table === 'traffic' ? 0 : table === 'flows' ? 1 : 2);
const columnNames = (block: RowBlock): string[] => tables[block.table].columns.map((column) => column.name);

/** The leading columns of every row of a flush, with a tab after each. */
function stampOf({ probe, epoch, partition, firstSeq, lastSeq }: StampedFlush): Uint8Array {
  return new TextEncoder().encode(`${escapeTsv(probe)}\t${epoch}\t${partition}\t${firstSeq}\t${lastSeq}\t`);
}

/** The block with every time at ten digits of seconds, which ClickHouse reads right whatever the value. */
function withPaddedTimes(block: RowBlock): RowBlock {
  const times = tables[block.table].rowColumns.flatMap((column, i) => (column.type.startsWith('DateTime') ? [i] : []));
  // latin1 keeps every byte as it is; tabs and newlines in values are escaped, so that they only separate.
  const lines = Buffer.from(block.bytes).toString('latin1').split('\n');
  const padded = lines.map((line) => {
    if (line === '') return line;
    const fields = line.split('\t');
    for (const i of times) {
      const value = fields[i];
      if (value === undefined) continue;
      const seconds = value.split('.', 1)[0]!;
      fields[i] = seconds.padStart(timeDigits, '0') + value.slice(seconds.length);
    }
    return fields.join('\t');
  });
  return { ...block, bytes: Buffer.from(padded.join('\n'), 'latin1') };
}

/** Rows of one UTC day, in their order: where each begins and ends in the block. */
interface DayRows {
  readonly day: number;
  readonly starts: number[];
  readonly ends: number[];
}

type StampedFlush = Pick<Flush, 'probe' | 'epoch' | 'partition' | 'firstSeq' | 'lastSeq'>;

/** Cut a block into slices, days in ascending order, rows in their order, with the flush's stamp before each. */
export function sliceBlock(block: RowBlock, flush: StampedFlush, rowsMax: number, bytesMax: number): Slice[] {
  // The few accounting rows are always padded: their first and last packet are 0 when there was none.
  const known = block.table === 'probe_stats' ? null : rowsByDay(block);
  if (known) return cut(block.bytes, known, stampOf(flush), rowsMax, bytesMax);
  const padded = withPaddedTimes(block);
  const days = rowsByDay(padded);
  if (!days) throw new Error(`${block.table}: a row that does not begin with its time`);
  return cut(padded.bytes, days, stampOf(flush), rowsMax, bytesMax);
}

function cut(
  bytes: Uint8Array,
  days: readonly DayRows[],
  stamp: Uint8Array,
  rowsMax: number,
  bytesMax: number,
): Slice[] {
  const slices: Slice[] = [];
  for (const { day, starts, ends } of days) {
    let part = 0;
    for (let from = 0; from < starts.length;) {
      let to = from;
      let size = 0;
      while (to < starts.length && to - from < rowsMax) {
        const row = ends[to]! - starts[to]! + stamp.length;
        if (to > from && size + row > bytesMax) break;
        size += row;
        to += 1;
      }
      slices.push({
        day,
        part,
        rows: to - from,
        bytes: new StampedRows(bytes, { starts, ends, from, to }, stamp, size),
      });
      part += 1;
      from = to;
    }
  }
  return slices;
}

/** Rows from .. to - 1 of a block. */
interface RowRange {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** Rows of a range, each behind the stamp. */
class StampedRows implements RowPieces {
  readonly length: number;
  private readonly block: Uint8Array;
  private readonly range: RowRange;
  private readonly stamp: Uint8Array;

  constructor(block: Uint8Array, range: RowRange, stamp: Uint8Array, length: number) {
    this.block = block;
    this.range = range;
    this.stamp = stamp;
    this.length = length;
  }

  *[Symbol.iterator](): Iterator<Uint8Array> {
    const { starts, ends, to } = this.range;
    let left = this.length;
    for (let row = this.range.from; row < to;) {
      const size = Math.max(Math.min(left, pieceBytes), this.stamp.length + ends[row]! - starts[row]!);
      const piece = new Uint8Array(size);
      let at = 0;
      for (; row < to; row += 1) {
        const rowBytes = ends[row]! - starts[row]!;
        if (at + this.stamp.length + rowBytes > size) break;
        piece.set(this.stamp, at);
        at += this.stamp.length;
        piece.set(this.block.subarray(starts[row]!, ends[row]!), at);
        at += rowBytes;
      }
      left -= at;
      yield piece.subarray(0, at);
    }
  }
}

/**
 * Rows by the UTC day of their first column, days ascending; null when some row's time has fewer than ten digits, which
 * only captures from before 2001-09-09 have.
 */
function rowsByDay({ table, rows, bytes }: RowBlock): DayRows[] | null {
  const days = new Map<number, DayRows>();
  // Buffer's own indexOf takes 12 ns a row where Uint8Array's takes 80.
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let last: DayRows | undefined;
  let count = 0;
  for (let start = 0; start < bytes.length;) {
    let seconds = 0;
    for (let at = start; at < start + timeDigits; at += 1) {
      const digit = bytes[at]! - 48;
      if (!(digit >= 0 && digit <= 9)) return null;
      seconds = seconds * 10 + digit;
    }
    const newlineAt = buffer.indexOf(newline, start + timeDigits);
    if (newlineAt < 0) throw new Error(`${table}: a row block that does not end with a newline`);
    const day = Math.floor(seconds / secondsPerDay);
    if (last?.day !== day) {
      last = days.get(day) ?? { day, starts: [], ends: [] };
      days.set(day, last);
    }
    last.starts.push(start);
    last.ends.push(newlineAt + 1);
    count += 1;
    start = newlineAt + 1;
  }
  if (count !== rows) throw new Error(`${table}: a row block of ${count} rows that says ${rows}`);
  return [...days.values()].sort((a, b) => a.day - b.day);
}
