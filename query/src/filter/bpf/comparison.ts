/**
 * One comparison of a filter as a libpcap condition, for a frame with a known number of VLAN tags and nothing strange
 * about it (strange.ts): a plain IPv4 or IPv6 header, then the transport header. There the condition means exactly what
 * the filter's comparison means; what the kernel cannot be asked is `unknown`.
 */
import { formatAddress } from '../address.js';
import type { FilterNode } from '../ast.js';
import type { FieldReader } from '../compile-predicate.js';
import { compilePredicate } from '../compile-predicate.js';
import type { FieldId } from '../fields.js';
import { fieldOf } from '../fields.js';
import { allOf, anyOf, negated, within } from './expression.js';
import type { Condition, Interval } from './expression.js';
import { addressBlocks, blockWords, itemsOf, numberIntervals } from './intervals.js';
import type { AddressBlock, Comparison } from './intervals.js';

/** Where in the frame the condition looks, and what is known beforehand. */
export interface Place {
  /** the frame is Ethernet; other links have EtherTypes of their own or none */
  readonly isEthernet: boolean;
  /** VLAN tags that the frame's bytes hold: none, one, two */
  readonly tags: 0 | 1 | 2;
  /** the tags may have been taken off the frame before the filter sees it */
  readonly tagsOffloaded: boolean;
  /** what the field `probe` is, if it is known */
  readonly probe: string | undefined;
}

/** Marks what a kernel filter cannot tell, though a packet could. */
export interface Unknown {
  readonly unknown: string;
}

type Leaf = FilterNode & { readonly kind: 'compare' | 'in' | 'match' | 'compareFields' };

/** More intervals of numbers than this are not even written. */
const termsMax = 400;
/** More EtherTypes than this, one condition each, are left to the probe. */
const etherTypesMax = 16;

const unknownBecause = (unknown: string): Unknown => ({ unknown });

/** The comparison as a condition, or why the kernel cannot be asked. */
export function comparisonCondition(node: Leaf, place: Place): Condition | Unknown {
  if (node.kind === 'compareFields') return unknownBecause('two fields of a packet are compared by the probe');
  const { field } = node;
  if (field === 'probe') {
    if (place.probe === undefined) return unknownBecause('the name of the probe is known to the probe only');
    return constant(node, place.probe);
  }
  // A frame that is not strange is in no tunnel.
  if (field === 'tunnel_type' || field === 'tunnel_id') return constant(node, '');
  if (node.kind === 'match') throw new Error(`${field} is no text of a packet`);
  switch (field) {
    case 'host':
    case 'src_ip':
    case 'dst_ip':
      return addresses(node, field);
    case 'port':
    case 'src_port':
    case 'dst_port':
      return ports(node, field);
    case 'protocol':
      return protocols(node);
    case 'ip_version':
      return versions(node);
    case 'ether_type':
      return place.isEthernet ? etherTypes(node) : unknownBecause('EtherTypes are told on Ethernet only');
    case 'vlan':
    case 'inner_vlan':
      return vlans(node, field, place);
    case 'icmp_type':
    case 'icmp_code':
      return icmp(node, field === 'icmp_type' ? 0 : 1);
    default:
      throw new Error(`${field} is no field of a packet`);
  }
}

/** The comparison on a value that is known: numbers 0, texts as given. */
function constant(node: Leaf, text: string): boolean {
  const reader: FieldReader = { number: () => 0, text: () => text, hasAddress: () => false, addressWord: () => 0 };
  return compilePredicate(node)(reader);
}

/** `field` without side is either direction: one side fits, or for a negated comparison neither does. */
const sidesOf = (field: FieldId): readonly ['' | 'src ' | 'dst '] =>
  field.startsWith('src_') ? ['src '] : field.startsWith('dst_') ? ['dst '] : [''];

/** A comparison with more values than a kernel filter can hold. */
export const tooMany = unknownBecause('so many values do not fit in a kernel filter; the probe compares them');

