/**
 * PacketBatch: a block of decoded packets as columns.
 *
 * Contract: every column is a typed array over ONE buffer, at an offset that depends only on the capacity, so a batch
 * moves between threads by transfer (ArrayBuffer) or is seen by several at once (SharedArrayBuffer), goes onto the wire
 * column by column, and is read back as views. One row is one captured frame. Of a tunnelled frame the row holds the
 * innermost 5-tuple; the enclosing 5-tuples stand in the sparse `outer*` columns. Nothing here allocates per packet.
 */

/** Bits of the `layers` column: which protocols the frame's stack holds (outer and inner), and what befell it. */
export const Layer = {
  Ipv4: 1 << 0,
  Ipv6: 1 << 1,
  Arp: 1 << 2,
  Tcp: 1 << 3,
  Udp: 1 << 4,
  Icmp: 1 << 5,
  Icmpv6: 1 << 6,
  Sctp: 1 << 7,
  Gre: 1 << 8,
  Vxlan: 1 << 9,
  Geneve: 1 << 10,
  Gtpu: 1 << 11,
  Teredo: 1 << 12,
  Vlan: 1 << 13,
  Mpls: 1 << 14,
  Ppp: 1 << 15,
  /** IP inside IP (4in4, 6in4, 4in6, 6in6), without another tunnel header between. */
  IpInIp: 1 << 16,
  /**
   * The row is an IP fragment that was not (yet) put together: `payload*` is the fragment's part of the IP payload,
   * `fragment*` say which part of which datagram. The engine's defragmenter turns the row that completes a datagram
   * into an ordinary one.
   */
  Fragment: 1 << 17,
  MoreFragments: 1 << 18,
  /** The file gave this packet no time (pcapng Simple Packet Block); the row carries the time of the packet before. */
  NoTimestamp: 1 << 19,
  /** Fewer bytes were captured than the headers' own lengths say (snap length or a cut file). */
  Truncated: 1 << 20,
  /** The row's 5-tuple is valid: addresses of the innermost IP header whose own fields could be read. */
  HasAddresses: 1 << 21,
  /** src_port and dst_port are valid. */
  HasPorts: 1 << 22,
  /** The innermost transport is TCP and its fixed header was read whole: the tcp_* columns are valid. */
  HasTcp: 1 << 23,
  /** At least one IPv4 or IPv6 fragment header in the stack; stays set when the datagram has been put together. */
  Fragmented: 1 << 24,
} as const;

/** What `tunnelType` holds: the innermost tunnel that carried the row's 5-tuple. */
export const TunnelType = { None: 0, Gre: 1, Vxlan: 2, Geneve: 3, IpInIp: 4, Gtpu: 5, Teredo: 6 } as const;
/** Names for TunnelType values, index = value; used in SQL, API and UI. */
export const tunnelTypeNames = ['', 'gre', 'vxlan', 'geneve', 'ipip', 'gtpu', 'teredo'] as const;

interface ColumnSpec {
  readonly type: 'u8' | 'u16' | 'u32';
  /** elements per row */
  readonly width: number;
  /** protobuf field number in netspectra.v1.PacketBatch; never reused */
  readonly field: number;
}

/**
 * The columns of a row, in storage order. Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291
 * 2.5.5.2): seen as four u32 words they are opaque, good for hashing and comparing only.
 */
