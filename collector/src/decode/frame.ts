/**
 * The registers of the frame being decoded, and the contract between parsers.
 *
 * A parser is `(frame, bytes) => next`: it reads its header at `frame.offset`, never at or past `frame.end`, sets its
 * registers, moves `offset` (and narrows `end` and `wireEnd`), and returns the slot of the parser to go on with, found in
 * the frame's lookup tables, or 0 to stop. It never throws on packet bytes. One Frame lives as long as its decoder, so
 * nothing is allocated per packet; all registers are small integers (`| 0`), which keeps them unboxed in V8.
 */
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { flowHash } from './flow-hash.js';

export type Parser = (frame: Frame, bytes: Uint8Array) => number;

/** A protocol as it registers itself: what leads to it, and its parser. */
export interface Protocol {
  readonly name: string;
  /** capture link types (LINKTYPE_ values of the tcpdump registry) that begin with it */
  readonly linkTypes?: readonly number[];
  /** EtherTypes, also in SNAP, SLL and GRE */
  readonly etherTypes?: readonly number[];
  /** IANA protocol numbers */
  readonly ipProtocols?: readonly number[];
  /** UDP ports of either side */
  readonly udpPorts?: readonly number[];
  readonly parse: Parser;
}

/** Lookup tables from numbers on the wire to parser slots; 0 = none. */
export interface ParserTables {
  readonly parsers: readonly Parser[];
  readonly linkTypes: Uint8Array;
  readonly etherTypes: Uint8Array;
  readonly ipProtocols: Uint8Array;
  readonly udpPorts: Uint8Array;
}

export const EtherType = {
  Ipv4: 0x0800,
  Ipv6: 0x86dd,
  Mpls: 0x8847,
  TransparentEthernet: 0x6558,
  Ppp: 0x880b,
} as const;

/** Most outer 5-tuples one frame may add; decoding needs this much room in the batch. */
export const outerPerFrameMax = 8;

export class Frame {
  /** where the next layer begins, in `bytes` */
  offset = 0;
  /** end of the captured bytes of the enclosing layer */
  end = 0;
  /** end of the enclosing layer by its headers' own lengths; may lie beyond `end` */
  wireEnd = 0;
  layers = 0;
  reason = 0;
  vlanTags = 0;
  vlan = 0;
  innerVlan = 0;
  etherType = 0;
  s0 = 0;
  s1 = 0;
  s2 = 0;
  s3 = 0;
  d0 = 0;
  d1 = 0;
  d2 = 0;
  d3 = 0;
  protocol = 0;
  trafficClass = 0;
  hopLimit = 0;
  sourcePort = 0;
  destinationPort = 0;
  tcpSequence = 0;
  tcpAcknowledgment = 0;
  tcpFlags = 0;
  tcpWindow = 0;
  icmpType = 0;
  icmpCode = 0;
  tunnelType = 0;
  tunnelId = 0;
  /** tunnel header passed, takes effect when an IP header follows in it */
  pendingTunnelType = 0;
  pendingTunnelId = 0;
  fragmentId = 0;
  fragmentOffset = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** payload bytes by the headers' own lengths */
  payloadWireLength = 0;
  row = 0;
  outerCount = 0;
  outerLimit = 0;
  batch: PacketBatch;
  readonly etherTypes: Uint8Array;
  readonly ipProtocols: Uint8Array;
  readonly udpPorts: Uint8Array;

  constructor(tables: ParserTables, batch: PacketBatch) {
    this.etherTypes = tables.etherTypes;
    this.ipProtocols = tables.ipProtocols;
    this.udpPorts = tables.udpPorts;
    this.batch = batch;
  }

  /** Begin a frame: all registers to 0. */
  reset(offset: number, end: number, wireEnd: number, layers: number): void {
    this.offset = offset;
    this.end = end;
    this.wireEnd = wireEnd;
    this.layers = layers;
    this.reason = 0;
    this.vlanTags = 0;
    this.vlan = 0;
    this.innerVlan = 0;
    this.etherType = 0;
    this.s0 = this.s1 = this.s2 = this.s3 = 0;
    this.d0 = this.d1 = this.d2 = this.d3 = 0;
    this.protocol = 0;
    this.trafficClass = 0;
    this.hopLimit = 0;
    this.tunnelType = 0;
    this.tunnelId = 0;
    this.pendingTunnelType = 0;
    this.pendingTunnelId = 0;
    this.payloadStart = offset;
    this.payloadEnd = offset;
    this.payloadWireLength = 0;
    this.clearTransport();
  }

  private clearTransport(): void {
    this.sourcePort = 0;
    this.destinationPort = 0;
    this.tcpSequence = 0;
    this.tcpAcknowledgment = 0;
    this.tcpFlags = 0;
    this.tcpWindow = 0;
    this.icmpType = 0;
    this.icmpCode = 0;
    this.fragmentId = 0;
    this.fragmentOffset = 0;
  }

