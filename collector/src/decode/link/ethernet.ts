/** Ethernet II and IEEE 802.3 (clause 3.2.6: values up to 1500 are a length, an LLC header follows). */
import { EtherType, u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';
import { parseLlc } from './llc.js';

export const ethernet: Protocol = {
  name: 'ethernet',
  linkTypes: [1],
  etherTypes: [EtherType.TransparentEthernet],
  ipProtocols: [143],
  parse: parseEthernet,
};

export function parseEthernet(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 14) return frame.stop(DecodeReason.TruncatedEthernet);
  frame.offset = at + 14;
  return enterType(frame, bytes, u16(bytes, at + 12));
}

/** Go on with an EtherType, or, where the field holds an 802.3 length, with LLC. */
export function enterType(frame: Frame, bytes: Uint8Array, type: number): number {
  if (type >= 0x600) {
    frame.etherType = type;
    return frame.etherTypes[type]!;
  }
  frame.etherType = 0;
  if (type > 1500) return 0;
  const end = frame.offset + type;
  if (end < frame.wireEnd) frame.narrow(end); // what follows is padding
  return parseLlc(frame, bytes);
}
