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
import { BufferPool } from '@netspectra/collector/memory';
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
/** Memory for pieces, once what was in them is stored. */
const pieces = new BufferPool({ bytesMax: 8 << 20, sizeOf: (length) => Math.max(pieceBytes, length) });
const piecesHeldMax = 16;

/** A slice of a block: rows of one UTC day. */
export interface Slice {
  /** days since the epoch */
  readonly day: number;
  /** number of the slice within its day */
  readonly part: number;
  readonly rows: number;
  readonly bytes: StampedRows;
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
        slice.bytes.sent();
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

type StampedFlush = Pick<Flush, 'probe' | 'epoch' | 'partition' | 'firstSeq' | 'lastSeq'>;

/** Cut a block into slices, days in ascending order, rows in their order, with the flush's stamp before each. */
export function sliceBlock(block: RowBlock, flush: StampedFlush, rowsMax: number, bytesMax: number): Slice[] {
  // The few accounting rows are always padded: their first and last packet are 0 when there was none.
  const stamp = stampOf(flush);
  const slices = block.table === 'probe_stats' ? null : cut(block, stamp, rowsMax, bytesMax);
  if (slices) return slices;
  const padded = cut(withPaddedTimes(block), stamp, rowsMax, bytesMax);
  if (!padded) throw new Error(`${block.table}: a row that does not begin with its time`);
  return padded;
}

/** A slice that is being cut. */
interface OpenSlice {
  readonly day: number;
  readonly part: number;
  rows: number;
  /** of the rows and their stamps */
  size: number;
  /** where its rows lie in the block, in their order: begin and end of each run of them */
  readonly runs: number[];
}

/**
 * The slices; null when some row's time has fewer than ten digits, which only captures from before 2001-09-09 have. The day
 * is the first column's, in UTC.
 */
function cut({ table, rows, bytes }: RowBlock, stamp: Uint8Array, rowsMax: number, bytesMax: number): Slice[] | null {
  const slices: OpenSlice[] = [];
  const newest = new Map<number, OpenSlice>();
  const buffer = asBuffer(bytes);
  let slice: OpenSlice | undefined;
  let count = 0;
  for (let start = 0; start < bytes.length;) {
    let seconds = 0;
    for (let at = start; at < start + timeDigits; at += 1) {
      const digit = bytes[at]! - 48;
      if (!(digit >= 0 && digit <= 9)) return null;
      seconds = seconds * 10 + digit;
    }
    const end = buffer.indexOf(newline, start + timeDigits) + 1;
    if (end === 0) throw new Error(`${table}: a row block that does not end with a newline`);
    const day = Math.floor(seconds / secondsPerDay);
    if (slice?.day !== day) slice = newest.get(day);
    const size = stamp.length + end - start;
    if (!slice || slice.rows >= rowsMax || slice.size + size > bytesMax) {
      slice = { day, part: slice ? slice.part + 1 : 0, rows: 0, size: 0, runs: [] };
      newest.set(day, slice);
      slices.push(slice);
    }
    slice.rows += 1;
    slice.size += size;
    const { runs } = slice;
    if (runs[runs.length - 1] === start) runs[runs.length - 1] = end;
    else runs.push(start, end);
    count += 1;
    start = end;
  }
  if (count !== rows) throw new Error(`${table}: a row block of ${count} rows that says ${rows}`);
  return slices
    .sort((a, b) => a.day - b.day)
    .map(({ day, part, rows: rowsOfSlice, size, runs }) => ({
      day,
      part,
      rows: rowsOfSlice,
      bytes: new StampedRows(bytes, runs, stamp, size),
    }));
}

/** Rows of a block, each behind the stamp. */
class StampedRows implements RowPieces {
  readonly length: number;
  private readonly block: Uint8Array;
  private readonly runs: readonly number[];
  private readonly stamp: Uint8Array;
  private readonly made: Uint8Array[] = [];

  constructor(block: Uint8Array, runs: readonly number[], stamp: Uint8Array, length: number) {
    this.block = block;
    this.runs = runs;
    this.stamp = stamp;
    this.length = length;
  }

  *[Symbol.iterator](): Iterator<Uint8Array> {
    const { block, runs, stamp } = this;
    // Sent in vain, and not given back: a connection that is breaking may read it still.
    this.made.length = 0;
    const buffer = asBuffer(block);
    let left = this.length;
    let piece = this.newPiece(Math.min(left, pieceBytes));
    let at = 0;
    for (let run = 0; run < runs.length; run += 2) {
      for (let start = runs[run]!; start < runs[run + 1]!;) {
        const end = buffer.indexOf(newline, start + timeDigits) + 1;
        const size = stamp.length + end - start;
        if (at + size > piece.length) {
          if (at > 0) yield piece.subarray(0, at);
          left -= at;
          at = 0;
          piece = this.newPiece(Math.max(Math.min(left, pieceBytes), size));
        }
        piece.set(stamp, at);
        piece.set(block.subarray(start, end), at + stamp.length);
        at += size;
        start = end;
      }
    }
    if (at > 0) yield piece.subarray(0, at);
  }

  /** What was made of it the last time has been sent: others may use its memory. */
  sent(): void {
    for (const piece of this.made.splice(0)) pieces.giveBack(piece);
  }

  private newPiece(size: number): Uint8Array {
    const piece = pieces.take(size);
    // Those of a large slice are not held until all are sent.
    if (this.made.length < piecesHeldMax) this.made.push(piece);
    return piece;
  }
}

/** Buffer's own indexOf takes 12 ns a row where Uint8Array's takes 80. */
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
