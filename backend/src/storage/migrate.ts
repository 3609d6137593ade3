/**
 * Brings a store's schema to this version: each migration once, in order, recorded with a checksum of its text.
 *
 * Promise: a store of a newer version, or one whose applied migrations differ from ours, is refused and left as it is.
 * Several processes may start at once: a lock table lets one migrate, the others wait. A process killed while migrating
 * leaves its lock; it is taken over after `lockAgeMsMax`. Statements are written to be harmless when run twice.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { engineErrorType } from './client-store.js';
import { literal } from './layout.js';
import type { StoreLayout } from './layout.js';
import { migrations as ourMigrations } from './migrations/index.js';
import type { Migration } from './migrations/index.js';
import { setRetention } from './retention.js';
import type { RetainedTable, Retention } from './retention.js';
import { ddlFor, singleNode } from './schema.js';
import type { DdlContext } from './schema.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';

const historyTable = 'schema_migrations';
const lockTable = 'schema_migrations_lock';

export interface MigrateOptions {
  readonly migrations?: readonly Migration[];
  /** how long to wait for another process that migrates, milliseconds */
  readonly lockWaitMs?: number;
  /** a lock older than this was left by a killed process, milliseconds */
  readonly lockAgeMsMax?: number;
}

/** SHA-256 of a migration's text for one node (so that a cluster's store has the same one), hex. */
export function migrationChecksum(migration: Migration): string {
  return createHash('sha256').update(migration.statements(singleNode).join(';\n')).digest('hex');
}

/**
 * @returns the migrations that were applied now
 * @throws UserError NS_SCHEMA_NEWER, NS_SCHEMA_CHANGED, NS_SCHEMA_LOCKED, and those of Store.command
 */
export async function migrate(store: Store, options: MigrateOptions = {}): Promise<string[]> {
  const { migrations = ourMigrations } = options;
  const ddl = ddlFor(store.layout);
  migrations.forEach((migration, i) => {
    if (migration.version !== i + 1) throw new Error(`migration ${migration.name}: version ${migration.version}`);
  });
  if (pending(store, migrations, await history(store)).length === 0) return [];
  await takeLock(store, ddl, options);
  try {
    await store.command(createHistory(ddl));
    const applied: string[] = [];
    // Read again: another process may have migrated while this one waited for the lock.
    for (const migration of pending(store, migrations, await history(store))) {
      for (const statement of migration.statements(ddl)) await store.command(statement);
      const line = `${migration.version}\t${migration.name}\t${migrationChecksum(migration)}\n`;
      await store.insert({
        table: historyTable,
        columns: ['version', 'name', 'checksum'],
        bytes: new TextEncoder().encode(line),
      });
      applied.push(`${String(migration.version).padStart(3, '0')}-${migration.name}`);
    }
    return applied;
  } finally {
    await store.command(dropLock(ddl));
  }
}

function createHistory(ddl: DdlContext): string {
  return (
    `CREATE TABLE IF NOT EXISTS ${historyTable}${ddl.onCluster} (version UInt32, name String, checksum String, ` +
    `applied_at DateTime DEFAULT now()) ENGINE = ${ddl.engine('MergeTree', [], 'everywhere')} ORDER BY version`
  );
}

const dropLock = (ddl: DdlContext): string => `DROP TABLE IF EXISTS ${lockTable}${ddl.onCluster}`;

/** Every statement that makes a new store of this version, in order, without those that keep its history. */
export function schemaStatements(layout: StoreLayout, migrations: readonly Migration[] = ourMigrations): string[] {
  const ddl = ddlFor(layout);
  return migrations.flatMap((migration) => migration.statements(ddl));
}

/**
 * A script that makes what `openStore` would make, for administrators who apply it by hand: database, tables, retention, and the
 * history, so that a process finds nothing left to do. One statement each, without semicolons.
 */
