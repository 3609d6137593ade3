/** What changed: planted changes come first, contributions add up, and every row's filter finds what the row says. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RowValues } from '../../storage/testing.js';
import { frameRows, openTestApi } from '../testing.js';
import type { TestApi, TestResult } from '../testing.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const start = 1_700_000_000; // a multiple of 10
const half = 300;
const at = start + half;

/** Usual traffic: the same hosts, servers and ports in every window, a little more or less each time. */
function usual(random: () => number): RowValues[] {
  const rows: RowValues[] = [];
  for (let window = start; window < start + 2 * half; window += 10) {
    for (let host = 1; host <= 8; host += 1) {
      const [port, application] = (
        [
          [443, 'tls'],
          [80, 'http'],
          [53, 'dns'],
        ] as const
      )[host % 3]!;
      rows.push({
        window_start: window,
        window_seconds: 10,
        flow_id: host * 1000 + port,
        client_ip: `::ffff:10.0.0.${host}`,
        server_ip: `::ffff:192.0.2.${host % 4}`,
        client_port: 40_000 + host,
        server_port: port,
        protocol: port === 53 ? 17 : 6,
        application,
        client_packets: 10,
        client_bytes: 1000 + Math.floor(random() * 200),
        server_packets: 10,
        server_bytes: 9000 + Math.floor(random() * 2000),
        client_retransmissions: 0,
      });
    }
  }
  return rows;
}

const planted = (from: number, row: RowValues): RowValues[] =>
  Array.from({ length: half / 10 }, (_, i) => ({
    window_start: from + 10 * i,
    window_seconds: 10,
    flow_id: 77,
    client_ip: '::ffff:10.0.0.1',
    server_ip: '::ffff:192.0.2.1',
    client_port: 50_000,
    server_port: 443,
    protocol: 6,
    application: 'tls',
    client_packets: 20,
    client_bytes: 30_000,
    ...row,
  }));

/** Each probe is a scenario of its own. */
const scenarios: Record<string, RowValues[]> = {
  // A host that was never there, on a usual port to a usual server.
  talker: planted(at, { client_ip: '::ffff:203.0.113.9' }),
  gone: planted(start, { client_ip: '::ffff:203.0.113.9' }),
  // A port that nobody used, from all hosts.
  port: Array.from({ length: 8 }, (_, i) =>
    planted(at, { client_ip: `::ffff:10.0.0.${i + 1}`, server_port: 6379, application: '' }),
  ).flat(),
  // Usual host and usual server, never together before.
  pair: planted(at, { client_ip: '::ffff:10.0.0.3', server_ip: '::ffff:192.0.2.2', server_port: 443 }),
  losses: planted(at, { client_ip: '::ffff:10.0.0.5', client_retransmissions: 10 }),
  quiet: [],
  icmp: planted(at, { client_ip: '::ffff:10.0.0.1', client_port: 0, server_port: 0, protocol: 1, application: '' }),
};

/** A name as an attacker would choose it. */
const hostile = `'),("\\ \tx{filter_0:String}`;

let testApi: TestApi;
beforeAll(async () => {
  let state = seed >>> 0;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const rows = Object.entries(scenarios).map(
    ([probe, extra]) => [probe, { flows: [...usual(random), ...extra] }] as const,
  );
  const names = Array.from({ length: 60 }, (_, i): RowValues => {
    const after = i >= 30;
    return {
      timestamp: `${start + (after ? half : 0) + i}.000000000`,
      client_ip: `::ffff:10.0.0.${i % 3}`,
      server_ip: '::ffff:192.0.2.53',
      queries: 1,
      responses: 1,
      name: after && i % 3 === 0 ? hostile : 'usual.example',
      rcode: after && i % 3 === 0 ? 'NXDOMAIN' : 'NOERROR',
    };
  });
  testApi = await openTestApi({ ...Object.fromEntries(rows), names: { dns: names } });
});
afterAll(async () => testApi?.close());

const ask = async (probe: string, more: object = {}): Promise<TestResult> => {
  const query = {
    refId: 'A',
    type: 'explain',
    measures: ['bytes'],
    filter: `probe = ${probe}`,
    explain: { at: at * 1000 },
    ...more,
  };
  const results = await testApi.query({ from: start * 1000, to: (start + 2 * half) * 1000, queries: [query] });
  return results['A']!;
};
const first = (result: TestResult) => {
  expect(result.error, result.error).toBeUndefined();
  return frameRows(result.frames[0])[0]!;
};

