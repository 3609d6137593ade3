/**
 * Runs statements under the limits: how many at once, how long, how many rows; and stops them when the client goes away
 * or the server stops.
 */
import { setMaxListeners } from 'node:events';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { UserError } from '../errors.js';
import { whenClosed } from './connections.js';
import { ApiError } from './problem.js';
import type { ProblemKind } from './problem.js';
import { Columns } from './planner/index.js';
import type { QueryParameters, QueryStore } from './query-store.js';
import { FairQueue, fairQueueLimits } from './fair-queue.js';

export interface RunnerDeps {
  readonly store: QueryStore;
  readonly metrics: Registry;
  readonly log: FastifyBaseLogger;
  readonly clientOf: ClientOf;
}

export interface RunnerLimits {
  readonly rowsMax: number;
  readonly concurrency: number;
  readonly queryMillisMax: number;
}

export interface Statement {
  readonly sql: string;
  readonly params: QueryParameters;
}

export interface StatementResult {
  readonly columns: Columns;
  readonly rowsRead: number;
  readonly elapsedMs: number;
}

/** Who asks: queries of one client take turns with those of the others. */
export type ClientOf = (request: FastifyRequest) => string;

/** Something the server does by itself. */
export interface OwnWork {
  readonly signal: AbortSignal;
  readonly end: () => void;
}

/**
 * Longest text of a statement. ClickHouse reads 262,144 bytes (max_query_size, which a statement cannot raise for itself),
 * and needs 2 s for so much before it looks at a row, whatever the time limit. What makes statements long is a filter of
 * hundreds of comparisons; lists are one parameter.
 */
const sqlLengthMax = 100_000;

/** Statements that the server itself needs (readiness, live views) are a client of their own. */
const serverClient = 'server';

const kinds: Readonly<Partial<Record<UserError['code'], ProblemKind>>> = {
  NS_QUERY_TIMEOUT: 'timeout',
  NS_QUERY_TOO_LARGE: 'too-much-data',
  NS_QUERY_MEMORY: 'too-much-data',
  NS_QUERY_ABORTED: 'cancelled',
  NS_STORE_UNAVAILABLE: 'unavailable',
  NS_STORE_CLOSED: 'unavailable',
};

/** What a client is told about these; the store's own words may name folders and SQL, and go to the log. */
const texts: Readonly<Partial<Record<ProblemKind, string>>> = {
  timeout: 'the query took too long; ask for less time, fewer groups or a coarser interval',
  'too-much-data': 'the query needs too many rows or too much memory; ask for less time or set a limit',
  cancelled: 'the request was cancelled',
  unavailable: 'the store does not answer; /readyz says more',
};

/** Throws an ApiError for a statement that the store would not read. */
export function checkLength({ sql }: Statement): void {
  if (sql.length <= sqlLengthMax) return;
  const detail = 'the filter has too many comparisons for one query: put values into lists, or ask in several queries';
  throw new ApiError('filter', detail, [{ pointer: '#/filter', detail }]);
}

export class QueryRunner {
  readonly #deps: RunnerDeps;
  readonly #limits: RunnerLimits;
  readonly #queue: FairQueue;
  readonly #seconds: Histogram;
  readonly #failures: Counter;
  /** requests under way; a set of our own, because a signal of all would keep every dependent signal alive */
  readonly #requests = new Set<AbortController>();
  readonly #clients = new WeakMap<AbortSignal, string>();
  #stopped = false;

  constructor(deps: RunnerDeps, limits: RunnerLimits) {
    this.#deps = deps;
    this.#limits = limits;
    this.#queue = new FairQueue(fairQueueLimits(limits.concurrency));
    const registers = [deps.metrics];
    this.#seconds = new Histogram({
      name: 'netspectra_api_query_duration_seconds',
      help: 'Time the store needed for a statement of the API, by table',
      labelNames: ['table'],
      buckets: [0.005, 0.02, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    });
    this.#failures = new Counter({
      name: 'netspectra_api_query_failures_total',
      help: 'Statements of the API that failed, by kind of problem',
      labelNames: ['kind'],
      registers,
    });
    const queue = this.#queue;
    new Gauge({
      name: 'netspectra_api_queries_running',
      help: 'Statements of the API that the store works on now',
      registers,
      collect() {
        this.set(queue.active);
      },
    });
    new Gauge({
      name: 'netspectra_api_queries_waiting',
      help: 'Statements of the API that wait for their turn',
      registers,
      collect() {
        this.set(queue.queued);
      },
    });
  }

  /** A signal that aborts when the client goes away before the answer is written, or when the server stops. */
  signalOf(reply: FastifyReply): AbortSignal {
    const { controller, release } = this.#open(this.#deps.clientOf(reply.request));
    // Not request.signal: it follows the request's stream, which also closes when the body was read.
    whenClosed(reply, () => {
      if (!reply.raw.writableFinished) controller.abort();
      release();
    });
    return controller.signal;
  }

  /** Work of the server's own, which also ends when the server stops; `end` cancels what is left of it. */
  ownWork(): OwnWork {
    const { controller, release } = this.#open(serverClient);
    return {
      signal: controller.signal,
      end: () => {
        controller.abort();
        release();
      },
    };
  }

  #open(client: string): { readonly controller: AbortController; readonly release: () => void } {
    const controller = new AbortController();
    // Each statement of a request listens, and a request may have many; they are bounded by the request's own limits.
    setMaxListeners(0, controller.signal);
    this.#clients.set(controller.signal, client);
    if (this.#stopped) controller.abort();
    else this.#requests.add(controller);
    return { controller, release: () => void this.#requests.delete(controller) };
  }

  /** Run one statement. Throws ApiErrors only. @param table label of the metrics @param signal of `signalOf` or `ownWork` */
  async run(table: string, statement: Statement, signal: AbortSignal): Promise<StatementResult> {
    const { rowsMax, queryMillisMax } = this.#limits;
    checkLength(statement);
    try {
      const client = this.#clients.get(signal) ?? serverClient;
      return await this.#queue.run(client, signal, async () => {
        const begin = performance.now();
        const result = await this.#deps.store.query(statement.sql, statement.params, {
          signal,
          maxRows: rowsMax,
          timeoutMs: queryMillisMax,
        });
        const elapsedMs = performance.now() - begin;
        this.#seconds.observe({ table }, elapsedMs / 1000);
        return { columns: new Columns(result), rowsRead: result.statistics.rowsRead, elapsedMs };
      });
    } catch (error) {
      const failure = this.#failureOf(error, statement);
      this.#failures.inc({ kind: failure.kind });
      throw failure;
    }
  }

  /** Cancel everything that runs and waits; later statements fail at once. */
  stop(): void {
    this.#stopped = true;
    for (const controller of this.#requests) controller.abort();
  }

  #failureOf(error: unknown, statement: Statement): ApiError {
    if (error instanceof ApiError) return error;
    const kind = error instanceof UserError ? kinds[error.code] : undefined;
    if (kind) {
      if (kind === 'unavailable') this.#deps.log.warn({ err: error }, 'the store does not answer');
      return new ApiError(kind, texts[kind] ?? kind, [], error);
    }
    this.#deps.log.error({ err: error, sql: statement.sql }, 'the store refused a statement of the planner');
    return new ApiError('internal', 'the store refused the query; the log of the server says why', [], error);
  }
}
