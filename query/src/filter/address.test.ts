import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareAddresses,
  formatAddress,
  formatNetwork,
  networkLast,
  networkOf,
  parseAddress,
  parseNetwork,
} from './address.js';
import type { AddressWords } from './address.js';

const word = fc.oneof(fc.constantFrom(0, 0, 1, 0xffff, 0x10000, 0xffffffff), fc.nat(0xffffffff));
const address = fc.tuple(word, word, word, word) as fc.Arbitrary<AddressWords>;

describe('addresses', () => {
  it.each([
    // RFC 5952 4 and 5
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::ABCD', '2001:db8::abcd'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::192.0.2.1', '::c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0', '0.0.0.0'],
  ])('reads %s as %s', (text, canonical) => {
    expect(formatAddress(parseAddress(text)!)).toBe(canonical);
  });

  it.each([
    ...[
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1.2.3.4 ',
      '0x7f.1',
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
    ],
    ...[
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:8::',
      '12345::',
      '::g',
      'fe80::1%eth0',
      '1.2.3.4::',
      '::1.2.3',
      ':1:2:3:4:5:6:7:8',
    ],
    ...['1:2:3:4:5:6:7:1.2.3.4', '::1.2.3.4:5', '[::1]'],
  ])('refuses %j', (text) => expect(parseAddress(text)).toBeUndefined());

  it('reads what it writes', () => {
    fc.assert(
      fc.property(address, (words) => {
        expect(parseAddress(formatAddress(words))).toEqual(words);
      }),
    );
  });

  it.each([
    ['10.1.2.3/8', '10.0.0.0/8', '10.255.255.255'],
    ['0.0.0.0/0', '0.0.0.0/0', '255.255.255.255'],
    ['192.0.2.7/32', '192.0.2.7/32', '192.0.2.7'],
    ['::/0', '::/0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8', '10.255.255.255'],
    ['::ffff:0:0/95', '::fffe:0:0/95', '255.255.255.255'],
  ])('reads the network %s as %s', (text, canonical, last) => {
    const network = parseNetwork(text)!;
    expect(formatNetwork(network)).toBe(canonical);
    expect(formatAddress(networkLast(network))).toBe(last);
  });

  it.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '::/129',
    '/8',
    '10/8',
    '10.0.0.0/8/8',
  ])('refuses the network %j', (text) => expect(parseNetwork(text)).toBeUndefined());

  it('has networks that hold just the addresses with their prefix', () => {
    const bits = (words: AddressWords): string => words.map((part) => part.toString(2).padStart(32, '0')).join('');
    fc.assert(
      fc.property(address, address, fc.nat(128), (base, other, prefix) => {
        const network = networkOf(base, prefix);
        const inside =
          compareAddresses(network.words, other) <= 0 && compareAddresses(other, networkLast(network)) <= 0;
        expect(inside).toBe(bits(base).slice(0, prefix) === bits(other).slice(0, prefix));
        expect(parseNetwork(formatNetwork(network))).toEqual(network);
      }),
    );
  });
});
