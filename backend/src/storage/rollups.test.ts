/** The rollups hold what the flow records held: every sum to the byte, the largest conversations by name. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rollupColumns } from '../tables/index.js';
import { createClickHouseWriter } from './clickhouse-writer.js';
import { openStore } from './connect.js';
import { rowsOf } from './store.js';
import type { Store } from './store.js';
import { makeFlush, temporaryDataDir } from './testing.js';
import type { RowValues } from './testing.js';

const folder = temporaryDataDir();
let store: Store;
beforeAll(async () => {
  store = await openStore({ dataDir: folder.path });
});
afterAll(async () => {
  await store.close();
  folder.remove();
});

const rollups = [
  { name: 'flows_1m', seconds: 60, kept: 1_000 },
  { name: 'flows_1h', seconds: 3_600, kept: 500 },
] as const;

const start = 1_790_000_400; // a whole minute and hour
const flowCount = 2_500;

/** Flow records of one window; flow i of `flowCount` has i + 1 hundred bytes, so the last ones are the largest. */
const flowRows = (windowStart: number, count = flowCount): RowValues[] =>
  Array.from({ length: count }, (_, i) => ({
    window_start: windowStart,
    window_seconds: 10,
    flow_id: i,
    client_ip: `2001:db8::${(i + 1).toString(16)}`,
    server_ip: '::ffff:192.0.2.7',
    client_port: 40_000,
    server_port: i % 2 === 0 ? 443 : 8_443,
    protocol: 6,
    vlan: i % 3,
    application: 'tls',
    client_packets: 1,
    client_bytes: 60 * (i + 1),
    server_packets: 2,
    server_bytes: 40 * (i + 1),
    rtt_ns: i % 5 === 0 ? 0 : 1_000,
    client_retransmissions: i % 7,
    new_flow: 1,
    client_country: 'DE',
    client_asn: 64_500,
    client_as_name: 'Example',
    server_network: 'office',
    server_local: 1,
  }));

const flush = (seq: number, rows: RowValues[]) =>
  makeFlush({ probe: 'p', epoch: 1n, partition: 0, firstSeq: seq, lastSeq: seq }, { flows: rows });

const sums = `sum(client_packets) AS client_packets, sum(client_bytes) AS client_bytes, sum(server_packets) AS server_packets,
  sum(server_bytes) AS server_bytes, sum(client_retransmissions) AS client_retransmissions, sum(new_flow) AS new_flow`;
const sumsOf = async (table: string, rtt: string) => rowsOf(await store.query(`SELECT ${sums}, ${rtt} FROM ${table}`));

describe('rollups of flow records', () => {
  it('have the columns that are told to the planner', async () => {
    for (const { name } of rollups) {
      const found = rowsOf<{ name: string; type: string }>(
        await store.query('SELECT name, type FROM system.columns WHERE table = {name:String} ORDER BY position', {
          name,
        }),
      );
      expect(found, name).toEqual([...rollupColumns, { name: 'stored_at', type: 'DateTime' }]);
    }
  });

  it('hold every sum, keep the largest conversations by name and blank the rest', async () => {
    const writer = createClickHouseWriter(store);
    await writer.write(flush(1, flowRows(start)));
    await writer.write(flush(2, flowRows(start + 50)));
    await writer.write(flush(3, flowRows(start + 60, 10)));
    const [exact] = await sumsOf('flows', 'sum(rtt_ns) AS rtt_sum_ns, countIf(rtt_ns > 0) AS rtt_count');
    for (const { name, seconds, kept } of rollups) {
      const [summed] = await sumsOf(name, 'sum(rtt_sum_ns) AS rtt_sum_ns, sum(rtt_count) AS rtt_count');
      expect(summed, name).toEqual(exact);
      const byTime = async (table: string) =>
        rowsOf(
          await store.query(
            `SELECT intDiv(toUnixTimestamp(window_start), ${seconds}) AS t, vlan, ${sums} FROM ${table} GROUP BY t, vlan ORDER BY t, vlan`,
          ),
        );
      expect(await byTime(name), name).toEqual(await byTime('flows'));

      const [named] = rowsOf<{ clients: number; least: string; others: number }>(
        await store.query(
          `SELECT uniqExactIf(client_ip, other = 0) AS clients, minIf(client_ip, other = 0) AS least,
             uniqExactIf(client_ip, other = 1) AS others FROM ${name} WHERE window_start = ${start - (start % seconds)}`,
        ),
      );
      // The records of the third flush are of flows that are too small to be kept beside others, but were alone in theirs.
      const alone = seconds === 60 ? 0 : 10;
      expect(named, name).toMatchObject({ clients: kept + alone, others: 1 });
      if (alone === 0) expect(named?.least).toBe(`2001:db8::${(flowCount - kept + 1).toString(16)}`);

      const rest = rowsOf(
        await store.query(
          `SELECT DISTINCT client_ip, server_ip, server_port, client_asn, client_as_name, client_country, server_network,
             server_local, application, protocol FROM ${name} WHERE other = 1 ORDER BY server_port`,
        ),
      );
      const blank = {
        client_ip: '::',
        server_ip: '::',
        client_asn: 0,
        client_as_name: '',
        client_country: 'DE',
        server_network: 'office',
        server_local: 1,
        application: 'tls',
        protocol: 6,
      };
      // Well-known ports have few values and stay; 8443 does not.
      expect(rest, name).toEqual([
        { ...blank, server_port: 0 },
        { ...blank, server_port: 443 },
      ]);
    }
  });

  it('count a flush once, however often it is written', async () => {
    const before = await store.query(`SELECT ${sums} FROM flows_1m`);
    const writer = createClickHouseWriter(store);
    await writer.write(flush(2, flowRows(start + 50)));
    expect((await store.query(`SELECT ${sums} FROM flows_1m`)).columns).toEqual(before.columns);
  });

  it('are made good by the repetition when the view failed after the flow records were stored', async () => {
    const writer = createClickHouseWriter(store, { triesMax: 1 });
    // A view that fails when its rows arrive: the flow records are stored by then.
    await store.command('CREATE TABLE gate (x UInt8) ENGINE = Null');
    await store.command(
      `CREATE MATERIALIZED VIEW gate_view TO gate AS SELECT throwIf(client_packets > 0, 'the gate is shut') AS x FROM flows`,
    );
    const lost = flush(4, flowRows(start + 3_600));
    await expect(writer.write(lost)).rejects.toThrow();
    const [first] = rowsOf(await store.query('SELECT sum(client_bytes) AS bytes FROM flows'));
    await store.command('DROP TABLE gate_view');
    await writer.write(lost);
    const [after] = rowsOf(await store.query('SELECT sum(client_bytes) AS bytes FROM flows'));
    for (const { name } of rollups) {
      expect(rowsOf(await store.query(`SELECT sum(client_bytes) AS bytes FROM ${name}`)), name).toEqual([after]);
    }
    // The flow records were there before the repetition, so the test tests what it says.
    expect(first).toEqual(after);
  });

  it('add up rows of one conversation when the engine merges', async () => {
    const before = await store.query(`SELECT ${sums} FROM flows_1h`);
    await store.command('OPTIMIZE TABLE flows_1h FINAL');
    expect((await store.query(`SELECT ${sums} FROM flows_1h`)).columns).toEqual(before.columns);
    const rows = rowsOf<{ rows: number }>(await store.query('SELECT count() AS rows FROM flows_1h'))[0]?.rows ?? 0;
    expect(rows).toBeLessThan(1_100);
  });
});
