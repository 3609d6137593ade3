/**
 * The Store over one or more @clickhouse/client clients: statements, settings, limits, errors. What differs between the
 * embedded engine and a server (how bytes get in, how a query is cancelled) comes in from chdb.ts and server.ts.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { UserError } from '../errors.js';
import { insertSettings, querySettings, singleServer, statementSettings } from './layout.js';
import type { StoreLayout } from './layout.js';
import { linkedSignal } from './linked-signal.js';
import type { InsertBlock, QueryOptions, QueryParam, QueryResult, Store } from './store.js';

export interface ClientBackend {
  readonly kind: Store['kind'];
  readonly location: string;
  readonly database: string;
  readonly reader: ClickHouseClient;
  /** statements that change something; its own connection, so that a long query does not hold up an insert */
  readonly writer: ClickHouseClient;
  /** queries the reader can work on at a time; more wait here, where they can still be cancelled */
  readonly readersMax: number;
  /** settings the transport (not the engine) understands */
  readonly transportSettings: Readonly<Record<string, string | number>>;
  insert(block: InsertBlock, settings: Readonly<Record<string, string | number>>): Promise<void>;
  /** Stop the running query whose log_comment is this tag; absent where the transport cancels by itself. */
  kill?(tag: string): Promise<void>;
  /** Make the reader fit for the next query after one that failed. */
  recover?(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreLimits {
  /** longest run of a query that names no limit of its own, milliseconds */
  readonly queryTimeoutMs: number;
  /** most memory of one query, bytes */
  readonly queryMemoryBytes: number;
}

export const defaultLimits: StoreLimits = { queryTimeoutMs: 30_000, queryMemoryBytes: 2 * 1024 ** 3 };

const rowsMaxDefault = 1_000_000;
const killRepeatMs = 50;
const abandonRepeatMs = 50;
const resultBytesMax = 512 * 1024 ** 2;

/**
 * An insert must become ONE block: it is atomic, and its token is checked, block by block. The writer keeps blocks far
 * below these bounds; parsing in one piece keeps the engine from cutting them.
 */
const blockSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  input_format_parallel_parsing: 0,
  date_time_input_format: 'basic',
  max_insert_block_size: 10_000_000,
  min_insert_block_size_rows: 10_000_000,
  min_insert_block_size_bytes: 4 * 1024 ** 3,
} as const;

/** ClickHouse error types after which the same statement may succeed. */
const transientTypes = new Set([
  'TIMEOUT_EXCEEDED',
  'SOCKET_TIMEOUT',
  'NETWORK_ERROR',
  'TOO_MANY_SIMULTANEOUS_QUERIES',
  'TOO_MANY_PARTS',
  'MEMORY_LIMIT_EXCEEDED',
  'NOT_ENOUGH_SPACE',
  'CANNOT_SCHEDULE_TASK',
  'UNKNOWN_STATUS_OF_INSERT',
  'KEEPER_EXCEPTION',
  'NO_ZOOKEEPER',
  'TABLE_IS_READ_ONLY',
  'TOO_FEW_LIVE_REPLICAS',
  'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE',
  'ALL_REPLICAS_ARE_STALE',
  'CANNOT_ASSIGN_ALTER',
  'ALL_CONNECTION_TRIES_FAILED',
]);

const transientSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOSPC',
]);

/** Names and literals for a SETTINGS clause; names are ours or a caller's constant, never a user's text. */
function settingsClause(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([name, value]) => {
      if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw new Error(`not a setting: ${name}`);
      return `${name}=${typeof value === 'number' ? value : `'${value.replace(/[\\']/g, (c) => `\\${c}`)}'`}`;
    })
    .join(', ');
}

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim().slice(0, 500);

/** ClickHouse error type (UNKNOWN_TABLE ...), '' when it is not an error of the engine. */
export function engineErrorType(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { type } = error as { type?: unknown };
  if (typeof type === 'string' && type !== '') return type;
  // chDB's raw insert reports the engine's text: "... (TYPE) (version ...)" or "... (TYPE)".
  const types = messageOf(error).match(/\(([A-Z][A-Z0-9_]{3,})\)/g);
  return types?.at(-1)?.slice(1, -1) ?? '';
}

/** Whether the statement may succeed when it is sent again. @param remote over a network, where others answer too */
function isTransient(error: unknown, remote: boolean): boolean {
  const type = engineErrorType(error);
  if (transientTypes.has(type)) return true;
  // Not the engine's word and not a mistake in our code: what stands between us and the server (a proxy's 502) said it.
  if (remote && type === '' && !(error instanceof TypeError || error instanceof RangeError)) return true;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && transientSystemCodes.has(code)) return true;
  return /socket hang up|Timeout error|No space left on device|other side closed/i.test(messageOf(error));
}

