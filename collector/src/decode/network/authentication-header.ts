/** IP Authentication Header (RFC 4302) over IPv4; over IPv6 it is one of the extension headers. */
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const authenticationHeader: Protocol = { name: 'authentication_header', ipProtocols: [51], parse };

function parse(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 12) return frame.stop(DecodeReason.TruncatedAh);
  const length = (bytes[at + 1]! + 2) << 2;
  if (frame.end - at < length) return frame.stop(DecodeReason.TruncatedAh);
  frame.offset = at + length;
  return frame.enterTransport(bytes[at]!);
}