describe(`explain (seed ${seed})`, () => {
  test('a new talker comes first, with the whole of its traffic', async () => {
    const result = await ask('talker');
    expect(first(result)).toMatchObject({
      dimension: 'client_ip',
      value: '203.0.113.9',
      before: 0,
      after: 900_000,
      change: 900_000,
      change_ratio: null,
      filter: 'client_ip = 203.0.113.9',
    });
    expect(Number(first(result)['share'])).toBeGreaterThan(0.8);
    expect(result.meta['before']).toEqual({ fromMs: start * 1000, toMs: at * 1000 });
    expect(result.meta).toMatchObject({ fromMs: at * 1000, toMs: (start + 2 * half) * 1000 });
  });

  test('a value that everything has explains nothing, and is told only when it was asked for', async () => {
    const dimensions = (result: TestResult) => result.frames[0]!.data.values[0]!;
    const usualOnes = await ask('talker', { limit: 1000 });
    expect(dimensions(usualOnes)).toEqual(expect.arrayContaining(['client_ip', 'server_port', 'protocol']));
    expect(dimensions(usualOnes)).not.toContain('probe');
    expect(dimensions(usualOnes)).not.toContain('vlan');
    const asked = await ask('talker', { groupBy: ['client_ip', 'probe'] });
    const probe = frameRows(asked.frames[0]).find((row) => row['dimension'] === 'probe');
    expect(probe).toMatchObject({ value: 'talker', share: 1 });
  });

  test('one that fell silent comes first, too', async () => {
    expect(first(await ask('gone'))).toMatchObject({
      dimension: 'client_ip',
      value: '203.0.113.9',
      before: 900_000,
      after: 0,
      change: -900_000,
      change_ratio: -1,
    });
  });

  test('a new port', async () => {
    expect(first(await ask('port'))).toMatchObject({ dimension: 'server_port', value: '6379', change: 8 * 900_000 });
  });

  test('a host and a server that never spoke: only the two together tell', async () => {
    const row = first(await ask('pair', { groupBy: ['client_ip', 'server_ip', 'server_port'] }));
    expect(row['dimension']).toBe('client_ip, server_ip');
    expect(row['filter']).toBe('client_ip = 10.0.0.3 and server_ip = 192.0.2.2');
    expect(Number(row['change'])).toBe(900_000);
  });

  test('a ratio: who made it worse', async () => {
    const result = await ask('losses', { measures: ['retransmission_ratio'] });
    expect(first(result)).toMatchObject({ dimension: 'client_ip', value: '10.0.0.5', before: 0 });
    expect(Number(first(result)['share'])).toBeCloseTo(1, 9);
    const { total } = result.frames[0]!.schema.meta!.custom as { total: { before: number; after: number } };
    expect(total.before).toBe(0);
    expect(Number(first(result)['after'])).toBeCloseTo(total.after, 12);
  });

  test('absent values have a filter of their own', async () => {
    const row = first(await ask('icmp', { groupBy: ['server_port'] }));
    expect(row).toMatchObject({ value: '(none)', filter: 'not server_port in 0..65535', change: 900_000 });
  });

  test('names from the wire are values, whatever they hold', async () => {
    const result = await ask('names', { measures: ['dns_errors'], groupBy: ['dns_name', 'dns_rcode', 'client_ip'] });
    const row = first(result);
    expect(row).toMatchObject({ dimension: 'dns_name', value: hostile, before: 0, after: 10 });
    expect(Number((result.meta['further'] as unknown[]).length)).toBeGreaterThan(3);
    const results = await testApi.query({
      from: start * 1000,
      to: (start + 2 * half) * 1000,
      queries: [{ refId: 'B', type: 'table', measures: ['dns_queries'], filter: row['filter'] }],
    });
    expect(frameRows(results['B']!.frames[0])).toEqual([{ dns_queries: 10 }]);
  });

  test('networks', async () => {
    expect(first(await ask('talker', { groupBy: ['client_ip/24'] }))).toMatchObject({
      dimension: 'client_ip/24',
      value: '203.0.113.0/24',
      filter: 'client_ip in 203.0.113.0/24',
    });
  });

  test('the values of a dimension share out the whole change, and their filters find them', async () => {
    const dimensions = ['client_ip', 'server_ip', 'server_port', 'application', 'protocol', 'client_ip/16/48'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(scenarios)),
        fc.constantFrom(...dimensions),
        fc.constantFrom('bytes', 'bits_per_second', 'packets', 'packet_size_avg', 'retransmission_ratio'),
        async (probe, dimension, measure) => {
          const result = await ask(probe, { measures: [measure], groupBy: [dimension], limit: 20 });
          const rows = frameRows(result.frames[0]);
          const { total } = result.frames[0]!.schema.meta!.custom as { total: { change: number; after: number } };
          const sum = rows.reduce((all, row) => all + Number(row['change']), 0);
          expect(Math.abs(sum - total.change)).toBeLessThanOrEqual(Math.abs(total.after) * 1e-9);
          // What a row says of the later range, a table with the row's filter says.
          const row = rows[0];
          if (!row || !['bytes', 'packets', 'bits_per_second'].includes(measure)) return;
          const results = await testApi.query({
            from: at * 1000,
            to: (start + 2 * half) * 1000,
            queries: [
              {
                refId: 'B',
                type: 'table',
                measures: [measure],
                filter: `probe = ${probe} and ${String(row['filter'])}`,
              },
            ],
          });
          expect(Number(frameRows(results['B']!.frames[0])[0]![measure])).toBeCloseTo(Number(row['after']), 6);
        },
      ),
      { seed, numRuns: 40, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false },
    );
  });

  test('ranges of different length are brought to the later one', async () => {
    const baseline = { from: (at - 100) * 1000, to: at * 1000 };
    const results = await testApi.query({
      from: at * 1000,
      to: (start + 2 * half) * 1000,
      queries: [
        { refId: 'A', type: 'explain', measures: ['packets'], filter: 'probe = talker', explain: { baseline } },
        {
          refId: 'R',
          type: 'explain',
          measures: ['packets_per_second'],
          filter: 'probe = talker',
          explain: { baseline },
        },
      ],
    });
    for (const result of Object.values(results)) {
      expect(first(result)).toMatchObject({ value: '203.0.113.9', before: 0 });
    }
    const { total } = results['A']!.frames[0]!.schema.meta!.custom as { total: object };
    // Eight hosts, 20 packets a window each, 30 windows; the planted one 20 more.
    expect(total).toEqual({ before: 4800, after: 5400, change: 600 });
    const { total: rates } = results['R']!.frames[0]!.schema.meta!.custom as { total: object };
    expect(rates).toEqual({ before: 16, after: 18, change: 2 });
  });

  test('before is the range before, when nothing says otherwise; or so much on both sides of a moment', async () => {
    const to = (start + 2 * half) * 1000;
    const results = await testApi.query({
      from: at * 1000,
      to,
      queries: [
        { refId: 'plain', type: 'explain', measures: ['bytes'], filter: 'probe = talker' },
        {
          refId: 'offset',
          type: 'explain',
          measures: ['bytes'],
          filter: 'probe = talker',
          compareTo: { offset: '5m' },
        },
        {
          refId: 'width',
          type: 'explain',
          measures: ['bytes'],
          filter: 'probe = talker',
          explain: { at: at * 1000, width: '1m' },
        },
      ],
    });
    const ranges = Object.fromEntries(
      Object.entries(results).map(([id, { meta }]) => [id, [meta['before'], meta['fromMs'], meta['toMs']]]),
    );
    expect(ranges['plain']).toEqual([{ fromMs: start * 1000, toMs: at * 1000 }, at * 1000, to]);
    expect(ranges['offset']).toEqual(ranges['plain']);
    expect(ranges['width']).toEqual([{ fromMs: (at - 60) * 1000, toMs: at * 1000 }, at * 1000, (at + 60) * 1000]);
    for (const result of Object.values(results)) expect(first(result)).toMatchObject({ value: '203.0.113.9' });
  });

  test('as many statements as dimensions, and a few', async () => {
    const result = await ask('talker');
    const further = result.meta['further'] as unknown[];
    expect(1 + further.length).toBeLessThanOrEqual(1 + 12 + 3);
    // From one table, so that its parts add up.
    expect(result.meta.tables).toEqual(['flows']);
  });

  test('nothing changed: an empty ranking', async () => {
    const result = await ask('nobody');
    expect(frameRows(result.frames[0])).toEqual([]);
  });

  test.each([
    [{ explain: { at: (start - 10) * 1000 } }, '#/queries/0/explain/at'],
    [{ explain: { at: 'noon' } }, '#/queries/0/explain/at'],
    [{ explain: { at: at * 1000, width: 'long' } }, '#/queries/0/explain/width'],
    // Longer than api.max_range; beyond what stores can hold.
    [{ explain: { at: at * 1000, width: '3000d' } }, '#/queries/0/explain/width'],
    [{ explain: { at: '2105-01-01T00:00:00Z', width: '399d' } }, '#/queries/0/explain/width'],
    [{ explain: { baseline: { from: 10, to: 5 } } }, '#/queries/0/explain/baseline/to'],
    [{ explain: { at: at * 1000 }, compareTo: { offset: '1h' } }, '#/queries/0/compareTo'],
    [{ measures: ['bytes', 'packets'] }, '#/queries/0/measures/1'],
    [{ measures: ['rtt_p95'] }, '#/queries/0/measures/0'],
    [{ measures: [] }, '#/queries/0/measures'],
    [{ groupBy: ['client_ip', 'server_port/8'] }, '#/queries/0/groupBy/1'],
    [{ orderBy: [{ measure: 'bytes' }] }, '#/queries/0/orderBy'],
    [{ type: 'table' }, '#/queries/0/explain'],
  ])('%j is refused at %s', async (more, pointer) => {
    const result = await ask('talker', more);
    expect(result.status).toBe(400);
    expect(result.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });
});
