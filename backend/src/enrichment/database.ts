/**
 * One MMDB file (MaxMind DB format 2.0): which record does an address have, and what does it say about country and
 * autonomous system?
 *
 * The search tree is walked here, over the bytes, from four words to the number of a record: that makes nothing and costs no
 * text. Each record is decoded once, by `maxmind`, when an address first leads to it. A file is checked when it is opened;
 * a record that turns out damaged later counts as empty and is counted.
 */
import { createRequire } from 'node:module';
import { formatAddress } from '@netspectra/query';
import type * as Maxmind from 'maxmind';
import { readRecord } from './record.js';
import type { PlaceRecord } from './record.js';

/** The number of "no record". */
const noRecord = 0;

/** Zero bytes between search tree and data: MaxMind DB spec, "Data Section Separator". */
const separatorBytes = 16;
/** Tree depth of IPv4 in a tree of IPv6: addresses stand at ::a.b.c.d. */
const ipv4Depth = 96;
/** Records kept decoded; the largest country and ASN databases have fewer. */
const recordsMax = 1 << 20;
/** Records looked at to see what a database knows. */
const sampledMax = 256;

/** Nodes looked at for that: a tree that folds into itself has no end. */
const visitedMax = 1 << 20;

const damaged = 'it is no MMDB file, or a damaged one';
const load = createRequire(import.meta.url);

const emptyRecord: PlaceRecord = { country: '', asn: 0, asName: '' };

/** What a database can tell, or which fields of it are wanted (records that are alike in them are one). */
export interface DatabaseContent {
  readonly country: boolean;
  readonly asn: boolean;
}

export class Database {
  /** as the file calls itself: GeoLite2-Country ... */
  readonly type: string;
  /** when the file says it was built */
  readonly built: Date;
  /** records that could not be decoded */
  damagedRecords = 0;
  /** different records beyond those that can be kept; they count as empty */
  droppedRecords = 0;
  private readonly reader: Maxmind.Reader<Maxmind.Response>;
  private readonly bytes: Uint8Array;
  private readonly nodeCount: number;
  private readonly recordBits: number;
  private readonly nodeBytes: number;
  private readonly ipv4Node: number;
  private readonly hasIpv6: boolean;
  private readonly wanted: DatabaseContent;
  /** record number by the tree's pointer */
  private readonly numbers = new Map<number, number>();
  /** record number by what it says */
  private readonly byContent = new Map<string, number>();
  private readonly records: PlaceRecord[] = [emptyRecord];

  /**
   * @param shared the file's bytes; several threads may look at the same ones
   * @param wanted the fields to read
   * @throws Error with one line when they are no MMDB file, or not all of one
   */
  constructor(shared: SharedArrayBuffer, wanted: DatabaseContent) {
    const bytes = Buffer.from(shared);
    this.bytes = bytes;
    this.wanted = wanted;
    // Loaded when there is a file to read: `analyze` and its threads start without it.
    const maxmind = load('maxmind') as typeof Maxmind;
    try {
      this.reader = new maxmind.Reader<Maxmind.Response>(bytes);
    } catch (error) {
      throw new Error(damaged, { cause: error });
    }
    const { metadata } = this.reader;
    const { nodeCount, recordSize, ipVersion, searchTreeSize, binaryFormatMajorVersion } = metadata;
    const whole =
      binaryFormatMajorVersion === 2 &&
      Number.isInteger(nodeCount) &&
      nodeCount > 0 &&
      nodeCount < 2 ** 32 &&
      (ipVersion === 4 || ipVersion === 6) &&
      searchTreeSize + separatorBytes < bytes.length &&
      bytes.subarray(searchTreeSize, searchTreeSize + separatorBytes).every((byte) => byte === 0);
    if (!whole) throw new Error(damaged);
    this.type = String(metadata.databaseType).slice(0, 64);
    this.built = metadata.buildEpoch;
    this.nodeCount = nodeCount;
    this.recordBits = recordSize;
    this.nodeBytes = recordSize / 4;
    this.hasIpv6 = ipVersion === 6;
    let node = 0;
    if (this.hasIpv6) for (let i = 0; i < ipv4Depth && node < nodeCount; i += 1) node = this.child(node, 0);
    this.ipv4Node = node;
  }

