import { Layer, PacketBatch, TunnelType } from '@netspectra/proto';
import { describe, expect, it } from 'vitest';
import { DecodeReason, PacketDecoder, decodeReasonNames, flowHash } from './index.js';
import { buildTables } from './registry.js';
import {
  bytesOf,
  be16,
  be32,
  ethernet,
  ipv4,
  ipv6,
  ipv6Fragment,
  rowOf,
  sampleFrames,
  tcp,
  udp,
  vlan,
  vxlan,
} from './testing.js';

const frames = sampleFrames();
const decoder = new PacketDecoder();
const address4 = (text: string): string =>
  `00000000000000000000ffff${text
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')}`;

/** Decode one frame alone; `captured` cuts it. */
function decodeFrame(bytes: Uint8Array, linkType = 1, captured = bytes.length): Record<string, unknown> {
  const batch = new PacketBatch(1, 8);
  for (const column of Object.values(batch)) {
    // A used batch: whatever the decoder does not write shows.
    if (column instanceof Uint32Array || column instanceof Uint16Array || column instanceof Uint8Array)
      column.fill(0xff);
  }
  batch.clear();
  expect(decoder.decode(bytes, 0, captured, bytes.length, linkType, 1_700_000_000, 123_456_789, 0, batch)).toBe(true);
  expect(batch.count).toBe(1);
  return rowOf(batch, 0);
}
const decodeSample = (name: string): Record<string, unknown> => {
  const frame = frames[name];
  if (!frame) throw new Error(`no sample ${name}`);
  return decodeFrame(frame.bytes, frame.linkType);
};
const has = (row: Record<string, unknown>, bits: number): boolean => ((row.layers as number) & bits) === bits;

const web4 = {
  source: address4('10.0.0.1'),
  destination: address4('10.0.0.2'),
  sourcePort: 40_000,
  destinationPort: 80,
  protocol: 6,
  transportPayloadLength: 37,
  payloadLength: 37,
  reason: 0,
};
const dns6 = {
  source: '20010db8000000000000000000000001',
  destination: '20010db8000000000000000000000002',
  sourcePort: 40_000,
  destinationPort: 53,
  protocol: 17,
  transportPayloadLength: 29,
  payloadLength: 29,
  reason: 0,
};
const tuple4 = Layer.Ipv4 | Layer.Tcp | Layer.HasAddresses | Layer.HasPorts | Layer.HasTcp;
const tuple6 = Layer.Ipv6 | Layer.Udp | Layer.HasAddresses | Layer.HasPorts;