export const packetColumns = {
  /** seconds and nanoseconds since the epoch, UTC */
  timestampSeconds: { type: 'u32', width: 1, field: 32 },
  timestampNanoseconds: { type: 'u32', width: 1, field: 33 },
  /** frame length on the wire, bytes */
  wireLength: { type: 'u32', width: 1, field: 34 },
  /** frame bytes in the capture */
  capturedLength: { type: 'u32', width: 1, field: 35 },
  /** Layer bits */
  layers: { type: 'u32', width: 1, field: 36 },
  /** direction-free hash of the 5-tuple (addresses, ports, protocol); ports count as 0 in fragments */
  flowHash: { type: 'u32', width: 1, field: 37 },
  sourceAddress: { type: 'u32', width: 4, field: 38 },
  destinationAddress: { type: 'u32', width: 4, field: 39 },
  tcpSequence: { type: 'u32', width: 1, field: 40 },
  tcpAcknowledgment: { type: 'u32', width: 1, field: 41 },
  /** VXLAN/GENEVE VNI, GRE key, GTP-U TEID */
  tunnelId: { type: 'u32', width: 1, field: 42 },
  /** transport payload by the headers' own lengths, captured or not, bytes */
  transportPayloadLength: { type: 'u32', width: 1, field: 43 },
  /** where the captured transport payload (for a Fragment row: IP payload) stands in `payload`, and its bytes there */
  payloadOffset: { type: 'u32', width: 1, field: 44 },
  payloadLength: { type: 'u32', width: 1, field: 45 },
  /** IPv4 identification or IPv6 fragment identification */
  fragmentId: { type: 'u32', width: 1, field: 46 },
  sourcePort: { type: 'u16', width: 1, field: 47 },
  destinationPort: { type: 'u16', width: 1, field: 48 },
  /** outermost 802.1Q VLAN id, 0 = untagged (or priority tag), and the one inside it */
  vlan: { type: 'u16', width: 1, field: 49 },
  innerVlan: { type: 'u16', width: 1, field: 50 },
  /** EtherType of the network layer under the tags (innermost Ethernet); 0 when there is none (802.3 length + LLC) */
  etherType: { type: 'u16', width: 1, field: 51 },
  /** nine flag bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE/NS 256 */
  tcpFlags: { type: 'u16', width: 1, field: 52 },
  tcpWindow: { type: 'u16', width: 1, field: 53 },
  /** offset of this fragment in its datagram, bytes */
  fragmentOffset: { type: 'u16', width: 1, field: 54 },
  /** IANA protocol number of the innermost IP header, after IPv6 extension headers */
  protocol: { type: 'u8', width: 1, field: 55 },
  /** IPv4 TOS / IPv6 traffic class octet */
  trafficClass: { type: 'u8', width: 1, field: 56 },
  /** IPv4 TTL / IPv6 hop limit */
  hopLimit: { type: 'u8', width: 1, field: 57 },
  icmpType: { type: 'u8', width: 1, field: 58 },
  icmpCode: { type: 'u8', width: 1, field: 59 },
  /** TunnelType */
  tunnelType: { type: 'u8', width: 1, field: 60 },
  /** DecodeReason: 0 = decoded; else why decoding stopped early (names in collector/decode/reason.ts) */
  reason: { type: 'u8', width: 1, field: 61 },
} as const satisfies Record<string, ColumnSpec>;

/**
 * Sparse columns: one entry per enclosing transport 5-tuple of a tunnelled frame (VXLAN's UDP, GTP-U's UDP ...), for
 * conversation counts. `outerRow` is the row it belongs to.
 */
export const outerColumns = {
  outerRow: { type: 'u32', width: 1, field: 80 },
  outerHash: { type: 'u32', width: 1, field: 81 },
  outerSourceAddress: { type: 'u32', width: 4, field: 82 },
  outerDestinationAddress: { type: 'u32', width: 4, field: 83 },
  outerSourcePort: { type: 'u16', width: 1, field: 84 },
  outerDestinationPort: { type: 'u16', width: 1, field: 85 },
  outerProtocol: { type: 'u8', width: 1, field: 86 },
} as const satisfies Record<string, ColumnSpec>;

export type PacketColumn = keyof typeof packetColumns;
export type OuterColumn = keyof typeof outerColumns;

const packetColumnNames = Object.keys(packetColumns) as PacketColumn[];

const bytesPer = { u8: 1, u16: 2, u32: 4 } as const;
const align = (offset: number): number => (offset + 7) & ~7;

function columnView(type: ColumnSpec['type'], buffer: ArrayBufferLike, offset: number, elements: number) {
  if (type === 'u8') return new Uint8Array(buffer, offset, elements);
  if (type === 'u16') return new Uint16Array(buffer, offset, elements);
  return new Uint32Array(buffer, offset, elements);
}

