/** Where a request comes from: addresses, networks, and proxies that may speak for others. */
import { BlockList, isIP } from 'node:net';

/** Network family for BlockList. */
const family = (address: string): 'ipv4' | 'ipv6' => (address.includes(':') ? 'ipv6' : 'ipv4');

/** An address without IPv4's IPv6 clothing (::ffff:192.0.2.1) and zone; null when the text is no address. */
export function plainAddress(text: string): string | null {
  const unzoned = text.split('%', 1)[0] ?? '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(unzoned);
  const address = mapped?.[1] ?? unzoned;
  return isIP(address) === 0 ? null : address;
}

/** A network as address and length, or null: `10.0.0.0/8`, `2001:db8::/32`, or an address alone. */
export function parseNetwork(text: string): { address: string; length: number } | null {
  const [base = '', bits, ...more] = text.split('/');
  const version = isIP(base);
  if (version === 0 || base.includes('%') || more.length > 0) return null;
  const most = version === 4 ? 32 : 128;
  if (bits === undefined) return { address: base, length: most };
  if (!/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > most) return null;
  return { address: base, length: Number(bits) };
}

/** A set of networks. Texts that are none are left out: they were checked where they were written. */
export class Networks {
  private readonly list = new BlockList();
  readonly size: number;

  constructor(texts: readonly string[]) {
    const networks = texts.map(parseNetwork).filter((network) => network !== null);
    for (const { address, length } of networks) this.list.addSubnet(address, length, family(address));
    this.size = networks.length;
  }

  /** @param address without zone, see `plainAddress` */
  has(address: string): boolean {
    return this.list.check(address, family(address));
  }
}

const loopback = new Networks(['127.0.0.0/8', '::1']);

export const isLoopback = (address: string): boolean => loopback.has(address);

/** Headers that only a proxy adds. */
const proxyHeaders = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'] as const;

export interface Origin {
  /** the client's address: the peer's, or what trusted proxies say */
  readonly address: string;
  /** a proxy that is not among the trusted ones has touched the request */
  readonly proxied: boolean;
}

/**
 * Who sent a request. X-Forwarded-For is read from its end for as long as who wrote the entry is a trusted proxy, so what a
 * client itself puts there never counts.
 */
export function originOf(
  peer: string | undefined,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  trusted: Networks,
): Origin {
  // A socket that is gone has no address any more.
  let address = plainAddress(peer ?? '') ?? '0.0.0.0';
  if (!trusted.has(address)) return { address, proxied: proxyHeaders.some((name) => headers[name] !== undefined) };
  const header = headers['x-forwarded-for'];
  const hops = (typeof header === 'string' ? header : (header ?? []).join(',')).split(',').slice(-32);
  for (let hop = hops.pop(); hop !== undefined && trusted.has(address); hop = hops.pop()) {
    const next = plainAddress(hop.trim());
    if (next === null) break;
    address = next;
  }
  return { address, proxied: false };
}

/** What failures are counted by: an IPv4 address, or the /64 that a host of IPv6 has to itself (RFC 6177). */
export function failureKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  const groups = [...before, ...zeros, ...after].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
