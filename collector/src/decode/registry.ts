/** Every protocol the decoder knows, in one list: a new one is one file and one line here. */
import type { ParserTables, Protocol } from './frame.js';
import { ethernet } from './link/ethernet.js';
import { vlan } from './link/vlan.js';
import { llc } from './link/llc.js';
import { rawIp, loopback } from './link/raw-ip.js';
import { linuxCooked, linuxCooked2 } from './link/linux-cooked.js';
import { avs, ieee80211, ppi, prism, radiotap } from './link/ieee80211.js';
import { ciscoHdlc, ppp, pppoeCapture, pppoeSession } from './link/ppp.js';
import { nflog } from './link/nflog.js';
import { arp } from './network/arp.js';
import { mpls } from './network/mpls.js';
import { ipv4, rawIpv4 } from './network/ipv4.js';
import { ipv6, rawIpv6 } from './network/ipv6.js';
import { authenticationHeader } from './network/authentication-header.js';
import { tcp } from './transport/tcp.js';
import { udp } from './transport/udp.js';
import { icmp, icmpv6 } from './transport/icmp.js';
import { dccp, sctp, udpLite } from './transport/sctp.js';
import { gre } from './tunnel/gre.js';
import { ipv4InIp, ipv6InIp } from './tunnel/ip-in-ip.js';
import { vxlan } from './tunnel/vxlan.js';
import { geneve } from './tunnel/geneve.js';
import { gtpu } from './tunnel/gtpu.js';
import { teredo } from './tunnel/teredo.js';

const protocols: readonly Protocol[] = [
  ethernet,
  vlan,
  llc,
  rawIp,
  loopback,
  linuxCooked,
  linuxCooked2,
  ieee80211,
  radiotap,
  prism,
  avs,
  ppi,
  ppp,
  pppoeSession,
  pppoeCapture,
  ciscoHdlc,
  nflog,
  arp,
  mpls,
  ipv4,
  rawIpv4,
  ipv6,
  rawIpv6,
  authenticationHeader,
  tcp,
  udp,
  icmp,
  icmpv6,
  sctp,
  dccp,
  udpLite,
  gre,
  ipv4InIp,
  ipv6InIp,
  vxlan,
  geneve,
  gtpu,
  teredo,
];

const linkTypesMax = 512;

/**
 * The lookup tables of a list of protocols; slot 0 means "no parser".
 * @throws Error when two protocols claim the same number (our own mistake)
 */
export function buildTables(list: readonly Protocol[] = protocols): ParserTables {
  const tables = {
    parsers: [() => 0, ...list.map((protocol) => protocol.parse)],
    linkTypes: new Uint8Array(linkTypesMax),
    etherTypes: new Uint8Array(1 << 16),
    ipProtocols: new Uint8Array(1 << 8),
    udpPorts: new Uint8Array(1 << 16),
  };
  const claim = (table: Uint8Array, keys: readonly number[] | undefined, slot: number, name: string): void => {
    for (const key of keys ?? []) {
      if (key >= table.length || table[key] !== 0) throw new Error(`${name}: ${key} is out of range or taken`);
      table[key] = slot;
    }
  };
  list.forEach((protocol, i) => {
    claim(tables.linkTypes, protocol.linkTypes, i + 1, protocol.name);
    claim(tables.etherTypes, protocol.etherTypes, i + 1, protocol.name);
    claim(tables.ipProtocols, protocol.ipProtocols, i + 1, protocol.name);
    claim(tables.udpPorts, protocol.udpPorts, i + 1, protocol.name);
  });
  return tables;
}