/** Counters in the batch's own first bytes, so that threads sharing the buffer see them. */
const headerBytes = 64;
const headerCount = 0;
const headerOuterCount = 1;
const headerSamplingRate = 2;

/** Bytes a batch of this shape takes, without payload. */
export function packetBatchBytes(rows: number, outerRows: number): number {
  let offset = headerBytes;
  for (const spec of Object.values(packetColumns)) offset = align(offset + rows * spec.width * bytesPer[spec.type]);
  for (const spec of Object.values(outerColumns)) offset = align(offset + outerRows * spec.width * bytesPer[spec.type]);
  return offset;
}

/**
 * Views over one buffer. `count` and `outerCount` live in the buffer; `payload` is any bytes the payload columns point
 * into (for a capture file: the chunk that was read; off the bus: the bytes that were sent along).
 */
export class PacketBatch {
  readonly buffer: ArrayBufferLike;
  readonly capacity: number;
  readonly outerCapacity: number;
  payload: Uint8Array;

  readonly timestampSeconds: Uint32Array;
  readonly timestampNanoseconds: Uint32Array;
  readonly wireLength: Uint32Array;
  readonly capturedLength: Uint32Array;
  readonly layers: Uint32Array;
  readonly flowHash: Uint32Array;
  readonly sourceAddress: Uint32Array;
  readonly destinationAddress: Uint32Array;
  readonly tcpSequence: Uint32Array;
  readonly tcpAcknowledgment: Uint32Array;
  readonly tunnelId: Uint32Array;
  readonly transportPayloadLength: Uint32Array;
  readonly payloadOffset: Uint32Array;
  readonly payloadLength: Uint32Array;
  readonly fragmentId: Uint32Array;
  readonly sourcePort: Uint16Array;
  readonly destinationPort: Uint16Array;
  readonly vlan: Uint16Array;
  readonly innerVlan: Uint16Array;
  readonly etherType: Uint16Array;
  readonly tcpFlags: Uint16Array;
  readonly tcpWindow: Uint16Array;
  readonly fragmentOffset: Uint16Array;
  readonly protocol: Uint8Array;
  readonly trafficClass: Uint8Array;
  readonly hopLimit: Uint8Array;
  readonly icmpType: Uint8Array;
  readonly icmpCode: Uint8Array;
  readonly tunnelType: Uint8Array;
  readonly reason: Uint8Array;

  readonly outerRow: Uint32Array;
  readonly outerHash: Uint32Array;
  readonly outerSourceAddress: Uint32Array;
  readonly outerDestinationAddress: Uint32Array;
  readonly outerSourcePort: Uint16Array;
  readonly outerDestinationPort: Uint16Array;
  readonly outerProtocol: Uint8Array;

  private readonly header: Uint32Array;

