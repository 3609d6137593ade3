/**
 * The statements that make a store, for each layout: kept as files to be read, understood by the engine's own parser, and held to
 * the rules that exactly-once rests on (docs/decisions/012-clickhouse-cluster.md).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rollupNames, tables } from '../tables/index.js';
import { openStore } from './connect.js';
import { singleServer } from './layout.js';
import type { ClusterLayout, StoreLayout } from './layout.js';
import { migrationChecksum, schemaStatements } from './migrate.js';
import { migrations } from './migrations/index.js';
import type { Store } from './store.js';
import { temporaryDataDir } from './testing.js';

const cluster = (kind: ClusterLayout['kind']): ClusterLayout => ({
  kind,
  cluster: 'main',
  database: 'netspectra',
  replicaPath: '/clickhouse/tables/{shard}/{database}/{table}',
  insertQuorum: 0,
});
const layouts: readonly StoreLayout[] = [singleServer, cluster('replicated'), cluster('sharded')];
const rowTables = [...Object.keys(tables), ...rollupNames];
const managed = ['rules', 'capture_rules', 'tokens', 'token_uses', 'audit', 'events'];

/** CREATE TABLE statements by table. */
const created = (layout: StoreLayout): Map<string, string> =>
  new Map(
    schemaStatements(layout).flatMap((statement) => {
      const name = /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1];
      return name === undefined ? [] : [[name, statement] as const];
    }),
  );

const folder = temporaryDataDir();
let store: Store;
beforeAll(async () => {
  store = await openStore({ dataDir: folder.path }, { migrate: false });
});
afterAll(async () => {
  await store.close();
  folder.remove();
});

describe.each(layouts)('the statements of a $kind store', (layout) => {
  const statements = schemaStatements(layout);

  it('are those of the file', async () => {
    await expect(`${statements.join(';\n\n')};\n`).toMatchFileSnapshot(`./ddl/${layout.kind}.sql`);
  });

  it('are understood by the engine, and may be run twice', async () => {
    for (const sql of statements) {
      const formatted = await store.query('SELECT formatQuery({sql:String}) AS sql', { sql });
      expect(formatted.rows, sql).toBe(1);
      expect(sql).toMatch(/IF NOT EXISTS|MODIFY (COLUMN|SETTING)/);
    }
  });
});

it('one server has what it always had: a changed statement would lock people out of their stores', () => {
  expect(migrations.map((migration) => `${migration.name} ${migrationChecksum(migration)}`)).toEqual([
    'tables 9c216e431bd966c14cde0cd08c460b219eafffb40694813202f744a65b5aae6b',
    'enrichment 6c1e2723cea24ddb771267ac03a90595d54b94c9a037fc0bbd81e0ebbe8cca64',
    'management 021f3af2e2b8abae72aff70e15317049d78d159558a50e591919fb7c27c18f16',
    'rollups 23271b29e7e9ae1521980609774a3251e8a4c81a0c37fcef2dc16fa258d0628f',
    'sampling 7552c9488d67fb45aed95990458b5372e15b81b242825991c948cefc9068040c',
    'deduplication 0edfcaacc168421475f3ba5ddb3bd6fdb44321c24dd3e57169441a0e8b9e10f8',
    'duplicates eb4de6665906552e91df77d37c7184a305394b1a7d927d8c1bfa4a3c38dd4030',
  ]);
});

describe.each([cluster('replicated'), cluster('sharded')])('on a $kind cluster', (layout) => {
  const make = created(layout);
  const local = (name: string): string => (layout.kind === 'sharded' ? `${name}_local` : name);

  it('every statement is for all servers', () => {
    for (const sql of schemaStatements(layout)) expect(sql).toMatch(/^[A-Z ]+ \w+ ON CLUSTER 'main'[ \n]/);
  });

  it('every table of rows is replicated and remembers tokens by number and time', () => {
    for (const [name, sql] of make) {
      const engine = /ENGINE = (\w+)/.exec(sql)?.[1];
      expect(engine, name).toMatch(/^(Replicated(Summing|Replacing)?MergeTree|Distributed)$/);
      if (engine === 'Distributed' || ['token_uses', 'audit'].includes(name)) continue;
      expect(sql, name).toMatch(
        /SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800/,
      );
    }
    const raised = schemaStatements(layout).filter((sql) => sql.includes('MODIFY SETTING'));
    expect(raised).toEqual(
      rowTables.map(
        (name) =>
          `ALTER TABLE ${local(name)} ON CLUSTER 'main' MODIFY SETTING replicated_deduplication_window = 50000, ` +
          'replicated_deduplication_window_seconds = 604800',
      ),
    );
    expect(schemaStatements(layout).join()).not.toContain('non_replicated');
  });

  it('what is looked up is whole on every server, and each replica has a path and a name of its own', () => {
    const replica = layout.kind === 'sharded' ? '{shard}-{replica}' : '{replica}';
    for (const name of managed) {
      expect(make.get(name), name).toContain(`MergeTree('/clickhouse/tables/all/{database}/{table}', '${replica}'`);
    }
    for (const name of rowTables) {
      const place =
        layout.kind === 'sharded'
          ? "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
          : "'/clickhouse/tables/all/{database}/{table}', '{replica}'";
      expect(make.get(local(name)), name).toContain(`MergeTree(${place}`);
      expect(make.get(local(name)), name).toContain('PARTITION BY toYYYYMMDD(');
    }
  });

  it('views read and fill the tables of their own server', () => {
    const views = schemaStatements(layout).filter((sql) => sql.startsWith('CREATE MATERIALIZED VIEW'));
    expect(views.map((sql) => [/ TO (\w+)/.exec(sql)?.[1], /\n {2}FROM (\w+)\n/.exec(sql)?.[1]])).toEqual([
      [local('flows_1m'), local('flows')],
      [local('flows_1h'), local('flows_1m')],
    ]);
  });
});

it('with shards, each table of rows has one that stands for all, by partition; nobody can insert into the rollups', () => {
  const make = created(cluster('sharded'));
  for (const name of rowTables) {
    const by = name in tables ? ', partition' : '';
    expect(make.get(name), name).toBe(
      `CREATE TABLE IF NOT EXISTS ${name} ON CLUSTER 'main' AS ${name}_local\n` +
        `ENGINE = Distributed('main', 'netspectra', '${name}_local'${by})`,
    );
  }
  const spread = [...make].filter(([, sql]) => sql.includes('Distributed')).map(([name]) => name);
  expect(spread.sort()).toEqual([...rowTables, 'cluster_parts'].sort());
  // A column is there on the shards before the table that stands for them names it.
  const added = schemaStatements(cluster('sharded')).filter((sql) => sql.includes('ADD COLUMN'));
  expect(added.map((sql) => /ALTER TABLE (\w+)/.exec(sql)?.[1])).toEqual(
    ['flows', 'dns', 'http', 'tls', 'probe_stats', 'flows', 'probe_stats'].flatMap((name) => [`${name}_local`, name]),
  );
});
