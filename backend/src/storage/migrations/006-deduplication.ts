/**
 * 006: tables of captures remember five times as many inserts: 10,000 are those of 64 partitions that flush once a second in two
 * and a half minutes, and a retry may be later than that (docs/storage.md has what it costs). And `stored_parts`:
 * how many rows of which times each part of a table has, on whatever shard, from which the planner tells what a query would
 * read. Frozen, as every migration is.
 */
import type { Migration } from './types.js';

const window = 50_000;

const tables = ['flows', 'traffic', 'tcp_health', 'sketches', 'top_keys', 'dns', 'http', 'tls', 'probe_stats'];
const rollups = ['flows_1m', 'flows_1h'];

export const deduplication006: Migration = {
  version: 6,
  name: 'deduplication',
  statements: (ddl) => [
    ...[...tables, ...rollups].map(
      (name) => `ALTER TABLE ${ddl.rowsOf(name)}${ddl.onCluster} MODIFY SETTING ${ddl.deduplication(window)}`,
    ),
    ...ddl.catalogue(
      'cluster_parts',
      'parts',
      'database String, table String, active UInt8, rows UInt64, min_time DateTime, max_time DateTime',
    ),
    `CREATE VIEW IF NOT EXISTS stored_parts${ddl.onCluster} AS
SELECT ${ddl.sharded ? "replaceRegexpOne(table, '_local$', '')" : 'table'} AS name, rows, min_time, max_time
FROM ${ddl.sharded ? 'cluster_parts' : 'system.parts'}
WHERE active AND database = currentDatabase()`,
  ],
};
