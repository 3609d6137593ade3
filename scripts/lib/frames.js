/**
 * Frames built from the inside out: every function takes the piece it carries and returns the piece around it. A piece
 * is its bytes plus its stack: which protocols it holds, outermost first, with their addresses and messages. The stack
 * is what makes the expected results (truth.js) independent of any decoder.
 *
 * @typedef {{ layer: string, [key: string]: unknown }} Item
 * @typedef {{
 *   bytes: Uint8Array,
 *   stack: Item[],
 *   protocol?: number,
 *   etherType?: number,
 *   checksumAt?: number,
 *   pseudoHeader?: boolean,
 * }} Piece
 *   protocol: IP protocol number when the piece goes into IP; etherType: when it goes into a link layer; checksumAt:
 *   where a checksum over the pseudo header (RFC 9293 3.1, RFC 8200 8.1) is to be filled in by the IP layer
 */
import { addressBytes, be16, be32, concat, crc32c, foldChecksum, sumWords } from './bytes.js';

/**
 * @param {Uint8Array} bytes
 * @param {...Item} items protocols inside
 * @returns {Piece}
 */
export const payload = (bytes, ...items) => ({ bytes, stack: items });

const nothing = payload(new Uint8Array(0));

/**
 * @param {number} sourcePort
 * @param {number} destinationPort
 * @param {Piece} inner
 * @returns {Piece}
 */
export function udp(sourcePort, destinationPort, inner) {
  const header = [...be16(sourcePort), ...be16(destinationPort), ...be16(8 + inner.bytes.length), 0, 0];
  return {
    bytes: concat(header, inner.bytes),
    stack: [{ layer: 'udp', sourcePort, destinationPort }, ...inner.stack],
    protocol: 17,
    checksumAt: 6,
    pseudoHeader: true,
  };
}

export const Tcp = { Fin: 1, Syn: 2, Rst: 4, Psh: 8, Ack: 16, Urg: 32, Ece: 64, Cwr: 128 };

/**
 * @param {{ sourcePort: number, destinationPort: number, sequence: number, acknowledgment?: number, flags: number,
 *   window?: number, options?: Uint8Array | number[] }} header options: a multiple of four bytes
 * @param {Piece} inner
 * @returns {Piece}
 */
export function tcp(header, inner = nothing) {
  const options = header.options ?? [];
  const words = 5 + options.length / 4;
  const bytes = concat(
    be16(header.sourcePort),
    be16(header.destinationPort),
    be32(header.sequence),
    be32(header.acknowledgment ?? 0),
    [words << 4, header.flags & 255],
    be16(header.window ?? 502),
    [0, 0, 0, 0],
    options,
    inner.bytes,
  );
  return {
    bytes,
    stack: [
      { layer: 'tcp', sourcePort: header.sourcePort, destinationPort: header.destinationPort, flags: header.flags },
      ...inner.stack,
    ],
    protocol: 6,
    checksumAt: 16,
    pseudoHeader: true,
  };
}

/**
 * ICMP (RFC 792): type, code, four bytes, data.
 * @param {number} type
 * @param {number} code
 * @param {number[]} rest
 * @param {Piece} inner for errors the quoted packet: its layers are marked, as tshark counts no conversation for them
 * @returns {Piece}
 */
export function icmp(type, code, rest, inner = nothing) {
  return {
    bytes: concat([type, code, 0, 0], rest, inner.bytes),
    stack: [{ layer: 'icmp' }, ...inner.stack.map((item) => ({ ...item, quoted: true }))],
    protocol: 1,
    checksumAt: 2,
  };
}

/**
 * ICMPv6 (RFC 4443).
 * @param {number} type
 * @param {number} code
 * @param {number[]} rest
 * @param {Piece} inner
 * @returns {Piece}
 */
export function icmpv6(type, code, rest, inner = nothing) {
  return {
    bytes: concat([type, code, 0, 0], rest, inner.bytes),
    stack: [{ layer: 'icmpv6' }, ...inner.stack.map((item) => ({ ...item, quoted: true }))],
    protocol: 58,
    checksumAt: 2,
    pseudoHeader: true,
  };
}

/**
 * SCTP (RFC 9260) with ready-made chunks.
 * @param {number} sourcePort
 * @param {number} destinationPort
 * @param {number} verificationTag
 * @param {Uint8Array} chunks
 * @returns {Piece}
 */
export function sctp(sourcePort, destinationPort, verificationTag, chunks) {
  const bytes = concat(be16(sourcePort), be16(destinationPort), be32(verificationTag), [0, 0, 0, 0], chunks);
  const crc = crc32c(bytes);
  bytes.set([crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24], 8);
  return { bytes, stack: [{ layer: 'sctp', sourcePort, destinationPort }], protocol: 132 };
}

