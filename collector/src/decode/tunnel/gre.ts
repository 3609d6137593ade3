/**
 * GRE: RFC 2784 with the key and sequence number of RFC 2890, the routing field of RFC 1701, and the PPTP variant
 * (RFC 2637). ERSPAN types I to III (draft-foschiano-erspan), WCCP redirection and Cisco metadata are stepped over.
 */
import { Layer, TunnelType } from '@netspectra/proto';
import { EtherType, i32, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const gre: Protocol = { name: 'gre', ipProtocols: [47], parse };

const checksumPresent = 0x8000;
const routingPresent = 0x4000;
const keyPresent = 0x2000;
const sequencePresent = 0x1000;
const acknowledgmentPresent = 0x0080;

const erspan = 0x88be;
const erspan3 = 0x22eb;
const wccp = 0x883e;
const ciscoMetadata = 0x8909;

function parse(frame: Frame, bytes: Uint8Array): number {
  const start = frame.offset;
  const end = frame.end;
  if (end - start < 4) return frame.stop(DecodeReason.TruncatedGre);
  frame.layers |= Layer.Gre;
  const flags = u16(bytes, start);
  const type = u16(bytes, start + 2);
  const version = flags & 7;
  if (version > 1) return frame.stop(DecodeReason.BadGreVersion);
  let at = start + 4;
  if ((flags & (checksumPresent | routingPresent)) !== 0) at += 4;
  let key = 0;
  if ((flags & keyPresent) !== 0) {
    if (end - at < 4) return frame.stop(DecodeReason.TruncatedGre);
    // PPTP: payload length, then the call id
    key = version === 0 ? i32(bytes, at) : u16(bytes, at + 2);
    at += 4;
  }
  if ((flags & sequencePresent) !== 0) at += 4;
  if (version === 1 && (flags & acknowledgmentPresent) !== 0) at += 4;
  if (version === 0 && (flags & routingPresent) !== 0) {
    // Source route entries, each with its length; an empty one ends them.
    for (;;) {
      if (end - at < 4) return frame.stop(DecodeReason.TruncatedGre);
      const length = bytes[at + 3]!;
      at += 4 + length;
      if (length === 0) break;
    }
  }
  if (end < at) return frame.stop(DecodeReason.TruncatedGre);
  frame.setPayload(at);
  frame.offset = at;
  frame.pendingTunnelType = TunnelType.Gre;
  frame.pendingTunnelId = key;
  if (end === at) return 0; // keepalive
  return enterPayload(frame, bytes, type, flags);
}

function enterPayload(frame: Frame, bytes: Uint8Array, type: number, flags: number): number {
  const at = frame.offset;
  if (type === erspan) {
    // Type I has no header of its own; type II has eight bytes and always a GRE sequence number.
    if ((flags & sequencePresent) !== 0) frame.offset = at + 8;
  } else if (type === erspan3) {
    if (frame.end - at < 12) return frame.stop(DecodeReason.TruncatedGre);
    frame.offset = at + ((bytes[at + 11]! & 1) !== 0 ? 20 : 12); // O bit: a platform-specific subheader follows
  } else if (type === wccp) {
    // Version 2 puts a four-byte redirect header before the packet.
    if (bytes[at]! >>> 4 !== 4) frame.offset = at + 4;
    return frame.etherTypes[EtherType.Ipv4]!;
  } else if (type === ciscoMetadata) {
    // Seen after GRE as: type of the payload, version, length, security group option.
    if (frame.end - at < 8) return frame.stop(DecodeReason.TruncatedGre);
    frame.offset = at + 8;
    return frame.etherTypes[u16(bytes, at)]!;
  } else {
    return frame.etherTypes[type]!;
  }
  if (frame.offset > frame.end) return frame.stop(DecodeReason.TruncatedGre);
  return frame.etherTypes[EtherType.TransparentEthernet]!;
}
