/** UDP (RFC 768; length 0 in a jumbogram, RFC 2675), and the way to the tunnels on UDP ports. */
import { Layer } from '@netspectra/proto';
import { u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const udp: Protocol = { name: 'udp', ipProtocols: [17], parse };

const headerLength = 8;

function parse(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available < 4) return frame.stop(DecodeReason.TruncatedUdp);
  const source = u16(bytes, at);
  const destination = u16(bytes, at + 2);
  frame.sourcePort = source;
  frame.destinationPort = destination;
  frame.layers |= Layer.Udp | Layer.HasPorts; // without ports tshark shows no UDP either
  if (available < headerLength) {
    frame.setPayload(at + headerLength);
    return frame.stop(DecodeReason.TruncatedUdp);
  }
  const length = u16(bytes, at + 4);
  if (length !== 0) {
    const end = at + length;
    if (length >= headerLength && end <= frame.wireEnd) {
      frame.narrow(end);
    } else if (length < headerLength || (frame.layers & Layer.MoreFragments) === 0) {
      // Shorter than itself, or longer than the IP packet (which a first fragment's may be).
      frame.setPayload(at + headerLength);
      return frame.stop(DecodeReason.BadUdpLength);
    }
  }
  frame.offset = at + headerLength;
  frame.setPayload(at + headerLength);
  // The lower port is the likelier service.
  const low = source < destination ? source : destination;
  const tunnel = frame.udpPorts[low]!;
  return tunnel !== 0 ? tunnel : frame.udpPorts[source ^ destination ^ low]!;
}
