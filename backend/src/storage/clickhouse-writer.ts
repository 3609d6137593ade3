/**
 * Writes the engine's flushes into the store, each exactly once in effect.
 *
 * A flush is several inserts: one per table, table partition (UTC day) and slice of at most `rowsMax` rows, because an
 * insert is atomic, and its deduplication token checked, only inside one block of one table partition. Each insert's
 * token names exactly its content: `table:probe:epoch:partition:first-last:schema:day.slice`. The cut depends on the
 * rows alone, so the same flush makes the same inserts: what is stored already is dropped by the store. The accounting
 * table goes last: when its row is there, everything before it is.
 *
 * Two things ClickHouse does not read as they come from the engine are written anew on the way: sequence numbers padded
 * with zeros ("0042" is "0" and garbage to it), and times before 2001 (fewer than ten digits: "1234" is a year).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { tables } from '../tables/index.js';
import type { Flush, RowBlock, TableName, Writer } from '../tables/index.js';
import { schemaVersion } from './migrations/index.js';
import type { Store } from './store.js';

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

const tab = 9;
const newline = 10;
const secondsPerDay = 86_400;
const stampColumns = ['probe', 'epoch', 'partition', 'first_seq', 'last_seq'];
const seqColumn = stampColumns.indexOf('first_seq');
/** decimal digits of every second from 2001-09-09 to 2106 */
const timeDigits = 10;
const retryMsMax = 10_000;

