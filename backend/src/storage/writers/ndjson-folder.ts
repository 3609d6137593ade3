/**
 * The files of a folder of NDJSON: their names, how many are kept, and that closed ones are compressed.
 *
 * A file is `<table>-<UTC time it was begun>.ndjson`, and with `.gz` once it is closed and compressed. Names never
 * change their order: by name is by time.
 */
import { createReadStream, createWriteStream, renameSync, rmSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { tables } from '../../tables/index.js';
import type { TableName } from '../../tables/index.js';

const suffix = '.ndjson';
const unfinished = '.tmp';
const namePattern = /^([a-z_]+)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z\.ndjson(\.gz)?$/;

export interface NdjsonFile {
  readonly name: string;
  readonly table: TableName;
  /** when it was begun, milliseconds */
  readonly time: number;
  readonly compressed: boolean;
}

/** The name of a table's file that was begun at a time (milliseconds). */
export const fileName = (table: TableName, time: number): string =>
  `${table}-${new Date(time).toISOString().replaceAll(/[-:]/g, '')}${suffix}`;

/** What a name says; null for files that are not ours. */
export function parseFileName(name: string): NdjsonFile | null {
  const match = namePattern.exec(name);
  if (!match || !Object.hasOwn(tables, match[1]!)) return null;
  const [, table, year, month, day, hour, minute, second, millisecond, gz] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`);
  return Number.isNaN(time) ? null : { name, table: table as TableName, time, compressed: gz !== undefined };
}

export interface KeepLimits {
  /** most closed files */
  readonly filesMax: number;
  /** most bytes of all files, those that are written included */
  readonly bytesMax: number;
}

/** The closed files of a folder. */
export class ClosedFiles {
  /** name -> file and bytes, oldest first */
  private readonly files = new Map<string, NdjsonFile & { readonly bytes: number }>();
  private readonly folder: string;
  private bytesTotal = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  get bytes(): number {
    return this.bytesTotal;
  }

  get count(): number {
    return this.files.size;
  }

  /** To be called in order of time, but for a file's compressed twin, which takes its place. */
  add(file: NdjsonFile, bytes: number): void {
    this.forget(file.name);
    this.files.set(file.name, { ...file, bytes });
    this.bytesTotal += bytes;
  }

  /** Delete the oldest until what is left is within the limits. @returns how many were deleted */
  async prune({ filesMax, bytesMax }: KeepLimits, bytesOpen: number): Promise<number> {
    let deleted = 0;
    while (this.files.size > 0 && (this.files.size > filesMax || this.bytesTotal + bytesOpen > bytesMax)) {
      // Looked for each time anew: while one is being deleted, another may be compressed and change its name.
      const [oldest] = [...this.files.values()].sort((a, b) => a.time - b.time);
      this.forget(oldest!.name);
      await rm(join(this.folder, oldest!.name), { force: true });
      deleted += 1;
    }
    return deleted;
  }

  /**
   * Compress the oldest file that is not yet. The original goes when its successor is whole.
   * @returns whether there was one
   * @throws the file system's error; the original is left
   */
  async compressOne(signal: AbortSignal): Promise<boolean> {
    const file = [...this.files.values()].find(({ compressed }) => !compressed);
    if (!file) return false;
    const from = join(this.folder, file.name);
    const packed = { ...file, name: `${file.name}.gz`, compressed: true };
    const to = join(this.folder, packed.name);
    try {
      await pipeline(createReadStream(from), createGzip(), createWriteStream(to + unfinished), { signal });
      const { size } = await stat(to + unfinished);
      // It may have been the oldest, and deleted meanwhile.
      if (!this.files.has(file.name)) return true;
      // In one go, so that it is never deleted under one name while it gets the other.
      renameSync(to + unfinished, to);
      rmSync(from, { force: true });
      this.forget(file.name);
      this.add(packed, size);
      return true;
    } catch (error) {
      // Deleted before it could be opened: nothing is left to do.
      if (!this.files.has(file.name)) return true;
      throw error;
    } finally {
      await rm(to + unfinished, { force: true });
    }
  }

  private forget(name: string): void {
    this.bytesTotal -= this.files.get(name)?.bytes ?? 0;
    this.files.delete(name);
  }
}

/** Every NDJSON file of the folder, oldest first; what a compression left unfinished is removed. */
export async function listFiles(folder: string): Promise<(NdjsonFile & { readonly bytes: number })[]> {
  const names = await readdir(folder);
  const found = [];
  for (const name of names) {
    if (name.endsWith(unfinished) && parseFileName(name.slice(0, -unfinished.length)))
      await rm(join(folder, name), { force: true });
    const file = parseFileName(name);
    if (!file) continue;
    // The compressed one was whole before it got its name.
    if (!file.compressed && names.includes(`${name}.gz`)) await rm(join(folder, name), { force: true });
    else found.push({ ...file, bytes: (await stat(join(folder, name))).size });
  }
  return found.sort((a, b) => a.time - b.time);
}
