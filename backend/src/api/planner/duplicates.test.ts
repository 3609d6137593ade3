/** A flow that two probes saw: packets and bytes count once, and both probes are listed however it is asked for. */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { frameRows, openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';

const start = Date.UTC(2026, 4, 1) / 1000;
let t: TestApi;

beforeAll(async () => {
  const flow = {
    window_start: start,
    window_seconds: 10,
    flow_id: 1,
    client_ip: '::ffff:10.0.0.1',
    server_ip: '::ffff:192.0.2.7',
    client_port: 4_000,
    server_port: 443,
    protocol: 6,
  };
  const counts = { client_packets: 3, client_bytes: 300, server_packets: 2, server_bytes: 900, new_flow: 1 };
  const copies = Object.fromEntries(
    Object.entries({ packets: 3, bytes: 300 }).map(([name, count]) => [`client_duplicate_${name}`, count]),
  );
  const copiesBack = { server_duplicate_packets: 2, server_duplicate_bytes: 900 };
  t = await openTestApi({
    east: { flows: [{ ...flow, ...counts }] },
    west: { flows: [{ ...flow, ...copies, ...copiesBack }] },
  });
});
afterAll(() => t.close());

const ask = async (query: object) => {
  const range = { from: start * 1000, to: (start + 10) * 1000 };
  const { A } = await t.query({ ...range, queries: [{ refId: 'A', type: 'table', limit: 10, ...query }] });
  return frameRows(A?.frames[0]);
};
const counted = ['packets', 'bytes', 'duplicate_packets', 'duplicate_bytes', 'distinct_probe', 'flows'];

test.each([
  ['all of it', {}, [5, 1_200, 5, 1_200, 2, 1]],
  ['by a filter on either host', { filter: 'host = 10.0.0.1' }, [5, 1_200, 5, 1_200, 2, 1]],
  ['by a host that sent it', { filter: 'src_ip = 10.0.0.1' }, [3, 300, 3, 300, 2, 1]],
  ['by a network that sent it', { filter: 'src_ip in 192.0.0.0/8' }, [2, 900, 2, 900, 2, 1]],
  ['of who began it', { direction: 'client' }, [3, 300, 3, 300, 2, 1]],
  ['of the probe that counted it', { filter: 'probe = east' }, [5, 1_200, 0, 0, 1, 1]],
  ['of the probe that saw copies', { filter: 'probe = west and src_ip = 10.0.0.1' }, [0, 0, 3, 300, 1, 0]],
])('%s counts once', async (_which, query, sums) => {
  const [row] = await ask({ measures: counted, ...query });
  expect(counted.map((name) => row?.[name] ?? 0)).toEqual(sums);
});

describe('both probes are listed', () => {
  it.each([
    ['src_ip = 10.0.0.1', [3, 0]],
    ['src_ip in 192.0.0.0/8', [2, 0]],
    ['dst_port = 443', [3, 0]],
  ])('by packets alone (%s)', async (filter, packets) => {
    const rows = await ask({ measures: ['packets'], groupBy: ['probe'], filter });
    expect(rows).toEqual(['east', 'west'].map((probe, i) => ({ probe, packets: packets[i] })));
  });

  it('with each host that sent', async () => {
    const rows = await ask({ measures: ['packets', 'duplicate_packets'], groupBy: ['src_ip', 'probe'] });
    expect(rows).toEqual([
      { src_ip: '10.0.0.1', probe: 'east', packets: 3, duplicate_packets: 0 },
      { src_ip: '192.0.2.7', probe: 'east', packets: 2, duplicate_packets: 0 },
      { src_ip: '10.0.0.1', probe: 'west', packets: 0, duplicate_packets: 3 },
      { src_ip: '192.0.2.7', probe: 'west', packets: 0, duplicate_packets: 2 },
    ]);
  });

  it.each(['', 'src_ip = 10.0.0.1', 'src_ip in 10.0.0.0/8 and dst_port = 443'])(
    'with a record each in the list of flows (%s)',
    async (filter) => {
      const rows = await ask({ type: 'flows', measures: [], filter });
      expect(rows.map((row) => [row['probe'], row['client_packets'], row['duplicate_packets']])).toEqual([
        ['east', 3, 0],
        ['west', 0, 5],
      ]);
    },
  );

  it('without any host, where copies are asked for', async () => {
    expect(await ask({ measures: ['packets', 'duplicate_packets'], groupBy: ['probe'] })).toEqual([
      { probe: 'east', packets: 5, duplicate_packets: 0 },
      { probe: 'west', packets: 0, duplicate_packets: 5 },
    ]);
  });

  it('where a change is explained', async () => {
    const explain = { baseline: { from: (start - 10) * 1000, to: start * 1000 } };
    const query = { type: 'explain', measures: ['duplicate_packets'], groupBy: ['src_ip'], explain };
    expect((await ask({ ...query, filter: 'probe = west' })).map((row) => [row['value'], row['after']])).toEqual([
      ['10.0.0.1', 3],
      ['192.0.2.7', 2],
    ]);
  });
});

it('and who asks for hosts alone is told of none that only has copies', async () => {
  expect(await ask({ measures: ['packets'], groupBy: ['src_ip'], filter: 'probe = west' })).toEqual([]);
});