export function schemaScript(database: string, layout: StoreLayout, retention: Retention): string[] {
  const ddl = ddlFor(layout);
  const rows = ourMigrations.map(
    (migration) => `(${migration.version}, ${literal(migration.name)}, ${literal(migrationChecksum(migration))})`,
  );
  return [
    `CREATE DATABASE IF NOT EXISTS ${database}${ddl.onCluster}`,
    `USE ${database}`,
    ...schemaStatements(layout),
    // What is kept for ever has no TTL to begin with.
    ...(Object.keys(retention) as RetainedTable[])
      .filter((table) => (retention[table] ?? 0) > 0)
      .map((table) => setRetention(ddl, table, retention[table] ?? 0)),
    createHistory(ddl),
    `INSERT INTO ${historyTable} (version, name, checksum) VALUES\n  ${rows.join(',\n  ')}`,
  ];
}

interface Applied {
  version: number;
  name: string;
  checksum: string;
}

async function history(store: Store): Promise<Applied[]> {
  const exists = await store.query(
    'SELECT count() AS tables FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { database: store.database, name: historyTable },
  );
  if (exists.columns[0]?.values[0] !== 1) return [];
  return rowsOf<Applied>(
    await store.query(
      `SELECT version, any(name) AS name, any(checksum) AS checksum FROM ${historyTable} GROUP BY version ORDER BY version`,
    ),
  );
}

/** What is left to apply; refuses a store that is not an earlier state of our own schema. */
function pending(store: Store, migrations: readonly Migration[], applied: readonly Applied[]): Migration[] {
  for (const { version, name, checksum } of applied) {
    const migration = migrations[version - 1];
    if (!migration) {
      throw new UserError(
        'NS_SCHEMA_NEWER',
        `the data in ${store.location} was written by a newer netspectra (schema ${version}, this version knows up to ` +
          `${migrations.length}): update netspectra, or choose another data folder`,
      );
    }
    if (migrationChecksum(migration) !== checksum) {
      throw new UserError(
        'NS_SCHEMA_CHANGED',
        `the data in ${store.location} was made by another build (migration ${version} "${name}" differs): use the ` +
          'netspectra that made it, or choose another data folder',
      );
    }
  }
  const versions = new Set(applied.map((row) => row.version));
  return migrations.filter((migration) => !versions.has(migration.version));
}

async function takeLock(store: Store, ddl: DdlContext, options: MigrateOptions): Promise<void> {
  const { lockWaitMs = 60_000, lockAgeMsMax = 10 * 60_000 } = options;
  const deadline = Date.now() + lockWaitMs;
  for (;;) {
    try {
      // Without IF NOT EXISTS: of several processes exactly one succeeds. On a cluster all servers work off one queue of
      // statements in one order, so that the first one comes first everywhere.
      await store.command(
        `CREATE TABLE ${lockTable}${ddl.onCluster} (x UInt8) ENGINE = Memory COMMENT '${Date.now()}'`,
      );
      return;
    } catch (error) {
      if (engineErrorType((error as Error).cause) !== 'TABLE_ALREADY_EXISTS') throw error;
    }
    const found = await store.query(
      'SELECT comment FROM system.tables WHERE database = {database:String} AND name = {name:String}',
      { database: store.database, name: lockTable },
    );
    const taken = found.columns[0]?.values[0];
    // The embedded engine has one process: a lock found there was left by one that is gone.
    if (taken !== undefined && (store.kind === 'embedded' || Date.now() - Number(taken) > lockAgeMsMax)) {
      await store.command(dropLock(ddl));
      continue;
    }
    if (Date.now() > deadline) {
      throw new UserError(
        'NS_SCHEMA_LOCKED',
        `another netspectra is changing the schema of ${store.location} (since ${new Date(Number(taken)).toISOString()}): ` +
          `wait for it, or drop the table ${lockTable} when none is running`,
      );
    }
    await delay(100);
  }
}