/** A slice of a block: rows of one UTC day. */
export interface Slice {
  /** days since the epoch */
  readonly day: number;
  /** number of the slice within its day */
  readonly part: number;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** Make a writer on an open store. Closing the writer waits for its flushes and leaves the store open. */
export function createClickHouseWriter(store: Store, options: WriterOptions = {}): ClickHouseWriter {
  const { rowsMax = 200_000, bytesMax = 64 * 1024 ** 2, triesMax = 6, retryMs = 100, observer } = options;
  const counters: WriterCounters = { flushes: 0, inserts: 0, rows: 0, bytes: 0, retries: 0, failures: 0 };
  const running = new Set<Promise<void>>();
  let closed = false;

  async function insertSlice(block: RowBlock, slice: Slice, token: string): Promise<void> {
    for (let tries = 1; ; tries += 1) {
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

  async function writeFlush(flush: Flush): Promise<void> {
    const begin = performance.now();
    const ordered = [...flush.blocks].sort((a, b) => rank(a) - rank(b));
    try {
      for (const block of ordered) {
        const name = `${block.table}:${flush.probe}:${flush.epoch}:${flush.partition}:${flush.firstSeq}-${flush.lastSeq}:${schemaVersion}`;
        for (const slice of sliceBlock(block, flush, rowsMax, bytesMax)) {
          await insertSlice(block, slice, `${name}:${slice.day}.${slice.part}`);
        }
      }
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
    write(flush) {
      if (closed) return Promise.reject(new Error('write after close'));
      const promise = writeFlush(flush);
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
const rank = (block: RowBlock): number => (block.table === 'probe_stats' ? 1 : 0);
const columnNames = (block: RowBlock): string[] => tables[block.table].columns.map((column) => column.name);

/** Offsets just after the first tabs of the first row. */
function fieldEnds(bytes: Uint8Array, fields: number): number[] {
  const ends: number[] = [];
  for (let at = 0; ends.length < fields;) {
    const end = bytes.indexOf(tab, at);
    if (end < 0) throw new Error('a row block without its stamp columns');
    ends.push(end + 1);
    at = end + 1;
  }
  return ends;
}

/**
 * The block with every time at ten digits of seconds, which ClickHouse reads right whatever the value. Rows are looked
 * at by their leading time: only captures from before 2001-09-09 take the slow way, and the few accounting rows, whose
 * first and last packet are 0 when there was none.
 */
function paddedTimes(block: RowBlock): RowBlock {
  const times = tables[block.table].columns.flatMap((column, i) => (column.type.startsWith('DateTime') ? [i] : []));
  if (block.table !== 'probe_stats' && !hasShortTime(block.bytes)) return block;
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

/** Whether some row's leading time has fewer than ten digits. */
function hasShortTime(bytes: Uint8Array): boolean {
  const stampLength = fieldEnds(bytes, stampColumns.length).at(-1)!;
  for (let start = 0; start < bytes.length;) {
    for (let at = start + stampLength; at < start + stampLength + timeDigits; at += 1) {
      if (!(bytes[at]! >= 48 && bytes[at]! <= 57)) return true;
    }
    const end = bytes.indexOf(newline, start);
    if (end < 0) return false;
    start = end + 1;
  }
  return false;
}

/** Where a row of some day goes: rows are gathered here before they are copied. */
interface DayRows {
  readonly day: number;
  starts: number[];
  ends: number[];
}

/**
 * Cut a block into slices, days in ascending order, rows in their order, with the flush's sequence numbers written in.
 * Every row must carry the same stamp (a flush is one partition's): another one is our own mistake and throws.
 */
export function sliceBlock(
  block: RowBlock,
  flush: Pick<Flush, 'partition' | 'firstSeq' | 'lastSeq'>,
  rowsMax: number,
  bytesMax: number,
): Slice[] {
  if (block.rows === 0) return [];
  const { bytes } = paddedTimes(block);
  const ends = fieldEnds(bytes, stampColumns.length);
  const prefixLength = ends[seqColumn - 1]!;
  const stampLength = ends[seqColumn + 1]!;
  const seqs = new TextEncoder().encode(`${flush.firstSeq}\t${flush.lastSeq}\t`);
  const partition = new TextDecoder().decode(bytes.subarray(ends[seqColumn - 2], prefixLength - 1));
  if (partition !== String(flush.partition)) {
    throw new Error(`${block.table}: rows of partition ${partition} in a flush of partition ${flush.partition}`);
  }
  const stamp = new Uint8Array(prefixLength + seqs.length);
  stamp.set(bytes.subarray(0, prefixLength));
  stamp.set(seqs, prefixLength);
  const slices: Slice[] = [];
  for (const { day, starts, ends: rowEnds } of rowsByDay({ ...block, bytes }, stampLength)) {
    let part = 0;
    for (let from = 0; from < starts.length;) {
      let to = from;
      let size = 0;
      while (to < starts.length && to - from < rowsMax) {
        const row = rowEnds[to]! - starts[to]! + stamp.length;
        if (to > from && size + row > bytesMax) break;
        size += row;
        to += 1;
      }
      const out = new Uint8Array(size);
      let at = 0;
      for (let row = from; row < to; row += 1) {
        out.set(stamp, at);
        at += stamp.length;
        out.set(bytes.subarray(starts[row]!, rowEnds[row]!), at);
        at += rowEnds[row]! - starts[row]!;
      }
      slices.push({ day, part, rows: to - from, bytes: out });
      part += 1;
      from = to;
    }
  }
  return slices;
}

/** Rows (without their stamps) grouped by the UTC day of the first column after the stamp, days ascending. */
function rowsByDay(block: RowBlock, stampLength: number): DayRows[] {
  const { bytes } = block;
  const days = new Map<number, DayRows>();
  let last: DayRows | undefined;
  let rows = 0;
  for (let start = 0; start < bytes.length;) {
    const newlineAt = bytes.indexOf(newline, start);
    if (newlineAt < 0) throw new Error(`${block.table}: a row block that does not end with a newline`);
    for (let i = 0; i < stampLength; i += 1) {
      if (bytes[start + i] !== bytes[i]) throw new Error(`${block.table}: a row block with rows of two stamps`);
    }
    let seconds = 0;
    for (let at = start + stampLength; bytes[at]! >= 48 && bytes[at]! <= 57; at += 1) {
      seconds = seconds * 10 + bytes[at]! - 48;
    }
    const day = Math.floor(seconds / secondsPerDay);
    if (last?.day !== day) {
      last = days.get(day) ?? { day, starts: [], ends: [] };
      days.set(day, last);
    }
    last.starts.push(start + stampLength);
    last.ends.push(newlineAt + 1);
    rows += 1;
    start = newlineAt + 1;
  }
  if (rows !== block.rows) throw new Error(`${block.table}: a row block of ${rows} rows that says ${block.rows}`);
  return [...days.values()].sort((a, b) => a.day - b.day);
}