/**
 * The transport's bytes with its checksum filled in.
 * @param {Piece} inner
 * @param {Uint8Array} source
 * @param {Uint8Array} destination
 * @param {number} protocol
 */
function withChecksum(inner, source, destination, protocol) {
  if (inner.checksumAt === undefined) return inner.bytes;
  const bytes = inner.bytes.slice();
  let sum = 0;
  if (inner.pseudoHeader) sum = sumWords(destination, sumWords(source)) + protocol + bytes.length;
  let checksum = foldChecksum(sumWords(bytes, sum));
  if (protocol === 17 && checksum === 0) checksum = 0xffff; // RFC 768: 0 means none was made
  bytes.set(be16(checksum), inner.checksumAt);
  return bytes;
}

/**
 * @typedef {{ source: string, destination: string, ttl?: number, id?: number, trafficClass?: number,
 *   doNotFragment?: boolean, options?: number[] }} IpOptions
 */

/**
 * @param {IpOptions} ip
 * @param {number} protocol
 * @param {number} fragmentBits flags and offset field
 * @param {Uint8Array} body
 */
function ipv4Bytes(ip, protocol, fragmentBits, body) {
  const options = ip.options ?? [];
  const headerLength = 20 + options.length;
  const header = concat(
    [0x40 | (headerLength / 4), ip.trafficClass ?? 0],
    be16(headerLength + body.length),
    be16(ip.id ?? 0),
    be16(fragmentBits),
    [ip.ttl ?? 64, protocol, 0, 0],
    addressBytes(ip.source),
    addressBytes(ip.destination),
    options,
  );
  header.set(be16(foldChecksum(sumWords(header))), 10);
  return concat(header, body);
}

/**
 * IPv4 (RFC 791).
 * @param {IpOptions} ip
 * @param {Piece} inner
 * @returns {Piece}
 */
export function ipv4(ip, inner) {
  const protocol = inner.protocol ?? (inner.etherType === 0x0800 ? 4 : inner.etherType === 0x86dd ? 41 : 253);
  const body = withChecksum(inner, addressBytes(ip.source), addressBytes(ip.destination), protocol);
  return {
    bytes: ipv4Bytes(ip, protocol, ip.doNotFragment === false ? 0 : 0x4000, body),
    stack: [{ layer: 'ip', source: ip.source, destination: ip.destination }, ...inner.stack],
    etherType: 0x0800,
  };
}

/**
 * @param {IpOptions} ip
 * @param {number} protocol next header
 * @param {Uint8Array} body
 */
const ipv6Bytes = (ip, protocol, body) =>
  concat(
    be32(0x60000000 | ((ip.trafficClass ?? 0) << 20) | (ip.id ?? 0)),
    be16(body.length),
    [protocol, ip.ttl ?? 64],
    addressBytes(ip.source),
    addressBytes(ip.destination),
    body,
  );

/**
 * IPv6 (RFC 8200); `id` is the flow label.
 * @param {IpOptions} ip
 * @param {Piece} inner
 * @param {{ hopByHop?: boolean, destinationOptions?: boolean }} extensions headers to put in between (padding only)
 * @returns {Piece}
 */
export function ipv6(ip, inner, extensions = {}) {
  const protocol = inner.protocol ?? (inner.etherType === 0x0800 ? 4 : inner.etherType === 0x86dd ? 41 : 253);
  let body = withChecksum(inner, addressBytes(ip.source), addressBytes(ip.destination), protocol);
  let next = protocol;
  const padding = [1, 4, 0, 0, 0, 0]; // PadN of six bytes
  if (extensions.destinationOptions) {
    body = concat([next, 0], padding, body);
    next = 60;
  }
  if (extensions.hopByHop) {
    body = concat([next, 0], padding, body);
    next = 0;
  }
  return {
    bytes: ipv6Bytes(ip, next, body),
    stack: [{ layer: 'ipv6', source: ip.source, destination: ip.destination }, ...inner.stack],
    etherType: 0x86dd,
  };
}

/**
 * The datagram in fragments, IPv4 or (by the addresses) IPv6. Only the one that completes the datagram shows what is
 * inside, as reassembly does; `completing` says which one that is in the order they will be sent.
 * @param {IpOptions} ip id: the datagram's identification
 * @param {Piece} inner
 * @param {number} size bytes of payload a fragment, a multiple of eight
 * @param {number} completing index of the fragment sent last; -1 when one will be missing
 * @returns {Piece[]}
 */
