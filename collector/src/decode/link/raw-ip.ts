/** Link types without a link layer worth the name: raw IP, BSD null and loopback. */
import { EtherType, i32 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

/** LINKTYPE_RAW 101 and the DLT_RAW numbers some systems write into files: the version nibble tells. */
export const rawIp: Protocol = { name: 'raw_ip', linkTypes: [101, 12, 14], parse: parseRawIp };
/** LINKTYPE_NULL 0 and LINKTYPE_LOOP 108: an address family in four bytes. */
export const loopback: Protocol = { name: 'loopback', linkTypes: [0, 108], parse: parseLoopback };

/** IPv4 or IPv6 by the version nibble. */
export function parseRawIp(frame: Frame, bytes: Uint8Array): number {
  if (frame.end <= frame.offset) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const version = bytes[frame.offset]! >>> 4;
  if (version !== 4 && version !== 6) return frame.stop(DecodeReason.BadIpVersion);
  frame.etherType = version === 4 ? EtherType.Ipv4 : EtherType.Ipv6;
  return frame.etherTypes[frame.etherType]!;
}

function parseLoopback(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 4) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const family = i32(bytes, at);
  // Null is in the byte order of the machine that captured; families are small, so the order shows itself.
  const low = (family & 0xffff) !== 0 ? family & 0xffff : ((family >>> 24) & 0xff) | ((family >>> 8) & 0xff00);
  frame.offset = at + 4;
  if (low === 2) frame.etherType = EtherType.Ipv4;
  // AF_INET6 of NetBSD/OpenBSD, FreeBSD, Darwin, Linux, Windows
  else if (low === 24 || low === 28 || low === 30 || low === 10 || low === 23) frame.etherType = EtherType.Ipv6;
  else if (low >= 0x600)
    frame.etherType = low; // some write an EtherType
  else return 0;
  return frame.etherTypes[frame.etherType]!;
}
