/** IEEE 802.11 data frames, bare or behind radiotap, Prism, AVS or PPI capture headers. */
import { i32 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';
import { parseEthernet } from './ethernet.js';
import { parseLlc } from './llc.js';

export const ieee80211: Protocol = { name: 'ieee80211', linkTypes: [105], parse: (f, b) => parse80211(f, b, 0) };
export const radiotap: Protocol = { name: 'radiotap', linkTypes: [127], parse: parseRadiotap };
export const prism: Protocol = { name: 'prism', linkTypes: [119], parse: parsePrism };
export const avs: Protocol = { name: 'avs', linkTypes: [163], parse: parseAvs };
export const ppi: Protocol = { name: 'ppi', linkTypes: [192], parse: parsePpi };

const le16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const le32 = (bytes: Uint8Array, at: number): number => le16(bytes, at) | (le16(bytes, at + 2) << 16);

const typeData = 2;
const flagToDs = 1;
const flagFromDs = 2;
const flagMoreFragments = 4;
const flagProtected = 0x40;
const flagOrder = 0x80;

/** @param padded 1: the header is padded to a multiple of four (radiotap flag 0x20) */
function parse80211(frame: Frame, bytes: Uint8Array, padded: number): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available < 2) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const control = bytes[at]!;
  const flags = bytes[at + 1]!;
  if (((control >>> 2) & 3) !== typeData) return 0; // management, control
  const subtype = control >>> 4;
  if ((subtype & 4) !== 0) return 0; // no data in it
  const qos = (subtype & 8) !== 0;
  let length = (flags & (flagToDs | flagFromDs)) === (flagToDs | flagFromDs) ? 30 : 24;
  const qosAt = at + length;
  if (qos) length += (flags & flagOrder) !== 0 ? 6 : 2; // QoS control, HT control
  if (padded !== 0) length = (length + 3) & ~3;
  if (available < length) return frame.stop(DecodeReason.TruncatedLinkHeader);
  if ((flags & flagProtected) !== 0) return 0; // encrypted
  if ((flags & flagMoreFragments) !== 0 || (le16(bytes, at + 22) & 15) !== 0) return 0; // a part of an MSDU
  frame.offset = at + length;
  if (qos && (bytes[qosAt]! & 0x80) !== 0) {
    // A-MSDU: the first subframe stands for the frame (802.11-2020 9.3.2.2: addresses, length, LLC).
    if (frame.end - frame.offset < 14) return frame.stop(DecodeReason.TruncatedLinkHeader);
    return parseEthernet(frame, bytes);
  }
  return parseLlc(frame, bytes);
}

/** radiotap.org: version, pad, length (LE16), presence words; the fields TSFT and Flags come first. */
function parseRadiotap(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  const available = frame.end - at;
  if (available < 8) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const length = le16(bytes, at + 2);
  if (bytes[at] !== 0 || length < 8) return frame.stop(DecodeReason.BadLinkHeader);
  if (available < length) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const present = le32(bytes, at + 4);
  let field = 8;
  for (let word = present; (word & 0x80000000) !== 0 && field + 4 <= length; field += 4) word = le32(bytes, at + field);
  if ((present & 1) !== 0) field = ((field + 7) & ~7) + 8;
  let flags = 0;
  if ((present & 2) !== 0 && field < length) flags = bytes[at + field]!;
  if ((flags & 0x10) !== 0 && frame.wireEnd - 4 >= at + length) frame.narrow(frame.wireEnd - 4); // frame check sequence
  frame.offset = at + length;
  return parse80211(frame, bytes, flags & 0x20);
}

/** AVS header version 1 or 2, whose magic and length are big-endian; else the Prism monitoring header. */
function parsePrism(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 8) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const magic = i32(bytes, at);
  if (magic === (0x80211001 | 0) || magic === (0x80211002 | 0)) return parseAvs(frame, bytes);
  // Message length in the byte order of the capturing machine: the smaller reading is the right one.
  const length = Math.min(i32(bytes, at + 4) >>> 0, le32(bytes, at + 4) >>> 0);
  return skip(frame, bytes, length, 24);
}

function parseAvs(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 8) return frame.stop(DecodeReason.TruncatedLinkHeader);
  return skip(frame, bytes, i32(bytes, at + 4) >>> 0, 8);
}

function skip(frame: Frame, bytes: Uint8Array, length: number, lengthMin: number): number {
  if (length < lengthMin) return frame.stop(DecodeReason.BadLinkHeader);
  if (frame.end - frame.offset < length) return frame.stop(DecodeReason.TruncatedLinkHeader);
  frame.offset += length;
  return parse80211(frame, bytes, 0);
}

/** PPI: version, flags, length (LE16), link type of what follows (LE32); here 802.11 or Ethernet. */
function parsePpi(frame: Frame, bytes: Uint8Array): number {
  const at = frame.offset;
  if (frame.end - at < 8) return frame.stop(DecodeReason.TruncatedLinkHeader);
  const length = le16(bytes, at + 2);
  const linkType = le32(bytes, at + 4);
  if (length < 8) return frame.stop(DecodeReason.BadLinkHeader);
  if (frame.end - at < length) return frame.stop(DecodeReason.TruncatedLinkHeader);
  frame.offset = at + length;
  if (linkType === 105) return parse80211(frame, bytes, 0);
  if (linkType === 1) return parseEthernet(frame, bytes);
  return frame.stop(DecodeReason.UnsupportedLinkType);
}