  /**
   * @param capacity most rows
   * @param outerCapacity most enclosing 5-tuples
   * @param buffer at least packetBatchBytes(capacity, outerCapacity) long, zeroed or a batch's; a new one without it
   * @param payload what payloadOffset points into
   */
  constructor(
    capacity: number,
    outerCapacity: number,
    buffer: ArrayBufferLike = new ArrayBuffer(packetBatchBytes(capacity, outerCapacity)),
    payload: Uint8Array = new Uint8Array(0),
  ) {
    if (buffer.byteLength < packetBatchBytes(capacity, outerCapacity)) {
      throw new RangeError(`batch buffer of ${buffer.byteLength} bytes is too small for ${capacity} rows`);
    }
    this.buffer = buffer;
    this.capacity = capacity;
    this.outerCapacity = outerCapacity;
    this.payload = payload;
    this.header = new Uint32Array(buffer, 0, headerBytes / 4);
    let offset = headerBytes;
    const take = (spec: ColumnSpec, rows: number): Uint8Array | Uint16Array | Uint32Array => {
      const view = columnView(spec.type, buffer, offset, rows * spec.width);
      offset = align(offset + view.byteLength);
      return view;
    };
    const views: Partial<Record<PacketColumn | OuterColumn, Uint8Array | Uint16Array | Uint32Array>> = {};
    for (const name of packetColumnNames) views[name] = take(packetColumns[name], capacity);
    for (const name of Object.keys(outerColumns) as OuterColumn[])
      views[name] = take(outerColumns[name], outerCapacity);
    // Spelled out, so that every batch has one hidden class and the types stay exact.
    this.timestampSeconds = views.timestampSeconds as Uint32Array;
    this.timestampNanoseconds = views.timestampNanoseconds as Uint32Array;
    this.wireLength = views.wireLength as Uint32Array;
    this.capturedLength = views.capturedLength as Uint32Array;
    this.layers = views.layers as Uint32Array;
    this.flowHash = views.flowHash as Uint32Array;
    this.sourceAddress = views.sourceAddress as Uint32Array;
    this.destinationAddress = views.destinationAddress as Uint32Array;
    this.tcpSequence = views.tcpSequence as Uint32Array;
    this.tcpAcknowledgment = views.tcpAcknowledgment as Uint32Array;
    this.tunnelId = views.tunnelId as Uint32Array;
    this.transportPayloadLength = views.transportPayloadLength as Uint32Array;
    this.payloadOffset = views.payloadOffset as Uint32Array;
    this.payloadLength = views.payloadLength as Uint32Array;
    this.fragmentId = views.fragmentId as Uint32Array;
    this.sourcePort = views.sourcePort as Uint16Array;
    this.destinationPort = views.destinationPort as Uint16Array;
    this.vlan = views.vlan as Uint16Array;
    this.innerVlan = views.innerVlan as Uint16Array;
    this.etherType = views.etherType as Uint16Array;
    this.tcpFlags = views.tcpFlags as Uint16Array;
    this.tcpWindow = views.tcpWindow as Uint16Array;
    this.fragmentOffset = views.fragmentOffset as Uint16Array;
    this.protocol = views.protocol as Uint8Array;
    this.trafficClass = views.trafficClass as Uint8Array;
    this.hopLimit = views.hopLimit as Uint8Array;
    this.icmpType = views.icmpType as Uint8Array;
    this.icmpCode = views.icmpCode as Uint8Array;
    this.tunnelType = views.tunnelType as Uint8Array;
    this.reason = views.reason as Uint8Array;
    this.outerRow = views.outerRow as Uint32Array;
    this.outerHash = views.outerHash as Uint32Array;
    this.outerSourceAddress = views.outerSourceAddress as Uint32Array;
    this.outerDestinationAddress = views.outerDestinationAddress as Uint32Array;
    this.outerSourcePort = views.outerSourcePort as Uint16Array;
    this.outerDestinationPort = views.outerDestinationPort as Uint16Array;
    this.outerProtocol = views.outerProtocol as Uint8Array;
  }

  /** rows in use */
  get count(): number {
    return this.header[headerCount]!;
  }
  set count(rows: number) {
    this.header[headerCount] = rows;
  }

  /** enclosing 5-tuples in use */
  get outerCount(): number {
    return this.header[headerOuterCount]!;
  }
  set outerCount(rows: number) {
    this.header[headerOuterCount] = rows;
  }

  /**
   * One packet of so many was kept, for all rows; 1 = all. Whoever counts the rows counts each so many times, once (the
   * engine, docs/architecture.md). 0 in the buffer stands for 1, so that a zeroed one says what it should.
   */
  get samplingRate(): number {
    return this.header[headerSamplingRate]! || 1;
  }
  set samplingRate(rate: number) {
    this.header[headerSamplingRate] = rate;
  }

  /**
   * Copy a row of another batch, all columns but not its outer entries. Payload offsets keep their meaning only when
   * `payload` is the same bytes. Not for the hot path: it walks the columns by name.
   */
  copyRow(from: PacketBatch, fromRow: number, row: number): void {
    for (const name of packetColumnNames) {
      const { width } = packetColumns[name];
      for (let i = 0; i < width; i += 1) this[name][row * width + i] = from[name][fromRow * width + i]!;
    }
  }

  /** Forget all rows; the columns keep their old bytes until they are overwritten. */
  clear(): void {
    this.header[headerCount] = 0;
    this.header[headerOuterCount] = 0;
  }
}
