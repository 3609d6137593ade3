/**
 * PacketDecoder: one captured frame in, one row of a PacketBatch out.
 *
 * Promises: never throws on packet bytes, never reads outside the captured bytes, allocates nothing per packet, goes at
 * most 16 parsers deep. Every column of the row is written, so batches are reused without clearing.
 */
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { mappedPrefix } from './flow-hash.js';
import { Frame, outerPerFrameMax } from './frame.js';
import type { Parser, ParserTables } from './frame.js';
import { walkExtensions } from './network/ipv6.js';
import { DecodeReason } from './reason.js';
import { buildTables } from './registry.js';

/** Most parsers one frame passes through (an IPv6 extension chain, VLAN tags and an MPLS stack count once each). */
export const layersMax = 16;

/** Lengths beyond this are no frame's; the clamp keeps offsets small integers. */
const lengthMax = 0x3fffffff;

export class PacketDecoder {
  private readonly parsers: readonly Parser[];
  private readonly linkTypes: Uint8Array;
  private readonly tables: ParserTables;
  private frame: Frame | undefined;

  constructor(tables: ParserTables = buildTables()) {
    this.tables = tables;
    this.parsers = tables.parsers;
    this.linkTypes = tables.linkTypes;
  }

  /**
   * Decode the frame at bytes[offset, offset + capturedLength) into row batch.count.
   *
   * @param bytes also becomes what batch.payload should be: payloadOffset points into it. Pass plain Uint8Arrays, not
   *   Node Buffers: one hidden class keeps the byte reads fast.
   * @param capturedLength bytes captured; cut to what `bytes` holds
   * @param wireLength bytes on the wire
   * @param linkType LINKTYPE_ number of the capture file or interface
   * @param seconds since the epoch, UTC
   * @param nanoseconds 0 .. 999,999,999
   * @param flags Layer.NoTimestamp or 0
   * @returns false, with the batch untouched, when rows are used up or fewer than 8 outer slots are left
   */
  decode(
    bytes: Uint8Array,
    offset: number,
    capturedLength: number,
    wireLength: number,
    linkType: number,
    seconds: number,
    nanoseconds: number,
    flags: number,
    batch: PacketBatch,
  ): boolean {
    const row = batch.count;
    const outerCount = batch.outerCount;
    if (row >= batch.capacity || outerCount + outerPerFrameMax > batch.outerCapacity) return false;
    const frame = (this.frame ??= new Frame(this.tables, batch));
    frame.batch = batch;
    frame.row = row;
    frame.outerCount = outerCount;
    frame.outerLimit = outerCount + outerPerFrameMax;
    const start = Math.min(offset, bytes.length);
    const captured = Math.min(capturedLength, bytes.length - start);
    const wire = Math.min(Math.max(wireLength, captured), lengthMax);
    frame.reset(start, start + captured, start + wire, captured < wireLength ? flags | Layer.Truncated : flags);

    batch.timestampSeconds[row] = seconds;
    batch.timestampNanoseconds[row] = nanoseconds;
    batch.wireLength[row] = wireLength;
    batch.capturedLength[row] = captured;

    const first = linkType < this.linkTypes.length ? this.linkTypes[linkType]! : 0;
    if (first === 0) frame.reason = DecodeReason.UnsupportedLinkType;
    else this.run(frame, bytes, first);
    frame.commit();
    batch.outerCount = frame.outerCount;
    batch.count = row + 1;
    return true;
  }

  /**
   * Decode a datagram that was put together: the whole IP payload is bytes[0, length). The fragment's row says whose
   * it is; everything above the IP header is decoded anew into row `intoRow`, everything below is copied from it.
   * `from` and `into` may be the same batch. Counts of `into` are the caller's, except outerCount, which grows by the
   * nested 5-tuples.
   */
  decodeDatagram(
    bytes: Uint8Array,
    length: number,
    from: PacketBatch,
    fromRow: number,
    into: PacketBatch,
    intoRow: number,
  ): void {
    const frame = (this.frame ??= new Frame(this.tables, into));
    const layers = from.layers[fromRow]!;
    frame.batch = into;
    frame.row = intoRow;
    frame.outerCount = into.outerCount;
    frame.outerLimit = Math.min(into.outerCapacity, into.outerCount + outerPerFrameMax);
    frame.reset(
      0,
      length,
      length,
      (layers & ~(Layer.Fragment | Layer.MoreFragments | Layer.HasPorts | Layer.HasTcp)) | 0,
    );
    const word = fromRow << 2;
    frame.s0 = from.sourceAddress[word]! | 0;
    frame.s1 = from.sourceAddress[word + 1]! | 0;
    frame.s2 = from.sourceAddress[word + 2]! | 0;
    frame.s3 = from.sourceAddress[word + 3]! | 0;
    frame.d0 = from.destinationAddress[word]! | 0;
    frame.d1 = from.destinationAddress[word + 1]! | 0;
    frame.d2 = from.destinationAddress[word + 2]! | 0;
    frame.d3 = from.destinationAddress[word + 3]! | 0;
    frame.vlan = from.vlan[fromRow]!;
    frame.innerVlan = from.innerVlan[fromRow]!;
    frame.vlanTags = frame.innerVlan !== 0 ? 2 : (layers & Layer.Vlan) !== 0 ? 1 : 0;
    frame.etherType = from.etherType[fromRow]!;
    frame.trafficClass = from.trafficClass[fromRow]!;
    frame.hopLimit = from.hopLimit[fromRow]!;
    frame.tunnelType = from.tunnelType[fromRow]!;
    frame.tunnelId = from.tunnelId[fromRow]! | 0;
    frame.fragmentId = from.fragmentId[fromRow]! | 0;
    into.timestampSeconds[intoRow] = from.timestampSeconds[fromRow]!;
    into.timestampNanoseconds[intoRow] = from.timestampNanoseconds[fromRow]!;
    into.wireLength[intoRow] = from.wireLength[fromRow]!;
    into.capturedLength[intoRow] = from.capturedLength[fromRow]!;
    const version6 = isVersion6(frame);
    const protocol = from.protocol[fromRow]!;
    this.run(frame, bytes, version6 ? walkExtensions(frame, bytes, protocol) : frame.enterTransport(protocol));
    frame.commit();
    into.outerCount = frame.outerCount;
  }

  private run(frame: Frame, bytes: Uint8Array, first: number): void {
    const parsers = this.parsers;
    let next = first;
    for (let depth = 0; next !== 0; depth += 1) {
      if (depth === layersMax) {
        frame.reason = DecodeReason.TooManyLayers;
        return;
      }
      next = parsers[next]!(frame, bytes);
    }
  }
}

/** An address outside ::ffff:0:0/96 can only come from an IPv6 header; one with two mapped addresses passes as IPv4. */
function isVersion6(frame: Frame): boolean {
  return (frame.s0 | frame.s1 | frame.d0 | frame.d1) !== 0 || frame.s2 !== mappedPrefix || frame.d2 !== mappedPrefix;
}