/** Open `limit` doors; those who wait come in by turn and may leave the queue. */
class Turnstile {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.free = limit;
  }

  async enter(signal: AbortSignal | undefined): Promise<void> {
    if (this.free > 0) {
      this.free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const admitted = (): void => {
        signal?.removeEventListener('abort', left);
        resolve();
      };
      const left = (): void => {
        this.waiting.splice(this.waiting.indexOf(admitted), 1);
        reject(aborted(signal?.reason));
      };
      this.waiting.push(admitted);
      signal?.addEventListener('abort', left, { once: true });
    });
  }

  leave(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free += 1;
  }
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** Shape of ClickHouse's JSONColumnsWithMetadata. */
interface ColumnsDocument {
  meta: { name: string; type: string }[];
  data: Record<string, unknown[]>;
  rows: number;
  statistics?: { elapsed: number; rows_read: number; bytes_read: number };
}

export class ClientStore implements Store {
  readonly kind: Store['kind'];
  readonly location: string;
  readonly database: string;
  readonly layout: StoreLayout;
  version = '';
  private readonly backend: ClientBackend;
  private readonly limits: StoreLimits;
  private readonly turnstile: Turnstile;
  private readonly running = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;

  constructor(backend: ClientBackend, limits: StoreLimits, layout: StoreLayout = singleServer) {
    this.kind = backend.kind;
    this.location = backend.location;
    this.database = backend.database;
    this.layout = layout;
    this.backend = backend;
    this.limits = limits;
    this.turnstile = new Turnstile(backend.readersMax);
  }

  query(
    sql: string,
    params: Readonly<Record<string, QueryParam>> = {},
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    return this.track(() => this.runQuery(sql, params, options));
  }

  command(sql: string, params: Readonly<Record<string, QueryParam>> = {}): Promise<void> {
    return this.track(async () => {
      try {
        await this.backend.writer.command({
          query: sql,
          query_params: bound(params),
          clickhouse_settings: statementSettings(this.layout),
        });
      } catch (error) {
        throw this.failure(error, 'a statement');
      }
    });
  }

  insert(block: InsertBlock): Promise<void> {
    if (block.bytes.length === 0) return Promise.resolve();
    return this.track(async () => {
      try {
        await this.backend.insert(block, {
          ...blockSettings,
          ...insertSettings(this.layout),
          ...(block.token === undefined ? {} : { insert_deduplication_token: block.token }),
        });
      } catch (error) {
        throw this.failure(error, `rows for ${block.table}`);
      }
    });
  }

