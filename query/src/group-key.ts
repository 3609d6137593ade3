/**
 * What a query groups by: a dimension, or an address cut to a network. `src_ip/24` makes one group of 10.1.2.0/24.
 *
 * Of the two families each has its own prefix length: `src_ip/24/48` is /24 for IPv4 and /48 for IPv6. With one number, one
 * up to 32 is that of IPv4, and IPv6 is cut at /64, its subnet (RFC 4291 section 2.5.1); one above 32 can only be that of
 * IPv6, and IPv4 addresses stay whole.
 */
import { findDimension } from './registry/dimensions.js';
import type { DimensionId } from './registry/dimensions.js';

/** A dimension's id, or `dimension/bits`, or `dimension/bits4/bits6`. */
export type GroupKey = DimensionId | `${DimensionId}/${number}` | `${DimensionId}/${number}/${number}`;

/** Prefix lengths of a network, by address family. */
export interface Prefix {
  readonly ipv4: number;
  readonly ipv6: number;
}

export interface ParsedGroupKey {
  /** the dimension's id as it was written; it may not exist */
  readonly dimension: string;
  /** absent: the value as it is */
  readonly prefix?: Prefix;
}

const defaultPrefixIpv6 = 64;

/**
 * Take an entry of groupBy apart.
 * @returns the parts, or one line that says what is wrong with the prefix lengths. That the dimension exists, and has
 * addresses when a prefix is asked for, is for the caller to see.
 */
export function parseGroupKey(text: string): ParsedGroupKey | string {
  const [dimension = '', ...lengths] = text.split('/');
  if (lengths.length === 0) return { dimension };
  if (lengths.length > 2 || lengths.some((length) => !/^\d{1,3}$/.test(length))) {
    return `a network is written ${dimension}/24, or ${dimension}/24/48 with a length for IPv4 and one for IPv6`;
  }
  const [first = 0, second] = lengths.map(Number);
  const prefix: Prefix =
    second !== undefined
      ? { ipv4: first, ipv6: second }
      : first <= 32
        ? { ipv4: first, ipv6: defaultPrefixIpv6 }
        : { ipv4: 32, ipv6: first };
  if (prefix.ipv4 > 32) return `an IPv4 prefix has 0 to 32 bits, not ${prefix.ipv4}`;
  if (prefix.ipv6 > 128) return `an IPv6 prefix has 0 to 128 bits, not ${prefix.ipv6}`;
  return { dimension, prefix };
}

/** True when the text can stand in groupBy. */
export function isGroupKey(text: string): text is GroupKey {
  const parsed = parseGroupKey(text);
  if (typeof parsed === 'string') return false;
  const dimension = findDimension(parsed.dimension);
  return dimension !== undefined && (parsed.prefix === undefined || dimension.type === 'ip');
}
