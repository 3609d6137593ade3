/**
 * Where `analyze` differs from the expected results on purpose. docs/differences.md is the same table with the reasons
 * spelled out; a test holds the two together, and one that is no longer true fails.
 */
export interface Difference {
  readonly fields: readonly string[];
  readonly why: string;
}

const checksums =
  'expected values were made with TCP checksum verification: offloaded checksums look wrong, so tshark did not reassemble';
const notCaptured = 'the body was not captured whole, but its head and length were: counted';
const recordsNotPorts = 'tshark calls every segment on port 443 TLS; here only frames with a TLS record count';

export const differences: Readonly<Record<string, Difference>> = {
  '1000-requests-one-dropped-response.pcap': { fields: ['protocols.http'], why: checksums },
  'mixed-vlan-mpls.pcap': { fields: ['protocols.http'], why: checksums },
  'http_ipv6.pcap': { fields: ['protocols.tls'], why: checksums },
  '1kxun.pcap': {
    fields: ['dns.names', 'http.hosts', 'http.responses', 'http.statuses', 'protocols.http', 'protocols.tls'],
    why: `${checksums}; ${recordsNotPorts}; names are text in UTF-8, the expected file holds their bytes one by one`,
  },
  'bro.org.pcap': { fields: ['http.responses', 'http.statuses', 'protocols.http'], why: notCaptured },
  'gtp1_gn_normal_incl_fragmentation.pcap': {
    fields: ['http.responses', 'http.statuses', 'protocols.http'],
    why: notCaptured,
  },
  'frag-16.pcap': {
    fields: ['protocols.icmpv6'],
    why: 'an IPv6 datagram beyond 65,535 bytes is not put together; tshark does it',
  },
  'fuzz-2006-06-26-2594.pcap': {
    fields: ['dns.names', 'dns.queries', 'dns.responses', 'protocols.dns', 'protocols.ipv6', 'protocols.udp'],
    why: 'fuzzed on purpose: only packets and bytes bind; a message that cannot be parsed is not counted as one',
  },
};
