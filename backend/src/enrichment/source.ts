/**
 * The process's enrichment data: opens the files, notices when they change, and tells who uses them.
 *
 * Promises: a file that is missing, damaged or of the wrong kind is a mistake at start, one line that names the key. Later
 * a file that changed is read whole and checked before it takes the place of the old one; one that cannot be used is
 * reported once and the old one stays. Geographic databases come out weekly and are replaced while we run.
 */
import { open, stat } from 'node:fs/promises';
import { UserError } from '../errors.js';
import { Database } from './database.js';
import type { DatabaseContent } from './database.js';
import { Enricher } from './enricher.js';
import type { EnrichmentData, NetworkConfig } from './enricher.js';

/** Larger than any geographic database, and what one buffer may hold. */
const fileBytesMax = 2 ** 30;

export interface EnrichmentOptions {
  readonly networks: readonly NetworkConfig[];
  /** path, '' for none */
  readonly countryFile: string;
  /** path, '' for none; may be the same */
  readonly asnFile: string;
  /** time between looks at the files, milliseconds; 0 = never look again */
  readonly checkMillis: number;
}

/** The part of a pino logger that is used. */
export interface EnrichmentLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** A database as it is in use, for /metrics and the log. */
export interface DatabaseState {
  readonly key: FileKey;
  readonly path: string;
  /** as the file calls itself */
  readonly type: string;
  readonly built: Date;
  readonly bytes: number;
}

export interface EnrichmentSource {
  /** what is in use now */
  readonly data: EnrichmentData;
  /** for this thread's own lookups */
  readonly enricher: Enricher;
  readonly databases: readonly DatabaseState[];
  /** times a changed file was taken, and times one was refused */
  readonly counters: Readonly<{ reloads: number; refused: number }>;
  /** Be told of new data; the answer takes the listener away again. */
  onChange(listener: (data: EnrichmentData) => void): () => void;
  /** Look at the files now. */
  check(): Promise<void>;
  close(): void;
}

export type FileKey = 'country_file' | 'asn_file';

interface Loaded {
  /** what the file looked like when it was read */
  readonly signature: string;
  readonly shared: SharedArrayBuffer;
  readonly state: DatabaseState;
}

const wanted: Readonly<Record<FileKey, { readonly fields: DatabaseContent; readonly words: string }>> = {
  country_file: { fields: { country: true, asn: false }, words: 'countries' },
  asn_file: { fields: { country: false, asn: true }, words: 'AS numbers' },
};

/**
 * Open the configured files.
 * @throws UserError NS_FILE_NOT_FOUND, NS_CONFIG_INVALID
 */
export async function openEnrichment(options: EnrichmentOptions, log?: EnrichmentLog): Promise<EnrichmentSource> {
  const paths: Readonly<Record<FileKey, string>> = { country_file: options.countryFile, asn_file: options.asnFile };
  const keys = (['country_file', 'asn_file'] as const).filter((key) => paths[key] !== '');
  const loaded = new Map<FileKey, Loaded>();
  /** what the file looked like when it was taken (or refused) */
  const seen = new Map<FileKey, string>();
  /** what it looked like at the last look, when that was not what was taken: it may still be growing */
  const changing = new Map<FileKey, string>();
  const listeners = new Set<(data: EnrichmentData) => void>();
  const counters = { reloads: 0, refused: 0 };

  for (const key of keys) {
    const signature = (await signatureOf(paths[key])) ?? '';
    seen.set(key, signature);
    loaded.set(key, await loadFile(key, paths[key], signature, [...loaded.values()]));
  }
  const current = (): EnrichmentData => ({
    networks: options.networks,
    country: loaded.get('country_file')?.shared ?? null,
    asn: loaded.get('asn_file')?.shared ?? null,
  });
  let data = current();
  const enricher = new Enricher(data);
  for (const { state } of loaded.values()) log?.info({ ...state }, 'enrichment database opened');

  async function checkFile(key: FileKey): Promise<boolean> {
    const signature = await signatureOf(paths[key]);
    // Gone for a moment while it is being replaced: the old data is as good as before.
    if (signature === null || signature === seen.get(key)) return false;
    if (signature !== changing.get(key)) {
      changing.set(key, signature);
      return false;
    }
    changing.delete(key);
    seen.set(key, signature);
    try {
      loaded.set(key, await loadFile(key, paths[key], signature, [...loaded.values()]));
      counters.reloads += 1;
      log?.info({ ...loaded.get(key)!.state }, 'enrichment database changed and was read again');
      return true;
    } catch (error) {
      counters.refused += 1;
      log?.warn({ key, path: paths[key], reason: (error as Error).message }, 'changed enrichment database is not used');
      return false;
    }
  }

  let checking: Promise<void> | null = null;
  async function checkAll(): Promise<void> {
    let changed = false;
    for (const key of keys) changed = (await checkFile(key)) || changed;
    if (!changed) return;
    data = current();
    enricher.load(data);
    for (const listener of listeners) listener(data);
  }
  const check = (): Promise<void> => (checking ??= checkAll().finally(() => (checking = null)));
  const timer =
    keys.length > 0 && options.checkMillis > 0 ? setInterval(() => void check(), options.checkMillis).unref() : null;

  return {
    get data() {
      return data;
    },
    enricher,
    get databases() {
      return [...loaded.values()].map(({ state }) => state);
    },
    counters,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    check,
    close() {
      if (timer) clearInterval(timer);
      listeners.clear();
    },
  };
}

/** Changes when the file does; null when there is none. */
async function signatureOf(path: string): Promise<string | null> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs}:${size}:${ino}`;
  } catch {
    return null;
  }
}

/**
 * Read a file into memory that threads share, and see that it has what it is for.
 * @param others what is read already: a file under both keys is held once
 */
async function loadFile(key: FileKey, path: string, signature: string, others: readonly Loaded[]): Promise<Loaded> {
  const where = `enrichment.${key}: ${path}`;
  const same = others.find((other) => other.state.path === path && other.signature === signature);
  const shared = same?.shared ?? (await readShared(path, where));
  const { fields, words } = wanted[key];
  let database: Database;
  let content: DatabaseContent;
  try {
    database = new Database(shared, fields);
    content = database.content();
  } catch (error) {
    throw new UserError('NS_CONFIG_INVALID', `${where}: ${(error as Error).message}; get it again`, { cause: error });
  }
  if ((fields.country && !content.country) || (fields.asn && !content.asn)) {
    throw new UserError(
      'NS_CONFIG_INVALID',
      `${where}: this database (${database.type}) has no ${words}: name one that has`,
    );
  }
  return {
    signature,
    shared,
    state: { key, path, type: database.type, built: database.built, bytes: shared.byteLength },
  };
}

async function readShared(path: string, where: string): Promise<SharedArrayBuffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > fileBytesMax) {
        throw new UserError('NS_CONFIG_INVALID', `${where}: ${size} bytes are no geographic database`);
      }
      const shared = new SharedArrayBuffer(size);
      const bytes = new Uint8Array(shared);
      let at = 0;
      while (at < size) {
        const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 1 << 24), at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return shared;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'it may not be read'
          : code === 'EISDIR'
            ? 'it is a folder'
            : (error as Error).message;
    throw new UserError('NS_FILE_NOT_FOUND', `${where}: ${reason}`, { cause: error });
  }
}
