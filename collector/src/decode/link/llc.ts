/** IEEE 802.2 LLC and SNAP (RFC 1042), as far as IP and bridged Ethernet lie behind them. */
import { EtherType, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

/** LINKTYPE_FDDI and Token Ring are left out; ATM RFC 1483 (LINKTYPE 100) begins with LLC. */
export const llc: Protocol = { name: 'llc', linkTypes: [100], parse: parseLlc };

const sapSnap = 0xaa;
const sapIp = 0x06;

export function parseLlc(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available < 3) return frame.stop(DecodeReason.TruncatedLlc);
  const destination = bytes[at]!;
  if (destination === sapIp && bytes[at + 1] === sapIp && bytes[at + 2] === 3) {
    frame.offset = at + 3;
    return frame.etherTypes[EtherType.Ipv4]!;
  }
  if (destination !== sapSnap || bytes[at + 1] !== sapSnap || bytes[at + 2] !== 3) return 0; // STP, IPX, IS-IS ...
  if (available < 8) return frame.stop(DecodeReason.TruncatedLlc);
  const organization = (bytes[at + 3]! << 16) | u16(bytes, at + 4);
  // Encapsulated Ethernet, and Apple's and 802.1H's use of it; other organizations number their own protocols.
  if (organization !== 0 && organization !== 0x0000f8) return 0;
  const type = u16(bytes, at + 6);
  frame.offset = at + 8;
  frame.etherType = type;
  return frame.etherTypes[type]!;
}
