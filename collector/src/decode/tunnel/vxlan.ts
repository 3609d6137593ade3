/** VXLAN (RFC 7348), on its own port and on the one Linux used before; VXLAN-GPE's next protocol is not read. */
import { Layer, TunnelType } from '@netspectra/proto';
import { EtherType, i32 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const vxlan: Protocol = { name: 'vxlan', udpPorts: [4789, 8472], parse };

const networkIdValid = 0x08;

function parse(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end <= at || (bytes[at]! & networkIdValid) === 0) return 0; // some other use of the port
  frame.layers |= Layer.Vxlan;
  if (frame.end - at < 8) return frame.stop(DecodeReason.TruncatedVxlan);
  frame.pendingTunnelType = TunnelType.Vxlan;
  frame.pendingTunnelId = i32(bytes, at + 4) >>> 8;
  frame.offset = at + 8;
  return frame.etherTypes[EtherType.TransparentEthernet]!;
}
