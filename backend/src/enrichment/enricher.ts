/**
 * What is known about an address: country, autonomous system, configured network, local or not. Made for the engine's
 * rows: an address seen lately costs a hash and a comparison, gives a number (its *place*), and the place's columns lie
 * ready as bytes. Nothing is allocated for an address that leads to a known place.
 *
 * All state is bounded. The cache is open addressed, four ways a bucket, one after the other thrown out. Places are all the
 * combinations met; when there are too many, all is forgotten and begins anew (counted), so a place's number holds only
 * until the next lookup.
 */
import { parseNetwork } from '@netspectra/query';
import { Database } from './database.js';
import { NetworkTable } from './network-table.js';
import type { PrefixEntry } from './network-table.js';
import { linkNetworks, nowhereNetworks, privateNetworks } from './well-known.js';

/** A configured network. */
export interface NetworkConfig {
  readonly name: string;
  /** address/prefix, or single addresses */
  readonly cidr: readonly string[];
  /** our own: what `traffic_direction` calls inside */
  readonly local: boolean;
}

/** Everything lookups need. It can be sent to other threads; file contents are shared, not copied. */
export interface EnrichmentData {
  readonly networks: readonly NetworkConfig[];
  /** MMDB file that says countries, null for none */
  readonly country: SharedArrayBuffer | null;
  /** MMDB file that says autonomous systems, null for none; may be the same one */
  readonly asn: SharedArrayBuffer | null;
}

/** What is known about an address; empty, 0 and false where nothing is. */
export interface Place {
  /** ISO 3166-1 alpha-2 */
  readonly country: string;
  readonly asn: number;
  readonly asName: string;
  /** name of the configured network */
  readonly network: string;
  readonly local: boolean;
}

export interface EnricherOptions {
  /** addresses remembered; a power of two */
  readonly cacheEntries?: number;
  /** most places before all is forgotten */
  readonly placesMax?: number;
}

/** What an enricher did. */
export interface EnricherCounters {
  /** addresses that were not in the cache */
  misses: number;
  /** times all places were forgotten because there were too many */
  resets: number;
  /** records of the databases that could not be decoded; they count as empty */
  damagedRecords: number;
  /** different records beyond those that can be kept; they count as empty */
  droppedRecords: number;
}

const ways = 4;
/** Words of a cache entry: the address and its place. */
const entryWords = 5;
/** 65,536 entries are 1.3 MB; a flow row has two addresses, and traffic comes back to the same ones. */
const cacheEntriesDefault = 1 << 16;
const placesMaxDefault = 1 << 17;

const nowhere = new NetworkTable(nowhereNetworks.map((network) => ({ network, value: 0 })));
const utf8 = new TextEncoder();

/** Which configured network an address is in, and whether it is local. */
interface Networks {
  /** value: index in the configuration */
  readonly names: NetworkTable;
  /** value: 1 local, 0 not */
  readonly locals: NetworkTable;
}

/**
 * Two tables, because what never leaves the link stays local, and keeps the name, when it is inside a larger configured
 * network such as ::/0 "internet". Configured prefixes win over well-known ones of the same length.
 */
