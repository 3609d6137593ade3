/**
 * MPLS label stack (RFC 3032). What follows is not said anywhere: IP by the version nibble (RFC 4928), a pseudowire
 * control word by nibble 0 (RFC 4385), else Ethernet when its type field makes sense.
 */
import { Layer } from '@netspectra/proto';
import { EtherType, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const mpls: Protocol = { name: 'mpls', etherTypes: [EtherType.Mpls, 0x8848], ipProtocols: [137], parse };

const labelIpv4 = 0;
const labelIpv6 = 2;
const controlWord = 4;

function parse(frame: Frame, bytes: Uint8Array): number {
  let at = frame.offset;
  let label = 0;
  let bottom = 0;
  // Every turn takes four bytes, so the captured length bounds the loop.
  while (bottom === 0) {
    if (frame.end - at < 4) return frame.stop(DecodeReason.TruncatedMpls);
    label = (u16(bytes, at) << 4) | (bytes[at + 2]! >>> 4);
    bottom = bytes[at + 2]! & 1;
    at += 4;
  }
  frame.layers |= Layer.Mpls;
  frame.offset = at;
  if (frame.end <= at) return 0;
  const nibble = bytes[at]! >>> 4;
  if (nibble === 4 || label === labelIpv4) return frame.etherTypes[EtherType.Ipv4]!;
  if (nibble === 6 || label === labelIpv6) return frame.etherTypes[EtherType.Ipv6]!;
  if (nibble === 0 && looksLikeEthernet(frame, bytes, at + controlWord)) frame.offset = at + controlWord;
  else if (!looksLikeEthernet(frame, bytes, at)) return 0;
  return frame.etherTypes[EtherType.TransparentEthernet]!;
}

function looksLikeEthernet(frame: Frame, bytes: Uint8Array, at: number): boolean {
  if (frame.end - at < 14) return false;
  const type = u16(bytes, at + 12);
  return type <= 1500 || frame.etherTypes[type] !== 0;
}