export function fragments(ip, inner, size, completing) {
  const protocol = inner.protocol ?? 253;
  const body = withChecksum(inner, addressBytes(ip.source), addressBytes(ip.destination), protocol);
  const six = ip.source.includes(':');
  const out = [];
  for (let offset = 0; offset < body.length; offset += size) {
    const part = body.subarray(offset, offset + size);
    const more = offset + size < body.length;
    const layer = six ? 'ipv6' : 'ip';
    const stack = [{ layer, source: ip.source, destination: ip.destination, fragment: true }];
    if (out.length === completing) stack.push(...inner.stack);
    const bytes = six
      ? ipv6Bytes({ ...ip, id: 0 }, 44, concat([protocol, 0], be16(offset | (more ? 1 : 0)), be32(ip.id ?? 0), part))
      : ipv4Bytes(ip, protocol, (offset / 8) | (more ? 0x2000 : 0), part);
    out.push({ bytes, stack, etherType: six ? 0x86dd : 0x0800 });
  }
  return out;
}

/**
 * ARP for IPv4 over Ethernet (RFC 826).
 * @param {boolean} reply
 * @param {{ mac: Uint8Array, ip: string }} sender
 * @param {{ mac: Uint8Array, ip: string }} target
 * @returns {Piece}
 */
export const arp = (reply, sender, target) => ({
  bytes: concat(
    [0, 1, 8, 0, 6, 4, 0, reply ? 2 : 1],
    sender.mac,
    addressBytes(sender.ip),
    target.mac,
    addressBytes(target.ip),
  ),
  stack: [{ layer: 'arp' }],
  etherType: 0x0806,
});

/**
 * GRE (RFC 2784) with a key (RFC 2890).
 * @param {number} key
 * @param {Piece} inner an IP packet or an Ethernet frame
 * @returns {Piece}
 */
export const gre = (key, inner) => ({
  bytes: concat([0x20, 0], be16(inner.etherType ?? 0x6558), be32(key), inner.bytes),
  stack: [{ layer: 'gre', key }, ...inner.stack],
  protocol: 47,
});

/**
 * VXLAN (RFC 7348), to be carried by UDP port 4789.
 * @param {number} vni
 * @param {Piece} inner Ethernet frame
 * @returns {Piece}
 */
export const vxlan = (vni, inner) =>
  payload(concat([8, 0, 0, 0], be32(vni << 8), inner.bytes), { layer: 'vxlan', vni }, ...inner.stack);

/**
 * GENEVE (RFC 8926) without options, to be carried by UDP port 6081.
 * @param {number} vni
 * @param {Piece} inner Ethernet frame
 * @returns {Piece}
 */
export const geneve = (vni, inner) =>
  payload(
    concat([0, 0], be16(inner.etherType ?? 0x6558), be32(vni << 8), inner.bytes),
    { layer: 'geneve', vni },
    ...inner.stack,
  );

/**
 * GTP-U G-PDU (3GPP TS 29.281), to be carried by UDP port 2152.
 * @param {number} tunnel tunnel endpoint id
 * @param {Piece} inner IP packet
 * @returns {Piece}
 */
export const gtpu = (tunnel, inner) =>
  payload(
    concat([0x30, 255], be16(inner.bytes.length), be32(tunnel), inner.bytes),
    { layer: 'gtp', tunnel },
    ...inner.stack,
  );

/**
 * Teredo (RFC 4380), to be carried by UDP port 3544: the bare IPv6 packet.
 * @param {Piece} inner
 * @returns {Piece}
 */
export const teredo = (inner) => payload(inner.bytes, { layer: 'teredo' }, ...inner.stack);

/**
 * MPLS label stack (RFC 3032).
 * @param {number[]} labels outermost first
 * @param {Piece} inner
 * @returns {Piece}
 */
export const mpls = (labels, inner) => ({
  bytes: concat(
    ...labels.map((label, i) => be32(((label << 12) | (i === labels.length - 1 ? 0x100 : 0) | 63) >>> 0)),
    inner.bytes,
  ),
  stack: [{ layer: 'mpls' }, ...inner.stack],
  etherType: 0x8847,
});

/**
 * One VLAN tag: 802.1Q (0x8100) or the service tag of 802.1ad (0x88a8).
 * @param {number} id
 * @param {Piece} inner
 * @param {{ service?: boolean, priority?: number }} tag
 * @returns {Piece}
 */
export const vlan = (id, inner, tag = {}) => ({
  bytes: concat(be16(((tag.priority ?? 0) << 13) | id), be16(inner.etherType ?? 0), inner.bytes),
  stack: [{ layer: tag.service ? 'ieee8021ad' : 'vlan', id }, ...inner.stack],
  etherType: tag.service ? 0x88a8 : 0x8100,
});