function addresses(node: Comparison, field: FieldId): Condition | Unknown {
  const { items, negated: opposite } = itemsOf(node);
  const blocks = addressBlocks(items);
  if (!blocks) return tooMany;
  const [side] = sidesOf(field);
  const fits = anyOf(blocks.map((block) => addressTerm(block, side)));
  return opposite ? allOf(['ip or ip6', negated(fits)]) : fits;
}

/** `ip` and `ip6` before it: without them libpcap would look into ARP too. */
function addressTerm(block: AddressBlock, side: string): string {
  const version = block.version === 4 ? 'ip' : 'ip6';
  if (block.prefix === 0) return version;
  const text = formatBlock(block);
  const isHost = block.prefix === (block.version === 4 ? 32 : 128);
  return isHost ? `${version} ${side}host ${text}` : `${version} ${side}net ${text}/${block.prefix}`;
}

const formatBlock = (block: AddressBlock): string => formatAddress(blockWords(block));

const anyPorts = 'tcp or udp or sctp';

function ports(node: Comparison, field: FieldId): Condition | Unknown {
  const intervals = numberIntervals(node, 65535);
  if (intervals.length > termsMax) return tooMany;
  const [side] = sidesOf(field);
  const fits = anyOf(
    intervals.map(([first, last]) => {
      if (first === 0 && last === 65535) return anyPorts;
      return first === last ? `${side}port ${first}` : `${side}portrange ${first}-${last}`;
    }),
  );
  return itemsOf(node).negated ? allOf([anyPorts, negated(fits)]) : fits;
}

const named: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

function protocols(node: Comparison): Condition {
  const fits = anyOf(
    numberIntervals(node, 255).map(([first, last]) => {
      if (first === 0 && last === 255) return 'ip or ip6';
      if (first === last) return named[first] ?? `ip proto ${first} or ip6 proto ${first}`;
      const range: readonly Interval[] = [[first, last]];
      return anyOf([within('ip[9]', range), within('ip6[6]', range)]);
    }),
  );
  return itemsOf(node).negated ? allOf(['ip or ip6', negated(fits)]) : fits;
}

/** Always there: 0 without IP. */
function versions(node: Comparison): Condition {
  const intervals = numberIntervals(node, fieldOf('ip_version').maximum);
  const has = (version: number): boolean => intervals.some(([first, last]) => first <= version && version <= last);
  const fits = anyOf([has(4) && 'ip', has(6) && 'ip6', has(0) && 'not (ip or ip6)']);
  return itemsOf(node).negated ? negated(fits) : fits;
}

function etherTypes(node: Comparison): Condition | Unknown {
  const intervals = numberIntervals(node, 65535);
  const count = intervals.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  if (count > etherTypesMax) return unknownBecause('a wide range of EtherTypes is left to the probe');
  const types = intervals.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
  // 802.3 lengths, which give type 0, are strange frames.
  const fits = anyOf(types.map((type) => type > 1500 && `ether proto 0x${type.toString(16)}`));
  return itemsOf(node).negated ? negated(fits) : fits;
}

function vlans(node: Comparison, field: 'vlan' | 'inner_vlan', place: Place): Condition | Unknown {
  if (place.tagsOffloaded) return unknownBecause('VLAN tags may be taken off before the kernel filter sees the frame');
  const depth = field === 'vlan' ? 1 : 2;
  if (place.tags < depth) return constant(node, '');
  const intervals = numberIntervals(node, 4095);
  if (intervals.length > termsMax) return tooMany;
  // The link header is not shifted by `vlan`: the outer tag stands in bytes 14 and 15, the inner one four bytes on.
  const fits = within(`(ether[${depth === 1 ? 14 : 18}:2] & 0xfff)`, intervals);
  return itemsOf(node).negated ? negated(fits) : fits;
}

function icmp(node: Comparison, at: 0 | 1): Condition {
  const intervals = numberIntervals(node, 255);
  const fits = anyOf([
    allOf(['icmp', within(`icmp[${at}]`, intervals)]),
    allOf(['icmp6', within(`ip6[${40 + at}]`, intervals)]),
  ]);
  return itemsOf(node).negated ? allOf(['icmp or icmp6', negated(fits)]) : fits;
}
