/** What a comparison accepts, as intervals: numbers, and addresses as networks. */
import type { AddressWords } from '../address.js';
import { networkLast } from '../address.js';
import type { FilterItem, FilterNode } from '../ast.js';
import type { Interval } from './expression.js';

export type Comparison = FilterNode & { readonly kind: 'compare' | 'in' };

/** The items that are compared with, and whether the comparison asks for the opposite. */
export function itemsOf(node: Comparison): { readonly items: readonly FilterItem[]; readonly negated: boolean } {
  return node.kind === 'in' ? node : { items: [node.value], negated: node.operator === '!=' };
}

/** Accepted numbers from 0 to `maximum`, before negation. */
export function numberIntervals(node: Comparison, maximum: number): Interval[] {
  const clipped = rawIntervals(node).filter(([first, last]) => first <= last && first <= maximum);
  return clipped.map(([first, last]) => [first, Math.min(last, maximum)]);
}

function rawIntervals(node: Comparison): Interval[] {
  if (node.kind === 'compare' && node.value.kind === 'number') {
    const { value } = node.value;
    switch (node.operator) {
      case '<':
        return [[0, value - 1]];
      case '<=':
        return [[0, value]];
      case '>':
        return [[value + 1, Infinity]];
      case '>=':
        return [[value, Infinity]];
      default:
        return [[value, value]];
    }
  }
  return itemsOf(node).items.map((item): Interval => {
    if (item.kind === 'number') return [item.value, item.value];
    if (item.kind === 'numberRange') return [item.first, item.last];
    throw new Error(`${item.kind} among numbers`);
  });
}

/** A block of addresses, IPv4 and IPv6 apart as on the wire. */
export interface AddressBlock {
  readonly version: 4 | 6;
  readonly value: bigint;
  /** 0..32 or 0..128 */
  readonly prefix: number;
}

const mappedFirst = 0xffff_0000_0000n;
const mappedLast = 0xffff_ffff_ffffn;

const toInteger = (words: AddressWords): bigint => words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);

function itemInterval(item: FilterItem): [bigint, bigint] {
  if (item.kind === 'address') return [toInteger(item.words), toInteger(item.words)];
  if (item.kind === 'addressRange') return [toInteger(item.first), toInteger(item.last)];
  if (item.kind === 'network') return [toInteger(item.network.words), toInteger(networkLast(item.network))];
  throw new Error(`${item.kind} among addresses`);
}

/** A range of IPv6 addresses can take 254 blocks to cover; so many make a comparison too big before all are written. */
const blocksMax = 256;

/**
 * The blocks that cover the items exactly (mapped addresses in IPv6 headers aside), before negation; undefined when they
 * are more than a kernel filter could hold.
 */
export function addressBlocks(items: readonly FilterItem[]): AddressBlock[] | undefined {
  const found: AddressBlock[] = [];
  for (const item of items) {
    found.push(...itemBlocks(item));
    if (found.length > blocksMax) return undefined;
  }
  return found;
}

function itemBlocks(item: FilterItem): AddressBlock[] {
  const [first, last] = itemInterval(item);
  const from = first > mappedFirst ? first : mappedFirst;
  const to = last < mappedLast ? last : mappedLast;
  const ipv4 = from <= to ? blocks(from - mappedFirst, to - mappedFirst, 32) : [];
  const whole = first <= mappedFirst && last >= mappedLast;
  const ipv6: AddressBlock[] = [];
  if (whole && first < mappedFirst) ipv6.push(...blocks(first, last, 128));
  else {
    if (first < mappedFirst) ipv6.push(...blocks(first, last < mappedFirst ? last : mappedFirst - 1n, 128));
    if (last > mappedLast) ipv6.push(...blocks(first > mappedLast ? first : mappedLast + 1n, last, 128));
  }
  return [...ipv4, ...ipv6];
}

/** The fewest blocks that cover first..last: always the biggest that begins there and does not reach past the end. */
function blocks(first: bigint, last: bigint, width: 32 | 128): AddressBlock[] {
  const out: AddressBlock[] = [];
  for (let at = first; at <= last;) {
    const bits = Math.min(trailingZeros(at, width), bitLength(last - at + 1n) - 1);
    out.push({ version: width === 32 ? 4 : 6, value: at, prefix: width - bits });
    at += 1n << BigInt(bits);
  }
  return out;
}

/** How many of the lowest bits are 0; `width` for 0 itself. */
const trailingZeros = (value: bigint, width: number): number => (value === 0n ? width : bitLength(value & -value) - 1);

/** Digits of the number in base two. */
const bitLength = (value: bigint): number => value.toString(2).length;

/** The block's address as text without prefix. */
export function blockWords({ version, value }: AddressBlock): AddressWords {
  const whole = version === 4 ? value + mappedFirst : value;
  const word = (shift: bigint): number => Number((whole >> shift) & 0xffff_ffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}
