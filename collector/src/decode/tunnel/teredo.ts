/** Teredo (RFC 4380): IPv6 in UDP, with optional authentication and origin indications before it. */
import { Layer, TunnelType } from '@netspectra/proto';
import { EtherType } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';

export const teredo: Protocol = { name: 'teredo', udpPorts: [3544], parse };

function parse(frame: Frame, bytes: Uint8Array): number {
  const end = frame.end;
  let at = frame.offset;
  if (end - at >= 13 && bytes[at] === 0 && bytes[at + 1] === 1) {
    at += 13 + bytes[at + 2]! + bytes[at + 3]!; // client identifier, authentication value, nonce, confirmation
  }
  if (end - at >= 8 && bytes[at] === 0 && bytes[at + 1] === 0) at += 8; // origin: port and address, obfuscated
  if (end - at < 40 || bytes[at]! >>> 4 !== 6) return 0; // some other use of the port
  frame.layers |= Layer.Teredo;
  frame.pendingTunnelType = TunnelType.Teredo;
  frame.pendingTunnelId = 0;
  frame.offset = at;
  return frame.etherTypes[EtherType.Ipv6]!;
}
