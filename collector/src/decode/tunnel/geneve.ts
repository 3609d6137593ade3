/** GENEVE (RFC 8926). */
import { Layer, TunnelType } from '@netspectra/proto';
import { i32, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const geneve: Protocol = { name: 'geneve', udpPorts: [6081], parse };

function parse(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available <= 0 || bytes[at]! >>> 6 !== 0) return 0; // not version 0
  frame.layers |= Layer.Geneve;
  if (available < 8) return frame.stop(DecodeReason.TruncatedGeneve);
  const headerLength = 8 + ((bytes[at]! & 0x3f) << 2);
  if (available < headerLength) return frame.stop(DecodeReason.TruncatedGeneve);
  frame.pendingTunnelType = TunnelType.Geneve;
  frame.pendingTunnelId = i32(bytes, at + 4) >>> 8;
  frame.offset = at + headerLength;
  if ((bytes[at + 1]! & 0x80) !== 0) return 0; // control packet, not a tenant's
  return frame.etherTypes[u16(bytes, at + 2)]!;
}