describe('columns', () => {
  it('fills every column of a TCP segment and zeroes the rest', () => {
    const row = decodeSample('ethernet ipv4 tcp');
    expect(row).toEqual({
      source: address4('192.0.2.1'),
      destination: address4('198.51.100.2'),
      payloadOffset: 54,
      timestampSeconds: 1_700_000_000,
      timestampNanoseconds: 123_456_789,
      wireLength: 91,
      capturedLength: 91,
      layers: tuple4,
      flowHash: row.flowHash,
      tcpSequence: 0xfedcba98,
      tcpAcknowledgment: 0x01020304,
      tunnelId: 0,
      transportPayloadLength: 37,
      payloadLength: 37,
      fragmentId: 0x1234,
      sourcePort: 40_000,
      destinationPort: 80,
      vlan: 0,
      innerVlan: 0,
      etherType: 0x0800,
      tcpFlags: 0x18,
      tcpWindow: 0x7210,
      fragmentOffset: 0,
      protocol: 6,
      trafficClass: 0,
      hopLimit: 64,
      icmpType: 0,
      icmpCode: 0,
      tunnelType: 0,
      reason: 0,
      outer: [],
    });
    expect(row.flowHash).toBe(flowHash(0, 0, 0xffff0000, 0x010200c0, 0, 0, 0xffff0000, 0x026433c6, 40_000, 80, 6));
  });

  it('reads options, the ninth flag bit and the type of service', () => {
    expect(decodeSample('ethernet ipv4 tcp options')).toMatchObject({
      tcpFlags: 0x102,
      trafficClass: 0xb8,
      payloadOffset: 14 + 24 + 40,
      payloadLength: 37,
    });
  });

  it('leaves padding out of the payload', () => {
    expect(decodeSample('ethernet padding')).toMatchObject({ payloadLength: 1, transportPayloadLength: 1 });
  });

  it('passes NoTimestamp on, and says when the capture cut the frame', () => {
    const batch = new PacketBatch(1, 8);
    const bytes = ethernet(0x0800, ipv4(6, tcp(1, 2, new Uint8Array(100))));
    decoder.decode(bytes, 0, 60, bytes.length, 1, 0, 0, Layer.NoTimestamp, batch);
    expect(batch.layers[0]).toBe(tuple4 | Layer.NoTimestamp | Layer.Truncated);
    expect(batch.transportPayloadLength[0]).toBe(100);
    expect(batch.payloadLength[0]).toBe(6);
  });

  it('refuses a frame when rows or outer slots run out, leaving the batch as it is', () => {
    const bytes = frames.vxlan!.bytes;
    const full = new PacketBatch(1, 64);
    full.count = 1;
    full.sourcePort[0] = 77;
    expect(decoder.decode(bytes, 0, bytes.length, bytes.length, 1, 0, 0, 0, full)).toBe(false);
    expect([full.count, full.sourcePort[0]]).toEqual([1, 77]);
    const crowded = new PacketBatch(4, 8);
    expect(decoder.decode(bytes, 0, bytes.length, bytes.length, 1, 0, 0, 0, crowded)).toBe(true);
    expect(decoder.decode(bytes, 0, bytes.length, bytes.length, 1, 0, 0, 0, crowded)).toBe(false);
    expect([crowded.count, crowded.outerCount]).toEqual([1, 1]);
  });
});

describe('link layers', () => {
  const over4 = [
    'ethernet 802.3 snap',
    'ethernet 802.3 llc ip',
    'raw ip',
    'raw ipv4',
    'null little-endian',
    'loopback',
    'sll',
    'ppp',
    'ppp hdlc',
    'pppoe',
    'pppoe capture',
    'cisco hdlc',
    'nflog',
    '802.11',
    '802.11 qos',
    '802.11 qos a-msdu',
    'radiotap',
    'radiotap padded',
    'prism',
    'avs',
    'ppi',
    'mpls ipv4',
    'mpls pseudowire',
  ];
  it.each(over4)('%s carries IPv4', (name) => {
    const row = decodeSample(name);
    expect(row).toMatchObject({ ...web4, outer: [] });
    expect(has(row, tuple4)).toBe(true);
    expect(has(row, Layer.Truncated)).toBe(false);
  });
  const over6 = [
    'raw ip 6',
    'raw ipv6',
    'null big-endian',
    'sll2',
    'ppp compressed field',
    'nflog big-endian',
    '802.11 four addresses',
    'mpls ipv6',
    'vlan priority',
  ];
  it.each(over6)('%s carries IPv6', (name) => {
    const row = decodeSample(name);
    expect(row).toMatchObject(dns6);
    expect(has(row, tuple6)).toBe(true);
  });
  it.each(['ethernet unknown type', 'ethernet 802.3 stp', 'cisco slarp', '802.11 beacon', '802.11 encrypted'])(
    '%s ends without a network layer and without blame',
    (name) => {
      expect(decodeSample(name)).toMatchObject({ layers: 0, flowHash: 0, reason: 0, protocol: 0 });
    },
  );
  it('keeps the two outer VLAN tags', () => {
    expect(decodeSample('vlan')).toMatchObject({ ...web4, vlan: 100, innerVlan: 0, etherType: 0x0800 });
    expect(decodeSample('vlan priority')).toMatchObject({ vlan: 0, etherType: 0x86dd });
    expect(decodeSample('qinq three tags')).toMatchObject({ ...web4, vlan: 300, innerVlan: 200 });
    expect(has(decodeSample('sll vlan'), Layer.Vlan)).toBe(true);
  });
  it('marks MPLS and PPP', () => {
    expect(has(decodeSample('mpls ipv4'), Layer.Mpls)).toBe(true);
    expect(has(decodeSample('pppoe'), Layer.Ppp)).toBe(true);
  });
  it('says so when it does not know the link type', () => {
    for (const linkType of [160, 511, 512, 65_535, 0xffffffff]) {
      expect(decodeFrame(frames['raw ip']!.bytes, linkType)).toMatchObject({
        reason: DecodeReason.UnsupportedLinkType,
        layers: 0,
        payloadLength: 0,
      });
    }
  });
});

