/**
 * Words of other programs. Those that mean exactly one thing here are read as they are: tcpdump's protocols (pcap-filter
 * 7, "primitives") and its qualifiers `src host`, `dst port`. The others get a hint: what the same is called here.
 */
import type { CompareOperator } from './ast.js';
import type { FieldId } from './fields.js';
import { findField } from './fields.js';

/** A bare protocol word as the comparison it stands for. */
export type ProtocolWord =
  | { readonly field: 'protocol' | 'ip_version' | 'ether_type'; readonly operator: '='; readonly value: number }
  | { readonly field: 'vlan'; readonly operator: '!='; readonly value: 0 };

const isProtocol = (value: number): ProtocolWord => ({ field: 'protocol', operator: '=', value });
const isVersion = (value: number): ProtocolWord => ({ field: 'ip_version', operator: '=', value });
const isEtherType = (value: number): ProtocolWord => ({ field: 'ether_type', operator: '=', value });

/** Protocols that can stand alone. Applications (dns, http) cannot: their words could be a port or what was recognised. */
export const protocolWords: ReadonlyMap<string, ProtocolWord> = new Map([
  ['ip', isVersion(4)],
  ['ip4', isVersion(4)],
  ['ipv4', isVersion(4)],
  ['ip6', isVersion(6)],
  ['ipv6', isVersion(6)],
  ['arp', isEtherType(0x0806)],
  ['rarp', isEtherType(0x8035)],
  ['vlan', { field: 'vlan', operator: '!=', value: 0 }],
  ['icmp', isProtocol(1)],
  ['igmp', isProtocol(2)],
  ['tcp', isProtocol(6)],
  ['udp', isProtocol(17)],
  ['gre', isProtocol(47)],
  ['esp', isProtocol(50)],
  ['ah', isProtocol(51)],
  ['icmp6', isProtocol(58)],
  ['icmpv6', isProtocol(58)],
  ['ospf', isProtocol(89)],
  ['pim', isProtocol(103)],
  ['vrrp', isProtocol(112)],
  ['sctp', isProtocol(132)],
]);

type Side = 'src' | 'dst' | 'client' | 'server';
const sides: Readonly<Record<string, Side>> = {
  src: 'src',
  source: 'src',
  dst: 'dst',
  destination: 'dst',
  client: 'client',
  server: 'server',
};
const ends: Readonly<Record<string, 'ip' | 'port'>> = {
  host: 'ip',
  net: 'ip',
  ip: 'ip',
  port: 'port',
  portrange: 'port',
};

/** True for the first half of such a phrase as `src port`; small letters. */
export const isSide = (word: string): boolean => Object.hasOwn(sides, word);

/** The field that two words name together: `src host`, `dst port`, `client bytes`; undefined when they name none. */
export function phraseField(first: string, second: string): FieldId | undefined {
  const side = own(sides, first.toLowerCase());
  if (side === undefined) return undefined;
  const word = second.toLowerCase();
  return findField(`${side}_${own(ends, word) ?? word}`)?.id;
}

/** Words that may follow a protocol without `and`, as in `tcp port 80`, `ip6 src net 2001:db8::/32`. */
export const qualifiers: ReadonlySet<string> = new Set([...Object.keys(sides), ...Object.keys(ends), 'proto']);

/** Fields that take a value without an operator, as in `host 192.0.2.7`: nothing else could be meant. */
export const bareValueFields: ReadonlySet<FieldId> = new Set([
  ...(['host', 'src_ip', 'dst_ip', 'client_ip', 'server_ip'] as const),
  ...(['port', 'src_port', 'dst_port', 'client_port', 'server_port'] as const),
  ...(['protocol', 'vlan'] as const),
]);

interface Hint {
  /** what to write instead */
  readonly instead: string;
  /** how it differs, for the message */
  readonly note?: string;
}

const flags = 'one record has the flags of many packets, or-ed; try client_tcp_flags = syn (SYN alone)';
const noBytes = 'filters look at decoded fields, not at bytes of the packet';

