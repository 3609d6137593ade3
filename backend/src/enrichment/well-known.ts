/**
 * Networks that everybody has: which are local unless the configuration says otherwise, and which belong to no country
 * and no autonomous system.
 */
import { parseNetwork } from '@netspectra/query';
import type { Network } from '@netspectra/query';

const networks = (...texts: string[]): Network[] =>
  texts.map((text) => {
    const network = parseNetwork(text);
    if (!network) throw new Error(`${text} is no network`);
    return network;
  });

/** Never leave the host or the link, so they are local whatever is configured. */
export const linkNetworks: readonly Network[] = networks(
  '127.0.0.0/8', // loopback, RFC 1122 3.2.1.3
  '169.254.0.0/16', // link-local, RFC 3927
  '224.0.0.0/24', // local network control block, RFC 5771 4
  '0.0.0.0/32', // "this host on this network", what DHCP clients send from, RFC 1122 3.2.1.3
  '255.255.255.255/32', // limited broadcast, RFC 919
  '::1/128', // loopback, RFC 4291 2.5.3
  'fe80::/10', // link-local, RFC 4291 2.5.6
  'ff01::/16', // interface-local and
  'ff02::/16', // link-local multicast, RFC 4291 2.7
);

/** Local as long as no configured network is. */
export const privateNetworks: readonly Network[] = networks(
  '10.0.0.0/8', // RFC 1918
  '172.16.0.0/12',
  '192.168.0.0/16',
  '239.0.0.0/8', // administratively scoped multicast, RFC 2365
  'fc00::/7', // unique local, RFC 4193
  'ff03::/16', // realm-local, RFC 7346,
  'ff04::/16', // admin-local,
  'ff05::/16', // site-local and
  'ff08::/16', // organization-local multicast, RFC 4291 2.7
);

/**
 * Not for the public internet, so no country and no AS is looked up for them, whatever a database says: IANA's special
 * purpose address registries (RFC 6890; those not globally reachable), and multicast.
 */
export const nowhereNetworks: readonly Network[] = networks(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  '64:ff9b:1::/48',
  '100::/64',
  '2001:2::/48',
  '2001:db8::/32',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
);
