/** Hand-built frames and a small capture reader for tests. Everything is plain bytes; nothing is checked. */
import type { PacketBatch } from '@netspectra/proto';

/** Bytes from numbers, hex strings and byte arrays, in order. */
export function bytesOf(...parts: readonly (number | string | Uint8Array)[]): Uint8Array {
  const arrays = parts.map((part) => {
    if (typeof part === 'number') return Uint8Array.of(part);
    if (typeof part !== 'string') return part;
    const digits = part.replace(/\s/g, '');
    return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
      Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16),
    );
  });
  const out = new Uint8Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    out.set(array, at);
    at += array.length;
  }
  return out;
}

export const be16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value);
export const be32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

export const ethernet = (type: number, payload: Uint8Array): Uint8Array =>
  bytesOf('020000000002 020000000001', be16(type), payload);
export const vlan = (id: number, type: number, payload: Uint8Array): Uint8Array =>
  bytesOf(be16(id), be16(type), payload);
export const snap = (type: number, payload: Uint8Array): Uint8Array => bytesOf('aaaa03000000', be16(type), payload);

export interface Ipv4Fields {
  source?: string;
  destination?: string;
  options?: Uint8Array;
  id?: number;
  /** flags and offset field */
  fragment?: number;
  ttl?: number;
  tos?: number;
  totalLength?: number;
}

export function ipv4(protocol: number, payload: Uint8Array, fields: Ipv4Fields = {}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0);
  const words = 5 + options.length / 4;
  const address = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number));
  return bytesOf(
    0x40 | words,
    fields.tos ?? 0,
    be16(fields.totalLength ?? words * 4 + payload.length),
    be16(fields.id ?? 0x1234),
    be16(fields.fragment ?? 0),
    fields.ttl ?? 64,
    protocol,
    '0000',
    address(fields.source ?? '192.0.2.1'),
    address(fields.destination ?? '198.51.100.2'),
    options,
    payload,
  );
}

export interface Ipv6Fields {
  /** 32 hex digits */
  source?: string;
  destination?: string;
  trafficClass?: number;
  hopLimit?: number;
  payloadLength?: number;
}

export function ipv6(next: number, payload: Uint8Array, fields: Ipv6Fields = {}): Uint8Array {
  return bytesOf(
    be32(0x60000000 | ((fields.trafficClass ?? 0) << 20)),
    be16(fields.payloadLength ?? payload.length),
    next,
    fields.hopLimit ?? 64,
    fields.source ?? '20010db8000000000000000000000001',
    fields.destination ?? '20010db8000000000000000000000002',
    payload,
  );
}

/** An IPv6 extension header of eight bytes (options, routing without addresses). */
export const extension = (next: number, payload: Uint8Array): Uint8Array => bytesOf(next, 0, '010400000000', payload);
export const ipv6Fragment = (
  next: number,
  offset: number,
  more: boolean,
  id: number,
  payload: Uint8Array,
): Uint8Array => bytesOf(next, 0, be16(offset | (more ? 1 : 0)), be32(id), payload);

export const tcp = (source: number, destination: number, payload: Uint8Array, flags = 0x18, options = 0): Uint8Array =>
  bytesOf(
    be16(source),
    be16(destination),
    be32(0xfedcba98),
    be32(0x01020304),
    be16(((5 + options) << 12) | flags),
    be16(0x7210),
    '00000000',
    new Uint8Array(options * 4).fill(1),
    payload,
  );
export const udp = (source: number, destination: number, payload: Uint8Array): Uint8Array =>
  bytesOf(be16(source), be16(destination), be16(8 + payload.length), '0000', payload);
export const icmp = (type: number, code: number, payload: Uint8Array): Uint8Array =>
  bytesOf(type, code, '0000 00000000', payload);
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const vxlan = (id: number, frame: Uint8Array): Uint8Array => bytesOf('08000000', be32(id << 8), frame);
export const geneve = (id: number, type: number, payload: Uint8Array): Uint8Array =>
  bytesOf('0100', be16(type), be32(id << 8), '00000000', payload);
