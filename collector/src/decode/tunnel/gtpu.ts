/** GTP-U version 1 (3GPP TS 29.281): user packets behind the tunnel endpoint identifier. */
import { Layer, TunnelType } from '@netspectra/proto';
import { i32, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';
import { parseRawIp } from '../link/raw-ip.js';

export const gtpu: Protocol = { name: 'gtpu', udpPorts: [2152], parse };

const userPacket = 255;

function parse(frame: Frame, bytes: Uint8Array): number {
  const start = frame.offset;
  const available = frame.end - start;
  if (available <= 0) return 0;
  const flags = bytes[start]!;
  if (flags >>> 4 !== 3) return 0; // version 1, protocol type 1 (GTP, not GTP')
  frame.layers |= Layer.Gtpu;
  if (available < 8) return frame.stop(DecodeReason.TruncatedGtpu);
  if (bytes[start + 1] !== userPacket) return 0;
  const end = start + 8 + u16(bytes, start + 2);
  if (end < frame.wireEnd) frame.narrow(end);
  let at = start + 8;
  if ((flags & 7) !== 0) {
    // Any of E, S, PN: sequence number, N-PDU number, type of the first extension header.
    at += 4;
    if (frame.end < at) return frame.stop(DecodeReason.TruncatedGtpu);
    let extension = (flags & 4) !== 0 ? bytes[at - 1]! : 0;
    // Every turn takes four bytes or more, so the captured length bounds the loop.
    while (extension !== 0) {
      if (frame.end - at < 4) return frame.stop(DecodeReason.TruncatedGtpu);
      const length = bytes[at]! << 2;
      if (length === 0 || frame.end - at < length) return frame.stop(DecodeReason.TruncatedGtpu);
      at += length;
      extension = bytes[at - 1]!;
    }
  }
  frame.pendingTunnelType = TunnelType.Gtpu;
  frame.pendingTunnelId = i32(bytes, start + 4);
  frame.offset = at;
  if (frame.end <= at) return 0;
  const etherType = frame.etherType;
  const version = bytes[at]! >>> 4;
  if (version !== 4 && version !== 6) return 0; // Ethernet or unstructured session, not told apart here
  const slot = parseRawIp(frame, bytes);
  frame.etherType = etherType; // the column speaks of Ethernet's own field
  return slot;
}
