import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, dirname } from 'node:path';
import { networkOf, parseNetwork } from '@netspectra/query';
import type { Network } from '@netspectra/query';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mmdb } from '../../../test/kit/mmdb.js';
import type { MmdbValue } from '../../../test/kit/mmdb.js';
import { Database } from './database.js';
import { NetworkTable } from './network-table.js';
import { readRecord } from './record.js';
import { sharedBytes, words } from './testing.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const both = { country: true, asn: true };
const open = (bytes: Uint8Array, wanted = both): Database => new Database(sharedBytes(bytes), wanted);
const lookUp = (database: Database, text: string) => database.record(database.find(...words(text)));

describe('records', () => {
  const record = (country: string, asn: number, asName: string) => ({ country, asn, asName });
  it.each<[string, MmdbValue, ReturnType<typeof record>]>([
    ['MaxMind country', { country: { iso_code: 'DE', geoname_id: 1 } }, record('DE', 0, '')],
    [
      'MaxMind, registered elsewhere',
      { country: { iso_code: 'DE' }, registered_country: { iso_code: 'US' } },
      record('DE', 0, ''),
    ],
    ['MaxMind, registered only', { registered_country: { iso_code: 'US' }, traits: {} }, record('US', 0, '')],
    [
      'MaxMind and DB-IP ASN',
      { autonomous_system_number: 64500, autonomous_system_organization: 'Example' },
      record('', 64500, 'Example'),
    ],
    ['ip-location-db', { country_code: 'NL' }, record('NL', 0, '')],
    [
      'IPinfo Lite',
      { asn: 'AS15169', as_name: 'Google LLC', as_domain: 'google.com', country_code: 'US', country: 'United States' },
      record('US', 15169, 'Google LLC'),
    ],
    [
      'IPinfo free',
      { country: 'US', country_name: 'United States', asn: 'AS64500', as_name: 'x' },
      record('US', 64500, 'x'),
    ],
    ['a number and a domain', { asn: 64500, as_domain: 'example.net' }, record('', 64500, 'example.net')],
    ['small letters', { country_code: 'de' }, record('DE', 0, '')],
    ['what stands for unknown', { country_code: 'ZZ', asn: 'AS0' }, record('', 0, '')],
    ['something else', { country_code: 'Germany', asn: 'ASx', autonomous_system_number: -1 }, record('', 0, '')],
    ['a name without a number', { as_name: 'x' }, record('', 0, '')],
    ['a text', 'DE', record('', 0, '')],
    ['too large a number', { asn: 4294967296 }, record('', 0, '')],
    ['names that would harm a terminal', { asn: 1, as_name: ' a\u001b[2J\tb\n\u202ec ' }, record('', 1, 'a [2J b c')],
    ['long names', { asn: 1, as_name: 'x'.repeat(5000) }, record('', 1, 'x'.repeat(100))],
  ])('are read: %s', (_, data, wanted) => {
    expect(readRecord(data)).toEqual(wanted);
  });
});

