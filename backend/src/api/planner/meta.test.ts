/** What answers say of themselves: where they come from, how far they can be trusted, and in which units they are. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApi } from '../testing.js';
import type { TestApi, TestResult } from '../testing.js';

const start = 1_700_000_000;
let testApi: TestApi;
beforeAll(async () => {
  const report = (at: number, rate: number, late: number) => ({
    timestamp: `${at}.000000000`,
    first_packet: `${at - 10}.000000000`,
    last_packet: `${at}.000000000`,
    packets: 10,
    late_packets: late,
    sampling_rate: rate,
  });
  const flow = {
    window_start: start,
    window_seconds: 10,
    client_ip: '::ffff:10.0.0.1',
    server_ip: '::ffff:192.0.2.1',
    protocol: 6,
    client_packets: 1000,
    client_bytes: 500_000,
  };
  testApi = await openTestApi({
    p: {
      flows: [flow],
      probe_stats: [report(start - 3500, 1, 7), report(start + 10, 1000, 1), report(start + 20, 100, 2)],
    },
  });
});
afterAll(async () => testApi?.close());

const ask = async (query: object, length = 60): Promise<TestResult> => {
  const results = await testApi.query({
    from: start * 1000,
    to: (start + length) * 1000,
    queries: [{ refId: 'A', type: 'table', measures: ['new_flows'], ...query }],
  });
  const result = results['A']!;
  expect(result.error, result.error).toBeUndefined();
  return result;
};

test('the sampling rate is the highest in the range, and 1 where nothing was sampled', async () => {
  expect((await ask({})).meta['samplingRate']).toBe(1000);
  const results = await testApi.query({
    from: (start - 3600) * 1000,
    to: (start - 3400) * 1000,
    queries: [{ refId: 'A', type: 'table', measures: ['bytes'] }],
  });
  expect(results['A']!.meta['samplingRate']).toBe(1);
});

test('drops are those of the range, and of both where there are two', async () => {
  expect((await ask({})).meta['drops']).toMatchObject({ latePackets: 3 });
  const { meta } = await ask({ compareTo: { offset: '1h' } }, 200);
  expect(meta['before']).toEqual({ fromMs: (start - 3600) * 1000, toMs: (start - 3400) * 1000 });
  expect(meta['drops']).toMatchObject({ latePackets: 10 });
});

test('a period before that is rounded to begin before 1970 is answered: no row is there', async () => {
  for (const query of [
    { type: 'table', measures: ['bytes'], groupBy: ['client_ip'], compareTo: { offset: '5s' } },
    { type: 'timeseries', measures: ['bytes'], intervalMs: 60_000, compareTo: { offset: '5s' } },
  ]) {
    const results = await testApi.query({ from: 5_000, to: 600_000, queries: [{ refId: 'A', ...query }] });
    expect(results['A']!.error).toBeUndefined();
    expect((results['A']!.meta['before'] as { fromMs: number }).fromMs).toBeLessThan(0);
  }
});

test('an answer says in words where it comes from', async () => {
  expect((await ask({ groupBy: ['src_ip'] })).meta['plan']).toBe(
    'flows: flow records of 10 s, each direction a row of its own',
  );
  expect((await ask({ measures: ['bytes'] })).meta['plan']).toBe(
    'traffic: counters of 1 s, which hold neither addresses nor ports',
  );
  expect((await ask({ measures: ['bytes'], direction: 'server' })).meta['plan']).toBe(
    'flows: flow records of 10 s, what servers sent',
  );
  const peaks = await ask({ measures: ['bits_per_second_p95'], groupBy: ['client_ip'] });
  expect(peaks.meta['plan']).toBe('flows: flow records of 10 s; rates taken over samples of 10 s');
  expect(peaks.meta['sampleMs']).toBe(10_000);
});

test('units are Grafana’s, for peaks, shares and changes too', async () => {
  const unitsOf = async (units: string): Promise<Record<string, unknown>> => {
    const { frames } = await ask({
      measures: ['bytes', 'bits_per_second_p95', 'bytes_share', 'packet_size_avg', 'rtt_avg'],
      groupBy: ['client_ip'],
      compareTo: { offset: '1h' },
      units,
    });
    return Object.fromEntries(frames[0]!.schema.fields.map(({ name, config }) => [name, config?.unit]));
  };
  expect(await unitsOf('base')).toMatchObject({
    bytes: 'bytes',
    bytes_change: 'bytes',
    bytes_change_ratio: 'percentunit',
    bits_per_second_p95: 'bps',
    bytes_share: 'percentunit',
    packet_size_avg: 'bytes',
    rtt_avg_before: 'ns',
  });
  expect(await unitsOf('display')).toMatchObject({
    bytes_change_ratio: 'percent',
    bytes_share: 'percent',
    rtt_avg_change: 'ms',
  });
});

test('a group that is new has no ratio, and its change is what it is', async () => {
  const { frames } = await ask({
    measures: ['bytes'],
    groupBy: ['client_ip'],
    compareTo: { offset: '1h' },
    other: true,
  });
  const [frame] = frames;
  const row = Object.fromEntries(frame!.schema.fields.map(({ name }, i) => [name, frame!.data.values[i]![0]]));
  expect(row).toEqual({
    client_ip: '10.0.0.1',
    bytes: 500_000,
    bytes_before: 0,
    bytes_change: 500_000,
    bytes_change_ratio: null,
  });
  expect(frame!.schema.fields[2]!.config?.displayName).toBe('Bytes (1 hour before)');
});
