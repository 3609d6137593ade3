import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeKinds } from '../../../test/kit/stores.js';
import type { TestTarget } from '../../../test/kit/stores.js';
import { tables } from '../tables/index.js';
import type { TableName } from '../tables/index.js';
import { createClickHouseWriter } from './clickhouse-writer.js';
import { migrate, migrationChecksum } from './migrate.js';
import { migrations } from './migrations/index.js';
import { applyRetention } from './retention.js';
import { singleNode } from './schema.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';
import { rowBlock } from './testing.js';

describe.each(storeKinds)('the $kind store:', ({ start }) => {
  let place: TestTarget;
  let store: Store;
  const open = () => place.open();
  beforeAll(async () => {
    place = await start();
    store = await open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  const names = Object.keys(tables) as TableName[];

  describe('the schema', () => {
    it('has exactly the columns the engine writes, in their order, and when the row was stored', async () => {
      for (const name of names) {
        const columns = rowsOf<{ name: string; type: string }>(
          await store.query(
            'SELECT name, type FROM system.columns WHERE database = {db:String} AND table = {name:String} ORDER BY position',
            { db: store.database, name },
          ),
        );
        expect(columns, name).toEqual([
          ...tables[name].columns.map((column) => ({ name: column.name, type: column.type })),
          { name: 'stored_at', type: 'DateTime' },
        ]);
      }
    });

    it('partitions by UTC day and remembers deduplication tokens', async () => {
      const rows = rowsOf<{ name: string; partition_key: string; query: string }>(
        await store.query(
          'SELECT name, partition_key, create_table_query AS query FROM system.tables WHERE name IN {names:Array(String)}',
          { names },
        ),
      );
      expect(rows.map((row) => row.name).sort()).toEqual([...names].sort());
      for (const row of rows) {
        expect(row.partition_key, row.name).toMatch(/^toYYYYMMDD\((window_start|timestamp), 'UTC'\)$/);
        expect(row.query, row.name).toContain('non_replicated_deduplication_window = 50000');
      }
    });

    it('reads every kind of value as the engine writes it', async () => {
      // Byte for byte what engine/row-sink.ts makes: unshortened addresses, escapes; the writer adds the stamp.
      const fields = [
        '4294967295.999999999',
        '18446744073709551615',
        '0000:0000:0000:0000:0000:ffff:c000:0207',
        '5a5a:5a5a:5a5a:5a5a:5a5a:a5a5:9a5a:585d',
        '65535',
        '53',
        '0',
        'udp',
        'dns',
        '1',
        '1',
        "tab\\there \\\\ 'quote' \\n über \\0",
        'A',
        'NOERROR',
        '2',
        "['it\\'s','tab\\t\\\\','ü']",
        '4503599627370497',
        'DE',
        '4294967295',
        'Example\\tTelecom',
        'office',
        '1',
        '',
        '0',
        '',
        '',
        '0',
      ];
      const writer = createClickHouseWriter(store);
      await writer.write({
        probe: 'probe\t\\',
        epoch: 18446744073709551615n,
        partition: 7,
        firstSeq: 42,
        lastSeq: 1_000_000_007,
        blocks: [{ table: 'dns', rows: 1, bytes: new TextEncoder().encode(`${fields.join('\t')}\n`) }],
      });
      const [found] = rowsOf(await store.query('SELECT * EXCEPT stored_at FROM dns', {}, { exactIntegers: true }));
      expect(found).toMatchObject({
        probe: 'probe\t\\',
        epoch: '18446744073709551615',
        partition: 7,
        first_seq: '42',
        last_seq: '1000000007',
        timestamp: '2106-02-07 06:28:15.999999999',
        flow_id: '18446744073709551615',
        client_ip: '::ffff:192.0.2.7',
        server_ip: '5a5a:5a5a:5a5a:5a5a:5a5a:a5a5:9a5a:585d',
        client_port: 65535,
        name: "tab\there \\ 'quote' \n über \0",
        answers: ["it's", 'tab\t\\', 'ü'],
        latency_ns: String(2 ** 52 + 1),
        client_country: 'DE',
        client_asn: 4294967295,
        client_as_name: 'Example\tTelecom',
        client_network: 'office',
        client_local: 1,
        server_country: '',
        server_local: 0,
      });
      await store.command('TRUNCATE TABLE dns');
    });
  });

  describe('retention', () => {
    const ttl = async () =>
      new Map(
        rowsOf<{ name: string; query: string }>(
          await store.query(
            'SELECT name, create_table_query AS query FROM system.tables WHERE name IN {names:Array(String)}',
            {
              names,
            },
          ),
        ).map((row) => [row.name, / TTL (.*?) SETTINGS/.exec(row.query)?.[1]]),
      );

    it('changes only what differs, and can be taken away', async () => {
      expect(await applyRetention(store, { flows: 3600, dns: 60 })).toEqual(['flows', 'dns']);
      expect(await applyRetention(store, { flows: 3600, dns: 61 })).toEqual(['dns']);
      expect((await ttl()).get('flows')).toBe('stored_at + toIntervalSecond(3600)');
      expect((await ttl()).get('dns')).toBe('stored_at + toIntervalSecond(61)');
      expect(await applyRetention(store, { flows: 0 })).toEqual(['flows']);
      expect((await ttl()).get('flows')).toBeUndefined();
      expect((await ttl()).get('dns')).toBeDefined();
      expect(await applyRetention(store, {})).toEqual([]);
    });

    it('keeps packets of long ago that were stored today, and drops what was stored long ago', async () => {
      await applyRetention(store, { tls: 3600 });
      const columns = tables.tls.rowColumns.map((column) => column.name);
      const row = { timestamp: '1000000000.000000000', server_name: 'old.example' };
      await store.insert({ table: 'tls', columns, bytes: rowBlock('tls', [row]).bytes });
      const aged = new TextDecoder()
        .decode(rowBlock('tls', [{ ...row, server_name: 'aged.example' }]).bytes)
        .replace('\n', '\t1000000000\n');
      await store.insert({ table: 'tls', columns: [...columns, 'stored_at'], bytes: new TextEncoder().encode(aged) });
      await store.command('OPTIMIZE TABLE tls FINAL');
      expect(rowsOf(await store.query('SELECT server_name FROM tls'))).toEqual([{ server_name: 'old.example' }]);
    });
  });

  describe('migrations', () => {
    it('are applied once and found again after reopening', async () => {
      expect(await migrate(store)).toEqual([]);
      const rows = rowsOf(await store.query('SELECT version, name, checksum FROM schema_migrations ORDER BY version'));
      expect(rows).toEqual(
        migrations.map((m) => ({ version: m.version, name: m.name, checksum: migrationChecksum(m) })),
      );
      await store.close();
      store = await open();
      expect(await migrate(store)).toEqual([]);
    });

    it('are added to a store of an earlier version, also when it was left locked', async () => {
      await store.command("CREATE TABLE schema_migrations_lock (x UInt8) ENGINE = Memory COMMENT '1'");
      const added = {
        version: migrations.length + 1,
        name: 'more',
        statements: () => ['CREATE TABLE IF NOT EXISTS more (x UInt8) ENGINE = MergeTree ORDER BY x'],
      };
      expect(await migrate(store, { migrations: [...migrations, added] })).toEqual([
        `${String(added.version).padStart(3, '0')}-more`,
      ]);
      expect(await migrate(store, { migrations: [...migrations, added] })).toEqual([]);
      const left = await store.query("SELECT name FROM system.tables WHERE name IN ('more', 'schema_migrations_lock')");
      expect(rowsOf(left)).toEqual([{ name: 'more' }]);
    });

    it('of a newer version are refused with one line, and the folder can be opened by the newer version still', async () => {
      const refused = {
        code: 'NS_SCHEMA_NEWER',
        message: expect.stringMatching(/written by a newer netspectra.*update/) as string,
      };
      await expect(migrate(store)).rejects.toMatchObject(refused);
      await store.close();
      await expect(open()).rejects.toMatchObject(refused);
      store = await place.open({ migrate: false });
    });

    it('that were edited after they were applied are refused', async () => {
      const edited = migrations.map((migration) => ({
        ...migration,
        statements: () => [...migration.statements(singleNode), 'SELECT 1'],
      }));
      await expect(migrate(store, { migrations: edited })).rejects.toMatchObject({ code: 'NS_SCHEMA_CHANGED' });
    });

    it('wait for another process on a server, and take over a lock that is too old', async () => {
      await store.command('DROP TABLE schema_migrations');
      await store.command(
        `CREATE TABLE schema_migrations_lock (x UInt8) ENGINE = Memory COMMENT '${Date.now() - 60_000}'`,
      );
      const server = new Proxy(store, {
        get: (target, key: keyof Store) => {
          if (key === 'kind') return 'server';
          const value = target[key];
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      await expect(migrate(server, { lockWaitMs: 250 })).rejects.toMatchObject({ code: 'NS_SCHEMA_LOCKED' });
      expect(await migrate(server, { lockAgeMsMax: 30_000 })).toEqual(
        migrations.map(({ version, name }) => `${String(version).padStart(3, '0')}-${name}`),
      );
    });
  });
});
