/** TCP (RFC 9293). */
import { Layer } from '@netspectra/proto';
import { i32, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const tcp: Protocol = { name: 'tcp', ipProtocols: [6], parse };

const headerMin = 20;

function parse(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available < 4) return frame.stop(DecodeReason.TruncatedTcp);
  frame.sourcePort = u16(bytes, at);
  frame.destinationPort = u16(bytes, at + 2);
  frame.layers |= Layer.Tcp | Layer.HasPorts; // without ports tshark shows no TCP either
  if (available < headerMin) {
    frame.setPayload(at + headerMin);
    return frame.stop(DecodeReason.TruncatedTcp);
  }
  const offsetAndFlags = u16(bytes, at + 12);
  frame.tcpSequence = i32(bytes, at + 4);
  frame.tcpAcknowledgment = i32(bytes, at + 8);
  frame.tcpFlags = offsetAndFlags & 0x1ff;
  frame.tcpWindow = u16(bytes, at + 14);
  frame.layers |= Layer.HasTcp;
  const headerLength = (offsetAndFlags >>> 12) << 2;
  frame.setPayload(at + headerLength);
  if (headerLength < headerMin || at + headerLength > frame.wireEnd) {
    frame.setPayload(frame.wireEnd);
    return frame.stop(DecodeReason.BadTcpHeaderLength);
  }
  if (headerLength > available) return frame.stop(DecodeReason.TruncatedTcp);
  return 0;
}
