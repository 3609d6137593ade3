/**
 * "Was this already counted?" per flow and direction: addresses and ports of a flow do not change, so a distinct count
 * needs each direction of each flow once per window, not once per packet.
 *
 * A mark is an epoch (window, flush or purge it was made in) and four bits: direction, and whether the packet had ports
 * (a flow with ports 0 can have packets of both kinds). Marks of another epoch are void, so emptying all is one addition.
 * Words after the mark are the owner's, void with it.
 */
import { PacketEvent } from '../packet-selection.js';

/** Epochs in the 27 bits above the four. */
const epochMax = (1 << 27) - 1;
const tcpSyn = 2;
const tcpAck = 16;

export class FlowMarks {
  /** `stride` words a flow, the mark first */
  words: Int32Array;
  readonly stride: number;
  private epoch = 0;

  constructor(stride: number) {
    this.stride = stride;
    this.words = new Int32Array(1024 * stride);
  }

  /** An epoch never used before, as it stands in a mark with no bit set. */
  nextEpoch(): number {
    if (this.epoch === epochMax) {
      this.words.fill(0);
      this.epoch = 0;
    }
    this.epoch += 1;
    return this.epoch << 4;
  }

  /** Room for flow numbers up to `flow`; `words` may be another array afterwards. */
  reserve(flow: number): void {
    if ((flow + 1) * this.stride <= this.words.length) return;
    let length = this.words.length;
    while (length < (flow + 1) * this.stride) length *= 2;
    const grown = new Int32Array(length);
    grown.set(this.words);
    this.words = grown;
  }
}

/**
 * May this packet's flow number stand for other addresses than at its packet before? A new flow took the number, or the
 * flow began anew, or a SYN made the flow table swap client and server (it does not say so, hence any SYN counts).
 * @param tcpFlags 0 when the packet has no TCP header
 */
export function flowMayDiffer(events: number, tcpFlags: number): boolean {
  return (events & (PacketEvent.NewFlow | PacketEvent.Reopened)) !== 0 || (tcpFlags & (tcpSyn | tcpAck)) === tcpSyn;
}
