/**
 * What the rest of the backend sees of the database: one interface over the embedded engine and a ClickHouse server.
 *
 * Statements are always bound (`{p0:IPv6}` in the SQL, values apart). Settings stand inside the statement, never in the
 * session: chDB keeps a session setting for every later statement of the connection, so a deduplication token set there
 * would silently swallow the next insert.
 */
import type { StoreLayout } from './layout.js';

/** A value for a `{name:Type}` place in the SQL; arrays for Array(T). 64-bit numbers as bigint or decimal string. */
export type QueryParam =
  string | number | bigint | boolean | null | readonly string[] | readonly number[] | readonly bigint[];

export interface QueryOptions {
  /** Cancels the query in the engine, too. */
  readonly signal?: AbortSignal | undefined;
  /** more rows than this are an error (NS_QUERY_TOO_LARGE); default 1,000,000 */
  readonly maxRows?: number | undefined;
  /** longest run time, milliseconds; default the store's `queryTimeoutMs` */
  readonly timeoutMs?: number | undefined;
  /** 64-bit integers as decimal strings instead of numbers (which are exact up to 2^53 only) */
  readonly exactIntegers?: boolean | undefined;
  /** further ClickHouse settings for this one statement */
  readonly settings?: Readonly<Record<string, string | number>> | undefined;
}

export interface ResultColumn {
  readonly name: string;
  /** ClickHouse type */
  readonly type: string;
  /**
   * JSON values: numbers, strings, arrays, objects (Map), null. DateTime as 'YYYY-MM-DD hh:mm:ss[.fraction]' in UTC;
   * NaN and infinities are null.
   */
  readonly values: readonly unknown[];
}

export interface QueryResult {
  readonly columns: readonly ResultColumn[];
  readonly rows: number;
  readonly statistics: { readonly elapsedMs: number; readonly rowsRead: number; readonly bytesRead: number };
}

/** Rows that are made while they are sent. The pieces, of whole rows, are made anew whenever one walks over them. */
export interface RowPieces extends Iterable<Uint8Array> {
  /** bytes of all pieces */
  readonly length: number;
}

export interface InsertBlock {
  readonly table: string;
  /** columns the bytes hold, in this order; the table's others get their defaults */
  readonly columns: readonly string[];
  /** TabSeparated rows */
  readonly bytes: Uint8Array | RowPieces;
  /** The same token again on the same table changes nothing; it must name exactly this content. */
  readonly token?: string;
}

export interface Store {
  readonly kind: 'embedded' | 'server';
  /** where its tables lie */
  readonly layout: StoreLayout;
  /** where the data is, for messages: a folder or a URL without credentials */
  readonly location: string;
  readonly database: string;
  /** of the engine */
  readonly version: string;
  /**
   * Run a SELECT (without FORMAT or SETTINGS of its own).
   * @throws UserError NS_QUERY_TIMEOUT, NS_QUERY_TOO_LARGE, NS_QUERY_MEMORY, NS_QUERY_ABORTED, NS_STORE_REJECTED,
   * NS_STORE_UNAVAILABLE, NS_STORE_CLOSED
   */
  query(sql: string, params?: Readonly<Record<string, QueryParam>>, options?: QueryOptions): Promise<QueryResult>;
  /** Run a statement without a result (DDL, mutation). */
  command(sql: string, params?: Readonly<Record<string, QueryParam>>): Promise<void>;
  /** Insert one block, atomically when its rows are of one table partition. */
  insert(block: InsertBlock): Promise<void>;
  /** Rejects when the store does not answer. */
  ping(): Promise<void>;
  /** Wait for what is running, then let go of the folder or the connections. Later calls fail with NS_STORE_CLOSED. */
  close(): Promise<void>;
  /**
   * Close, and do not wait for a server that does not answer: what is asked of it fails, stored or not. The embedded engine
   * is waited for all the same; it ends by itself.
   */
  abandon(): Promise<void>;
}

/** A result as one object a row, for small results. */
export function rowsOf<Row extends object = Record<string, unknown>>(result: QueryResult): Row[] {
  return Array.from(
    { length: result.rows },
    (_, row) => Object.fromEntries(result.columns.map((column) => [column.name, column.values[row]])) as Row,
  );
}
