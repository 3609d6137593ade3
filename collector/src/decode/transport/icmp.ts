/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443): type and code. The packet that an error quotes stays payload: its headers are
 * not traffic of this frame, and tshark's protocol hierarchy and conversations leave them out as well.
 */
import { Layer } from '@netspectra/proto';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const icmp: Protocol = { name: 'icmp', ipProtocols: [1], parse: parseIcmp };
export const icmpv6: Protocol = { name: 'icmpv6', ipProtocols: [58], parse: parseIcmpv6 };

const headerLength = 8;
/** tshark shows an ICMP layer from here on. */
const icmpShownMin = 6;

function parseIcmp(frame: Frame, bytes: Uint8Array): number {
  const available = frame.end - frame.offset;
  if (available >= icmpShownMin) frame.layers |= Layer.Icmp;
  readType(frame, bytes, available);
  return available < headerLength ? frame.stop(DecodeReason.TruncatedIcmp) : 0;
}

function parseIcmpv6(frame: Frame, bytes: Uint8Array): number {
  const available = frame.end - frame.offset;
  if (available > 0) frame.layers |= Layer.Icmpv6;
  readType(frame, bytes, available);
  // Only type, code and checksum are common to all messages.
  return available < 4 ? frame.stop(DecodeReason.TruncatedIcmpv6) : 0;
}

function readType(frame: Frame, bytes: Uint8Array, available: number): void {
  if (available < 2) return;
  const at = frame.offset;
  frame.icmpType = bytes[at]!;
  frame.icmpCode = bytes[at + 1]!;
  frame.setPayload(at + headerLength);
}
