/**
 * The tables of a cluster with shards on a real engine: real Distributed tables, over plain ones in place of replicated ones. There
 * is one shard and one replica: what several do between them is not seen here (docs/decisions/012-clickhouse-cluster.md).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../../../test/kit/stores.js';
import type { TestTarget } from '../../../test/kit/stores.js';
import { createClickHouseWriter } from './clickhouse-writer.js';
import { openStore } from './connect.js';
import { migrate, schemaScript } from './migrate.js';
import { readPosition, readTablePosition } from './position.js';
import { applyRetention } from './retention.js';
import { layoutOf } from './server.js';
import type { ServerOptions } from './server.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';
import { makeFlush } from './testing.js';

const noon = 1_790_000_400;

describe('a store on a cluster with shards', () => {
  let place: TestTarget;
  let store: Store;
  beforeAll(async () => {
    place = await startCluster();
    store = await place.open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  const one = async (sql: string): Promise<unknown> => Object.values(rowsOf(await store.query(sql))[0] ?? {})[0];
  const flow = (bytes: number) => ({ window_start: noon, window_seconds: 10, flow_id: bytes, client_bytes: bytes });
  const flush = (firstSeq: number, lastSeq: number, bytes: number) =>
    makeFlush(
      { probe: 'p', epoch: 1n, partition: 3, firstSeq, lastSeq },
      {
        flows: [flow(bytes), flow(bytes + 1)],
        probe_stats: [{ timestamp: noon, partitions: 1, position: lastSeq * 10 }],
      },
    );

  it('has a table for all shards over those with the rows', async () => {
    expect(await one("SELECT engine FROM system.tables WHERE database = 'traffic' AND name = 'flows'")).toBe(
      'Distributed',
    );
    expect(await migrate(store)).toEqual([]);
  });

  it('takes a flush once however often it comes, in tables, rollups and position, and forwards the token', async () => {
    const writer = createClickHouseWriter(store);
    for (let times = 0; times < 3; times += 1) await writer.write(flush(1, 4, 100));
    expect(await one('SELECT sum(client_bytes) FROM flows')).toBe(201);
    expect(await one('SELECT sum(client_bytes) FROM flows_1m')).toBe(201);
    expect(await one('SELECT sum(client_bytes) FROM flows_1h')).toBe(201);
    expect(await one(`SELECT count() FROM flows_local`)).toBe(2);
    // Other rows under the same token are dropped: the token decides, not the content.
    await writer.write(flush(1, 4, 500));
    expect(await one('SELECT sum(client_bytes) FROM flows')).toBe(201);
    await writer.write(flush(5, 9, 100));
    expect(await one('SELECT sum(client_bytes) FROM flows')).toBe(402);
    expect(await readPosition(store, 'p', 1n)).toEqual({
      lastSeq: 9,
      position: 90,
      partitions: 1,
      complete: false,
      byPartition: [{ partition: 3, lastSeq: 9, position: 90, complete: false }],
      aheadSeq: 9,
    });
    expect(await readTablePosition(store, 'flows', 'p', 1n)).toEqual(new Map([[3, 9]]));
    expect(await readPosition(store, 'p', 2n)).toBeNull();
  });

  it('makes one part of the largest insert', async () => {
    const keys = Array.from({ length: 200_000 }, (_, i) => ({
      window_start: noon + (i % 1000),
      key: `k${i}`,
      bytes: i,
    }));
    const stamp = { probe: 'big', epoch: 5n, partition: 7, firstSeq: 1, lastSeq: 2 };
    await createClickHouseWriter(store).write(makeFlush(stamp, { top_keys: keys }));
    expect(await one(`SELECT count() FROM system.parts WHERE active AND table = 'top_keys_local'`)).toBe(1);
    expect(await one("SELECT rows FROM stored_parts WHERE name = 'top_keys'")).toBe(200_000);
  });

  it('asks for rows to be stored when the answer comes, and for whole answers', async () => {
    await place.server!.requests();
    await createClickHouseWriter(store).write(flush(10, 10, 1));
    await store.query('SELECT count() FROM flows WHERE flow_id IN (SELECT flow_id FROM flows)');
    const seen = await place.server!.requests();
    const insert = seen.find(({ statement }) => statement.startsWith('INSERT'))!;
    const settings = new URL(insert.url, place.server!.url).searchParams;
    expect(settings.get('distributed_foreground_insert')).toBe('1');
    expect(settings.get('insert_quorum')).toBe('0');
    const query = seen.find(({ statement }) => statement.startsWith('SELECT'))!.statement;
    expect(query).toContain("distributed_product_mode='global', skip_unavailable_shards=0");
  });

  it('changes retention where the rows are', async () => {
    expect(await applyRetention(store, { flows: 7200, flows_1m: 7300 })).toEqual(['flows', 'flows_1m']);
    expect(await applyRetention(store, { flows: 7200, flows_1m: 7300 })).toEqual([]);
    expect(await one(`SELECT create_table_query FROM system.tables WHERE name = 'flows_local'`)).toContain(
      'TTL stored_at + toIntervalSecond(7200)',
    );
  });

  it('made by hand from the printed script, finds nothing left to do', async () => {
    const target = { ...(place.target as ServerOptions), database: 'by_hand' };
    const other = await openStore(target, { migrate: false });
    try {
      for (const sql of schemaScript('by_hand', layoutOf(target), { flows: 3600, tls: 0 })) {
        if (!sql.startsWith('USE ')) await other.command(sql);
      }
      expect(await migrate(other)).toEqual([]);
      expect(await applyRetention(other, { flows: 3600, tls: 0 })).toEqual([]);
      await createClickHouseWriter(other).write(flush(1, 1, 7));
      expect(rowsOf(await other.query('SELECT sum(client_bytes) AS bytes FROM flows_1h'))).toEqual([{ bytes: 15 }]);
    } finally {
      await other.close();
    }
  });

  const refusal = async (change: Partial<NonNullable<ServerOptions['cluster']>> | null): Promise<string> => {
    const target = place.target as ServerOptions;
    const { cluster, ...alone } = target;
    const other = change === null ? alone : { ...alone, cluster: { ...cluster!, ...change } };
    return openStore(other).then(
      async (opened) => {
        await opened.close();
        return 'opened';
      },
      (error: Error) => error.message,
    );
  };

  it('is refused in one line when the configuration is of another layout or names another cluster', async () => {
    expect(await refusal({})).toBe('opened');
    expect(await refusal({ name: 'mian' })).toMatch(/knows no cluster mian: check storage\.clickhouse\.cluster/);
    expect(await refusal({ sharded: false })).toMatch(
      /^the tables in http\S+, database traffic, are those of a cluster with shards, and a cluster whose .* is configured: set/,
    );
    expect(await refusal(null)).toMatch(/are those of a cluster with shards, and one server is configured/);
  });
});
