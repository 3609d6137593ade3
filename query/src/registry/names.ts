/**
 * Names for numbers: IANA protocol numbers (registry "Assigned Internet Protocol Numbers"), well-used service names
 * (registry "Service Name and Transport Protocol Port Number", RFC 6335), EtherTypes (IEEE 802 numbers) and IPFIX
 * flowEndReason (RFC 5102 5.11.3).
 */
import type { NameTable } from './dimensions.js';

/** number, IANA keyword in small letters, then other words for it */
type NameRow = readonly [number, string, ...string[]];

const protocolRows: readonly NameRow[] = [
  [0, 'hopopt'],
  [1, 'icmp'],
  [2, 'igmp'],
  [3, 'ggp'],
  [4, 'ipv4', 'ipip', 'ipencap'],
  [5, 'st'],
  [6, 'tcp'],
  [7, 'cbt'],
  [8, 'egp'],
  [9, 'igp'],
  [12, 'pup'],
  [17, 'udp'],
  [20, 'hmp'],
  [22, 'xns-idp'],
  [27, 'rdp'],
  [29, 'iso-tp4'],
  [33, 'dccp'],
  [36, 'xtp'],
  [37, 'ddp'],
  [38, 'idpr-cmtp'],
  [41, 'ipv6'],
  [43, 'ipv6-route'],
  [44, 'ipv6-frag'],
  [45, 'idrp'],
  [46, 'rsvp'],
  [47, 'gre'],
  [50, 'esp'],
  [51, 'ah'],
  [54, 'narp'],
  [55, 'min-ipv4', 'mobile'],
  [57, 'skip'],
  [58, 'ipv6-icmp', 'icmpv6', 'icmp6'],
  [59, 'ipv6-nonxt'],
  [60, 'ipv6-opts'],
  [73, 'cphb'],
  [81, 'vmtp'],
  [88, 'eigrp'],
  [89, 'ospfigp', 'ospf'],
  [93, 'ax.25'],
  [94, 'ipip-encap'],
  [97, 'etherip'],
  [98, 'encap'],
  [103, 'pim'],
  [108, 'ipcomp'],
  [112, 'vrrp', 'carp'],
  [115, 'l2tp'],
  [124, 'isis'],
  [132, 'sctp'],
  [133, 'fc'],
  [135, 'mobility-header'],
  [136, 'udplite'],
  [137, 'mpls-in-ip'],
  [138, 'manet'],
  [139, 'hip'],
  [140, 'shim6'],
  [141, 'wesp'],
  [142, 'rohc'],
  [143, 'ethernet'],
];

const serviceRows: readonly NameRow[] = [
  [7, 'echo'],
  [9, 'discard'],
  [13, 'daytime'],
  [17, 'qotd'],
  [19, 'chargen'],
  [20, 'ftp-data'],
  [21, 'ftp'],
  [22, 'ssh'],
  [23, 'telnet'],
  [25, 'smtp'],
  [37, 'time'],
  [43, 'nicname', 'whois'],
  [49, 'tacacs'],
  [53, 'domain', 'dns'],
  [67, 'bootps', 'dhcp'],
  [68, 'bootpc'],
  [69, 'tftp'],
  [70, 'gopher'],
  [79, 'finger'],
  [80, 'http', 'www'],
  [88, 'kerberos'],
  [102, 'iso-tsap'],
  [110, 'pop3'],
  [111, 'sunrpc', 'portmapper'],
  [113, 'auth', 'ident'],
  [119, 'nntp'],
  [123, 'ntp'],
  [135, 'epmap'],
  [137, 'netbios-ns'],
  [138, 'netbios-dgm'],
  [139, 'netbios-ssn'],
  [143, 'imap'],
  [161, 'snmp'],
  [162, 'snmptrap'],
  [177, 'xdmcp'],
  [179, 'bgp'],
  [194, 'irc'],
  [201, 'at-rtmp'],
  [264, 'bgmp'],
  [319, 'ptp-event'],
  [320, 'ptp-general'],
  [389, 'ldap'],
  [427, 'svrloc'],
  [443, 'https'],
  [444, 'snpp'],
  [445, 'microsoft-ds', 'smb'],
  [464, 'kpasswd'],
  [465, 'submissions', 'smtps'],
  [500, 'isakmp', 'ike'],
  [502, 'mbap', 'modbus'],
  [513, 'login'],
  [514, 'syslog'],
  [515, 'printer'],
  [520, 'router', 'rip'],
  [521, 'ripng'],
  [546, 'dhcpv6-client'],
  [547, 'dhcpv6-server'],
  [548, 'afpovertcp'],
  [554, 'rtsp'],
  [563, 'nntps'],
  [587, 'submission'],
  [623, 'asf-rmcp', 'ipmi'],
  [631, 'ipp'],
  [636, 'ldaps'],
  [639, 'msdp'],
  [646, 'ldp'],
  [853, 'domain-s', 'dot'],
  [860, 'iscsi'],
  [873, 'rsync'],
  [989, 'ftps-data'],
  [990, 'ftps'],
  [993, 'imaps'],
  [995, 'pop3s'],
  [1080, 'socks'],
  [1194, 'openvpn'],
  [1433, 'ms-sql-s', 'mssql'],
  [1434, 'ms-sql-m'],
  [1521, 'oracle'],
  [1645, 'sightline'],
  [1701, 'l2tp'],
  [1719, 'h323gatestat'],
  [1720, 'h323hostcall'],
  [1723, 'pptp'],
  [1812, 'radius'],
  [1813, 'radius-acct'],
  [1883, 'mqtt'],
  [1900, 'ssdp'],
  [2049, 'nfs'],
  [2055, 'netflow'],
  [2123, 'gtp-control'],
  [2152, 'gtp-user'],
  [2181, 'zookeeper'],
  [2379, 'etcd-client'],
  [2380, 'etcd-server'],
  [3128, 'squid'],
  [3260, 'iscsi-target'],
  [3306, 'mysql'],
  [3389, 'ms-wbt-server', 'rdp'],
  [3478, 'stun', 'turn'],
  [3544, 'teredo'],
  [4222, 'nats'],
  [4369, 'epmd'],
  [4500, 'ipsec-nat-t'],
  [4739, 'ipfix'],
  [4740, 'ipfixs'],
  [4789, 'vxlan'],
  [5004, 'avt-profile-1', 'rtp'],
  [5005, 'avt-profile-2', 'rtcp'],
  [5060, 'sip'],
  [5061, 'sips'],
  [5222, 'xmpp-client'],
  [5269, 'xmpp-server'],
  [5349, 'stuns', 'turns'],
  [5351, 'nat-pmp'],
  [5353, 'mdns'],
  [5355, 'llmnr'],
  [5432, 'postgresql', 'postgres'],
  [5671, 'amqps'],
  [5672, 'amqp'],
  [5683, 'coap'],
  [5684, 'coaps'],
  [5900, 'rfb', 'vnc'],
  [5984, 'couchdb'],
  [5985, 'wsman'],
  [5986, 'wsmans'],
  [6000, 'x11'],
  [6081, 'geneve'],
  [6343, 'sflow'],
  [6379, 'redis'],
  [6443, 'sun-sr-https', 'kubernetes'],
  [6514, 'syslog-tls'],
  [6633, 'openflow-old'],
  [6653, 'openflow'],
  [6667, 'ircu'],
  [8080, 'http-alt'],
  [8086, 'influxdb'],
  [8123, 'clickhouse'],
  [8443, 'pcsync-https', 'https-alt'],
  [8883, 'secure-mqtt', 'mqtts'],
  [9000, 'cslistener'],
  [9042, 'cassandra'],
  [9090, 'prometheus'],
  [9092, 'kafka'],
  [9100, 'hp-pdl-datastr', 'jetdirect'],
  [9200, 'elasticsearch'],
  [9418, 'git'],
  [9993, 'zerotier'],
  [10050, 'zabbix-agent'],
  [10051, 'zabbix-trapper'],
  [11211, 'memcache', 'memcached'],
  [27017, 'mongodb'],
  [41641, 'tailscale'],
  [47808, 'bacnet'],
  [51820, 'wireguard'],
];