function networksOf(configured: readonly NetworkConfig[]): Networks {
  const names: PrefixEntry[] = [];
  const locals: PrefixEntry[] = linkNetworks.map((network) => ({ network, value: 1 }));
  if (!configured.some((network) => network.local)) {
    locals.push(...privateNetworks.map((network) => ({ network, value: 1 })));
  }
  for (const [value, { cidr, local }] of configured.entries()) {
    for (const text of cidr) {
      const network = parseNetwork(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
      if (!network) throw new Error(`${text} is no network; the configuration's check should have said so`);
      names.push({ network, value });
      locals.push({ network, value: local ? 1 : 0 });
    }
  }
  return { names: new NetworkTable(names), locals: new NetworkTable(locals) };
}

export class Enricher {
  private misses = 0;
  private resets = 0;
  /** what the databases that are no longer in use had counted */
  private damagedBefore = 0;
  private droppedBefore = 0;
  /** the columns of all places as TabSeparated text, see `textStart` */
  text = new Uint8Array(1 << 12);
  /** place p's text is text[textStart[p] .. textStart[p + 1]) */
  textStart = new Uint32Array(64);
  private readonly cache: Uint32Array;
  private readonly bucketMask: number;
  private readonly placesMax: number;
  private hand = 0;
  private taken: EnricherCounters = { misses: 0, resets: 0, damagedRecords: 0, droppedRecords: 0 };
  private configured: readonly NetworkConfig[] = [];
  private networks!: Networks;
  private country: Database | null = null;
  private asn: Database | null = null;
  /** by number; [0] is of nobody, so that 0 in the cache means an empty entry */
  private places: Place[] = [];
  private readonly placeNumbers = new Map<number, number>();

  constructor(data: EnrichmentData, options: EnricherOptions = {}) {
    const entries = options.cacheEntries ?? cacheEntriesDefault;
    if (entries < ways || (entries & (entries - 1)) !== 0) throw new Error(`${entries} cache entries`);
    this.cache = new Uint32Array(entries * entryWords);
    this.bucketMask = entries / ways - 1;
    this.placesMax = options.placesMax ?? placesMaxDefault;
    this.load(data);
  }

  /** What was done since the enricher was made, whatever was loaded meanwhile. */
  get counters(): EnricherCounters {
    const { country, asn } = this;
    return {
      misses: this.misses,
      resets: this.resets,
      damagedRecords: this.damagedBefore + (country?.damagedRecords ?? 0) + (asn?.damagedRecords ?? 0),
      droppedRecords: this.droppedBefore + (country?.droppedRecords ?? 0) + (asn?.droppedRecords ?? 0),
    };
  }

  /** What was done since the last call: several who share an enricher each tell a part, and together all of it. */
  takeCounters(): EnricherCounters {
    const { counters: now, taken: before } = this;
    this.taken = now;
    return {
      misses: now.misses - before.misses,
      resets: now.resets - before.resets,
      damagedRecords: now.damagedRecords - before.damagedRecords,
      droppedRecords: now.droppedRecords - before.droppedRecords,
    };
  }

  /** Go on with other data; everything remembered is forgotten. Throws, and changes nothing, when a file is damaged. */
  load(data: EnrichmentData): void {
    const country = data.country ? new Database(data.country, { country: true, asn: false }) : null;
    const asn = data.asn ? new Database(data.asn, { country: false, asn: true }) : null;
    const networks = networksOf(data.networks);
    ({ damagedRecords: this.damagedBefore, droppedRecords: this.droppedBefore } = this.counters);
    this.country = country;
    this.asn = asn;
    this.configured = data.networks;
    this.networks = networks;
    this.forget();
  }

  /** The place of 16 address bytes in network order. Its number holds until the next call. */
  placeOf(bytes: Uint8Array, offset: number): number {
    return this.find(word(bytes, offset), word(bytes, offset + 4), word(bytes, offset + 8), word(bytes, offset + 12));
  }

  /** The place of an address in four words, most significant first, IPv4 mapped. Its number holds until the next call. */
  find(a: number, b: number, c: number, d: number): number {
    const { cache } = this;
    const bucket = (hash(a, b, c, d) & this.bucketMask) * (ways * entryWords);
    const end = bucket + ways * entryWords;
    for (let at = bucket; at < end; at += entryWords) {
      if (cache[at + 3] === d && cache[at + 2] === c && cache[at + 1] === b && cache[at] === a) {
        const place = cache[at + 4]!;
        if (place !== 0) return place;
      }
    }
    return this.miss(a, b, c, d, bucket);
  }

  /** What the number stands for. */
  place(number: number): Place {
    return this.places[number]!;
  }

  private miss(a: number, b: number, c: number, d: number, bucket: number): number {
    this.misses += 1;
    const place = this.resolve(a, b, c, d);
    const { cache } = this;
    this.hand = (this.hand + 1) & (ways - 1);
    let at = bucket + this.hand * entryWords;
    for (let way = 0; way < ways; way += 1) {
      if (cache[bucket + way * entryWords + 4] !== 0) continue;
      at = bucket + way * entryWords;
      break;
    }
    cache[at] = a;
    cache[at + 1] = b;
    cache[at + 2] = c;
    cache[at + 3] = d;
    cache[at + 4] = place;
    return place;
  }

  private resolve(a: number, b: number, c: number, d: number): number {
    const network = this.networks.names.find(a, b, c, d);
    const local = this.networks.locals.find(a, b, c, d) === 1;
    let country = 0;
    let asn = 0;
    if ((this.country || this.asn) && nowhere.find(a, b, c, d) < 0) {
      country = this.country?.find(a, b, c, d) ?? 0;
      asn = this.asn?.find(a, b, c, d) ?? 0;
    }
    // 10 bits for two letters, 20 for autonomous systems (database.ts), 14 for networks (the configuration's bound): exact.
    const key = (country * 0x100000 + asn) * 0x4000 + (network + 1) * 2 + (local ? 1 : 0);
    return this.placeNumbers.get(key) ?? this.addPlace(key, country, asn, network, local);
  }

  private addPlace(key: number, country: number, asn: number, network: number, local: boolean): number {
    if (this.places.length > this.placesMax) {
      this.resets += 1;
      this.forget();
    }
    const system = this.asn?.record(asn);
    const place: Place = {
      country: this.country?.record(country).country ?? '',
      asn: system?.asn ?? 0,
      asName: system?.asName ?? '',
      network: this.configured[network]?.name ?? '',
      local,
    };
    const number = this.places.push(place) - 1;
    this.placeNumbers.set(key, number);
    const columns = [place.country, String(place.asn), place.asName, place.network, place.local ? '1' : '0'];
    this.addText(number, utf8.encode(columns.map((column) => `${escaped(column)}\t`).join('')));
    return number;
  }

  private addText(number: number, bytes: Uint8Array): void {
    const start = this.textStart[number]!;
    if (start + bytes.length > this.text.length) {
      const grown = new Uint8Array(Math.max(this.text.length * 2, start + bytes.length));
      grown.set(this.text);
      this.text = grown;
    }
    if (number + 2 > this.textStart.length) {
      const grown = new Uint32Array(this.textStart.length * 2);
      grown.set(this.textStart);
      this.textStart = grown;
    }
    this.text.set(bytes, start);
    this.textStart[number + 1] = start + bytes.length;
  }

  private forget(): void {
    this.cache.fill(0);
    this.placeNumbers.clear();
    this.places = [{ country: '', asn: 0, asName: '', network: '', local: false }];
    this.textStart[0] = 0;
    this.textStart[1] = 0;
  }
}

const shared = new WeakMap<EnrichmentData, Enricher>();

/**
 * The one Enricher of a thread for this data: its cache is 1.3 MB, and an engine has a processor for each stream.
 * @throws Error when a file is damaged
 */
export function sharedEnricher(data: EnrichmentData): Enricher {
  let enricher = shared.get(data);
  if (!enricher) shared.set(data, (enricher = new Enricher(data)));
  return enricher;
}

/** ClickHouse's escapes, for names out of files; tabs and line ends are gone from them already. */
const escaped = (text: string): string => text.replaceAll('\\', '\\\\');

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

/** The mixing steps of MurmurHash3 (Appleby, public domain) over four words. */
function hash(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a, 0xcc9e2d51) ^ Math.imul(b, 0x1b873593) ^ Math.imul(c, 0xe6546b64);
  h = Math.imul((h << 13) | (h >>> 19), 5) ^ Math.imul(d, 0x85ebca6b);
  h ^= h >>> 16;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 15)) >>> 0;
}
