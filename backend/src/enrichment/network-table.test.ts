import { networkLast, networkOf, compareAddresses, parseNetwork } from '@netspectra/query';
import type { AddressWords, Network } from '@netspectra/query';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NetworkTable } from './network-table.js';
import { words } from './testing.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const table = (...texts: string[]): NetworkTable =>
  new NetworkTable(texts.map((text, value) => ({ network: parseNetwork(text)!, value })));

it('gives the longest prefix', () => {
  const nested = table('10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '2001:db8::/32', '2001:db8::1/128');
  const find = (text: string): number => nested.find(...words(text));
  expect(['10.0.0.1', '10.1.0.1', '10.1.2.255', '10.1.3.0', '10.2.0.0', '11.0.0.0'].map(find)).toEqual([
    0, 1, 2, 1, 0, -1,
  ]);
  expect(['2001:db8::', '2001:db8::1', '2001:db8::2', '2001:db9::'].map(find)).toEqual([3, 4, 3, -1]);
});

it('takes ::/0 for every address, IPv4 too, and the ends of the space', () => {
  const all = table('::/0', '255.255.255.255/32', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128');
  const find = (text: string): number => all.find(...words(text));
  expect(['::', '1.2.3.4', '255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffff::'].map(find)).toEqual([
    0, 0, 1, 2, 0,
  ]);
  expect(new NetworkTable([]).find(1, 2, 3, 4)).toBe(-1);
});

it(`finds what looking at every prefix finds (seed ${seed})`, () => {
  // Few bits that matter, so that prefixes nest and touch.
  const address = fc
    .tuple(fc.constantFrom(0, 0x20010db8, 0xffffffff), fc.constantFrom(0, 0xffff), fc.constantFrom(0, 0xffff), fc.nat())
    .map(([a, b, c, d]): AddressWords => [a, b, c, d >>> 0]);
  const network = fc
    .tuple(address, fc.oneof(fc.integer({ min: 96, max: 128 }), fc.nat(128)))
    .map(([at, prefix]): Network => networkOf(at, prefix));
  fc.assert(
    fc.property(fc.array(network, { maxLength: 40 }), fc.array(address, { maxLength: 20 }), (networks, addresses) => {
      const found = new NetworkTable(networks.map((entry, value) => ({ network: entry, value })));
      const edges = networks.flatMap((entry) => [entry.words, networkLast(entry)]);
      for (const at of [...addresses, ...edges]) {
        let best = -1;
        for (const [i, entry] of networks.entries()) {
          const inside = compareAddresses(entry.words, at) <= 0 && compareAddresses(at, networkLast(entry)) <= 0;
          if (inside && (best < 0 || entry.prefix >= networks[best]!.prefix)) best = i;
        }
        expect(found.find(...at)).toBe(best);
      }
    }),
    { seed, numRuns: 300 },
  );
});
