/**
 * What of a folder of NDJSON files counts: a line for each flush, written when all its rows are in their files, with the
 * flush's name and where each file ends then. What stands behind that end is of a flush that did not get so far.
 *
 * Names are remembered in a bounded number: a flush that comes again is known as long as its name is there.
 */
import { open, readFile, rename, rm, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { tables } from '../../tables/index.js';
import type { TableName } from '../../tables/index.js';

export const journalName = 'netspectra.journal';

/** A table's newest file: when it was begun (which names it), its bytes that count, and whether it is closed. */
export interface FileEnd {
  readonly time: number;
  readonly bytes: number;
  readonly closed: boolean;
}

interface Entry {
  readonly names?: readonly string[];
  readonly ends?: Readonly<Partial<Record<TableName, FileEnd>>>;
}

const version = 1;

function isEnd(value: unknown): value is FileEnd {
  if (typeof value !== 'object' || value === null) return false;
  const { time, bytes, closed } = value as Partial<FileEnd>;
  // 8.64e15 ms is the last time there is; a file's name is made from it.
  const isCount = (number: unknown): boolean => Number.isSafeInteger(number) && (number as number) >= 0;
  return isCount(time) && time! <= 8.64e15 && isCount(bytes) && typeof closed === 'boolean';
}

function parseEntry(line: string): Entry | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return null;
    const { names = [], ends = {} } = value as { names?: unknown; ends?: unknown };
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) return null;
    if (typeof ends !== 'object' || ends === null) return null;
    const known = Object.entries(ends).every(([table, end]) => Object.hasOwn(tables, table) && isEnd(end));
    return known ? { names, ends } : null;
  } catch {
    return null;
  }
}

function sinceOf(head: string, path: string): number {
  try {
    const { version: found, since } = JSON.parse(head) as { version?: unknown; since?: unknown };
    if (found === version && Number.isSafeInteger(since)) return since as number;
  } catch {
    // told below
  }
  throw new Error(`${path} is damaged or of another version: move it away, then every file counts as it is`);
}

export class Journal {
  /** when the folder got its journal, milliseconds: files from before have no ends here, and count whole */
  since: number;
  private readonly names = new Set<string>();
  private readonly ends = new Map<TableName, FileEnd>();
  private readonly path: string;
  private readonly namesMax: number;
  private handle: FileHandle | null = null;
  private bytes = 0;
  private lines = 0;

  private constructor(path: string, namesMax: number) {
    this.path = path;
    this.namesMax = namesMax;
    this.since = Date.now();
  }

  /**
   * Read the folder's journal, or begin one. What a kill tore off at its end is left out.
   * @param namesMax flushes that are remembered
   * @throws the file system's error
   */
  static async open(folder: string, namesMax: number): Promise<Journal> {
    const journal = new Journal(join(folder, journalName), namesMax);
    const text = await readFile(journal.path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    });
    if (text === '') {
      await journal.rewrite();
      return journal;
    }
    const lines = text.split('\n').slice(0, -1);
    journal.since = sinceOf(lines[0] ?? '', journal.path);
    journal.count(lines[0]!);
    for (const line of lines.slice(1)) {
      const entry = parseEntry(line);
      if (!entry) break;
      journal.count(line);
      journal.take(entry);
    }
    // Cutting needs no space, so that a full disk does not keep a process from starting.
    await truncate(journal.path, journal.bytes);
    return journal;
  }

  has(name: string): boolean {
    return this.names.has(name);
  }

  end(table: TableName): FileEnd | undefined {
    return this.ends.get(table);
  }

  /** Write down that these flushes are whole and where files end. It counts when this returns; else nothing changed. */
  async append(entry: Entry): Promise<void> {
    if (this.lines > 2 * this.namesMax) await this.rewrite();
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    const handle = (this.handle ??= await open(this.path, 'r+'));
    try {
      await writeAll(handle, line, this.bytes);
    } catch (error) {
      await handle.truncate(this.bytes);
      throw error;
    }
    this.bytes += line.length;
    this.lines += 1;
    this.take(entry);
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = null;
  }

  private count(line: string): void {
    this.bytes += Buffer.byteLength(line) + 1;
    this.lines += 1;
  }

  private take({ names = [], ends = {} }: Entry): void {
    for (const name of names) {
      this.names.delete(name);
      this.names.add(name);
    }
    for (const name of this.names) {
      if (this.names.size <= this.namesMax) break;
      this.names.delete(name);
    }
    for (const [table, end] of Object.entries(ends)) this.ends.set(table as TableName, end);
  }

  /** Begin it anew with what it says; the old one stays until the new one is whole. */
  private async rewrite(): Promise<void> {
    const entry: Entry = { names: [...this.names], ends: Object.fromEntries(this.ends) };
    const text = Buffer.from(`${JSON.stringify({ version, since: this.since })}\n${JSON.stringify(entry)}\n`);
    const fresh = `${this.path}.tmp`;
    const handle = await open(fresh, 'w', 0o600);
    try {
      await writeAll(handle, text, 0);
      // A rename is kept over a power cut before what was written is.
      await handle.datasync();
      await rename(fresh, this.path);
    } catch (error) {
      await handle.close();
      await rm(fresh, { force: true });
      throw error;
    }
    await this.close();
    this.handle = handle;
    this.bytes = text.length;
    this.lines = 2;
  }
}

/** Write all of it at a place; `write` alone may stop earlier. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
