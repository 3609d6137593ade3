/** Packets without a byte on the wire (a capture can say so) are packets all the same. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameRows, openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';

const start = Date.UTC(2026, 4, 1) / 1000;
let t: TestApi;

beforeAll(async () => {
  const row = { window_start: start, window_seconds: 10, server_ip: '::ffff:192.0.2.7', protocol: 17 };
  const flows = [
    { ...row, flow_id: 1, client_ip: '::ffff:10.0.0.1', client_packets: 3, client_bytes: 0 },
    { ...row, flow_id: 2, client_ip: '::ffff:10.0.0.2', client_packets: 2, client_bytes: 120 },
  ];
  t = await openTestApi({ p: { flows } });
});
afterAll(() => t.close());

const ask = async (measures: string[], filter = '') => {
  const query = { refId: 'A', type: 'table', measures, groupBy: ['src_ip'], filter, limit: 10 };
  const { A } = await t.query({ from: start * 1000, to: (start + 10) * 1000, queries: [query] });
  return frameRows(A?.frames[0]);
};

test.each([
  ['apart', ''],
  ['found by host', 'host in (10.0.0.1, 10.0.0.2)'],
])('whoever sent packets is there, rows taken %s', async (_how, filter) => {
  expect(await ask(['packets'], filter)).toEqual([
    { src_ip: '10.0.0.1', packets: 3 },
    { src_ip: '10.0.0.2', packets: 2 },
  ]);
  expect(await ask(['bytes', 'packets'], filter)).toEqual([
    { src_ip: '10.0.0.2', bytes: 120, packets: 2 },
    { src_ip: '10.0.0.1', bytes: 0, packets: 3 },
  ]);
  expect(await ask(['flows'], filter)).toHaveLength(2);
});
