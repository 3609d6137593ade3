/**
 * Rollups: flow records summed up per minute and per hour (backend's storage, migration 004), with the columns of `flows`
 * that they keep under the same names. So whatever is computed from those columns alone can be answered from a rollup too;
 * this file tells which that is, instead of a second list of sources beside each entry of the registry.
 *
 * Rows with `other` = 1 stand for the many small conversations of their bucket and say nothing about hosts: there the
 * values below are absent, as a port is absent in ICMP.
 */
import type { DirectedSource, FlowSource, Source, Sources } from './source.js';
import type { QueryTable } from './tables.js';

/** By bucket width, narrow first. */
export const rollupTables = ['flows_1m', 'flows_1h'] as const satisfies readonly QueryTable[];
export type RollupTable = (typeof rollupTables)[number];

/** Width of a rollup's buckets, seconds; they are counted from the epoch. */
export const rollupSeconds: Readonly<Record<RollupTable, number>> = { flows_1m: 60, flows_1h: 3_600 };

/** True for a table that `flows` is summed up in. */
export const isRollup = (table: QueryTable): table is RollupTable =>
  (rollupTables as readonly QueryTable[]).includes(table);

const places = ['country', 'network', 'local'].flatMap((name) => [`client_${name}`, `server_${name}`]);
const counters = ['packets', 'bytes', 'retransmissions', 'out_of_order', 'zero_windows'].flatMap((name) => [
  `client_${name}`,
  `server_${name}`,
]);

/** Columns that every row has. */
const exactColumns: ReadonlySet<string> = new Set([
  'probe',
  'protocol',
  'vlan',
  'application',
  'new_flow',
  ...counters,
  ...places,
]);

/** Columns that tell hosts apart, and the condition under which a row has them. */
const keptColumns: ReadonlyMap<string, string> = new Map([
  ...['ip', 'asn', 'as_name'].flatMap((name): [string, string][] => [
    [`client_${name}`, 'other = 0'],
    [`server_${name}`, 'other = 0'],
  ]),
  // Well-known ports have few values and are in every row.
  ['server_port', '(other = 0 OR server_port > 0)'],
]);

/** The same value over the rows of a rollup; undefined when it needs columns that rollups do not keep. */
function rolledUp(source: Source): Source | undefined {
  if (!source.columns.every((column) => exactColumns.has(column) || keptColumns.has(column))) return undefined;
  const conditions = new Set(source.columns.flatMap((column) => keptColumns.get(column) ?? []));
  if (conditions.size === 0) return source;
  const presentWhen = [...(source.presentWhen === undefined ? [] : [source.presentWhen]), ...conditions].join(' AND ');
  return { ...source, columns: [...source.columns, 'other'], presentWhen } satisfies FlowSource | DirectedSource;
}

/** The sources of a dimension or a sum, with those over rollups added. */
export function withRollups(sources: Sources): Sources {
  const source = sources.flows && rolledUp(sources.flows);
  return source ? { ...sources, ...Object.fromEntries(rollupTables.map((table) => [table, source])) } : sources;
}