describe('network and transport', () => {
  it('walks all IPv6 extension headers', () => {
    const row = decodeSample('ethernet ipv6 extensions');
    expect(row).toMatchObject({ protocol: 17, sourcePort: 1, destinationPort: 2, reason: 0, payloadLength: 29 });
    expect(decodeSample('ethernet ipv6 tcp')).toMatchObject({ trafficClass: 0x2e, hopLimit: 3, destinationPort: 80 });
    expect(decodeSample('ethernet ipv6 ah')).toMatchObject({ protocol: 58, icmpType: 128 });
    expect(decodeSample('ethernet ipv4 ah')).toMatchObject({ protocol: 6, sourcePort: 7, destinationPort: 8 });
    expect(decodeSample('ethernet ipv6 esp')).toMatchObject({ protocol: 50, sourcePort: 0, payloadLength: 32 });
    expect(decodeSample('ethernet ipv6 no next header')).toMatchObject({ protocol: 59, payloadLength: 0 });
  });
  it('reads jumbograms and TSO segments', () => {
    expect(decodeSample('ethernet ipv6 jumbogram')).toMatchObject({
      transportPayloadLength: 70_000,
      payloadLength: 70_000,
      sourcePort: 1,
      reason: 0,
    });
    expect(decodeSample('ethernet ipv4 tso')).toMatchObject({ transportPayloadLength: 2000, reason: 0 });
  });
  it('leaves fragments to the defragmenter', () => {
    const first = decodeSample('ethernet ipv4 fragment first');
    expect(first).toMatchObject({
      protocol: 17,
      sourcePort: 0,
      payloadLength: 512,
      fragmentOffset: 0,
      payloadOffset: 34,
    });
    const bits = Layer.HasAddresses | Layer.Fragment | Layer.Fragmented;
    expect(first.layers).toBe(bits | Layer.Ipv4 | Layer.MoreFragments);
    const last = decodeSample('ethernet ipv4 fragment last');
    expect(last).toMatchObject({ fragmentOffset: 512, payloadLength: 496, fragmentId: 0x1234 });
    expect(last.layers).toBe(bits | Layer.Ipv4);
    expect(first.flowHash).toBe(last.flowHash);
    const six = decodeSample('ethernet ipv6 fragment');
    expect(six).toMatchObject({ protocol: 17, fragmentId: 7, payloadLength: 512 });
    expect(six.layers).toBe(bits | Layer.Ipv6 | Layer.MoreFragments);
    const atomic = decodeSample('ethernet ipv6 atomic fragment');
    expect(atomic).toMatchObject({ sourcePort: 3, destinationPort: 4, payloadLength: 29 });
    expect(atomic.layers).toBe(tuple6 | Layer.Fragmented);
  });
  it('reads the ports of a first fragment that was not captured whole', () => {
    const frame = frames['ethernet ipv4 fragment first']!;
    const row = decodeFrame(frame.bytes, 1, 100);
    expect(row).toMatchObject({ sourcePort: 3, destinationPort: 4, reason: 0 });
    expect(has(row, Layer.Udp | Layer.MoreFragments | Layer.Truncated | Layer.Fragmented)).toBe(true);
    expect(has(row, Layer.Fragment)).toBe(false);
    const six = ethernet(
      0x86dd,
      ipv6(44, ipv6Fragment(60, 0, true, 1, bytesOf('1100 010400000000', udp(5, 6, new Uint8Array(900))))),
    );
    expect(decodeFrame(six, 1, 90)).toMatchObject({ sourcePort: 5, destinationPort: 6, protocol: 17 });
  });
  it('reads ICMP without what it quotes', () => {
    expect(decodeSample('ethernet icmp echo')).toMatchObject({ icmpType: 8, icmpCode: 0, payloadLength: 4 });
    const row = decodeSample('ethernet icmp unreachable');
    expect(row).toMatchObject({ icmpType: 3, icmpCode: 1, source: address4('192.0.2.1'), sourcePort: 0 });
    expect(row.layers).toBe(Layer.Ipv4 | Layer.Icmp | Layer.HasAddresses);
    expect(decodeSample('ethernet icmpv6 unreachable').layers).toBe(Layer.Ipv6 | Layer.Icmpv6 | Layer.HasAddresses);
  });
  it('reads ports of SCTP, DCCP and UDP-Lite', () => {
    expect(decodeSample('ethernet sctp')).toMatchObject({ sourcePort: 2905, destinationPort: 2906, payloadLength: 16 });
    expect(has(decodeSample('ethernet sctp'), Layer.Sctp | Layer.HasPorts)).toBe(true);
    expect(decodeSample('ethernet dccp')).toMatchObject({ sourcePort: 5001, protocol: 33 });
    expect(decodeSample('ethernet udp-lite')).toMatchObject({ sourcePort: 5001, payloadLength: 37 });
  });
  it('keeps addresses where there is no transport it knows', () => {
    const row = decodeSample('ethernet ospf');
    expect(row).toMatchObject({ protocol: 89, payloadLength: 24, reason: 0 });
    expect(row.layers).toBe(Layer.Ipv4 | Layer.HasAddresses);
    expect(row.flowHash).not.toBe(0);
  });
  it('marks ARP', () => {
    expect(decodeSample('ethernet arp')).toMatchObject({ layers: Layer.Arp, reason: 0, etherType: 0x0806 });
  });
});