/** Words of Wireshark, tcpdump, nfdump, ECS, Akvorado and SQL, in small letters. */
const hints: Readonly<Record<string, Hint>> = {
  ...each(['sport', 'srcport', 'source.port', 'src.port', 'l4_src_port', 'sourceport'], 'src_port'),
  ...each(['dport', 'dstport', 'destination.port', 'dst.port', 'l4_dst_port', 'destinationport'], 'dst_port'),
  ...each(['saddr', 'srcip', 'srcaddr', 'src.ip', 'source.ip', 'sourceaddress', 'ipv6.src', 'arp.src'], 'src_ip'),
  ...each(['daddr', 'dstip', 'dstaddr', 'dst.ip', 'destination.ip', 'destinationaddress', 'ipv6.dst'], 'dst_ip'),
  ...each(['ipv6.addr', 'ip.host', 'hostname', 'address.ip', 'ipaddr', 'ip_addr', 'ip_address'], 'host'),
  ...each(['subnet', 'cidr', 'ip.net'], 'net'),
  ...each(['ports', 'portrange'], 'port'),
  'tcp.port': { instead: 'tcp port' },
  'udp.port': { instead: 'udp port' },
  'tcp.srcport': { instead: 'tcp src port' },
  'udp.srcport': { instead: 'udp src port' },
  'tcp.dstport': { instead: 'tcp dst port' },
  'udp.dstport': { instead: 'udp dst port' },
  ...each(['ip.protocol', 'network.protocol', 'network.transport', 'l4_proto', 'prot'], 'protocol'),
  ...each(['frame.len', 'length', 'len', 'size', 'octets', 'frame.cap_len', 'ip.len'], 'bytes'),
  ...each(['greater', 'less'], 'bytes', 'write bytes >= 1000'),
  ...each(['pkts', 'packet', 'frames'], 'packets'),
  ...each(['dns.qry.name', 'dns.query', 'dns.question.name', 'query', 'qname'], 'dns_name'),
  ...each(['dns.qry.type', 'qtype'], 'dns_type'),
  ...each(['dns.flags.rcode', 'dns.response_code', 'rcode'], 'dns_rcode'),
  ...each(['http.request.method', 'method'], 'http_method'),
  ...each(['http.request.uri', 'http.request.full_uri', 'http.url', 'url', 'uri', 'url.path'], 'http_path'),
  ...each(['http.response.code', 'http.response.status_code', 'status', 'status_code'], 'http_status'),
  ...each(['http.user-agent', 'useragent', 'user_agent', 'user_agent.original'], 'http_user_agent'),
  ...each(
    ['tls.handshake.extensions_server_name', 'ssl.sni', 'tls.client.server_name', 'servername'],
    'tls_server_name',
  ),
  ...each(['srccountry', 'source.geo.country_iso_code'], 'src_country'),
  ...each(['dstcountry', 'destination.geo.country_iso_code'], 'dst_country'),
  ...each(['srcas', 'src_as_number', 'source.as.number'], 'src_asn'),
  ...each(['dstas', 'dst_as_number', 'destination.as.number'], 'dst_asn'),
  ...each(['etype', 'eth.proto', 'ether'], 'ether_type'),
  ...each(
    ['tcp.flags', 'tcp.flags.syn', 'tcp.flags.reset', 'tcp.flags.fin', 'flags', 'tcpflags'],
    'client_tcp_flags',
    flags,
  ),
  ...each(['tcp.analysis.retransmission', 'retransmission', 'retrans'], 'retransmissions', 'write retransmissions > 0'),
  ...each(['tcp.analysis.ack_rtt', 'latency'], 'rtt'),
  ...each(['time', 'timestamp', '_time', 'timefilter'], '', 'the time range is given beside the filter'),
  ...each(['contains', 'like', 'matches'], '', 'write dns_name ~ "*example*"'),
  ...each(['between'], '', 'write dst_port in 1..1023'),
  ...each(['multicast', 'broadcast'], '', 'write dst_ip in 224.0.0.0/4, or dst_ip = 255.255.255.255'),
  ...each(['frame', 'data', 'payload'], '', noBytes),
  ...each(['select', 'where', 'from'], '', 'a filter is the condition alone, without select, from or where'),
};

function each(words: readonly string[], instead: string, note?: string): Record<string, Hint> {
  return Object.fromEntries(words.map((word) => [word, note === undefined ? { instead } : { instead, note }]));
}

/** What another program's word is called here; undefined when it is not known. `instead` may be empty: only a note. */
export function foreignWord(word: string): Hint | undefined {
  return own(hints, word.toLowerCase());
}

const compareOperators: Readonly<Record<string, CompareOperator>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

/** The comparison that an operator as written asks for; undefined when it is of another kind, as ~. */
export function compareOperator(sign: string): CompareOperator | undefined {
  return own(compareOperators, sign);
}

/** Operators that are words elsewhere, and what they are here. */
const wordOperators: Readonly<Record<string, string>> = {
  is: '=',
  eq: '=',
  equals: '=',
  ne: '!=',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
  like: '~',
  contains: '~',
  matches: '=~',
};

/** The operator that a word stands for in other languages. */
export function wordOperator(word: string): string | undefined {
  return own(wordOperators, word.toLowerCase());
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
