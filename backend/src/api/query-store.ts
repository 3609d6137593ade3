/**
 * What the API needs of a store: to run one SELECT with bound parameters. Narrow on purpose, so that tests and other
 * stores are easy to put behind it; `storage`'s Store is one.
 */

/** A value bound to a `{name:Type}` parameter. */
export type QueryParameter = string | number | boolean | readonly string[] | readonly number[];
export type QueryParameters = Readonly<Record<string, QueryParameter>>;

export interface StoreColumn {
  readonly name: string;
  /** JSON values: numbers (64-bit ones rounded to doubles), strings, arrays, null */
  readonly values: readonly unknown[];
}

export interface StoreResult {
  readonly columns: readonly StoreColumn[];
  readonly rows: number;
  readonly statistics: { readonly rowsRead: number };
}

export interface QueryStore {
  /**
   * Rejects with a UserError (NS_QUERY_TIMEOUT, NS_QUERY_TOO_LARGE, NS_QUERY_MEMORY, NS_QUERY_ABORTED,
   * NS_STORE_UNAVAILABLE ...); when the signal aborts it rejects soon.
   */
  query(
    sql: string,
    params: QueryParameters,
    options: { readonly signal: AbortSignal; readonly maxRows: number; readonly timeoutMs: number },
  ): Promise<StoreResult>;
}
