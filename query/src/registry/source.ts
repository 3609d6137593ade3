/**
 * Where a value stands in a table, told without naming a query plan.
 *
 * A row of `flows` is bidirectional. Fields of scope 'flow' (client_ip, protocol ...) have one value in it. Fields of
 * scope 'directed' (src_ip, dst_port ...) have two: the row stands for up to two directed rows,
 *
 *     direction 0   client -> server   src_ip = client_ip, counters client_*   exists when client_packets > 0
 *     direction 1   server -> client   src_ip = server_ip, counters server_*   exists when server_packets > 0
 *
 * A query that uses a directed field anywhere (group, filter or measure) is answered over directed rows; any other
 * query over the rows as they are, with both directions' counters added. On dns, http and tls rows there is only the
 * direction of the request: the client is the sender.
 *
 * Expressions are ClickHouse SQL over the table's own columns, constants of this package, never made from input.
 */
import type { QueryTable } from './tables.js';

/** 0: the client sends, 1: the server sends. */
export type Direction = 0 | 1;

/** The same value whichever direction is looked at. */
export interface FlowSource {
  readonly scope: 'flow';
  readonly expression: string;
  /** 64-bit number whose decimal text the expression is: the same groups, found in half the time */
  readonly number?: string;
  /** columns the expression and the condition read */
  readonly columns: readonly string[];
  /** SQL condition under which the field exists in the row; absent: it always does */
  readonly presentWhen?: string;
}

/** A value for each direction. */
export interface DirectedSource {
  readonly scope: 'directed';
  /** value in direction 0, the client sends */
  readonly client: string;
  /** value in direction 1, the server sends */
  readonly server: string;
  readonly columns: readonly string[];
  readonly presentWhen?: string;
}

export type Source = FlowSource | DirectedSource;
export type Sources = Readonly<Partial<Record<QueryTable, Source>>>;

/** Conditions under which a directed row of `flows` exists, index = direction. */
export const directionExists: readonly [string, string] = ['client_packets > 0', 'server_packets > 0'];
/** The same where it is about what probes saw: also packets that another probe had brought already (engine.duplicates). */
export const directionSeen: readonly [string, string] = [
  '(client_packets > 0 OR client_duplicate_packets > 0)',
  '(server_packets > 0 OR server_duplicate_packets > 0)',
];
/** Columns that `directionExists` reads. */
export const directionColumns: readonly string[] = ['client_packets', 'server_packets'];

/** The value's SQL in one direction; for a FlowSource the direction does not matter. */
export function sourceSql(source: Source, direction: Direction): string {
  if (source.scope === 'flow') return source.expression;
  return direction === 0 ? source.client : source.server;
}

/**
 * The value's SQL over rows that were already turned into directed ones, where `directionSql` (a column or alias) tells
 * the direction, 0 or 1.
 */
export function sourceSqlBy(source: Source, directionSql: string): string {
  if (source.scope === 'flow') return source.expression;
  return `if(${directionSql} = 0, ${source.client}, ${source.server})`;
}

/** A plain column. */
export const column = (name: string): FlowSource => ({ scope: 'flow', expression: name, columns: [name] });

/** A plain column that exists in some rows only. */
export const columnWhen = (name: string, presentWhen: string, reads: readonly string[]): FlowSource => ({
  scope: 'flow',
  expression: name,
  columns: [name, ...reads.filter((read) => read !== name)],
  presentWhen,
});

/** An expression over columns. */
export const derived = (expression: string, columns: readonly string[], presentWhen?: string): FlowSource => ({
  scope: 'flow',
  expression,
  columns,
  ...(presentWhen === undefined ? {} : { presentWhen }),
});

/** A column for each direction. */
export const directed = (
  client: string,
  server: string,
  presentWhen?: string,
  reads: readonly string[] = [],
): DirectedSource => ({
  scope: 'directed',
  client,
  server,
  columns: [client, server, ...reads],
  ...(presentWhen === undefined ? {} : { presentWhen }),
});
