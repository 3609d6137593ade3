/**
 * `netspectra up` with databases and networks of the test's own: the columns of every row are what looking its addresses up
 * one by one gives, sums do not change, and filters on them agree between SQL and a plain reading of the rows.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareAddresses, compileSql, networkLast, parseAddress, parseFilter, parseNetwork } from '@netspectra/query';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../backend/src/storage/index.js';
import { rowsOf } from '../../backend/src/storage/store.js';
import type { Store } from '../../backend/src/storage/index.js';
import { mmdb } from '../kit/mmdb.js';
import { repository, run, sampleCapture, temporaryFolder } from './process.js';

const countries = {
  '5.9.0.0/16': { country: { iso_code: 'DE' } },
  '5.9.2.100/30': { country: { iso_code: 'AT' } },
  '133.0.0.0/8': { country: { iso_code: 'JP' } },
  '2a00:db8:10::/48': { country: { iso_code: 'DE' } },
  '198.18.0.0/15': { country: { iso_code: 'US' } }, // benchmark addresses: looked up nowhere
} as const;
const systems = {
  '5.9.0.0/16': { autonomous_system_number: 64500, autonomous_system_organization: 'Example Access' },
  '8.8.0.0/16': { autonomous_system_number: 64501, autonomous_system_organization: 'Tab\there' },
  '2a00:db8::/32': { autonomous_system_number: 4200000000, autonomous_system_organization: "It's\\IPv6" },
} as const;
const networks = [
  { name: 'office', cidr: ['5.9.2.0/24', '2a00:db8:10::/48'], local: true },
  { name: 'servers', cidr: ['5.9.2.53/32'], local: true },
  { name: 'partner', cidr: ['133.11.100.0/24'], local: false },
];

/** The sample capture, moved from documentation addresses to such that databases know. */
function movedSample(): Buffer {
  const bytes = Buffer.from(readFileSync(sampleCapture));
  const moves = [
    [
      [192, 0, 2],
      [5, 9, 2],
    ],
    [
      [198, 51, 100],
      [133, 11, 100],
    ],
    [
      [203, 0, 113],
      [8, 8, 113],
    ],
    [
      [0x20, 0x01, 0x0d, 0xb8],
      [0x2a, 0x00, 0x0d, 0xb8],
    ],
  ] as const;
  for (const [from, to] of moves) {
    const wanted = Buffer.from(from);
    for (let at = bytes.indexOf(wanted, 24); at >= 0; at = bytes.indexOf(wanted, at + to.length)) {
      Buffer.from(to).copy(bytes, at);
    }
  }
  return bytes;
}

const folder = temporaryFolder();
const capture = join(folder.path, 'moved.pcap');
const config = join(folder.path, 'netspectra.yaml');
let store: Store;

beforeAll(async () => {
  writeFileSync(capture, movedSample());
  writeFileSync(join(folder.path, 'country.mmdb'), mmdb({ records: countries, type: 'Test-Country' }));
  writeFileSync(join(folder.path, 'asn.mmdb'), mmdb({ records: systems, type: 'Test-ASN', recordSize: 28 }));
  writeFileSync(
    config,
    JSON.stringify({
      networks,
      enrichment: { country_file: join(folder.path, 'country.mmdb'), asn_file: join(folder.path, 'asn.mmdb') },
    }),
  );
  const args = ['up', '--read', capture, '--once', '--listen', '127.0.0.1:0'];
  const known = await run([...args, '--data', join(folder.path, 'known'), '--config', config], { cwd: folder.path });
  expect(known.code, known.stderr).toBe(0);
  const plain = await run([...args, '--data', join(folder.path, 'plain')], { cwd: repository });
  expect(plain.code, plain.stderr).toBe(0);
}, 60_000);
afterAll(async () => {
  await store?.close();
  folder.remove();
});

type Row = Record<string, string | number>;
const columns = ['country', 'asn', 'as_name', 'network', 'local'].flatMap((name) => [
  `client_${name}`,
  `server_${name}`,
]);
const tables = ['flows', 'dns', 'http', 'tls'] as const;

async function read(dataDir: string, sql: string): Promise<Row[]> {
  store = await openStore({ dataDir: join(folder.path, dataDir) }, { migrate: false });
  try {
    return rowsOf<Row>(await store.query(sql));
  } finally {
    await store.close();
  }
}

