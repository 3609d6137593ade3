/** ARP (RFC 826) and RARP: only its presence is of interest. */
import { Layer } from '@netspectra/proto';
import type { Frame, Protocol } from '../frame.js';
import { DecodeReason } from '../reason.js';

export const arp: Protocol = { name: 'arp', etherTypes: [0x0806, 0x8035], parse };

function parse(frame: Frame): number {
  const available = frame.end - frame.offset;
  if (available >= 2) frame.layers |= Layer.Arp;
  return available < 8 ? frame.stop(DecodeReason.TruncatedArp) : 0;
}
