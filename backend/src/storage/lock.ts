/**
 * The lock file of a data folder: says who has it open, so that a second process can name them.
 *
 * Promise: of two processes on one host, the second to come is refused with the first one's pid; a lock left behind by
 * a killed process is recognised and replaced. The engine's own file lock stays the last word (two hosts on a shared
 * disk, two containers with pid 1): this file cannot see processes elsewhere, and then gives way.
 */
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.js';

export const lockFileName = 'netspectra.lock';

/** `mkdir -p`, one step at a time: Node's `recursive` never returns where nothing can be made (/proc/x). */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

interface LockContent {
  pid: number;
  host: string;
  /** when the process started, by the kernel's clock; tells a reused pid from the old process. '' where unknown */
  started: string;
}

/** Folders this process holds. */
const held = new Set<string>();

/** Kernel start time of a process in clock ticks since boot (proc(5), /proc/pid/stat field 22), '' where unknown. */
function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name may hold spaces and parentheses: count fields after the last one.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function parseLock(text: string): LockContent | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const { pid, host, started } = value as Partial<LockContent>;
    if (!Number.isSafeInteger(pid) || typeof host !== 'string' || typeof started !== 'string') return null;
    return { pid: pid!, host, started };
  } catch {
    return null;
  }
}

/** Whether the process that wrote the lock still runs, as far as this host can tell. */
function holderRuns(lock: LockContent): boolean {
  if (lock.host !== hostname()) return false;
  if (lock.pid === process.pid && lock.started === processStart(process.pid)) return false; // ours, and not in `held`
  if (!isAlive(lock.pid)) return false;
  return lock.started === '' || lock.started === processStart(lock.pid);
}

/** How a folder is called, and where another one is chosen. */
export interface FolderWords {
  readonly name: string;
  readonly setting: string;
}

const dataFolder: FolderWords = { name: 'data folder', setting: '--data' };

const inUse = (folder: string, { name, setting }: FolderWords, pid: number): UserError =>
  new UserError(
    'NS_DATA_DIR_IN_USE',
    `the ${name} ${folder} is in use by another netspectra (pid ${pid}): stop that one, or choose another folder with ${setting}`,
  );

const unusable = (folder: string, { name, setting }: FolderWords, error: unknown): UserError =>
  new UserError(
    'NS_DATA_DIR_UNUSABLE',
    `cannot use the ${name} ${folder}: ${error instanceof Error ? error.message : String(error)}; choose a writable folder with ${setting}`,
    { cause: error },
  );

/** A lock that was read and judged stale is moved away only while it still has the content that was judged. */
function removeStale(path: string, judged: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // somebody else removed it first
  }
  if (readFileSync(aside, 'utf8') !== judged) {
    try {
      linkSync(aside, path); // a fresh lock was taken between our reading and moving: put it back
    } catch {
      // there is a fresher one already
    }
  }
  unlinkSync(aside);
}

/**
 * Make the folder and take its lock.
 * @param words how messages call the folder
 * @returns a function that gives the lock back (may be called more than once)
 * @throws UserError NS_DATA_DIR_IN_USE, NS_DATA_DIR_UNUSABLE
 */
export function lockDataDir(dataDir: string, words: FolderWords = dataFolder): () => void {
  const folder = resolve(dataDir);
  const path = join(folder, lockFileName);
  if (held.has(folder)) throw inUse(dataDir, words, process.pid);
  const content = JSON.stringify({ pid: process.pid, host: hostname(), started: processStart(process.pid) });
  // Three tries: a stale lock may be replaced by another starter just before us, and that one may end at once.
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      makeFolder(folder);
      writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(dataDir, words, error);
      let found: string;
      try {
        found = readFileSync(path, 'utf8');
      } catch (readError) {
        if ((readError as NodeJS.ErrnoException).code === 'ENOENT') continue;
        throw unusable(dataDir, words, readError);
      }
      const lock = parseLock(found);
      if (lock && holderRuns(lock)) throw inUse(dataDir, words, lock.pid);
      removeStale(path, found);
      continue;
    }
    held.add(folder);
    return () => {
      if (!held.delete(folder)) return;
      rmSync(path, { force: true });
    };
  }
  throw unusable(dataDir, words, new Error(`${path} keeps changing`));
}