const etherTypeRows: readonly NameRow[] = [
  [0x0800, 'ipv4', 'ip'],
  [0x0806, 'arp'],
  [0x0842, 'wol'],
  [0x6558, 'teb'],
  [0x8035, 'rarp'],
  [0x8100, 'vlan', 'dot1q'],
  [0x86dd, 'ipv6'],
  [0x8808, 'pause'],
  [0x8809, 'slow', 'lacp'],
  [0x8847, 'mpls'],
  [0x8848, 'mpls-multicast'],
  [0x8863, 'pppoe-discovery'],
  [0x8864, 'pppoe'],
  [0x888e, 'eapol'],
  [0x88a8, 'qinq'],
  [0x88cc, 'lldp'],
  [0x88e5, 'macsec'],
  [0x88f7, 'ptp'],
  [0x8906, 'fcoe'],
];

const endReasonRows: readonly NameRow[] = [
  [1, 'idle'],
  [2, 'active'],
  [3, 'ended'],
  [4, 'forced'],
  [5, 'no-resources'],
];

/** Codes as the dimension makes them: 2 for a local sender, plus 1 for a local receiver. */
const trafficDirectionRows: readonly NameRow[] = [
  [0, 'external', 'transit'],
  [1, 'in', 'inbound', 'ingress'],
  [2, 'out', 'outbound', 'egress'],
  [3, 'internal', 'local'],
];

interface Names {
  readonly byNumber: ReadonlyMap<number, string>;
  readonly byName: ReadonlyMap<string, number>;
}

function nameTable(rows: readonly NameRow[]): Names {
  const byNumber = new Map<number, string>();
  const byName = new Map<string, number>();
  for (const [number, ...words] of rows) {
    byNumber.set(number, words[0]!);
    for (const word of words) byName.set(word, number);
  }
  return { byNumber, byName };
}

const nameTables: Readonly<Record<NameTable, Names>> = {
  protocol: nameTable(protocolRows),
  service: nameTable(serviceRows),
  ether_type: nameTable(etherTypeRows),
  end_reason: nameTable(endReasonRows),
  asn: nameTable([]),
  traffic_direction: nameTable(trafficDirectionRows),
};

/** An AS number as it is written for people, RFC 5396: AS64500. */
const asNumber = /^as(\d{1,10})$/i;

/** The name of a number in this list, or undefined when it has none (a port without service, for instance). */
export function nameOf(table: NameTable, value: number): string | undefined {
  return nameTables[table].byNumber.get(value);
}

/** The number of a name (any case, aliases too), or undefined when the list does not know it. */
export function numberOf(table: NameTable, name: string): number | undefined {
  if (table === 'asn') {
    const number = Number(asNumber.exec(name)?.[1] ?? NaN);
    return number <= 0xffffffff ? number : undefined;
  }
  return nameTables[table].byName.get(name.toLowerCase());
}

/** All names of a list, aliases too: for completion and for suggestions. */
export function namesOf(table: NameTable): string[] {
  return [...nameTables[table].byName.keys()];
}
