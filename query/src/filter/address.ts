/**
 * IP addresses as four 32-bit words, big-endian (word 0 is the most significant), IPv4 as ::ffff:a.b.c.d (RFC 4291
 * 2.5.5.2): so 192.0.2.7 and ::ffff:192.0.2.7 are one address. Text follows RFC 5952, and IPv4 for mapped addresses.
 */

/** Unsigned words, most significant first. */
export type AddressWords = readonly [number, number, number, number];

export interface Network {
  /** host bits are 0 */
  readonly words: AddressWords;
  /** 0..128, IPv4 /n as 96 + n */
  readonly prefix: number;
}

const mappedWord = 0xffff;

/** True for ::ffff:0:0/96, the addresses written as IPv4. */
export function isIpv4(words: AddressWords): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === mappedWord;
}

function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let word = 0;
  for (let i = 1; i <= 4; i += 1) {
    const octet = match[i]!;
    // 010 is 8 to some programs and 10 to others: refused, as inet_pton does.
    if ((octet.length > 1 && octet.startsWith('0')) || Number(octet) > 255) return undefined;
    word = word * 256 + Number(octet);
  }
  return word;
}

/** Colon-separated 16-bit groups; the last may be an IPv4 address, which gives two. */
function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(parseInt(part, 16));
      continue;
    }
    const ipv4 = i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (ipv4 === undefined) return undefined;
    groups.push(ipv4 >>> 16, ipv4 & 0xffff);
  }
  return groups;
}

/** Reads an IPv4 or IPv6 address (RFC 4291 2.2, no zone, no leading zeros in IPv4); undefined when it is none. */
export function parseAddress(text: string): AddressWords | undefined {
  if (text.length > 45) return undefined;
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) return [0, 0, mappedWord, ipv4];
  if (!text.includes(':')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!);
  const tail = halves.length === 2 ? parseGroups(halves[1]!) : [];
  if (!head || !tail) return undefined;
  // An IPv4 tail may only end the whole address, not the part before '::'.
  if (halves.length === 2 && halves[0]!.includes('.')) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail];
  const word = (i: number): number => ((groups[i]! << 16) | groups[i + 1]!) >>> 0;
  return [word(0), word(2), word(4), word(6)];
}

/** IPv4 as dotted decimals, else RFC 5952: small letters, the longest run of two or more zero groups as '::'. */
export function formatAddress(words: AddressWords): string {
  if (isIpv4(words)) {
    const word = words[3];
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
  }
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8;) {
    let end = i;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    i = end + 1;
  }
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (start < 0) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** Bits of word `i` that a prefix of this length fixes. */
function maskWord(prefix: number, i: number): number {
  const bits = Math.max(0, Math.min(32, prefix - 32 * i));
  return bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
}

/** The network of this prefix that the address is in; host bits are cleared. */
export function networkOf(words: AddressWords, prefix: number): Network {
  const masked = (i: 0 | 1 | 2 | 3): number => (words[i] & maskWord(prefix, i)) >>> 0;
  return { words: [masked(0), masked(1), masked(2), masked(3)], prefix };
}

/** Last address of a network. */
export function networkLast(network: Network): AddressWords {
  const filled = (i: 0 | 1 | 2 | 3): number => (network.words[i] | ~maskWord(network.prefix, i)) >>> 0;
  return [filled(0), filled(1), filled(2), filled(3)];
}

/** Reads address/prefix; the prefix counts from the address as written (IPv4: 0..32). Undefined when it is none. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.lastIndexOf('/');
  const digits = text.slice(slash + 1);
  if (slash < 0 || !/^\d{1,3}$/.test(digits) || (digits.length > 1 && digits.startsWith('0'))) return undefined;
  const words = parseAddress(text.slice(0, slash));
  const dotted = !text.includes(':');
  if (!words || Number(digits) > (dotted ? 32 : 128)) return undefined;
  return networkOf(words, Number(digits) + (dotted ? 96 : 0));
}

/** 10.0.0.0/8 or 2001:db8::/32. */
export function formatNetwork(network: Network): string {
  const ipv4 = isIpv4(network.words) && network.prefix >= 96;
  return `${formatAddress(network.words)}/${ipv4 ? network.prefix - 96 : network.prefix}`;
}

/** Negative, 0 or positive as a is before, equal to or after b in numeric order. */
export function compareAddresses(a: AddressWords, b: AddressWords): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3];
}