  /** An IP header whose own fields can be read is about to replace the enclosing one, if there is any. */
  enterNetwork(): void {
    if ((this.layers & Layer.HasAddresses) !== 0) this.leaveEnclosing();
    this.layers |= Layer.HasAddresses;
  }

  private leaveEnclosing(): void {
    if ((this.layers & Layer.HasPorts) !== 0) this.pushOuter();
    this.layers &= ~(Layer.HasPorts | Layer.HasTcp | Layer.MoreFragments);
    this.tunnelType = this.pendingTunnelType;
    this.tunnelId = this.pendingTunnelId;
    this.clearTransport();
  }

  private pushOuter(): void {
    const at = this.outerCount;
    if (at >= this.outerLimit) return; // cannot be: each outer 5-tuple takes three of the 16 layers
    const batch = this.batch;
    batch.outerRow[at] = this.row;
    batch.outerHash[at] = this.hash();
    const word = at << 2;
    batch.outerSourceAddress[word] = this.s0;
    batch.outerSourceAddress[word + 1] = this.s1;
    batch.outerSourceAddress[word + 2] = this.s2;
    batch.outerSourceAddress[word + 3] = this.s3;
    batch.outerDestinationAddress[word] = this.d0;
    batch.outerDestinationAddress[word + 1] = this.d1;
    batch.outerDestinationAddress[word + 2] = this.d2;
    batch.outerDestinationAddress[word + 3] = this.d3;
    batch.outerSourcePort[at] = this.sourcePort;
    batch.outerDestinationPort[at] = this.destinationPort;
    batch.outerProtocol[at] = this.protocol;
    this.outerCount = at + 1;
  }

  private hash(): number {
    return flowHash(
      this.s0,
      this.s1,
      this.s2,
      this.s3,
      this.d0,
      this.d1,
      this.d2,
      this.d3,
      this.sourcePort,
      this.destinationPort,
      this.protocol,
    );
  }

  /** What follows in this IP packet at `offset`: its protocol number is known, its payload is all of the rest. */
  enterTransport(protocol: number): number {
    this.protocol = protocol;
    this.setPayload(this.offset);
    return this.ipProtocols[protocol]!;
  }

  /** The payload begins at `start` and reaches to the end of the enclosing layer. */
  setPayload(start: number): void {
    const end = this.end;
    this.payloadStart = start < end ? start : end;
    this.payloadEnd = end;
    this.payloadWireLength = this.wireEnd > start ? this.wireEnd - start : 0;
  }

  /** Narrow the enclosing layer to `wireEnd` (its own length field); says so when fewer bytes were captured. */
  narrow(wireEnd: number): void {
    this.wireEnd = wireEnd;
    if (wireEnd <= this.end) this.end = wireEnd;
    else this.layers |= Layer.Truncated;
  }

  /** Stop with a reason. */
  stop(reason: number): number {
    this.reason = reason;
    return 0;
  }

  /** Write the row's columns (all but times and lengths). */
  commit(): void {
    const batch = this.batch;
    const row = this.row;
    batch.layers[row] = this.layers;
    batch.flowHash[row] = (this.layers & Layer.HasAddresses) !== 0 ? this.hash() : 0;
    const word = row << 2;
    const source = batch.sourceAddress;
    source[word] = this.s0;
    source[word + 1] = this.s1;
    source[word + 2] = this.s2;
    source[word + 3] = this.s3;
    const destination = batch.destinationAddress;
    destination[word] = this.d0;
    destination[word + 1] = this.d1;
    destination[word + 2] = this.d2;
    destination[word + 3] = this.d3;
    batch.tcpSequence[row] = this.tcpSequence;
    batch.tcpAcknowledgment[row] = this.tcpAcknowledgment;
    batch.tunnelId[row] = this.tunnelId;
    batch.transportPayloadLength[row] = this.payloadWireLength;
    batch.payloadOffset[row] = this.payloadStart;
    batch.payloadLength[row] = this.payloadEnd - this.payloadStart;
    batch.fragmentId[row] = this.fragmentId;
    batch.sourcePort[row] = this.sourcePort;
    batch.destinationPort[row] = this.destinationPort;
    batch.vlan[row] = this.vlan;
    batch.innerVlan[row] = this.innerVlan;
    batch.etherType[row] = this.etherType;
    batch.tcpFlags[row] = this.tcpFlags;
    batch.tcpWindow[row] = this.tcpWindow;
    batch.fragmentOffset[row] = this.fragmentOffset;
    batch.protocol[row] = this.protocol;
    batch.trafficClass[row] = this.trafficClass;
    batch.hopLimit[row] = this.hopLimit;
    batch.icmpType[row] = this.icmpType;
    batch.icmpCode[row] = this.icmpCode;
    batch.tunnelType[row] = this.tunnelType;
    batch.reason[row] = this.reason;
  }
}

/** 16 bits in network order; the caller has checked the bounds. */
export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** 32 bits in network order, as a signed number (small integers stay unboxed); the caller has checked the bounds. */
export function i32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Four bytes as they lie in memory, as a signed word of an address column (little-endian hosts). */
export function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