describe('tunnels', () => {
  const cases: readonly [string, number, number, object, number][] = [
    ['gre ipv4', TunnelType.Gre, 0, web4, Layer.Gre],
    ['gre all fields', TunnelType.Gre, 5, web4, Layer.Gre],
    ['gre ethernet', TunnelType.Gre, 9, web4, Layer.Gre],
    ['gre pptp', TunnelType.Gre, 0x11, web4, Layer.Gre | Layer.Ppp],
    ['gre wccp', TunnelType.Gre, 0, web4, Layer.Gre],
    ['gre cisco metadata', TunnelType.Gre, 0, web4, Layer.Gre],
    ['erspan 1', TunnelType.Gre, 0, web4, Layer.Gre],
    ['erspan 2', TunnelType.Gre, 0, web4, Layer.Gre],
    ['erspan 3', TunnelType.Gre, 0, web4, Layer.Gre],
    ['4in4', TunnelType.IpInIp, 0, web4, Layer.IpInIp],
    ['6in4', TunnelType.IpInIp, 0, dns6, Layer.IpInIp | Layer.Ipv4],
    ['4in6', TunnelType.IpInIp, 0, web4, Layer.IpInIp | Layer.Ipv6],
    ['6in6', TunnelType.IpInIp, 0, dns6, Layer.IpInIp],
  ];
  it.each(cases)('%s', (name, tunnelType, tunnelId, tuple, layers) => {
    const row = decodeSample(name);
    expect(row).toMatchObject({ ...tuple, tunnelType, tunnelId, outer: [] });
    expect(has(row, layers)).toBe(true);
  });
  const overUdp: readonly [string, number, number, object, number, [number, number]][] = [
    ['vxlan', TunnelType.Vxlan, 0xabcdef, web4, Layer.Vxlan, [50_000, 4789]],
    ['vxlan linux port', TunnelType.Vxlan, 1, { ...dns6, vlan: 9 }, Layer.Vxlan | Layer.Vlan, [50_000, 8472]],
    ['geneve', TunnelType.Geneve, 0x010203, web4, Layer.Geneve, [50_000, 6081]],
    ['geneve ipv6', TunnelType.Geneve, 5, dns6, Layer.Geneve, [50_000, 6081]],
    ['gtpu', TunnelType.Gtpu, 0x87654321, web4, Layer.Gtpu, [2152, 2152]],
    ['gtpu extensions', TunnelType.Gtpu, 1, dns6, Layer.Gtpu, [2152, 2152]],
    ['teredo', TunnelType.Teredo, 0, dns6, Layer.Teredo, [50_000, 3544]],
    ['teredo indications', TunnelType.Teredo, 0, dns6, Layer.Teredo, [3544, 50_000]],
  ];
  it.each(overUdp)('%s', (name, tunnelType, tunnelId, tuple, layers, ports) => {
    const row = decodeSample(name);
    expect(row).toMatchObject({ ...tuple, tunnelType, tunnelId });
    expect(row.outer).toMatchObject([{ ports, protocol: 17 }]);
    expect(has(row, layers | Layer.Udp)).toBe(true);
  });
  it('goes through nested tunnels, keeping the enclosing transports', () => {
    const row = decodeSample('vxlan in gre in 4in6');
    expect(row).toMatchObject({ ...dns6, tunnelType: TunnelType.Vxlan, tunnelId: 2 });
    expect(row.outer).toMatchObject([{ source: address4('192.0.2.1'), ports: [50_000, 4789], protocol: 17 }]);
  });
  it('keeps the outer 5-tuple when the tunnel holds no IP', () => {
    const arp = ethernet(0x0806, new Uint8Array(28));
    const row = decodeFrame(ethernet(0x0800, ipv4(17, udp(50_000, 4789, vxlan(3, arp)))));
    expect(row).toMatchObject({ sourcePort: 50_000, destinationPort: 4789, tunnelType: 0, tunnelId: 0, outer: [] });
    expect(has(row, Layer.Vxlan | Layer.Arp | Layer.HasPorts)).toBe(true);
  });
  it('takes other uses of tunnel ports for plain UDP', () => {
    for (const [port, bytes] of [
      [4789, '0000000000000000'],
      [6081, 'c00000000000000000'],
      [2152, '10ff000000000000'],
      [3544, '1234'],
    ] as const) {
      const row = decodeFrame(ethernet(0x0800, ipv4(17, udp(50_000, port, bytesOf(bytes, new Uint8Array(40))))));
      expect(row).toMatchObject({ destinationPort: port, reason: 0, tunnelType: 0 });
      expect(row.layers).toBe(Layer.Ipv4 | Layer.Udp | Layer.HasAddresses | Layer.HasPorts);
    }
  });
  it('stops after 16 layers', () => {
    let packet = ipv4(17, udp(1, 2, new Uint8Array(0)));
    for (let i = 0; i < 20; i += 1) packet = ipv4(4, packet, { source: `10.0.0.${i}` });
    expect(decodeFrame(ethernet(0x0800, packet))).toMatchObject({ reason: DecodeReason.TooManyLayers });
    // Twenty VXLANs: the outer entries stay within what decode asked room for.
    let frame = ethernet(0x0800, packet);
    for (let i = 0; i < 20; i += 1) frame = ethernet(0x0800, ipv4(17, udp(9, 4789, vxlan(i, frame))));
    const row = decodeFrame(frame);
    expect(row).toMatchObject({ reason: DecodeReason.TooManyLayers });
    expect((row.outer as unknown[]).length).toBeLessThanOrEqual(8);
  });
  it('counts a stack of VLAN tags or labels as one layer', () => {
    let tagged = ipv4(17, udp(1, 2, new Uint8Array(0)));
    let type = 0x0800;
    for (let i = 0; i < 50; i += 1) {
      tagged = vlan(50 - i, type, tagged);
      type = 0x8100;
    }
    expect(decodeFrame(ethernet(0x8100, tagged))).toMatchObject({ vlan: 1, innerVlan: 2, sourcePort: 1, reason: 0 });
  });
});

