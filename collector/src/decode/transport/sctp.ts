/** Transports of which only the ports are read: SCTP (RFC 9260), DCCP (RFC 4340), UDP-Lite (RFC 3828). */
import { Layer } from '@netspectra/proto';
import { u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const sctp: Protocol = { name: 'sctp', ipProtocols: [132], parse: parseSctp };
export const dccp: Protocol = { name: 'dccp', ipProtocols: [33], parse: parsePorts };
export const udpLite: Protocol = { name: 'udp_lite', ipProtocols: [136], parse: parseUdpLite };

const sctpHeader = 12;
const udpLiteHeader = 8;

function parseSctp(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available < sctpHeader) return frame.stop(DecodeReason.TruncatedSctp);
  frame.layers |= Layer.Sctp;
  parsePorts(frame, bytes);
  frame.setPayload(at + sctpHeader);
  return 0;
}

function parseUdpLite(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  parsePorts(frame, bytes);
  if ((frame.layers & Layer.HasPorts) !== 0) frame.setPayload(at + udpLiteHeader);
  return 0;
}

function parsePorts(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 4) return frame.stop(DecodeReason.TruncatedTransportPorts);
  frame.sourcePort = u16(bytes, at);
  frame.destinationPort = u16(bytes, at + 2);
  frame.layers |= Layer.HasPorts;
  return 0;
}
