/** What is known about hosts, for answers: country, autonomous system, network, and the name when reverse DNS is on. */
import { formatAddress, parseAddress } from '@netspectra/query';
import type { AddressWords } from '@netspectra/query';
import type { Enricher } from './enricher.js';
import type { ReverseDns } from './reverse-dns.js';

/** A host as answers show it; words are those of the API. */
export interface HostInfo {
  /** canonical text, IPv4 where it is one */
  readonly address: string;
  /** '' when it has none, or reverse DNS is off or too slow */
  readonly name: string;
  /** ISO 3166-1 alpha-2, '' unknown */
  readonly country: string;
  /** 0 unknown */
  readonly asn: number;
  readonly as_name: string;
  /** name of the configured network, '' none */
  readonly network: string;
  /** the address is in a local network */
  readonly local: boolean;
}

export interface HostLookup {
  /** Look these addresses up (text), in their order. Throws a RangeError for one that is none: check before. */
  lookupHosts(addresses: readonly string[]): Promise<HostInfo[]>;
}

export interface HostLookupDeps {
  readonly enricher: Enricher;
  /** null: reverse DNS is off */
  readonly reverseDns: ReverseDns | null;
  /** which addresses are asked for: those of local networks only, or all */
  readonly scope: 'local' | 'all';
  /** how long names are waited for, all together, milliseconds */
  readonly budgetMillis: number;
}

/** Nobody's address: never asked for. */
const isAskable = ([a, b, c, d]: AddressWords): boolean =>
  !(a === 0 && b === 0 && c === 0 && d <= 1) && // :: and ::1
  a >>> 24 !== 0xff && // IPv6 multicast
  !(c === 0xffff && a === 0 && b === 0 && (d >>> 28 >= 14 || d >>> 24 === 127 || d >>> 24 === 0)); // IPv4's likewise

export function createHostLookup({ enricher, reverseDns, scope, budgetMillis }: HostLookupDeps): HostLookup {
  return {
    async lookupHosts(addresses) {
      const hosts = addresses.map((text) => {
        const words = parseAddress(text);
        if (!words) throw new RangeError(`${JSON.stringify(text)} is no address`);
        return { words, place: enricher.place(enricher.find(...words)) };
      });
      const names = new Map<string, string>();
      if (reverseDns) {
        const asked = hosts
          .filter(({ words, place }) => (scope === 'all' || place.local) && isAskable(words))
          .map(({ words }) => words);
        const found = await reverseDns.names(asked, budgetMillis);
        for (const [i, words] of asked.entries()) names.set(formatAddress(words), found[i]!);
      }
      return hosts.map(({ words, place }) => {
        const address = formatAddress(words);
        return {
          address,
          name: names.get(address) ?? '',
          country: place.country,
          asn: place.asn,
          as_name: place.asName,
          network: place.network,
          local: place.local,
        };
      });
    },
  };
}
