/**
 * How the rows of a table are looked at. Rows of `flows` hold both directions of a flow; the mode says which of them
 * become rows of the query (see query's registry/source.ts):
 *
 * - `plain`: the row as it is, both sides' counters added
 * - `directed`: up to two rows, client to server and server to client, told apart by `ns_direction`
 * - `joined`: the same rows as `directed`, found first and taken apart then: cheaper where a filter leaves few of them (10M
 *   rows, one host: 132 ms against 224), dearer where it leaves many, since all their columns are copied
 * - `client`, `server`: one row, what that side sent, when it sent anything
 *
 * Rows of every other table have one direction and are always `plain`.
 */
import {
  dimensions,
  directionExists,
  directionSeen,
  measures,
  queryTableNames,
  queryTables,
  sourceSql,
  sourceSqlBy,
  summands,
} from '@netspectra/query';
import type { Dimension, DirectedSource, Measure, QueryTable, Source } from '@netspectra/query';

export type RowMode = 'plain' | 'directed' | 'joined' | 'client' | 'server';

export const directionColumn = 'ns_direction';

interface SidedColumn {
  readonly name: string;
  readonly source: DirectedSource;
}

const sidesOf = ({ client, server }: DirectedSource): string => `${client}|${server}`;

/**
 * A table's values with two sides, as columns of directed rows. Each half of those rows names its own side's, so that it
 * reads only these (10M rows by src_ip: 300 ms, against 385 where what stands around chooses the side row by row).
 */
const sidedColumns: ReadonlyMap<QueryTable, ReadonlyMap<string, SidedColumn>> = new Map(
  queryTableNames.map((table) => {
    const entries = ([...dimensions, ...measures] as readonly (Dimension | Measure)[]).flatMap((entry) => {
      const source = 'sources' in entry ? entry.sources[table] : undefined;
      return source && 'scope' in source && source.scope === 'directed'
        ? [[sidesOf(source), { name: `ns_${entry.id}`, source }] as const]
        : [];
    });
    return [table, new Map(entries)] as const;
  }),
);
/** Values with the same sides have the same name in every table, so that a value's SQL does not depend on the table. */
const sidedNames: ReadonlyMap<string, string> = new Map(
  [...sidedColumns.values()].flatMap((of) => [...of].map(([sides, { name }]) => [sides, name] as const)),
);

const sidedIn = (table: QueryTable): [string, DirectedSource][] =>
  [...(sidedColumns.get(table) ?? [])].map(([sides, { source }]) => [sidedNames.get(sides) ?? '', source]);

/** SQL of a value in this mode. A value with two sides has none on plain rows: that is a mistake of the planner. */
export function valueSql(source: Source, mode: RowMode): string {
  if (mode === 'directed' || mode === 'joined') {
    const name = source.scope === 'directed' ? sidedNames.get(sidesOf(source)) : undefined;
    return name ?? sourceSqlBy(source, directionColumn);
  }
  if (mode === 'client') return sourceSql(source, 0);
  if (mode === 'server') return sourceSql(source, 1);
  if (source.scope === 'directed') throw new Error('a directed value has no place in plain rows');
  return source.expression;
}

/** Conditions under which the client, the server sent something. */
export type Sent = readonly [string, string];

/** What an answer is made of. */
export interface Told {
  readonly measures: readonly Measure[];
  readonly dimensions: readonly Dimension[];
}

const byteColumns: readonly string[] = ['client_bytes', 'server_bytes'];

function readsDuplicates(measure: Measure, table: QueryTable): boolean {
  const source = measure.kind === 'sum' || measure.kind === 'distinct' ? measure.sources[table] : undefined;
  return measure.id !== 'flows' && (source?.columns.includes('client_duplicate_packets') ?? false);
}

/**
 * Whether rows of packets that another probe had brought already belong to the answer: it is about these, or lists the probes
 * that saw something.
 */
export const tellsDuplicates = ({ measures: measured, dimensions: by }: Told, table: QueryTable): boolean =>
  table === 'flows' &&
  (measured.some((measure) => readsDuplicates(measure, table)) || by.some(({ id }) => id === 'probe'));

/**
 * Packets tell that a side sent something. Where only bytes are added up, bytes tell as well, and are read anyway: an eighth
 * of the time less (10M rows by src_ip: 237 against 269 ms). Packets without a byte on the wire would add nothing.
 */
export function sentBy(told: Told, table: QueryTable): Sent {
  if (tellsDuplicates(told, table)) return directionSeen;
  const columns = told.measures.flatMap((measure) => {
    const parts = summands(measure);
    return parts.length === 0 ? [''] : parts.flatMap(({ sources }) => sources[table]?.columns ?? ['']);
  });
  const onlyBytes = columns.length > 0 && columns.every((column) => byteColumns.includes(column));
  return onlyBytes ? ['client_bytes > 0', 'server_bytes > 0'] : directionExists;
}

/**
 * The rows of the mode that meet the conditions, as a FROM clause with its WHERE.
 * @param computed further columns of those rows, `expression AS name`. They are columns of a subquery, so that what stands
 * around it names them and the engine computes them once; columns that nothing names are not read.
 * @param sent what tells that a side sent something, see `sentBy`
 */
export function rowsWhere(
  table: QueryTable,
  mode: RowMode,
  conditions: readonly (string | undefined)[],
  computed: readonly string[] = [],
  [clientSent, serverSent]: Sent = directionExists,
): string {
  if (mode === 'directed') {
    // Two passes over the columns cost a third less than ARRAY JOIN, which copies them (3M rows: 210 against 300 ms).
    const sided = (direction: 0 | 1): string[] =>
      sidedIn(table).map(([name, source]) => `${sourceSql(source, direction)} AS ${name}`);
    const side = (direction: 0 | 1, sent: string): string =>
      `SELECT ${['*', `${direction} AS ${directionColumn}`, ...sided(direction), ...computed].join(', ')} FROM ${table}` +
      whereClause([...conditions, sent]);
    return `FROM (${side(0, clientSent)} UNION ALL ${side(1, serverSent)})`;
  }
  if (mode === 'joined') {
    // A condition on the direction, or on a side, waits until the row was taken apart.
    const isSided = (condition: string | undefined): boolean => condition?.includes('ns_') ?? false;
    const found = `SELECT * FROM ${table}${whereClause(conditions.filter((condition) => !isSided(condition)))}`;
    const sided = sidedIn(table).map(([name, source]) => `${sourceSqlBy(source, directionColumn)} AS ${name}`);
    const exists = `if(${directionColumn} = 0, ${clientSent}, ${serverSent})`;
    return (
      `FROM (SELECT ${['*', ...sided, ...computed].join(', ')} FROM (${found}) ARRAY JOIN [0, 1] AS ${directionColumn}` +
      `${whereClause([...conditions.filter(isSided), exists])})`
    );
  }
  const exists = mode === 'client' ? clientSent : mode === 'server' ? serverSent : undefined;
  const plain = `${table}${whereClause([...conditions, exists])}`;
  return computed.length === 0 ? `FROM ${plain}` : `FROM (SELECT ${['*', ...computed].join(', ')} FROM ${plain})`;
}

function whereClause(conditions: readonly (string | undefined)[]): string {
  const all = conditions.filter((condition) => condition !== undefined);
  return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`;
}

/** True when the table's time column is a DateTime (whole seconds), false for DateTime64. */
export const hasWindows = (table: QueryTable): boolean => 'widthColumn' in queryTables[table];
