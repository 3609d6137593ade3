/** How long rows are kept: a TTL per table, counted from when a row was stored, changed in place when the configuration changes. */
import { rollupNames, tables } from '../tables/index.js';
import type { RollupName, TableName } from '../tables/index.js';
import { ddlFor } from './schema.js';
import type { DdlContext } from './schema.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';

/** Seconds to keep a table's rows; 0 keeps them for ever. Tables that are not named are left as they are. */
export type Retention = Readonly<Partial<Record<RetainedTable, number>>>;

export type RetainedTable = TableName | RollupName;

/**
 * ALTER the tables whose TTL is another one than wanted. A whole part goes when all its rows are too old, within hours.
 * @returns names of the tables that were changed
 */
export async function applyRetention(store: Store, retention: Retention): Promise<RetainedTable[]> {
  const ddl = ddlFor(store.layout);
  const existing = await store.query(
    'SELECT name, create_table_query AS ddl FROM system.tables WHERE database = {database:String}',
    { database: store.database },
  );
  const current = new Map(
    rowsOf<{ name: string; ddl: string }>(existing).map((row) => [row.name, ttlSeconds(row.ddl)]),
  );
  const changed: RetainedTable[] = [];
  for (const name of [...(Object.keys(tables) as TableName[]), ...rollupNames]) {
    const wanted = retention[name];
    const rows = ddl.rowsOf(name);
    if (wanted === undefined || !current.has(rows) || current.get(rows) === wanted) continue;
    if (!Number.isSafeInteger(wanted) || wanted < 0) throw new RangeError(`${name}: retention of ${wanted} seconds`);
    await store.command(setRetention(ddl, name, wanted));
    changed.push(name);
  }
  return changed;
}

/** ALTER TABLE for a retention of so many seconds; 0 keeps rows for ever. */
export function setRetention(ddl: DdlContext, table: RetainedTable, seconds: number): string {
  const alter = `ALTER TABLE ${ddl.rowsOf(table)}${ddl.onCluster}`;
  return seconds === 0 ? `${alter} REMOVE TTL` : `${alter} MODIFY TTL stored_at + toIntervalSecond(${seconds})`;
}

function ttlSeconds(ddl: string): number {
  return Number(/ TTL stored_at \+ toIntervalSecond\((\d+)\)/.exec(ddl)?.[1] ?? 0);
}
