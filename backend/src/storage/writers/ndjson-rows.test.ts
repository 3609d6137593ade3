import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeTsv, tables } from '../../tables/index.js';
import type { TableName } from '../../tables/index.js';
import { rowBlock } from '../testing.js';
import type { RowValues } from '../testing.js';
import { ndjsonPieces, plainAddress } from './ndjson-rows.js';

const stamp = { probe: 'p"1', epoch: 2n ** 64n - 1n, partition: 3, firstSeq: 10, lastSeq: 19 };

function linesOf(table: TableName, rows: readonly RowValues[], pieceBytes?: number): string[] {
  const pieces = [...ndjsonPieces(rowBlock(table, rows), stamp, pieceBytes)].length;
  // A piece holds until the next one: so each is copied as it comes.
  let text = '';
  let count = 0;
  for (const piece of ndjsonPieces(rowBlock(table, rows), stamp, pieceBytes)) {
    text += new TextDecoder().decode(piece);
    expect(text.endsWith('\n')).toBe(true);
    count += 1;
  }
  expect(count).toBe(pieces);
  return text.split('\n').slice(0, -1);
}
const objectsOf = (table: TableName, rows: readonly RowValues[], pieceBytes?: number): Record<string, unknown>[] =>
  linesOf(table, rows, pieceBytes).map((line) => JSON.parse(line) as Record<string, unknown>);

describe('rows as NDJSON', () => {
  it('are typed: numbers, text, times, addresses, arrays and maps, with the stamp first', () => {
    const [flow] = objectsOf('flows', [
      {
        window_start: 1_700_000_000,
        window_seconds: 10,
        flow_id: 7,
        client_ip: '0000:0000:0000:0000:0000:ffff:c000:0207',
        server_ip: '2001:0db8:0000:0000:0001:0000:0000:0001',
        client_port: 443,
        application: 'http',
        client_bytes: 9_007_199_254_740_992n,
        server_bytes: 9_007_199_254_740_993n,
        first: '1700000000.000000007',
        last: '1234.500000000',
        client_local: 1,
      },
    ]);
    expect(Object.keys(flow!)).toEqual(tables.flows.columns.map(({ name }) => name));
    expect(flow).toMatchObject({
      probe: 'p"1',
      epoch: '18446744073709551615',
      partition: 3,
      first_seq: 10,
      last_seq: 19,
      window_start: '2023-11-14T22:13:20Z',
      flow_id: '7',
      client_ip: '192.0.2.7',
      server_ip: '2001:db8::1:0:0:1',
      client_port: 443,
      application: 'http',
      client_bytes: 9_007_199_254_740_992,
      server_bytes: '9007199254740993',
      first: '2023-11-14T22:13:20.000000007Z',
      last: '1970-01-01T00:20:34.500000000Z',
      client_local: 1,
      rtt_ns: 0,
    });
    const [stats] = objectsOf('probe_stats', [{ reasons: "{'tcp_cut':2,'x\\'y':18446744073709551615}" }, {}]);
    expect(stats!['reasons']).toEqual({ tcp_cut: 2, "x'y": '18446744073709551615' });
    expect(objectsOf('dns', [{ answers: "['192.0.2.1','a\\tb\"']" }])[0]!['answers']).toEqual(['192.0.2.1', 'a\tb"']);
    const [sketch] = objectsOf('sketches', [{ registers: '[0,3]', cells: '[1,18446744073709551615,2]' }]);
    expect([sketch!['registers'], sketch!['cells']]).toEqual([
      [0, 3],
      [1, '18446744073709551615', 2],
    ]);
    expect(objectsOf('tcp_health', [{ rtt_histogram: '[]' }])[0]!['rtt_histogram']).toEqual([]);
  });

  it('give back any text, however it is cut into pieces', () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 2_000 }), (names, pieceBytes) => {
        const answers = `[${names.map((name) => `'${escapeTsv(name, true)}'`).join(',')}]`;
        const rows = objectsOf(
          'dns',
          names.map((name) => ({ name, answers, type: 'A' })),
          pieceBytes,
        );
        // Half a surrogate pair has no bytes: it becomes U+FFFD where the row is written.
        const kept = names.map((name) => Buffer.from(name).toString());
        expect(rows.map((row) => row['name'])).toEqual(kept);
        for (const row of rows) expect([row['answers'], row['type'], row['client_country']]).toEqual([kept, 'A', '']);
      }),
      { numRuns: 300 },
    );
  });

  it('write addresses as RFC 5952 does', () => {
    const cases: Record<string, string> = {
      '0000:0000:0000:0000:0000:0000:0000:0000': '::',
      '0000:0000:0000:0000:0000:0000:0000:0001': '::1',
      '2001:0db8:0000:0001:0001:0001:0001:0001': '2001:db8:0:1:1:1:1:1',
      '2001:0db8:0000:0000:0001:0000:0000:0001': '2001:db8::1:0:0:1',
      '0000:0000:0000:0000:0000:ffff:0000:00ff': '0.0.0.255',
      '0000:0000:0000:0000:0000:fffe:0000:00ff': '::fffe:0:ff',
      '::ffff:192.0.2.1': '192.0.2.1',
    };
    for (const [text, plain] of Object.entries(cases)) expect(plainAddress(text)).toBe(plain);
  });
});