  async ping(): Promise<void> {
    await this.query('SELECT 1', {}, { timeoutMs: 5_000 });
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      // The engine aborts for good when a connection goes away under a running statement.
      while (this.running.size > 0) await Promise.all([...this.running]);
      await this.backend.close();
    })();
    return this.closing;
  }

  async abandon(): Promise<void> {
    const closed = this.close();
    // More than one round: a connection that goes makes room for a request that waited for one.
    while (this.kind === 'server' && this.running.size > 0) {
      await this.backend.close();
      await Promise.race([Promise.all([...this.running]), delay(abandonRepeatMs)]);
    }
    await closed;
  }

  private track<T>(work: () => Promise<T>): Promise<T> {
    if (this.closing) {
      return Promise.reject(new UserError('NS_STORE_CLOSED', `the store ${this.location} was closed`));
    }
    const promise = work();
    this.hold(promise);
    return promise;
  }

  /** Closing waits for this. */
  private hold(work: Promise<unknown>): void {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    this.running.add(settled);
    void settled.then(() => this.running.delete(settled));
  }

  private async runQuery(
    sql: string,
    params: Readonly<Record<string, QueryParam>>,
    options: QueryOptions,
  ): Promise<QueryResult> {
    if (options.signal?.aborted) throw aborted(options.signal.reason);
    // One of our own, which ends with the query: many share a signal, and whoever listens to it may forget to leave.
    const link = options.signal && linkedSignal(options.signal);
    try {
      return await this.runUnder(link?.signal, sql, params, options);
    } finally {
      link?.release();
    }
  }

  private async runUnder(
    signal: AbortSignal | undefined,
    sql: string,
    params: Readonly<Record<string, QueryParam>>,
    options: QueryOptions,
  ): Promise<QueryResult> {
    const tag = randomUUID();
    const statementText = `${sql}\nFORMAT JSONColumnsWithMetadata SETTINGS ${settingsClause(this.querySettings(options, tag))}`;
    await this.turnstile.enter(signal);
    const statement = this.execute(statementText, params, signal);
    // The next query comes in when the engine is really done with this one, however early its caller left.
    const done = statement.then(
      () => this.turnstile.leave(),
      async () => {
        await this.backend.recover?.().catch(() => undefined);
        this.turnstile.leave();
      },
    );
    this.hold(done);
    let text: string;
    try {
      text = await orAbort(statement, signal, () => this.killUntil(tag, done));
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (signal?.aborted) throw aborted(error);
      throw this.queryFailure(error);
    }
    return checkedResult(this.parsed(text), options);
  }

  /** An answer that was cut short, or one of somebody between us and the server, is no result. */
  private parsed(text: string): ColumnsDocument {
    try {
      return JSON.parse(text) as ColumnsDocument;
    } catch (error) {
      throw this.queryFailure(new Error(`the answer is not whole: ${text.slice(-200)}`, { cause: error }));
    }
  }

  private async execute(
    query: string,
    params: Readonly<Record<string, QueryParam>>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const result = await this.backend.reader.exec({
      query,
      query_params: bound(params),
      // A backend that can kill is not told of the abort: it would answer early while the engine goes on.
      ...(signal && !this.backend.kill ? { abort_signal: signal } : {}),
      clickhouse_settings: this.backend.transportSettings,
    });
    return textOf(result.stream);
  }

  /** A kill that comes before the engine has registered the query does nothing, so it is repeated until it is gone. */
  private async killUntil(tag: string, done: Promise<void>): Promise<void> {
    let gone = false;
    void done.then(() => (gone = true));
    while (!gone) {
      await this.backend.kill?.(tag).catch(() => undefined);
      await Promise.race([done, delay(killRepeatMs)]);
    }
  }

  private querySettings(options: QueryOptions, tag: string): Record<string, string | number> {
    return {
      session_timezone: 'UTC',
      log_comment: tag,
      max_execution_time: (options.timeoutMs ?? this.limits.queryTimeoutMs) / 1000,
      max_memory_usage: this.limits.queryMemoryBytes,
      max_result_rows: options.maxRows ?? rowsMaxDefault,
      max_result_bytes: resultBytesMax,
      result_overflow_mode: 'throw',
      output_format_json_quote_64bit_integers: options.exactIntegers ? 1 : 0,
      output_format_json_quote_denormals: 0,
      ...querySettings(this.layout),
      ...options.settings,
    };
  }

  private queryFailure(error: unknown): UserError {
    switch (engineErrorType(error)) {
      case 'TIMEOUT_EXCEEDED':
      case 'TOO_SLOW':
        return new UserError('NS_QUERY_TIMEOUT', `the query took too long: ask for less time or fewer groups`, {
          cause: error,
        });
      case 'MEMORY_LIMIT_EXCEEDED':
        return new UserError(
          'NS_QUERY_MEMORY',
          'the query needs too much memory: ask for less time or fewer groups, or raise storage.query_memory',
          { cause: error },
        );
      case 'TOO_MANY_ROWS_OR_BYTES':
      case 'TOO_MANY_ROWS':
      case 'TOO_MANY_BYTES':
        return tooLarge(error);
      default:
        return this.failure(error, 'a query');
    }
  }

  private failure(error: unknown, what: string): UserError {
    if (error instanceof UserError) return error;
    return isTransient(error, this.kind === 'server')
      ? new UserError('NS_STORE_UNAVAILABLE', `the store ${this.location} did not take ${what}: ${messageOf(error)}`, {
          cause: error,
        })
      : new UserError('NS_STORE_REJECTED', `the store ${this.location} refused ${what}: ${messageOf(error)}`, {
          cause: error,
        });
  }
}

const aborted = (cause: unknown): UserError => new UserError('NS_QUERY_ABORTED', 'the query was cancelled', { cause });

/** The work's outcome, or a rejection as soon as the signal aborts (`onAbort` is called then). */
function orAbort<T>(work: Promise<T>, signal: AbortSignal | undefined, onAbort: () => Promise<void>): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      reject(aborted(signal.reason));
      void onAbort();
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

const tooLarge = (cause?: unknown): UserError =>
  new UserError('NS_QUERY_TOO_LARGE', 'the result is too large: set a limit or a coarser interval', { cause });

function bound(params: Readonly<Record<string, QueryParam>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, typeof value === 'bigint' ? value.toString() : value]),
  );
}

function checkedResult(document: ColumnsDocument, options: QueryOptions): QueryResult {
  const limit = options.maxRows ?? rowsMaxDefault;
  // The engine checks per block and lets very small unions pass.
  if (document.rows > limit) throw tooLarge();
  if (new Set(document.meta.map((column) => column.name)).size !== document.meta.length) {
    throw new Error('a query with two result columns of one name');
  }
  return {
    columns: document.meta.map(({ name, type }) => ({ name, type, values: document.data[name] ?? [] })),
    rows: document.rows,
    statistics: {
      elapsedMs: (document.statistics?.elapsed ?? 0) * 1000,
      rowsRead: document.statistics?.rows_read ?? 0,
      bytesRead: document.statistics?.bytes_read ?? 0,
    },
  };
}
