/**
 * Writes rows as NDJSON files into a folder: a file a table, closed by size and age, compressed, the oldest deleted.
 *
 * A flush is in the files whole or not at all, and once as long as its name is in the journal: rows first, then a line of
 * the journal that says where the files end. What stands behind those ends (a kill, a full disk) is cut off before
 * anything else is written. Nothing is synced to the disk: that holds for kills of the process, not for power cuts.
 */
import { open, rm, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { WriteForbidden } from '../../tables/index.js';
import type { Flush, TableName, Writer } from '../../tables/index.js';
import { lockDataDir } from '../lock.js';
import { ClosedFiles, fileName, listFiles, parseFileName } from './ndjson-folder.js';
import type { KeepLimits } from './ndjson-folder.js';
import { Journal, writeAll } from './ndjson-journal.js';
import type { FileEnd } from './ndjson-journal.js';
import { ndjsonPieces } from './ndjson-rows.js';

export interface NdjsonOptions extends KeepLimits {
  /** the folder; made when missing. One process has it open. */
  readonly dir: string;
  readonly tables: readonly TableName[];
  /** a file is closed after the flush that makes it so large */
  readonly rotateBytes: number;
  /** and when it is so old */
  readonly rotateMs: number;
  /** gzip files that are closed */
  readonly compress: boolean;
  /** flushes whose names are remembered */
  readonly namesMax?: number;
}

export interface NdjsonCounters {
  flushes: number;
  /** flushes that were there already */
  repeated: number;
  rows: number;
  /** bytes written, before compression */
  bytes: number;
  /** flushes that could not be written, each try */
  failures: number;
  /** files closed because they were large or old enough */
  rotated: number;
  /** files deleted to keep the limits */
  deleted: number;
  /** closed files that could not be compressed; they are left as they are until the next one is closed */
  compressFailures: number;
  /** bytes cut off at the start: of flushes that were not written to their end */
  tornBytes: number;
}

export interface NdjsonWriter extends Writer {
  readonly counters: Readonly<NdjsonCounters>;
  /** bytes of all files now */
  readonly bytes: number;
  readonly files: number;
}

/** A table's file that rows go to. */
interface OpenFile {
  readonly table: TableName;
  readonly time: number;
  readonly handle: FileHandle;
  /** what counts; there may be more behind it */
  bytes: number;
}

const namesMaxDefault = 10_000;
/** How often ages are looked at when nothing is written. */
const checkMsMax = 1_000;

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Open the folder: cut off what is not whole, go on with the files there are.
 * @throws UserError NS_DATA_DIR_IN_USE (another process has it), NS_DATA_DIR_UNUSABLE
 */
export async function openNdjsonWriter(options: NdjsonOptions): Promise<NdjsonWriter> {
  const words = { name: 'folder of NDJSON files', setting: 'storage.files.dir' };
  const unlock = lockDataDir(options.dir, words);
  try {
    const journal = await Journal.open(options.dir, options.namesMax ?? namesMaxDefault);
    const writer = new FileWriter(options, journal, unlock);
    await writer.begin();
    return writer;
  } catch (error) {
    unlock();
    throw new UserError(
      'NS_DATA_DIR_UNUSABLE',
      `cannot use the ${words.name} ${options.dir}: ${reasonOf(error)}; choose another one with ${words.setting}`,
      { cause: error },
    );
  }
}

class FileWriter implements NdjsonWriter {
  readonly counters: NdjsonCounters = {
    flushes: 0,
    repeated: 0,
    rows: 0,
    bytes: 0,
    failures: 0,
    rotated: 0,
    deleted: 0,
    compressFailures: 0,
    tornBytes: 0,
  };
  private readonly options: NdjsonOptions;
  private readonly journal: Journal;
  private readonly unlock: () => void;
  private readonly wanted: ReadonlySet<TableName>;
  private readonly current = new Map<TableName, OpenFile>();
  private readonly closed: ClosedFiles;
  private readonly timer: NodeJS.Timeout;
  private readonly ending = new AbortController();
  /** one thing after the other */
  private last: Promise<unknown> = Promise.resolve();
  private compressing: Promise<void> = Promise.resolve();
  private lastTime = 0;

  constructor(options: NdjsonOptions, journal: Journal, unlock: () => void) {
    this.options = options;
    this.journal = journal;
    this.unlock = unlock;
    this.wanted = new Set(options.tables);
    this.closed = new ClosedFiles(options.dir);
    // A file that cannot be closed now is closed at the next look; writes tell of a disk that fails.
    this.timer = setInterval(
      () => void this.inTurn(() => this.closeDue()).catch(() => undefined),
      Math.min(options.rotateMs, checkMsMax),
    );
    this.timer.unref();
  }

  get bytes(): number {
    return this.closed.bytes + this.openBytes;
  }

  get files(): number {
    return this.closed.count + this.current.size;
  }

  private get openBytes(): number {
    let sum = 0;
    for (const { bytes } of this.current.values()) sum += bytes;
    return sum;
  }

  /** Look at what is in the folder. */
  async begin(): Promise<void> {
    try {
      for (const file of await listFiles(this.options.dir)) {
        this.lastTime = Math.max(this.lastTime, file.time);
        const end = this.journal.end(file.table);
        if (file.compressed || this.isWhole(file.time, end)) this.closed.add(file, file.bytes);
        else await this.takeUp(file, end);
      }
      await this.prune();
      this.compress();
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  write(flush: Flush, mayWrite: () => boolean = () => true): Promise<void> {
    if (this.ending.signal.aborted) return Promise.reject(new Error('write after close'));
    return this.inTurn(() => this.writeFlush(flush, mayWrite));
  }

  async close(): Promise<void> {
    this.ending.abort();
    await this.inTurn(() => this.release());
  }

  private async release(): Promise<void> {
    clearInterval(this.timer);
    await this.compressing;
    for (const { handle } of this.current.values()) await handle.close();
    this.current.clear();
    await this.journal.close();
    this.unlock();
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.last.then(work);
    this.last = done.catch(() => undefined);
    return done;
  }

  /** Files from before the journal, and those that are closed, count as they are. */
  private isWhole(time: number, end: FileEnd | undefined): boolean {
    return time < (end?.time ?? this.journal.since) || (time === end?.time && end.closed);
  }

  /** The file that was written last: without what is of a flush that did not get to its end. */
  private async takeUp(file: { name: string; table: TableName; time: number; bytes: number }, end?: FileEnd) {
    const path = join(this.options.dir, file.name);
    const bytes = file.time === end?.time ? end.bytes : 0;
    this.counters.tornBytes += Math.max(0, file.bytes - bytes);
    if (bytes === 0) return rm(path, { force: true });
    if (file.bytes > bytes) await truncate(path, bytes);
    // Shorter than it should be: a power cut, or somebody's editor. What is there is kept, and not added to.
    if (file.bytes < bytes || !this.wanted.has(file.table)) {
      this.closed.add(parseFileName(file.name)!, Math.min(bytes, file.bytes));
      return;
    }
    const handle = await open(path, 'r+');
    this.current.set(file.table, { table: file.table, time: file.time, handle, bytes });
  }

  private async writeFlush(flush: Flush, mayWrite: () => boolean): Promise<void> {
    const { probe, epoch, partition, firstSeq, lastSeq } = flush;
    const name = `${probe}:${epoch}:${partition}:${firstSeq}-${lastSeq}`;
    const blocks = flush.blocks.filter(({ table, rows }) => rows > 0 && this.wanted.has(table));
    if (blocks.length === 0) return;
    if (this.journal.has(name)) {
      this.counters.repeated += 1;
      return;
    }
    const ends: Partial<Record<TableName, FileEnd>> = {};
    try {
      for (const block of blocks) {
        const file = this.current.get(block.table) ?? (await this.newFile(block.table));
        let at = ends[block.table]?.bytes ?? file.bytes;
        for (const piece of ndjsonPieces(block, flush)) {
          await writeAll(file.handle, piece, at);
          at += piece.length;
        }
        ends[block.table] = { time: file.time, bytes: at, closed: false };
      }
      if (!mayWrite()) throw new WriteForbidden('NDJSON files: another writer has this partition now');
      await this.journal.append({ names: [name], ends });
    } catch (error) {
      this.counters.failures += 1;
      await this.cutBack();
      throw this.failure(error);
    }
    for (const [table, { bytes }] of Object.entries(ends)) {
      const file = this.current.get(table as TableName)!;
      this.counters.bytes += bytes - file.bytes;
      file.bytes = bytes;
    }
    for (const { rows } of blocks) this.counters.rows += rows;
    this.counters.flushes += 1;
    // The flush is written: what fails now is told by the next one, and tried again.
    await this.closeDue().catch(() => undefined);
    await this.prune().catch(() => undefined);
  }

  private failure(error: unknown): unknown {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') return error;
    return new UserError(
      'NS_FILES_UNWRITABLE',
      `cannot write NDJSON files in ${this.options.dir}: ${reasonOf(error)}; free space there, or change storage.files`,
      { cause: error },
    );
  }

  private async newFile(table: TableName): Promise<OpenFile> {
    // A clock that steps back must not make a file that seems older than the one before.
    this.lastTime = Math.max(Date.now(), this.lastTime + 1);
    const time = this.lastTime;
    const handle = await open(join(this.options.dir, fileName(table, time)), 'w', 0o640);
    const file = { table, time, handle, bytes: 0 };
    this.current.set(table, file);
    return file;
  }

  /** Leave nothing of a flush that failed. What cannot be cut off now is written over by the next, or cut at the start. */
  private async cutBack(): Promise<void> {
    for (const { handle, bytes } of this.current.values()) await handle.truncate(bytes).catch(() => undefined);
  }

  /** Close the files that are large or old enough. */
  private async closeDue(): Promise<void> {
    const { rotateBytes, rotateMs } = this.options;
    const now = Date.now();
    for (const { table, time, bytes, handle } of [...this.current.values()]) {
      if (bytes === 0 || (bytes < rotateBytes && now - time < rotateMs)) continue;
      await handle.truncate(bytes);
      await this.journal.append({ ends: { [table]: { time, bytes, closed: true } } });
      this.current.delete(table);
      await handle.close();
      this.closed.add(parseFileName(fileName(table, time))!, bytes);
      this.counters.rotated += 1;
      await this.prune();
      this.compress();
    }
  }

  private async prune(): Promise<void> {
    this.counters.deleted += await this.closed.prune(this.options, this.openBytes);
  }

  /** Compress what is closed, one file after the other, beside the writing. */
  private compress(): void {
    if (!this.options.compress) return;
    const { signal } = this.ending;
    this.compressing = this.compressing.then(async () => {
      try {
        while (!signal.aborted && (await this.closed.compressOne(signal)));
      } catch {
        if (!signal.aborted) this.counters.compressFailures += 1;
      }
    });
  }
}
