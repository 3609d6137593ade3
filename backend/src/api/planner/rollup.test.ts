/** Answers from rollups are those from flow records, as long as every conversation was kept. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClickHouseWriter, openStore } from '../../storage/index.js';
import type { Store } from '../../storage/index.js';
import { makeFlush, temporaryDataDir } from '../../storage/testing.js';
import type { RowValues } from '../../storage/testing.js';
import { Registry } from 'prom-client';
import { createApi } from '../server.js';
import type { Api } from '../server.js';

const start = Date.UTC(2026, 4, 1) / 1000;
const hours = 60;
const folder = temporaryDataDir();
let store: Store;
/** one adds up flow records whatever they are, the other never more than a few */
let exact: Api;
let frugal: Api;
const over = async (flowRowsMax: number): Promise<Api> => {
  const api = createApi(
    { store, metrics: new Registry(), status: () => ({ dependencies: [], watermarkMs: null }) },
    { listen: '127.0.0.1:0', limits: { flowRowsMax } },
  );
  await api.app.ready();
  return api;
};

const flowsOf = (hour: number): RowValues[] =>
  Array.from({ length: 60 }, (_, i) => ({
    window_start: start + hour * 3_600 + ((i * 61) % 3_600),
    window_seconds: 10,
    flow_id: hour * 1_000 + i,
    client_ip: `::ffff:10.0.${i % 5}.${i % 7}`,
    server_ip: `2001:db8::${(i % 11) + 1}`,
    client_port: 40_000 + i,
    server_port: [443, 53, 8_443, 0][i % 4] ?? 0,
    protocol: [6, 17, 6, 1][i % 4] ?? 0,
    vlan: i % 3,
    application: ['tls', 'dns', ''][i % 3] ?? '',
    client_packets: 1 + (i % 9),
    client_bytes: 100 * (1 + i) + hour,
    server_packets: i % 6,
    server_bytes: i % 6 === 0 ? 0 : 150 * (1 + i),
    rtt_ns: i % 4 === 0 ? 1_000_000 * (1 + i) : 0,
    server_retransmissions: i % 3,
    new_flow: 1,
    client_local: 1,
    client_country: i % 5 === 0 ? 'DE' : '',
    server_country: 'US',
    server_asn: 64_500 + (i % 3),
  }));

beforeAll(async () => {
  store = await openStore({ dataDir: folder.path });
  const writer = createClickHouseWriter(store);
  const rows = Array.from({ length: hours }, (_, hour) => flowsOf(hour)).flat();
  await writer.write(makeFlush({ probe: 'p', epoch: 1n, partition: 0, firstSeq: 1, lastSeq: 1 }, { flows: rows }));
  exact = await over(1e12);
  frugal = await over(10);
});
afterAll(async () => {
  await exact.stop();
  await frugal.stop();
  await store.close();
  folder.remove();
});

interface Result {
  frames: { data: { values: unknown[][] }; schema: { fields: object[]; meta?: { notices?: { text: string }[] } } }[];
  meta: { tables: string[]; plan: string };
  error?: string;
}

async function ask(api: Api, query: object, lastHour = hours, firstHour = 0): Promise<Result> {
  const [from, to] = [firstHour, lastHour].map((hour) => (start + hour * 3_600) * 1000);
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/query',
    payload: { from, to, queries: [{ refId: 'A', ...query }] },
  });
  const result = (answer.json() as { results?: { A: Result } }).results?.A;
  if (!result || result.error !== undefined) throw new Error(answer.body);
  return result;
}

const shape = ({ frames }: Result) => frames.map(({ data, schema }) => ({ data, fields: schema.fields }));

/** With the table where it is another one than the hours. */
const queries: [name: string, query: object, table?: string][] = [
  ['by client', { type: 'table', measures: ['bytes', 'packets', 'new_flows'], groupBy: ['client_ip'], limit: 50 }],
  ['by source, with the rest', { type: 'table', measures: ['bytes'], groupBy: ['src_ip'], limit: 3, other: true }],
  [
    'by port, absent ones too',
    { type: 'table', measures: ['packets'], groupBy: ['server_port', 'protocol'], limit: 50 },
  ],
  ['by network', { type: 'table', measures: ['bits_per_second'], groupBy: ['src_ip/24'], limit: 50 }],
  ['by place', { type: 'table', measures: ['bytes'], groupBy: ['src_country', 'server_asn'], limit: 50 }],
  ['of a host', { type: 'table', measures: ['bytes'], groupBy: ['dst_ip'], filter: 'host = 10.0.1.1', limit: 50 }],
  [
    'filtered by side and port',
    {
      type: 'table',
      measures: ['bytes'],
      groupBy: ['src_ip'],
      filter: 'src_ip in 10.0.0.0/16 and not server_port = 53',
    },
  ],
  [
    'ratios and means',
    { type: 'table', measures: ['retransmission_ratio', 'rtt_avg'], groupBy: ['server_ip'], limit: 50 },
  ],
  ['what came in', { type: 'table', measures: ['bytes'], groupBy: ['dst_ip'], direction: 'in', limit: 50 }],
  ['what clients sent', { type: 'table', measures: ['bytes'], groupBy: ['client_ip'], direction: 'client', limit: 50 }],
  [
    'over time',
    {
      type: 'timeseries',
      measures: ['bits_per_second'],
      groupBy: ['client_ip'],
      intervalMs: 3_600_000,
      limit: 3,
      other: true,
    },
  ],
  [
    'over time, by ten minutes',
    { type: 'timeseries', measures: ['bytes'], groupBy: ['src_ip'], intervalMs: 600_000, limit: 2 },
    'flows_1m',
  ],
  // Samples are of five minutes.
  ['peaks', { type: 'table', measures: ['bits_per_second_p95'], groupBy: ['client_ip'], limit: 50 }, 'flows_1m'],
  // The week before has no flow records, which are few enough.
  ['both periods', { type: 'table', measures: ['bytes'], groupBy: ['client_ip'], compareTo: { offset: '1w' } }],
  [
    'what changed',
    {
      type: 'explain',
      measures: ['bytes'],
      groupBy: ['client_ip', 'server_port'],
      explain: { at: (start + 30 * 3_600) * 1000 },
    },
  ],
  ['paths', { type: 'graph', measures: ['bytes'], groupBy: ['client_ip', 'server_port', 'server_ip'], limit: 20 }],
];

