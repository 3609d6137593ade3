/** Linux cooked capture, both versions (tcpdump.org LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2). */
import { u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';
import { parseLlc } from './llc.js';

export const linuxCooked: Protocol = { name: 'linux_cooked', linkTypes: [113], parse: parseCooked };
export const linuxCooked2: Protocol = { name: 'linux_cooked2', linkTypes: [276], parse: parseCooked2 };

const hardwareNetlink = 824;
const protocolLlc = 4;

function parseCooked(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 16) return frame.stop(DecodeReason.TruncatedLinkHeader);
  frame.offset = at + 16;
  return enterProtocol(frame, bytes, u16(bytes, at + 2), u16(bytes, at + 14));
}

function parseCooked2(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 20) return frame.stop(DecodeReason.TruncatedLinkHeader);
  frame.offset = at + 20;
  return enterProtocol(frame, bytes, u16(bytes, at + 8), u16(bytes, at));
}

function enterProtocol(frame: Frame, bytes: Uint8Array, hardware: number, protocol: number): number {
  if (hardware === hardwareNetlink) return 0; // the field is a netlink family
  if (protocol === protocolLlc) return parseLlc(frame, bytes);
  if (protocol < 0x600) return 0;
  frame.etherType = protocol;
  return frame.etherTypes[protocol]!;
}
