import { describe, expect, it } from 'vitest';
import { mmdb } from '../../../test/kit/mmdb.js';
import { Enricher, sharedEnricher } from './enricher.js';
import type { EnrichmentData, NetworkConfig } from './enricher.js';
import { addressBytes, sharedBytes, words } from './testing.js';

const country = sharedBytes(
  mmdb({
    records: {
      '5.0.0.0/8': { country_code: 'DE' },
      '2a00::/12': { country_code: 'SE' },
      '10.0.0.0/8': { country_code: 'US' },
      '192.0.2.0/24': { country_code: 'US' },
    },
  }),
);
const asn = sharedBytes(
  mmdb({
    records: {
      '5.0.0.0/9': { autonomous_system_number: 64500, autonomous_system_organization: 'Back\\slash' },
      '6.0.0.0/8': { autonomous_system_number: 4294967295, autonomous_system_organization: 'Big' },
    },
  }),
);
const none: EnrichmentData = { networks: [], country: null, asn: null };
const network = (name: string, cidr: string[], local = true): NetworkConfig => ({ name, cidr, local });
const placeOf = (enricher: Enricher, text: string) => enricher.place(enricher.find(...words(text)));

describe('an enricher', () => {
  it('puts country, autonomous system and network together', () => {
    const networks = [network('office', ['5.1.0.0/16', '2a00:1::/32']), network('partner', ['5.1.2.0/24'], false)];
    const enricher = new Enricher({ networks, country, asn });
    expect(placeOf(enricher, '5.1.1.1')).toEqual({
      country: 'DE',
      asn: 64500,
      asName: 'Back\\slash',
      network: 'office',
      local: true,
    });
    expect(placeOf(enricher, '5.1.2.3')).toMatchObject({ network: 'partner', local: false, asn: 64500 });
    expect(placeOf(enricher, '5.200.0.1')).toEqual({ country: 'DE', asn: 0, asName: '', network: '', local: false });
    expect(placeOf(enricher, '6.1.1.1')).toMatchObject({ country: '', asn: 4294967295, asName: 'Big' });
    expect(placeOf(enricher, '2a00:1::1')).toMatchObject({ country: 'SE', network: 'office', local: true });
  });

  it('looks nothing up for private, documentation and multicast addresses, whatever a database says', () => {
    const enricher = new Enricher({ networks: [], country, asn });
    for (const text of [
      '10.1.1.1',
      '192.0.2.7',
      '224.0.0.251',
      '127.0.0.1',
      '::',
      'fe80::1',
      'ff02::fb',
      '2001:db8::1',
    ]) {
      expect(placeOf(enricher, text), text).toMatchObject({ country: '', asn: 0 });
    }
  });

  it('takes private networks for local as long as none is configured as local', () => {
    const local = (networks: NetworkConfig[], text: string): boolean =>
      placeOf(new Enricher({ ...none, networks }), text).local;
    const privates = ['10.1.1.1', '172.31.0.1', '192.168.1.1', 'fd00::1', '239.255.255.250', 'ff05::2'];
    const link = [
      '127.0.0.1',
      '::1',
      '169.254.1.1',
      'fe80::1',
      '224.0.0.251',
      'ff02::fb',
      '255.255.255.255',
      '0.0.0.0',
    ];
    for (const text of [...privates, ...link]) expect(local([], text), text).toBe(true);
    for (const text of ['8.8.8.8', '172.32.0.1', '100.64.0.1', '::', '2001:db8::1', 'ff0e::1', '224.0.1.1']) {
      expect(local([], text), text).toBe(false);
    }
    const foreign = [network('cloud', ['8.0.0.0/8'], false)];
    for (const text of privates) expect(local(foreign, text), text).toBe(true);
    const own = [network('office', ['8.0.0.0/8'])];
    for (const text of privates) expect(local(own, text), text).toBe(false);
    for (const text of [...link, '8.8.8.8']) expect(local(own, text), text).toBe(true);
    expect(local([network('lab', ['169.254.0.0/16'], false)], '169.254.1.1')).toBe(false);
  });

  it('leaves what stays on the link local, and named, inside a larger network', () => {
    const enricher = new Enricher({
      ...none,
      networks: [network('world', ['::/0'], false), network('office', ['5.0.0.0/8'])],
    });
    expect(placeOf(enricher, '224.0.0.251')).toMatchObject({ network: 'world', local: true });
    expect(placeOf(enricher, '9.9.9.9')).toMatchObject({ network: 'world', local: false });
    expect(placeOf(enricher, '5.9.9.9')).toMatchObject({ network: 'office', local: true });
    expect(placeOf(enricher, '10.0.0.1')).toMatchObject({ network: 'world', local: false });
  });

  it('has the columns of a place ready as text', () => {
    const enricher = new Enricher({ networks: [network('my office', ['5.1.1.1'])], country, asn });
    const text = (address: string): string => {
      const place = enricher.placeOf(addressBytes(address), 0);
      return new TextDecoder().decode(
        enricher.text.subarray(enricher.textStart[place]!, enricher.textStart[place + 1]!),
      );
    };
    expect(text('5.1.1.1')).toBe('DE\t64500\tBack\\\\slash\tmy office\t1\t');
    expect(text('5.1.1.2')).toBe('DE\t64500\tBack\\\\slash\t\t0\t');
    expect(text('9.9.9.9')).toBe('\t0\t\t\t0\t');
  });

  it('remembers addresses, and answers the same when it has forgotten them', () => {
    const enricher = new Enricher({ networks: [], country, asn }, { cacheEntries: 64 });
    const addresses = Array.from({ length: 4096 }, (_, i) => `${i & 15}.${(i >> 4) & 255}.1.1`);
    const first = addresses.map((text) => placeOf(enricher, text));
    expect(enricher.counters.misses).toBe(4096);
    expect(addresses.map((text) => placeOf(enricher, text))).toEqual(first);
    expect(placeOf(enricher, '5.1.1.1').country).toBe('DE');
    const { misses } = enricher.counters;
    for (let i = 0; i < 10; i += 1) placeOf(enricher, '5.1.1.1');
    expect(enricher.counters.misses).toBe(misses);
  });

  it('begins anew when there are too many places', () => {
    const networks = Array.from({ length: 100 }, (_, i) => network(`n${i}`, [`20.0.${i}.0/24`]));
    const enricher = new Enricher({ ...none, networks }, { placesMax: 10, cacheEntries: 4096 });
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 100; i += 1) expect(placeOf(enricher, `20.0.${i}.${round}`).network).toBe(`n${i}`);
    }
    expect(enricher.counters.resets).toBeGreaterThan(10);
  });

  it('goes on with other data, and with the old when those cannot be used', () => {
    const enricher = new Enricher({ networks: [], country, asn: null });
    expect(placeOf(enricher, '5.1.1.1').country).toBe('DE');
    const changed = sharedBytes(mmdb({ records: { '5.0.0.0/8': { country_code: 'FR' } } }));
    enricher.load({ networks: [], country: changed, asn: null });
    expect(placeOf(enricher, '5.1.1.1').country).toBe('FR');
    const broken = sharedBytes(new Uint8Array(100));
    expect(() => enricher.load({ networks: [], country: broken, asn: null })).toThrow('no MMDB file');
    expect(placeOf(enricher, '5.1.1.1').country).toBe('FR');
  });

  it('counts records that are damaged, also after it has gone on with others', () => {
    const bytes = mmdb({ records: { '5.0.0.0/8': { country_code: 'DE' }, '6.0.0.0/8': { country_code: 'FR' } } });
    // The map before the first key becomes an extended type that MMDB does not have.
    bytes[bytes.indexOf('country_code') - 2] = 0;
    const enricher = new Enricher({ networks: [], country: sharedBytes(bytes), asn: null });
    const countries = ['5.1.1.1', '5.1.1.2', '6.1.1.1'].map((text) => placeOf(enricher, text).country);
    expect(countries.filter((text) => text === '').length).toBeGreaterThan(0);
    const { damagedRecords } = enricher.counters;
    expect(damagedRecords).toBeGreaterThan(0);
    enricher.load({ networks: [], country, asn: null });
    expect(enricher.counters.damagedRecords).toBe(damagedRecords);
  });

  it('is one for all who have the same data, and each of them tells what no other has told', () => {
    const data = { networks: [], country, asn: null };
    const enricher = sharedEnricher(data);
    expect(sharedEnricher(data)).toBe(enricher);
    expect(sharedEnricher({ ...data })).not.toBe(enricher);
    placeOf(enricher, '5.1.1.1');
    expect(enricher.takeCounters().misses).toBe(1);
    placeOf(enricher, '5.1.1.2');
    placeOf(enricher, '5.1.1.3');
    expect(enricher.takeCounters().misses).toBe(2);
    expect(enricher.takeCounters().misses).toBe(0);
    expect(enricher.counters.misses).toBe(3);
  });
});
