/** Linux netfilter log messages (LINKTYPE_NFLOG): a header and type-length-value fields, one of which is the packet. */
import { EtherType } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const nflog: Protocol = { name: 'nflog', linkTypes: [239], parse };

const familyIpv4 = 2;
const familyIpv6 = 10;
const typePayload = 9;

function parse(frame: Frame, bytes: Uint8Array): number {
  let at = frame.offset;
  if (frame.end - at < 4) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const family = bytes[at]!;
  if (bytes[at + 1] !== 0) return frame.stop(DecodeReason.BadLinkHeader); // version
  at += 4;
  // Every turn takes four bytes or more, so the captured length bounds the loop.
  while (frame.end - at >= 4) {
    let length = bytes[at]! | (bytes[at + 1]! << 8);
    let type = bytes[at + 2]! | (bytes[at + 3]! << 8);
    // Fields are in the byte order of the machine that captured. Types are small, so their zero byte shows it.
    if (type > 0xff) {
      length = (length >>> 8) | ((length & 0xff) << 8);
      type >>>= 8;
    }
    if (length < 4) return frame.stop(DecodeReason.BadLinkHeader);
    if (type === typePayload) {
      frame.offset = at + 4;
      frame.narrow(at + length);
      if (family === familyIpv4) frame.etherType = EtherType.Ipv4;
      else if (family === familyIpv6) frame.etherType = EtherType.Ipv6;
      else return 0;
      return frame.etherTypes[frame.etherType]!;
    }
    at += (length + 3) & ~3;
  }
  return at > frame.end ? frame.stop(DecodeReason.TruncatedLinkHeader) : 0;
}
