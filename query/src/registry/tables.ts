/**
 * The tables that queries can be answered from, as far as a query needs to know them. Columns and types are the
 * backend's; a test there compares both lists.
 */

/** What one row of a table is: it decides how counters and directions are read from it. */
export type RowKind =
  /** a bidirectional flow record of one window: client_* and server_* counters stand side by side */
  | 'flow'
  /** counters of one window, without addresses */
  | 'counter'
  /** one client's request and the server's answer to it */
  | 'transaction'
  /** a mergeable sketch, or the heavy hitters, of one window */
  | 'sketch'
  /** what a probe reports about itself */
  | 'probe';

export interface QueryTableInfo {
  readonly rows: RowKind;
  /** the column that places a row in time */
  readonly timeColumn: string;
  /** the column with the row's width in seconds; absent where a row is a moment */
  readonly widthColumn?: string;
}

export const queryTables = {
  flows: { rows: 'flow', timeColumn: 'window_start', widthColumn: 'window_seconds' },
  flows_1m: { rows: 'flow', timeColumn: 'window_start', widthColumn: 'window_seconds' },
  flows_1h: { rows: 'flow', timeColumn: 'window_start', widthColumn: 'window_seconds' },
  traffic: { rows: 'counter', timeColumn: 'window_start', widthColumn: 'window_seconds' },
  tcp_health: { rows: 'counter', timeColumn: 'window_start', widthColumn: 'window_seconds' },
  sketches: { rows: 'sketch', timeColumn: 'window_start', widthColumn: 'window_seconds' },
  top_keys: { rows: 'sketch', timeColumn: 'window_start', widthColumn: 'window_seconds' },
  dns: { rows: 'transaction', timeColumn: 'timestamp' },
  http: { rows: 'transaction', timeColumn: 'timestamp' },
  tls: { rows: 'transaction', timeColumn: 'timestamp' },
  probe_stats: { rows: 'probe', timeColumn: 'timestamp' },
} as const satisfies Record<string, QueryTableInfo>;

export type QueryTable = keyof typeof queryTables;

/**
 * The tables in the order in which a planner should prefer them, cheapest first. Rollups stand last: they are cheap, but
 * know only the largest conversations by name, so the planner takes them when flow records are too many or gone.
 */
export const queryTableNames: readonly QueryTable[] = [
  'traffic',
  'tcp_health',
  'top_keys',
  'sketches',
  'probe_stats',
  'dns',
  'http',
  'tls',
  'flows',
  'flows_1m',
  'flows_1h',
];