/** The entry of the longest prefix, by looking at all of them. */
function longest<T>(list: readonly (readonly [string, T])[], address: string): T | undefined {
  const words = parseAddress(address)!;
  const holding = list.filter(([text]) => {
    const network = parseNetwork(text)!;
    return compareAddresses(network.words, words) <= 0 && compareAddresses(words, networkLast(network)) <= 0;
  });
  return holding.sort(([a], [b]) => parseNetwork(b)!.prefix - parseNetwork(a)!.prefix)[0]?.[1];
}

function expected(side: 'client' | 'server', address: string): Row {
  const nowhere =
    longest(
      [
        ['198.18.0.0/15', true],
        ['ff00::/8', true],
        ['fe80::/10', true],
      ],
      address,
    ) === true;
  const country = nowhere ? undefined : longest(Object.entries(countries), address);
  const system = nowhere ? undefined : longest(Object.entries(systems), address);
  const network = longest(
    networks.flatMap((entry) => entry.cidr.map((cidr) => [cidr, entry] as const)),
    address,
  );
  const link =
    longest(
      [
        ['ff02::/16', true],
        ['fe80::/10', true],
        ['224.0.0.0/24', true],
      ],
      address,
    ) === true;
  return {
    [`${side}_country`]: country?.country.iso_code ?? '',
    [`${side}_asn`]: system?.autonomous_system_number ?? 0,
    [`${side}_as_name`]: system?.autonomous_system_organization.replace('\t', ' ') ?? '',
    [`${side}_network`]: network?.name ?? '',
    [`${side}_local`]: (network?.local ?? link) ? 1 : 0,
  };
}

describe('rows', () => {
  it.each(tables)('of %s say what looking up their addresses says', async (table) => {
    const rows = await read('known', `SELECT client_ip, server_ip, ${columns.join(', ')} FROM ${table}`);
    expect(rows.length).toBeGreaterThan(3);
    const seen = new Set<string>();
    for (const row of rows) {
      const { client_ip: client, server_ip: server, ...places } = row;
      expect(places, `${client} -> ${server}`).toEqual({
        ...expected('client', String(client)),
        ...expected('server', String(server)),
      });
      seen.add(`${row['client_country']}/${row['server_country']}/${row['server_network']}`);
    }
    // The test would prove little if all rows said the same.
    expect(seen.size).toBeGreaterThan(table === 'tls' ? 1 : 2);
  });

  it('are otherwise those of a run that knows nothing', async () => {
    // How often is flushed depends on the clock: flow rows are deltas, and sequence numbers count flushes.
    const counters =
      'sum(client_packets), sum(client_bytes), sum(server_packets), sum(server_bytes), min(first), max(last), max(rtt_ns), max(new_flow)';
    const sqlOf = (table: string): string =>
      table === 'flows'
        ? `SELECT flow_id, window_start, client_ip, server_ip, ${counters} FROM flows GROUP BY ALL ORDER BY ALL`
        : `SELECT * EXCEPT (first_seq, last_seq, stored_at, ${columns.join(', ')}) FROM ${table} ORDER BY ALL`;
    for (const table of tables) {
      const known = await read('known', sqlOf(table));
      expect(known.length, table).toBeGreaterThan(3);
      expect(known, table).toEqual(await read('plain', sqlOf(table)));
    }
    const unknown = await read(
      'plain',
      `SELECT DISTINCT ${columns.filter((name) => !name.endsWith('local')).join(', ')} FROM flows`,
    );
    expect(unknown.length).toBe(1);
    expect(Object.values(unknown[0]!).join('')).toBe('00');
  });
});