const pppProtocol = /** @param {Piece} inner */ (inner) =>
  inner.etherType === 0x0800 ? 0x0021 : inner.etherType === 0x86dd ? 0x0057 : 0x0281;

/**
 * PPPoE session (RFC 2516).
 * @param {number} session
 * @param {Piece} inner IP packet
 * @returns {Piece}
 */
export const pppoe = (session, inner) => ({
  bytes: concat([0x11, 0], be16(session), be16(inner.bytes.length + 2), be16(pppProtocol(inner)), inner.bytes),
  stack: [{ layer: 'pppoes' }, { layer: 'ppp' }, ...inner.stack],
  etherType: 0x8864,
});

/**
 * Ethernet II; frames shorter than 60 bytes are padded, as they are on the wire.
 * @param {Uint8Array} source
 * @param {Uint8Array} destination
 * @param {Piece} inner
 * @returns {Piece}
 */
export function ethernet(source, destination, inner) {
  const bytes = concat(destination, source, be16(inner.etherType ?? 0), inner.bytes);
  return {
    bytes: bytes.length < 60 ? concat(bytes, new Uint8Array(60 - bytes.length)) : bytes,
    stack: [{ layer: 'eth' }, ...inner.stack],
  };
}

const mac = Uint8Array.from([0, 0, 0x5e, 0, 0x53, 1]);
const otherMac = Uint8Array.from([0, 0, 0x5e, 0, 0x53, 2]);

/**
 * Link layers besides Ethernet, by pcap link type (https://www.tcpdump.org/linktypes.html). Each takes a network-layer
 * piece and gives the whole frame.
 * @type {Readonly<Record<string, { linkType: number, wrap: (inner: Piece) => Piece }>>}
 */
export const linkLayers = {
  ethernet: { linkType: 1, wrap: (inner) => ethernet(mac, otherMac, inner) },
  raw: { linkType: 101, wrap: (inner) => ({ bytes: inner.bytes, stack: [{ layer: 'raw' }, ...inner.stack] }) },
  'raw-ipv4': { linkType: 228, wrap: (inner) => ({ bytes: inner.bytes, stack: inner.stack }) },
  'raw-ipv6': { linkType: 229, wrap: (inner) => ({ bytes: inner.bytes, stack: inner.stack }) },
  null: {
    linkType: 0, // address family in the byte order of the capturing host: here little-endian, 30 = macOS AF_INET6
    wrap: (inner) => ({
      bytes: concat([inner.etherType === 0x86dd ? 30 : 2, 0, 0, 0], inner.bytes),
      stack: [{ layer: 'null' }, ...inner.stack],
    }),
  },
  loop: {
    linkType: 108, // the same in network byte order, 24 = OpenBSD AF_INET6
    wrap: (inner) => ({
      bytes: concat([0, 0, 0, inner.etherType === 0x86dd ? 24 : 2], inner.bytes),
      stack: [{ layer: 'null' }, ...inner.stack],
    }),
  },
  sll: {
    linkType: 113,
    wrap: (inner) => ({
      bytes: concat(be16(0), be16(1), be16(6), mac, [0, 0], be16(inner.etherType ?? 0), inner.bytes),
      stack: [{ layer: 'sll' }, ...inner.stack],
    }),
  },
  sll2: {
    linkType: 276,
    wrap: (inner) => ({
      bytes: concat(be16(inner.etherType ?? 0), [0, 0], be32(2), be16(1), [0, 6], mac, [0, 0], inner.bytes),
      stack: [{ layer: 'sll' }, ...inner.stack],
    }),
  },
  ieee80211: {
    linkType: 105, // QoS data to the distribution system, then LLC/SNAP (RFC 1042)
    wrap: (inner) => ({
      bytes: concat(
        [0x88, 0x01, 0x00, 0x00],
        otherMac,
        mac,
        otherMac,
        [0x10, 0x00],
        [0x00, 0x00],
        [0xaa, 0xaa, 3, 0, 0, 0],
        be16(inner.etherType ?? 0),
        inner.bytes,
      ),
      stack: [{ layer: 'wlan' }, { layer: 'llc' }, ...inner.stack],
    }),
  },
  radiotap: {
    linkType: 127, // an empty radiotap header in front of the same
    wrap: (inner) => {
      const frame = linkLayers.ieee80211.wrap(inner);
      return {
        bytes: concat([0, 0, 8, 0, 0, 0, 0, 0], frame.bytes),
        stack: [{ layer: 'radiotap' }, ...frame.stack],
      };
    },
  },
  ppp: {
    linkType: 9,
    wrap: (inner) => ({
      bytes: concat([0xff, 0x03], be16(pppProtocol(inner)), inner.bytes),
      stack: [{ layer: 'ppp' }, ...inner.stack],
    }),
  },
};