describe('answers from rollups', () => {
  test.each(queries)('%s', async (_name, query, table = 'flows_1h') => {
    const wanted = await ask(exact, query);
    const got = await ask(frugal, query);
    expect(wanted.meta.tables).toEqual(['flows']);
    expect(got.meta.tables).toEqual([table]);
    expect(got.frames[0]?.schema.meta?.notices?.[0]?.text).toMatch(/^answered by the (hour|minute): .* too many/);
    expect(shape(got)).toEqual(shape(wanted));
  });

  test('only where the rollup has what is asked for', async () => {
    const tablesOf = async (query: object, lastHour?: number) => (await ask(frugal, query, lastHour)).meta.tables;
    const table = { type: 'table', measures: ['bytes'] };
    // client ports, single flows, quantiles, and conditions on flow records are not kept
    expect(await tablesOf({ ...table, groupBy: ['dst_port'] })).toEqual(['flows']);
    expect(await tablesOf({ ...table, measures: ['flows'], groupBy: ['client_ip'] })).toEqual(['flows']);
    expect(await tablesOf({ ...table, measures: ['rtt_p95'], groupBy: ['client_ip'] })).toEqual(['flows']);
    expect(await tablesOf({ ...table, groupBy: ['client_ip'], filter: 'bytes > 1kB' })).toEqual(['flows']);
    // counters are exact and cheaper
    expect(await tablesOf({ ...table, groupBy: ['application'] })).toEqual(['traffic']);
    // hours are too coarse for ten of them, minutes for two of those
    expect(await tablesOf({ ...table, groupBy: ['client_ip'] }, 10)).toEqual(['flows_1m']);
    expect(await tablesOf({ ...table, groupBy: ['client_ip'] }, 0.2)).toEqual(['flows']);
    expect(
      await tablesOf({ type: 'timeseries', measures: ['bytes'], groupBy: ['client_ip'], intervalMs: 10_000 }, 10),
    ).toEqual(['flows']);
  });

  test('only where the flow records of the range are too many, not those of all time', async () => {
    // 60 an hour: 3,600 in all, 1,800 in half of the time.
    const some = await over(2_500);
    const query = { type: 'table', measures: ['bytes'], groupBy: ['client_ip'] };
    expect((await ask(some, query)).meta.tables).toEqual(['flows_1h']);
    expect((await ask(some, query, 30)).meta.tables).toEqual(['flows']);
    await some.stop();
  });

  test('only where they reach back further than flow records', async () => {
    const query = { type: 'table', measures: ['bytes'], groupBy: ['client_ip'] };
    expect((await ask(exact, query, hours, -hours)).meta.tables).toEqual(['flows']);
  });

  test('only where flow records fit into the buckets', async () => {
    const wide = createApi(
      { store, metrics: new Registry(), status: () => ({ dependencies: [], watermarkMs: null }) },
      { listen: '127.0.0.1:0', limits: { flowRowsMax: 10 }, windows: { flowSeconds: 300 } },
    );
    await wide.app.ready();
    const query = { type: 'table', measures: ['bytes'], groupBy: ['client_ip'] };
    // Minutes would show five minutes' bytes in one of them.
    expect((await ask(wide, query, 10)).meta.tables).toEqual(['flows']);
    expect((await ask(wide, query)).meta.tables).toEqual(['flows_1h']);
    await wide.stop();
  });

  test('take over where flow records are gone', async () => {
    const query = { type: 'table', measures: ['bytes'], groupBy: ['client_ip'], limit: 50 };
    const before = await ask(exact, query);
    await store.command(`ALTER TABLE flows DROP PARTITION 20260501`);
    const after = await ask(exact, query);
    expect(after.meta.tables).toEqual(['flows_1h']);
    expect(after.frames[0]?.schema.meta?.notices?.[0]?.text).toContain('not kept any more');
    expect(shape(after)).toEqual(shape(before));
  });
});