describe('a database', () => {
  const records = {
    '5.0.0.0/8': { country: { iso_code: 'DE' } },
    '5.6.0.0/16': { country: { iso_code: 'FR' } },
    '5.6.7.8/32': { country: { iso_code: 'NL' } },
    '2a00::/12': { country: { iso_code: 'DE' } },
    '2a00:1234::/32': { country_code: 'SE' },
  };

  it.each([24, 28, 32] as const)('of %i bits finds the record of the longest prefix', (recordSize) => {
    const database = open(mmdb({ records, recordSize, type: 'Test-Country' }));
    expect(database.type).toBe('Test-Country');
    expect(database.content()).toEqual({ country: true, asn: false });
    const country = (text: string): string => lookUp(database, text).country;
    expect(['5.0.0.1', '5.6.0.1', '5.6.7.8', '5.6.7.9', '6.0.0.0', '4.255.255.255'].map(country)).toEqual([
      'DE',
      'FR',
      'NL',
      'FR',
      '',
      '',
    ]);
    expect(['2a00::1', '2a00:1234::', '2a00:1235::', '2b00::', '::5.0.0.1'].map(country)).toEqual([
      'DE',
      'SE',
      'DE',
      '',
      'DE',
    ]);
    // The same content is the same record, wherever it stands.
    expect(database.find(...words('5.0.0.1'))).toBe(database.find(...words('2a00::1')));
  });

  it('of IPv4 knows no IPv6', () => {
    const database = open(
      mmdb({ records: { '5.0.0.0/8': { country_code: 'DE' }, '0.0.0.0/1': { country_code: 'US' } }, ipVersion: 4 }),
    );
    expect([lookUp(database, '5.1.1.1').country, lookUp(database, '2a00::1').country]).toEqual(['DE', '']);
    expect(lookUp(database, '::5.1.1.1').country).toBe('');
  });

  it('gives only the fields that are wanted', () => {
    const bytes = mmdb({ records: { '5.0.0.0/8': { country_code: 'DE', asn: 'AS1', as_name: 'x' } } });
    expect(lookUp(open(bytes, { country: true, asn: false }), '5.1.1.1')).toEqual({
      country: 'DE',
      asn: 0,
      asName: '',
    });
    expect(lookUp(open(bytes, { country: false, asn: true }), '5.1.1.1')).toEqual({ country: '', asn: 1, asName: 'x' });
  });

  it(`agrees with looking at every prefix (seed ${seed})`, () => {
    const dotted = fc
      .tuple(fc.constantFrom(1, 2, 255), fc.nat(255), fc.nat(3), fc.nat(255), fc.nat(32))
      .map(([a, b, c, d, prefix]) => `${a}.${b}.${c}.${d}/${prefix}`);
    const colons = fc
      .tuple(fc.constantFrom('2001', 'ff', '8000'), fc.nat(3), fc.integer({ min: 1, max: 128 }))
      .map(([a, b, prefix]) => `${a}:${b}::${b}/${prefix}`);
    const list = fc.uniqueArray(fc.oneof(dotted, colons), {
      minLength: 1,
      maxLength: 30,
      selector: (text) => `${inTree(text).words.join('.')}/${inTree(text).prefix}`,
    });
    fc.assert(
      fc.property(list, fc.constantFrom(24, 28, 32), (texts, recordSize) => {
        const records = Object.fromEntries(texts.map((text, i) => [text, { asn: i + 1 }]));
        const database = open(mmdb({ records, recordSize }));
        const expected = new NetworkTable(texts.map((text, value) => ({ network: inTree(text), value })));
        for (const text of texts) {
          const { words: at } = parseNetwork(text)!;
          const place = inTree(text).words;
          expect(database.record(database.find(...at)).asn - 1, text).toBe(expected.find(...place));
        }
      }),
      { seed, numRuns: 200 },
    );
  });
});

/** Where the tree keeps a network: IPv4 at ::a.b.c.d, among IPv6. */
function inTree(text: string): Network {
  const network = parseNetwork(text)!;
  return text.includes(':') ? network : networkOf([0, 0, 0, network.words[3]], network.prefix);
}

describe('damaged files', () => {
  const whole = mmdb({ records: { '5.0.0.0/8': { country_code: 'DE' }, '2a00::/12': { asn: 'AS1', as_name: 'x' } } });
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('start,end,country\n1.0.0.0,1.0.0.255,AU\n'.repeat(100))],
    ['zeros', Buffer.alloc(10_000)],
    ['the beginning', whole.subarray(0, whole.length >> 1)],
    ['the end', whole.subarray(whole.length >> 1)],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])],
  ])('are refused: %s', (_, bytes) => {
    expect(() => open(bytes)).toThrow('no MMDB file');
  });

  it(`never end a lookup with an error (seed ${seed})`, () => {
    const flips = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(flips, (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        let database: Database;
        try {
          database = open(bytes);
        } catch (error) {
          expect((error as Error).message).toContain('no MMDB file');
          return;
        }
        database.content();
        for (const text of ['5.1.1.1', '255.255.255.255', '0.0.0.0', '2a00::', '::', 'ffff::1']) lookUp(database, text);
      }),
      { seed, numRuns: 2000, interruptAfterTimeLimit: 5000 },
    );
  });
});

describe('a real database (geo-whois-asn-country of ip-location-db)', () => {
  const folder = dirname(
    createRequire(import.meta.url).resolve('@ip-location-db/geo-whois-asn-country-mmdb/package.json'),
  );
  it.each(['geo-whois-asn-country.mmdb', 'geo-whois-asn-country-ipv4.mmdb'])(
    '%s knows well-known addresses',
    (name) => {
      const database = open(readFileSync(join(folder, name)));
      expect(database.content()).toEqual({ country: true, asn: false });
      const country = (text: string): string => lookUp(database, text).country;
      // Google's resolver, RIPE NCC, the University of Tokyo, Hetzner, Yandex
      expect(['8.8.8.8', '193.0.6.139', '133.11.0.1', '5.9.0.1', '77.88.8.8'].map(country)).toEqual([
        'US',
        'NL',
        'JP',
        'DE',
        'RU',
      ]);
      expect(country('10.0.0.1')).toBe('');
      if (name.endsWith('country.mmdb')) expect(country('2001:4860:4860::8888')).toBe('US');
    },
  );
});
