/** IEEE 802.1Q tags, 802.1ad service tags and their predecessors; any number of tags, two of them kept. */
import { Layer } from '@netspectra/proto';
import { u16 } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';
import { enterType } from './ethernet.js';

export const vlan: Protocol = { name: 'vlan', etherTypes: [0x8100, 0x88a8, 0x9100, 0x9200], parse };

const isTag = (type: number): boolean => type === 0x8100 || type === 0x88a8 || type === 0x9100 || type === 0x9200;

function parse(frame: Frame, bytes: Uint8Array): number {
  let at = frame.offset;
  let type: number;
  // Every turn takes four bytes, so the captured length bounds the loop.
  do {
    if (frame.end - at < 4) return frame.stop(DecodeReason.TruncatedVlan);
    const id = u16(bytes, at) & 0xfff;
    if (frame.vlanTags === 0) frame.vlan = id;
    else if (frame.vlanTags === 1) frame.innerVlan = id;
    frame.vlanTags += 1;
    type = u16(bytes, at + 2);
    at += 4;
  } while (isTag(type));
  frame.layers |= Layer.Vlan;
  frame.offset = at;
  return enterType(frame, bytes, type);
}