export const gtpu = (teid: number, packet: Uint8Array): Uint8Array =>
  bytesOf('30ff', be16(packet.length), be32(teid), packet);

export interface CapturedFrame {
  readonly linkType: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly wireLength: number;
  readonly bytes: Uint8Array;
}

/**
 * The whole records of a well-formed capture file (pcap or pcapng with Enhanced and Simple Packet Blocks); it stops at
 * the first thing it does not understand. Times are kept for pcap only.
 */
export function readCapture(file: Uint8Array): CapturedFrame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const frames: CapturedFrame[] = [];
  if (file.length < 24) return frames;
  const magic = view.getUint32(0, true);
  if (magic === 0x0a0d0d0a) return readBlocks(file, view);
  const little = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d;
  const nano = view.getUint32(0, little) === 0xa1b23c4d;
  const linkType = view.getUint32(20, little) & 0xffff;
  for (let at = 24; at + 16 <= file.length;) {
    const length = view.getUint32(at + 8, little);
    if (at + 16 + length > file.length) break;
    frames.push({
      linkType,
      seconds: view.getUint32(at, little),
      nanoseconds: view.getUint32(at + 4, little) * (nano ? 1 : 1000),
      wireLength: view.getUint32(at + 12, little),
      bytes: file.subarray(at + 16, at + 16 + length),
    });
    at += 16 + length;
  }
  return frames;
}

function readBlocks(file: Uint8Array, view: DataView): CapturedFrame[] {
  const frames: CapturedFrame[] = [];
  let little = true;
  let interfaces: { linkType: number; snapLength: number }[] = [];
  for (let at = 0; at + 12 <= file.length;) {
    if (view.getUint32(at, true) === 0x0a0d0d0a) {
      little = view.getUint32(at + 8, true) === 0x1a2b3c4d;
      interfaces = [];
    }
    const type = view.getUint32(at, little);
    const length = view.getUint32(at + 4, little);
    if (length < 12 || at + length > file.length) break;
    if (type === 1) {
      interfaces.push({ linkType: view.getUint16(at + 8, little), snapLength: view.getUint32(at + 12, little) });
    } else if (type === 6 || type === 3) {
      const from = interfaces[type === 6 ? view.getUint32(at + 8, little) : 0];
      if (!from) break;
      const wireLength = view.getUint32(at + (type === 6 ? 24 : 8), little);
      const limit = from.snapLength === 0 ? wireLength : Math.min(from.snapLength, wireLength);
      const captured = type === 6 ? view.getUint32(at + 20, little) : Math.min(limit, length - 16);
      const start = at + (type === 6 ? 28 : 12);
      frames.push({
        linkType: from.linkType,
        seconds: 0,
        nanoseconds: 0,
        wireLength,
        bytes: file.subarray(start, start + captured),
      });
    }
    at += length;
  }
  return frames;
}

