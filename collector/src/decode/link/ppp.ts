/** PPP (RFC 1661, RFC 1662 framing), PPPoE sessions (RFC 2516) and Cisco HDLC. */
import { Layer } from '@netspectra/proto';
import { EtherType, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

/** LINKTYPE_PPP 9, LINKTYPE_PPP_HDLC 50, and PPP in GRE. */
export const ppp: Protocol = { name: 'ppp', linkTypes: [9, 50], etherTypes: [EtherType.Ppp], parse: parsePpp };
export const pppoeSession: Protocol = { name: 'pppoe_session', etherTypes: [0x8864], parse: parsePppoe };
/** LINKTYPE_PPP_ETHER 51: the same header without Ethernet before it. */
export const pppoeCapture: Protocol = { name: 'pppoe_capture', linkTypes: [51], parse: parsePppoe };
/** LINKTYPE_C_HDLC 104. */
export const ciscoHdlc: Protocol = { name: 'cisco_hdlc', linkTypes: [104], parse: parseCiscoHdlc };

const slarp = 0x8035; // Cisco's keepalive, under RARP's number

function parsePpp(frame: Frame, bytes: Uint8Array): number {
  let at = frame.offset;
  const end = frame.end;
  if (end - at >= 2 && bytes[at] === 0xff && bytes[at + 1] === 3) at += 2;
  else if (end - at >= 4 && (bytes[at] === 0x0f || bytes[at] === 0x8f) && bytes[at + 1] === 0) {
    return parseCiscoHdlc(frame, bytes); // LINKTYPE_PPP_HDLC allows both
  }
  if (end <= at) return frame.stop(DecodeReason.TruncatedPpp);
  let protocol = bytes[at]!;
  if ((protocol & 1) !== 0) {
    at += 1; // compressed protocol field
  } else {
    if (end - at < 2) return frame.stop(DecodeReason.TruncatedPpp);
    protocol = u16(bytes, at);
    at += 2;
  }
  frame.layers |= Layer.Ppp;
  frame.offset = at;
  if (protocol === 0x0021) return frame.etherTypes[EtherType.Ipv4]!;
  if (protocol === 0x0057) return frame.etherTypes[EtherType.Ipv6]!;
  if (protocol === 0x0281 || protocol === 0x0283) return frame.etherTypes[EtherType.Mpls]!;
  return 0; // LCP, authentication, compressed or encrypted
}

function parsePppoe(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 6) return frame.stop(DecodeReason.TruncatedPpp);
  if (bytes[at] !== 0x11 || bytes[at + 1] !== 0) return 0; // version and type 1, code 0: session data
  const end = at + 6 + u16(bytes, at + 4);
  if (end < at + 7) return frame.stop(DecodeReason.BadPppoeLength);
  if (end < frame.wireEnd) frame.narrow(end);
  frame.offset = at + 6;
  return parsePpp(frame, bytes);
}

function parseCiscoHdlc(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 4) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const type = u16(bytes, at + 2);
  frame.offset = at + 4;
  frame.etherType = type;
  return type === slarp ? 0 : frame.etherTypes[type]!;
}
