/** IPv4 (RFC 791). */
import { Layer } from '@netspectra/proto';
import { mappedPrefix } from '../flow-hash.js';
import { EtherType, u16, word } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const ipv4: Protocol = { name: 'ipv4', etherTypes: [EtherType.Ipv4], parse: parseIpv4 };
/** LINKTYPE_IPV4. */
export const rawIpv4: Protocol = {
  name: 'raw_ipv4',
  linkTypes: [228],
  parse: (frame, bytes) => {
    frame.etherType = EtherType.Ipv4;
    return parseIpv4(frame, bytes);
  },
};

const headerMin = 20;

function parseIpv4(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available <= 0) return frame.stop(DecodeReason.TruncatedIpv4);
  frame.layers |= Layer.Ipv4;
  if (available < headerMin) return frame.stop(DecodeReason.TruncatedIpv4);
  const first = bytes[at]!;
  if (first >>> 4 !== 4) return frame.stop(DecodeReason.BadIpVersion);
  const headerLength = (first & 15) << 2;
  if (headerLength < headerMin) return frame.stop(DecodeReason.BadIpv4HeaderLength);

  frame.enterNetwork();
  const totalLength = u16(bytes, at + 2);
  const protocol = bytes[at + 9]!;
  frame.trafficClass = bytes[at + 1]!;
  frame.fragmentId = u16(bytes, at + 4);
  frame.hopLimit = bytes[at + 8]!;
  frame.protocol = protocol;
  frame.s0 = 0;
  frame.s1 = 0;
  frame.s2 = mappedPrefix;
  frame.s3 = word(bytes, at + 12);
  frame.d0 = 0;
  frame.d1 = 0;
  frame.d2 = mappedPrefix;
  frame.d3 = word(bytes, at + 16);
  // 0: the sending host left the length to its network card (TSO), or it does not fit (BIG TCP): all of the frame.
  if (totalLength !== 0) {
    if (totalLength < headerLength) return frame.stop(DecodeReason.BadIpv4TotalLength);
    frame.narrow(at + totalLength);
  }
  frame.offset = at + headerLength;
  if (available < headerLength) {
    frame.setPayload(frame.offset);
    return frame.stop(DecodeReason.TruncatedIpv4);
  }
  const fragment = u16(bytes, at + 6) & 0x3fff;
  if (fragment !== 0) return enterFragment(frame, protocol, (fragment & 0x1fff) << 3, fragment & 0x2000);
  return frame.enterTransport(protocol);
}

/**
 * A fragment's payload, IPv4 or IPv6: stays a Fragment row for the defragmenter. As tshark does, the transport header of
 * a first fragment is looked at right away when it was not captured whole: nobody can put that datagram together.
 * @returns next parser slot, 0 when the row stays a fragment
 */
export function enterFragment(frame: Frame, protocol: number, fragmentOffset: number, moreFragments: number): number {
  frame.fragmentOffset = fragmentOffset;
  frame.layers |= moreFragments !== 0 ? Layer.Fragmented | Layer.MoreFragments : Layer.Fragmented;
  if (fragmentOffset === 0 && frame.wireEnd > frame.end) return frame.enterTransport(protocol);
  frame.layers |= Layer.Fragment;
  frame.protocol = protocol;
  frame.setPayload(frame.offset);
  return 0;
}