/** 16 address bytes of a row as hex. */
export function addressOf(column: Uint32Array, row: number): string {
  const bytes = new Uint8Array(column.buffer, column.byteOffset + row * 16, 16);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Every column of a row and its outer entries as plain numbers, payload offset relative to `base`. */
export function rowOf(batch: PacketBatch, row: number, base = 0): Record<string, unknown> {
  const out: Record<string, unknown> = {
    source: addressOf(batch.sourceAddress, row),
    destination: addressOf(batch.destinationAddress, row),
    payloadOffset: batch.payloadOffset[row]! - base,
  };
  for (const name of [
    'timestampSeconds',
    'timestampNanoseconds',
    'wireLength',
    'capturedLength',
    'layers',
    'flowHash',
    'tcpSequence',
    'tcpAcknowledgment',
    'tunnelId',
    'transportPayloadLength',
    'payloadLength',
    'fragmentId',
    'sourcePort',
    'destinationPort',
    'vlan',
    'innerVlan',
    'etherType',
    'tcpFlags',
    'tcpWindow',
    'fragmentOffset',
    'protocol',
    'trafficClass',
    'hopLimit',
    'icmpType',
    'icmpCode',
    'tunnelType',
    'reason',
  ] as const) {
    out[name] = batch[name][row]!;
  }
  const outer: unknown[] = [];
  for (let i = 0; i < batch.outerCount; i += 1) {
    if (batch.outerRow[i] !== row) continue;
    outer.push({
      source: addressOf(batch.outerSourceAddress, i),
      destination: addressOf(batch.outerDestinationAddress, i),
      ports: [batch.outerSourcePort[i]!, batch.outerDestinationPort[i]!],
      protocol: batch.outerProtocol[i]!,
      hash: batch.outerHash[i]!,
    });
  }
  out.outer = outer;
  return out;
}

export interface SampleFrame {
  readonly linkType: number;
  readonly bytes: Uint8Array;
}

const dns = text('\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01');
const web = text('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n');
const inner4 = (): Uint8Array => ipv4(6, tcp(40_000, 80, web), { source: '10.0.0.1', destination: '10.0.0.2' });
const inner6 = (): Uint8Array => ipv6(17, udp(40_000, 53, dns));
const wlan = (control: string, rest: string): Uint8Array =>
  bytesOf(control, '0000 020000000001 020000000002 020000000003 0000', rest);

/** One well-formed frame per protocol and link type that the decoder knows. */
export function sampleFrames(): Record<string, SampleFrame> {
  const frame = (bytes: Uint8Array, linkType = 1): SampleFrame => ({ linkType, bytes });
  const ip4 = (protocol: number, payload: Uint8Array, fields: Ipv4Fields = {}): SampleFrame =>
    frame(ethernet(0x0800, ipv4(protocol, payload, fields)));
  const ip6 = (next: number, payload: Uint8Array, fields: Ipv6Fields = {}): SampleFrame =>
    frame(ethernet(0x86dd, ipv6(next, payload, fields)));
  return {
    'ethernet ipv4 tcp': ip4(6, tcp(40_000, 80, web)),
    'ethernet ipv4 tcp options': ip4(6, tcp(40_000, 80, web, 0x102, 5), { options: bytesOf('94040000'), tos: 0xb8 }),
    'ethernet ipv4 udp': ip4(17, udp(40_000, 53, dns)),
    'ethernet padding': frame(bytesOf(ethernet(0x0800, ipv4(17, udp(5, 6, text('x')))), new Uint8Array(17))),
    'ethernet ipv6 tcp': ip6(6, tcp(40_000, 80, web), { trafficClass: 0x2e, hopLimit: 3 }),
    'ethernet ipv6 udp': ip6(17, udp(40_000, 53, dns)),
    'ethernet ipv6 extensions': ip6(
      0,
      extension(43, extension(60, extension(135, extension(139, extension(140, extension(17, udp(1, 2, dns))))))),
    ),
    'ethernet ipv6 ah': ip6(
      51,
      bytesOf(58, 4, '0000 00000001 00000002', new Uint8Array(12), icmp(128, 0, text('ping'))),
    ),
    'ethernet ipv6 esp': ip6(50, bytesOf('00000001 00000002', new Uint8Array(24))),
    'ethernet ipv6 no next header': ip6(59, new Uint8Array(0)),
    'ethernet ipv6 jumbogram': ip6(
      0,
      bytesOf(17, 0, 'c204', be32(8 + 8 + 70_000), be16(1), be16(2), '00000000', new Uint8Array(70_000)),
      { payloadLength: 0 },
    ),
    'ethernet ipv6 atomic fragment': ip6(44, ipv6Fragment(17, 0, false, 7, udp(3, 4, dns))),
    'ethernet ipv6 fragment': ip6(44, ipv6Fragment(17, 0, true, 7, udp(3, 4, new Uint8Array(1000)).subarray(0, 512))),
    'ethernet ipv4 fragment first': ip4(17, udp(3, 4, new Uint8Array(1000)).subarray(0, 512), { fragment: 0x2000 }),
    'ethernet ipv4 fragment last': ip4(17, new Uint8Array(496), { fragment: 64 }),
    'ethernet ipv4 ah': ip4(51, bytesOf(6, 4, '0000 00000001 00000002', new Uint8Array(12), tcp(7, 8, web))),
    'ethernet ipv4 tso': ip4(6, tcp(40_000, 80, new Uint8Array(2000)), { totalLength: 0 }),
    'ethernet icmp echo': ip4(1, icmp(8, 0, text('ping'))),
    'ethernet icmp unreachable': ip4(1, icmp(3, 1, ipv4(6, tcp(5, 6, web).subarray(0, 8)))),
    'ethernet icmpv6 unreachable': ip6(58, icmp(1, 4, ipv6(17, udp(5, 6, dns)))),
    'ethernet sctp': ip4(132, bytesOf(be16(2905), be16(2906), '00000001 00000000', '00030010', new Uint8Array(12))),
    'ethernet dccp': ip4(33, bytesOf(be16(5001), be16(5002), new Uint8Array(12))),
    'ethernet udp-lite': ip4(136, bytesOf(be16(5001), be16(5002), '00080000', web)),
    'ethernet ospf': ip4(89, new Uint8Array(24)),
    'ethernet arp': frame(ethernet(0x0806, bytesOf('0001 0800 06 04 0001', new Uint8Array(20)))),
    'ethernet unknown type': frame(ethernet(0x88cc, new Uint8Array(30))),
    'ethernet 802.3 stp': frame(ethernet(38, bytesOf('424203', new Uint8Array(35)))),
    'ethernet 802.3 snap': frame(ethernet(8 + inner4().length, snap(0x0800, inner4()))),
    'ethernet 802.3 llc ip': frame(ethernet(3 + inner4().length, bytesOf('060603', inner4()))),
    vlan: frame(ethernet(0x8100, vlan(0xa000 | 100, 0x0800, inner4()))),
    'vlan priority': frame(ethernet(0x8100, vlan(0x6000, 0x86dd, inner6()))),
    'qinq three tags': frame(ethernet(0x88a8, vlan(300, 0x9100, vlan(200, 0x8100, vlan(100, 0x0800, inner4()))))),
    'mpls ipv4': frame(ethernet(0x8847, bytesOf('00064040 00065140', inner4()))),
    'mpls ipv6': frame(ethernet(0x8847, bytesOf('00065140', inner6()))),
    'mpls pseudowire': frame(ethernet(0x8847, bytesOf('00065140 00000000', ethernet(0x0800, inner4())))),
    pppoe: frame(ethernet(0x8864, bytesOf('1100 0007', be16(2 + inner4().length), '0021', inner4()))),
    'raw ip': frame(inner4(), 101),
    'raw ip 6': frame(inner6(), 12),
    'raw ipv4': frame(inner4(), 228),
    'raw ipv6': frame(inner6(), 229),
    'null little-endian': frame(bytesOf('02000000', inner4()), 0),
    'null big-endian': frame(bytesOf('0000001e', inner6()), 0),
    loopback: frame(bytesOf('00000002', inner4()), 108),
    sll: frame(bytesOf('0000 0001 0006 0200000000010000 0800', inner4()), 113),
    'sll vlan': frame(bytesOf('0000 0001 0006 0200000000010000 8100', vlan(5, 0x0800, inner4())), 113),
    sll2: frame(bytesOf('86dd 0000 00000002 0001 00 06 0200000000010000', inner6()), 276),
    ppp: frame(bytesOf('ff03 0021', inner4()), 9),
    'ppp compressed field': frame(bytesOf('57', inner6()), 9),
    'ppp hdlc': frame(bytesOf('0f00 0800', inner4()), 50),
    'pppoe capture': frame(bytesOf('1100 0007', be16(2 + inner4().length), '0021', inner4()), 51),
    'cisco hdlc': frame(bytesOf('0f00 0800', inner4()), 104),
    'cisco slarp': frame(bytesOf('8f00 8035', new Uint8Array(18)), 104),
    nflog: frame(bytesOf('0200 0001', '0800 0a00 00000000', inner4().length + 4, '00 0900', inner4()), 239),
    'nflog big-endian': frame(bytesOf('0a00 0001', be16(inner6().length + 4), '0009', inner6()), 239),
    '802.11': frame(wlan('0801', hex(snap(0x0800, inner4()))), 105),
    '802.11 qos': frame(wlan('8801', `0000${hex(snap(0x0800, inner4()))}`), 105),
    '802.11 qos a-msdu': frame(wlan('8801', `8000${hex(ethernet(8 + inner4().length, snap(0x0800, inner4())))}`), 105),
    '802.11 four addresses': frame(wlan('0803', `020000000004${hex(snap(0x86dd, inner6()))}`), 105),
    '802.11 beacon': frame(wlan('8000', hex(new Uint8Array(12))), 105),
    '802.11 encrypted': frame(wlan('0841', hex(new Uint8Array(40))), 105),
    radiotap: frame(
      bytesOf('00 00 1200 03000000 0000000000000000 10 00', wlan('0801', hex(snap(0x0800, inner4()))), 'fcfcfcfc'),
      127,
    ),
    'radiotap padded': frame(
      bytesOf('00 00 0900 02000000 20', wlan('8801', `00000000${hex(snap(0x0800, inner4()))}`)),
      127,
    ),
    prism: frame(bytesOf('00000044 00000090', new Uint8Array(136), wlan('0801', hex(snap(0x0800, inner4())))), 119),
    avs: frame(bytesOf('80211001 00000040', new Uint8Array(56), wlan('0801', hex(snap(0x0800, inner4())))), 163),
    ppi: frame(bytesOf('0000 0800 69000000', wlan('0801', hex(snap(0x0800, inner4())))), 192),
    'gre ipv4': ip4(47, bytesOf('0000 0800', inner4())),
    'gre all fields': ip4(
      47,
      bytesOf('f000 0800 0000 0000 00000005 00000001', '0800 00 04 0a000001 0000 00 00', inner4()),
    ),
    'gre ethernet': ip4(47, bytesOf('2000 6558 00000009', ethernet(0x0800, inner4()))),
    'gre pptp': ip4(47, bytesOf('3081 880b 0030 0011 00000001 00000002', 'ff03 0021', inner4())),
    'gre wccp': ip4(47, bytesOf('0000 883e 00000000', inner4())),
    'gre cisco metadata': ip4(47, bytesOf('0000 8909 0800 0101 0001 0000', inner4())),
    'gre keepalive': ip4(47, bytesOf('0000 0000')),
    'erspan 1': ip4(47, bytesOf('0000 88be', ethernet(0x0800, inner4()))),
    'erspan 2': ip4(47, bytesOf('1000 88be 00000001', '1001 0005 00000000', ethernet(0x0800, inner4()))),
    'erspan 3': ip4(47, bytesOf('1000 22eb 00000001', '2001 0005', new Uint8Array(8), ethernet(0x0800, inner4()))),
    vxlan: ip4(17, udp(50_000, 4789, vxlan(0xabcdef, ethernet(0x0800, inner4())))),
    'vxlan linux port': ip6(17, udp(50_000, 8472, vxlan(1, ethernet(0x8100, vlan(9, 0x86dd, inner6()))))),
    geneve: ip4(17, udp(50_000, 6081, geneve(0x010203, 0x6558, ethernet(0x0800, inner4())))),
    'geneve ipv6': ip4(17, udp(50_000, 6081, geneve(5, 0x86dd, inner6()))),
    gtpu: ip4(17, udp(2152, 2152, gtpu(0x87654321, inner4()))),
    'gtpu extensions': ip4(
      17,
      udp(2152, 2152, bytesOf('36ff', be16(8 + inner6().length), '00000001', '0001 00 85', '01 0000 00', inner6())),
    ),
    teredo: ip4(17, udp(50_000, 3544, inner6())),
    'teredo indications': ip4(
      17,
      udp(3544, 50_000, bytesOf('0001 0000 0000000000000000 00', '0000 1234 01020304', inner6())),
    ),
    '4in4': ip4(4, inner4()),
    '6in4': ip4(41, inner6()),
    '4in6': ip6(4, inner4()),
    '6in6': ip6(41, inner6()),
    'vxlan in gre in 4in6': ip6(
      4,
      ipv4(47, bytesOf('0000 0800', ipv4(17, udp(50_000, 4789, vxlan(2, ethernet(0x86dd, inner6())))))),
    ),
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
