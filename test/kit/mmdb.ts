/**
 * Writes small MMDB files (MaxMind DB File Format Specification 2.0), so that tests of enrichment say themselves which
 * address is where. Own code, made from the specification; every record size and both IP versions.
 */
import { parseNetwork } from '../../query/src/filter/address.js';

export type MmdbValue = string | number | boolean | readonly MmdbValue[] | { readonly [key: string]: MmdbValue };

export interface MmdbOptions {
  /** networks and their records; of nested ones the longest prefix counts */
  readonly records: Readonly<Record<string, MmdbValue>>;
  /** database_type of the metadata */
  readonly type?: string;
  readonly ipVersion?: 4 | 6;
  /** bits of a tree record */
  readonly recordSize?: 24 | 28 | 32;
}

const marker = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com')]);

/** Spec, "Data Field Format": control byte, for sizes from 29 with further bytes. */
function control(type: number, size: number): Buffer {
  const extended = type > 7;
  const first = (extended ? 0 : type) << 5;
  const types = extended ? [type - 7] : [];
  if (size < 29) return Buffer.from([first | size, ...types]);
  if (size < 285) return Buffer.from([first | 29, ...types, size - 29]);
  if (size < 65_821) return Buffer.from([first | 30, ...types, (size - 285) >>> 8, (size - 285) & 255]);
  const rest = size - 65_821;
  return Buffer.from([first | 31, ...types, rest >>> 16, (rest >>> 8) & 255, rest & 255]);
}

function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  // uint16, uint32, uint64: as many bytes as are needed
  const type = bytes.length <= 2 ? 5 : bytes.length <= 4 ? 6 : 9;
  return Buffer.concat([control(type, bytes.length), Buffer.from(bytes)]);
}

function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'utf8');
    return Buffer.concat([control(2, text.length), text]);
  }
  if (typeof value === 'boolean') return control(14, value ? 1 : 0);
  if (typeof value === 'number') {
    if (Number.isInteger(value) && value >= 0) return unsigned(value);
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([control(3, 8), bytes]);
  }
  if (Array.isArray(value)) {
    return Buffer.concat([control(11, value.length), ...(value as MmdbValue[]).map(encode)]);
  }
  const entries = Object.entries(value as Record<string, MmdbValue>);
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([key, inner]) => [encode(key), encode(inner)]),
  ]);
}

/** A node's side: null is nothing, a number the record of this index, else a node. */
type Side = null | number | Node;
interface Node {
  sides: [Side, Side];
  index: number;
}

/** The file. */
export function mmdb(options: MmdbOptions): Buffer {
  const { records, type = 'Test', ipVersion = 6, recordSize = 24 } = options;
  const root: Node = { sides: [null, null], index: 0 };
  const prefixes = Object.entries(records).map(([text, value]) => {
    const network = parseNetwork(text);
    if (!network) throw new Error(`${text} is no network`);
    const dotted = !text.includes(':');
    if (ipVersion === 4 && !dotted) throw new Error(`${text} in a database of IPv4`);
    // In the tree IPv4 stands at ::a.b.c.d, not where mapped addresses are.
    const words = dotted ? [0, 0, 0, network.words[3]] : [...network.words];
    const from = ipVersion === 4 ? 96 : 0;
    const bits: number[] = [];
    for (let bit = from; bit < network.prefix; bit += 1) bits.push((words[bit >>> 5]! >>> (31 - (bit & 31))) & 1);
    return { bits, value };
  });
  prefixes.sort((a, b) => a.bits.length - b.bits.length);
  const data: Buffer[] = [];
  const offsets: number[] = [];
  let dataBytes = 0;
  for (const [record, { bits, value }] of prefixes.entries()) {
    const encoded = encode(value);
    data.push(encoded);
    offsets.push(dataBytes);
    dataBytes += encoded.length;
    if (bits.length === 0) {
      root.sides = [record, record];
      continue;
    }
    let node = root;
    for (const bit of bits.slice(0, -1)) {
      const side = node.sides[bit]!;
      // A shorter prefix's record goes on below, on both sides.
      const next: Node =
        typeof side === 'object' && side !== null ? side : { sides: [side ?? null, side ?? null], index: 0 };
      node.sides[bit] = next;
      node = next;
    }
    node.sides[bits.at(-1)!] = record;
  }
  const nodes: Node[] = [];
  const collect = (node: Node): void => {
    node.index = nodes.push(node) - 1;
    for (const side of node.sides) if (typeof side === 'object' && side !== null) collect(side);
  };
  collect(root);
  const valueOf = (side: Side): number =>
    side === null ? nodes.length : typeof side === 'number' ? nodes.length + 16 + offsets[side]! : side.index;
  const tree = Buffer.alloc((nodes.length * recordSize) / 4);
  for (const [i, { sides }] of nodes.entries()) {
    const [left, right] = [valueOf(sides[0]), valueOf(sides[1])];
    const at = (i * recordSize) / 4;
    if (recordSize === 28) {
      tree.writeUIntBE(left & 0xffffff, at, 3);
      tree[at + 3] = ((left >>> 24) << 4) | (right >>> 24);
      tree.writeUIntBE(right & 0xffffff, at + 4, 3);
    } else {
      tree.writeUIntBE(left, at, recordSize / 8);
      tree.writeUIntBE(right, at + recordSize / 8, recordSize / 8);
    }
  }
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000,
    database_type: type,
    description: { en: 'made by a test' },
    ip_version: ipVersion,
    languages: ['en'],
    node_count: nodes.length,
    record_size: recordSize,
  });
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata]);
}