describe('damaged headers', () => {
  const cases: readonly [string, Uint8Array, number][] = [
    ['IPv4 version', ethernet(0x0800, bytesOf(0x65, new Uint8Array(30))), DecodeReason.BadIpVersion],
    ['IPv4 header length', ethernet(0x0800, bytesOf(0x44, new Uint8Array(30))), DecodeReason.BadIpv4HeaderLength],
    [
      'IPv4 total length',
      ethernet(0x0800, ipv4(6, tcp(1, 2, new Uint8Array(0)), { totalLength: 19 })),
      DecodeReason.BadIpv4TotalLength,
    ],
    ['IPv4 options', ethernet(0x0800, bytesOf(0x4f, 0, be16(60), new Uint8Array(20))), DecodeReason.TruncatedIpv4],
    ['IPv6 version', ethernet(0x86dd, bytesOf(0x40, new Uint8Array(50))), DecodeReason.BadIpVersion],
    [
      'IPv6 extension',
      ethernet(0x86dd, ipv6(0, bytesOf(6, 9, new Uint8Array(14)))),
      DecodeReason.TruncatedIpv6Extension,
    ],
    [
      'TCP data offset small',
      ethernet(0x0800, ipv4(6, bytesOf(new Uint8Array(12), 0x40, new Uint8Array(9)))),
      DecodeReason.BadTcpHeaderLength,
    ],
    [
      'TCP data offset large',
      ethernet(0x0800, ipv4(6, bytesOf(new Uint8Array(12), 0xf0, new Uint8Array(9)))),
      DecodeReason.BadTcpHeaderLength,
    ],
    [
      'UDP length small',
      ethernet(0x0800, ipv4(17, bytesOf(be16(1), be16(2), be16(7), '0000'))),
      DecodeReason.BadUdpLength,
    ],
    [
      'UDP length large',
      ethernet(0x0800, ipv4(17, bytesOf(be16(1), be16(2), be16(99), '0000'))),
      DecodeReason.BadUdpLength,
    ],
    ['GRE version', ethernet(0x0800, ipv4(47, bytesOf('0002 0800', be32(0)))), DecodeReason.BadGreVersion],
    ['PPPoE length', ethernet(0x8864, bytesOf('1100 0007 0000 0021')), DecodeReason.BadPppoeLength],
  ];
  it.each(cases)('%s', (_, bytes, reason) => {
    expect(decodeReasonNames[decodeFrame(bytes).reason as number]).toBe(decodeReasonNames[reason]);
  });
  it('has a name for every reason', () => {
    expect(decodeReasonNames.length).toBe(Object.keys(DecodeReason).length);
    for (const [key, value] of Object.entries(DecodeReason)) {
      expect(decodeReasonNames[value]).toBe(key.replace(/(?<!^)([A-Z])/g, '_$1').toLowerCase());
    }
  });
});

describe('registry', () => {
  it('takes a new protocol by its numbers', () => {
    const seen: number[] = [];
    const tables = buildTables([
      { name: 'own', linkTypes: [147], etherTypes: [0x88b5], parse: (frame) => (seen.push(frame.offset), 0) },
    ]);
    const own = new PacketDecoder(tables);
    expect(own.decode(new Uint8Array(9), 4, 5, 5, 147, 0, 0, 0, new PacketBatch(1, 8))).toBe(true);
    expect(seen).toEqual([4]);
  });
  it('refuses two claims of one number', () => {
    const parse = (): number => 0;
    expect(() =>
      buildTables([
        { name: 'a', udpPorts: [1], parse },
        { name: 'b', udpPorts: [1], parse },
      ]),
    ).toThrow(/b: 1/);
  });
});
