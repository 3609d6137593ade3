/** ICMP (RFC 792) and ICMPv6 (RFC 4443), with the headers that their errors quote. */
import { Layer } from '@netspectra/proto';
import { EtherType } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const icmp: Protocol = { name: 'icmp', ipProtocols: [1], parse: parseIcmp };
export const icmpv6: Protocol = { name: 'icmpv6', ipProtocols: [58], parse: parseIcmpv6 };

const headerLength = 8;

function parseIcmp(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available > 0) frame.layers |= Layer.Icmp;
  if (available < 2) return frame.stop(DecodeReason.TruncatedIcmp);
  const type = readType(frame, bytes, at);
  if (available < headerLength) return frame.stop(DecodeReason.TruncatedIcmp);
  // destination unreachable, source quench, redirect, time exceeded, parameter problem
  const quotes = type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
  return quotes ? quote(frame, at, EtherType.Ipv4) : 0;
}

function parseIcmpv6(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available > 0) frame.layers |= Layer.Icmpv6;
  if (available < 2) return frame.stop(DecodeReason.TruncatedIcmpv6);
  const type = readType(frame, bytes, at);
  if (available < 4) return frame.stop(DecodeReason.TruncatedIcmpv6);
  // destination unreachable, packet too big, time exceeded, parameter problem
  return type >= 1 && type <= 4 && available > headerLength ? quote(frame, at, EtherType.Ipv6) : 0;
}

function readType(frame: Frame, bytes: Uint8Array, at: number): number {
  const type = bytes[at]!;
  frame.icmpType = type;
  frame.icmpCode = bytes[at + 1]!;
  frame.setPayload(at + headerLength);
  return type;
}

/** The quoted packet's layers count for the frame, its addresses and ports do not: the row is finished first. */
function quote(frame: Frame, at: number, etherType: number): number {
  if (frame.end <= at + headerLength) return 0;
  if (frame.quoted === 0) frame.beginQuote();
  frame.offset = at + headerLength;
  return frame.etherTypes[etherType]!;
}
