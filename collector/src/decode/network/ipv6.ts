/** IPv6 (RFC 8200) and its extension headers, jumbograms (RFC 2675), atomic fragments (RFC 6946). */
import { Layer } from '@netspectra/proto';
import { EtherType, i32, u16, word } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';
import { enterFragment } from './ipv4.js';

export const ipv6: Protocol = { name: 'ipv6', etherTypes: [EtherType.Ipv6], parse: parseIpv6 };
/** LINKTYPE_IPV6. */
export const rawIpv6: Protocol = {
  name: 'raw_ipv6',
  linkTypes: [229],
  parse: (frame, bytes) => {
    frame.etherType = EtherType.Ipv6;
    return parseIpv6(frame, bytes);
  },
};

const headerLength = 40;

/** IANA protocol numbers of the extension headers. */
const hopByHop = 0;
const routing = 43;
const fragment = 44;
const authentication = 51;
const destinationOptions = 60;
const mobility = 135;
const hostIdentity = 139;
const shim6 = 140;

function parseIpv6(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available <= 0) return frame.stop(DecodeReason.TruncatedIpv6);
  frame.layers |= Layer.Ipv6;
  if (available < headerLength) return frame.stop(DecodeReason.TruncatedIpv6);
  const first = u16(bytes, at);
  if (first >>> 12 !== 6) return frame.stop(DecodeReason.BadIpVersion);

  frame.enterNetwork();
  frame.trafficClass = (first >>> 4) & 0xff;
  frame.hopLimit = bytes[at + 7]!;
  frame.s0 = word(bytes, at + 8);
  frame.s1 = word(bytes, at + 12);
  frame.s2 = word(bytes, at + 16);
  frame.s3 = word(bytes, at + 20);
  frame.d0 = word(bytes, at + 24);
  frame.d1 = word(bytes, at + 28);
  frame.d2 = word(bytes, at + 32);
  frame.d3 = word(bytes, at + 36);
  // 0: a jumbogram, whose length stands in a hop-by-hop option, or TSO: all of the frame until told otherwise.
  const payloadLength = u16(bytes, at + 4);
  if (payloadLength !== 0) frame.narrow(at + headerLength + payloadLength);
  frame.offset = at + headerLength;
  const next = bytes[at + 6]!;
  if (payloadLength === 0 && next === hopByHop) readJumboLength(frame, bytes);
  return walkExtensions(frame, bytes, next);
}

/**
 * Walk the extension headers at frame.offset, of which `next` is the first (or a transport protocol).
 * @returns next parser slot
 */
export function walkExtensions(frame: Frame, bytes: Uint8Array, next: number): number {
  let protocol = next;
  // Every turn takes eight bytes or more, so the captured length bounds the loop.
  for (;;) {
    switch (protocol) {
      case hopByHop:
      case routing:
      case destinationOptions:
      case mobility:
      case hostIdentity:
      case shim6:
      case authentication:
      case fragment:
        break;
      default:
        return frame.enterTransport(protocol);
    }
    const at = frame.offset;
    const available = frame.end - at;
    if (available < 8) return stopInside(frame, protocol);
    const length =
      protocol === fragment ? 8 : protocol === authentication ? (bytes[at + 1]! + 2) << 2 : (bytes[at + 1]! + 1) << 3;
    if (available < length) return stopInside(frame, protocol);
    frame.offset = at + length;
    const following = bytes[at]!;
    if (protocol === fragment) {
      frame.fragmentId = i32(bytes, at + 4);
      const field = u16(bytes, at + 2);
      if ((field & 0xfff9) !== 0) {
        const slot = enterFragment(frame, following, field & 0xfff8, field & 1);
        // enterFragment goes on only with a first fragment that nobody can put together; it may hold more headers.
        if ((frame.layers & Layer.Fragment) !== 0 || slot !== 0) return slot;
      } else {
        frame.layers |= Layer.Fragmented;
      }
    }
    protocol = following;
  }
}

function stopInside(frame: Frame, protocol: number): number {
  frame.protocol = protocol;
  frame.setPayload(frame.offset);
  return frame.stop(DecodeReason.TruncatedIpv6Extension);
}

/** RFC 2675: option 0xC2 in a hop-by-hop header; anything else leaves the length as it was. */
function readJumboLength(frame: Frame, bytes: Uint8Array): void {
  const start = frame.offset;
  if (frame.end - start < 8) return;
  const end = Math.min(start + ((bytes[start + 1]! + 1) << 3), frame.end);
  let at = start + 2;
  while (at + 2 <= end) {
    const type = bytes[at]!;
    if (type === 0) {
      at += 1;
      continue;
    }
    if (type === 0xc2 && bytes[at + 1] === 4 && at + 6 <= end) {
      const length = i32(bytes, at + 2) >>> 0;
      // The length counts from behind the fixed header, this header included.
      if (length > 0xffff && length < 0x3fffffff) frame.narrow(start + length);
      return;
    }
    at += 2 + bytes[at + 1]!;
  }
}
