/**
 * Frames of which a kernel filter cannot see what the filter language asks: tunnels (the language looks at the innermost
 * packet), fragments, IPv6 with extension headers, MPLS, PPPoE, LLC. They are few, and are kept for the probe to judge.
 * The numbers are those the decoder goes on with.
 */
import type { FieldId } from '../fields.js';
import { anyOf } from './expression.js';
import type { Condition } from './expression.js';

/** IP-in-IP 4, 6in4 41, GRE 47, AH 51, IPIP 94, MPLS-in-IP 137, Ethernet 143 */
const encapsulations = [4, 41, 47, 51, 94, 137, 143];
/** IPv6 extension headers (IANA): hop-by-hop, routing, fragment, destination options, mobility, HIP, shim6 */
const extensions = [0, 43, 44, 60, 135, 139, 140];
/** VXLAN 4789 and 8472, GENEVE 6081, GTP-U 2152, Teredo 3544 */
const tunnelPorts = [2152, 3544, 4789, 6081, 8472];
/** transparent Ethernet, MPLS, PPP, PPPoE session, an old service tag that libpcap's `vlan` does not know */
const etherTypes = [0x6558, 0x8847, 0x8848, 0x880b, 0x8864, 0x9200];

/** ::ffff:0:0/96 in an IPv6 header: the language sees an IPv4 address. */
const mapped = (at: number): string => `ip6[${at}:4] = 0 and ip6[${at + 4}:4] = 0 and ip6[${at + 8}:4] = 0xffff`;

/** A VLAN tag, as libpcap's `vlan` knows it, where the EtherType is expected next. */
export const tagged = 'ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100';

/**
 * The condition that finds them behind so many VLAN tags.
 * @param fields what the filter tests
 * @param tags undefined on links that are not Ethernet
 */
export function strangeFrames(fields: ReadonlySet<FieldId>, tags: 0 | 1 | 2 | undefined): Condition {
  const tests = (...ids: FieldId[]): boolean => ids.some((id) => fields.has(id));
  return anyOf([
    'ip[6:2] & 0x3fff != 0',
    ...encapsulations.map((protocol) => `ip proto ${protocol}`),
    ...[...extensions, ...encapsulations].map((protocol) => `ip6[6] = ${protocol}`),
    ...tunnelPorts.map((port) => `udp port ${port}`),
    ...etherTypes.map((type) => `ether proto 0x${type.toString(16)}`),
    tests('host', 'src_ip', 'dst_ip', 'ip_version') && anyOf([mapped(8), mapped(24)]),
    tests('icmp_type', 'icmp_code') && 'ip proto 58 or ip6 proto 1',
    // 802.3: a length stands where the EtherType would.
    tags !== undefined && `ether[${12 + 4 * tags}:2] <= 1500`,
    // More tags than are told apart, or tags where none should be.
    (tags === undefined || tags === 2) && tagged,
  ]);
}