  /** The number of the address's record (words, most significant first), or `noRecord`. */
  find(a: number, b: number, c: number, d: number): number {
    let node = 0;
    if (a === 0 && b === 0 && c === 0xffff) {
      node = this.descend(this.ipv4Node, d);
    } else {
      if (!this.hasIpv6) return noRecord;
      node = this.descend(node, a);
      node = this.descend(node, b);
      node = this.descend(node, c);
      node = this.descend(node, d);
    }
    if (node <= this.nodeCount) return noRecord;
    return this.numbers.get(node) ?? this.decode(node, a, b, c, d);
  }

  /** The record of this number. */
  record(number: number): PlaceRecord {
    return this.records[number] ?? emptyRecord;
  }

  /** What the first records of the tree have, IPv4's before the others. */
  content(): DatabaseContent {
    let country = false;
    let asn = false;
    let sampled = 0;
    let visited = 0;
    const sample = (node: number, depth: number, words: readonly [number, number, number, number]): void => {
      visited += 1;
      if (node === this.nodeCount || sampled >= sampledMax || visited > visitedMax || (country && asn)) return;
      if (node > this.nodeCount) {
        sampled += 1;
        const record = this.record(this.find(...words));
        country ||= record.country !== '';
        asn ||= record.asn !== 0;
        return;
      }
      if (depth === 128) return;
      sample(this.child(node, 0), depth + 1, words);
      const right: [number, number, number, number] = [...words];
      right[depth >>> 5] = (right[depth >>> 5]! | (0x80000000 >>> (depth & 31))) >>> 0;
      sample(this.child(node, 1), depth + 1, right);
    };
    sample(this.ipv4Node, ipv4Depth, [0, 0, 0xffff, 0]);
    sampled = 0;
    visited = 0;
    if (this.hasIpv6) sample(0, 0, [0, 0, 0, 0]);
    return { country, asn };
  }

  /** Follow the 32 bits of one word down from a node; ends early at a leaf. */
  private descend(from: number, word: number): number {
    let node = from;
    for (let bit = 31; bit >= 0 && node < this.nodeCount; bit -= 1) node = this.child(node, (word >>> bit) & 1);
    return node;
  }

  /** A node's left (0) or right (1) record: spec, "Node Layout". */
  private child(node: number, side: number): number {
    const { bytes } = this;
    const at = node * this.nodeBytes;
    if (this.recordBits === 24) {
      const from = at + side * 3;
      return (bytes[from]! << 16) | (bytes[from + 1]! << 8) | bytes[from + 2]!;
    }
    if (this.recordBits === 28) {
      const middle = bytes[at + 3]!;
      const high = side === 0 ? middle >>> 4 : middle & 15;
      const from = at + side * 4;
      return (high << 24) | (bytes[from]! << 16) | (bytes[from + 1]! << 8) | bytes[from + 2]!;
    }
    const from = at + side * 4;
    return ((bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!) >>> 0;
  }

  private decode(pointer: number, a: number, b: number, c: number, d: number): number {
    let record = emptyRecord;
    try {
      record = readRecord(this.reader.get(formatAddress([a, b, c, d])));
    } catch {
      this.damagedRecords += 1;
    }
    const country = this.wanted.country ? record.country : '';
    const asn = this.wanted.asn ? record.asn : 0;
    const asName = this.wanted.asn ? record.asName : '';
    if (this.numbers.size >= recordsMax) this.numbers.clear();
    const content = `${country} ${asn} ${asName}`;
    let number = country === '' && asn === 0 ? noRecord : this.byContent.get(content);
    if (number === undefined && this.records.length >= recordsMax) {
      this.droppedRecords += 1;
      number = noRecord;
    }
    if (number === undefined) {
      number = this.records.push({ country, asn, asName }) - 1;
      this.byContent.set(content, number);
    }
    this.numbers.set(pointer, number);
    return number;
  }
}