describe('filters', () => {
  const sides = (row: Row, name: string): [Row[string], Row[string]] => [
    row[`client_${name}`]!,
    row[`server_${name}`]!,
  ];
  /** The row in a direction in which packets went: what its sender and receiver have. */
  const anyWay = (row: Row, name: string, fits: (from: Row[string], to: Row[string]) => boolean): boolean => {
    const [client, server] = sides(row, name);
    return (
      (Number(row['client_packets']) > 0 && fits(client, server)) ||
      (Number(row['server_packets']) > 0 && fits(server, client))
    );
  };
  const cases: [string, (row: Row) => boolean][] = [
    ['src_country = DE', (row) => anyWay(row, 'country', (from) => from === 'DE')],
    [
      'src_country = de and dst_country = AT',
      (row) => anyWay(row, 'country', (from, to) => from === 'DE' && to === 'AT'),
    ],
    ['country = JP', (row) => sides(row, 'country').includes('JP')],
    ['country != DE', (row) => !sides(row, 'country').includes('DE')],
    ['asn = AS64500', (row) => sides(row, 'asn').includes(64500)],
    ['server_asn in (64501, 4200000000)', (row) => [64501, 4200000000].includes(Number(row['server_asn']))],
    ['as_name ~ "example*"', (row) => sides(row, 'as_name').includes('Example Access')],
    ['network = office', (row) => sides(row, 'network').includes('office')],
    [
      'client_network = office and server_network = servers',
      (row) => row['client_network'] === 'office' && row['server_network'] === 'servers',
    ],
    ['traffic_direction = in', (row) => anyWay(row, 'local', (from, to) => from === 0 && to === 1)],
    ['traffic_direction = out', (row) => anyWay(row, 'local', (from, to) => from === 1 && to === 0)],
    ['traffic_direction = internal', (row) => anyWay(row, 'local', (from, to) => from === 1 && to === 1)],
    ['traffic_direction in (external, internal)', (row) => anyWay(row, 'local', (from, to) => from === to)],
  ];

  it('find the rows that a plain reading finds', async () => {
    const selects = cases.map(([text], i) => {
      const parsed = parseFilter(text);
      if (!parsed.ok) throw new Error(`${text}: ${parsed.errors[0]!.message}`);
      const { sql, params } = compileSql(parsed.filter, { table: 'flows', parameterPrefix: `f${i}_` });
      return { sql: `${sql} AS c${i}`, params };
    });
    store = await openStore({ dataDir: join(folder.path, 'known') }, { migrate: false });
    const result = await store.query(
      `SELECT client_packets, server_packets, ${columns.join(', ')}, ${selects.map(({ sql }) => sql).join(', ')} FROM flows`,
      Object.assign({}, ...selects.map(({ params }) => params)) as Record<string, string>,
    );
    const rows = rowsOf<Row>(result);
    for (const [i, [text, fits]] of cases.entries()) {
      const wanted = rows.map((row) => (fits(row) ? 1 : 0));
      expect(
        rows.map((row) => Number(row[`c${i}`])),
        text,
      ).toEqual(wanted);
      expect(
        wanted.some((found) => found === 1),
        `${text} finds something`,
      ).toBe(true);
      expect(
        wanted.some((found) => found === 0),
        `${text} leaves something`,
      ).toBe(true);
    }
  });
});

describe('mistakes', () => {
  it('are one line and exit code 2', async () => {
    const bad = join(folder.path, 'bad.yaml');
    const refuse = async (text: string, ...messages: string[]): Promise<void> => {
      writeFileSync(bad, text);
      const { code, stderr } = await run(
        [
          'up',
          '--read',
          capture,
          '--once',
          '--data',
          join(folder.path, 'bad'),
          '--listen',
          '127.0.0.1:0',
          '--config',
          bad,
        ],
        { cwd: folder.path },
      );
      expect([code, stderr.trim().split('\n').length], stderr).toEqual([2, 1]);
      for (const message of messages) expect(stderr).toContain(message);
    };
    await refuse(
      'enrichment:\n  country_file: none.mmdb\n',
      'enrichment.country_file: none.mmdb: there is no such file',
    );
    await refuse(
      `enrichment:\n  asn_file: ${join(folder.path, 'country.mmdb')}\n`,
      'this database (Test-Country) has no AS numbers',
    );
    await refuse(
      'networks:\n  - name: a\n    cidr: 10.0.0.0/8\n  - name: b\n    cidr: [192.0.2.0/24, 10.0.0.0/8]\n',
      'bad.yaml:5: networks[1].cidr[1]: 10.0.0.0/8 is in networks[0] "a" already: keep it in one',
    );
    await refuse(
      'networks:\n  - name: a\n    cidr: 10.1.2.3/8\n  - name: b\n    cidr: ten\n',
      '2 mistakes',
      'networks[0].cidr: 10.1.2.3/8 has host bits: did you mean 10.0.0.0/8?',
      'networks[1].cidr: expected a network like 10.0.0.0/8 or 2001:db8::/32, got "ten"',
    );
  });
});
