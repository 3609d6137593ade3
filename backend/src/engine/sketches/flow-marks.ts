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

/** Packets prepared at a time: their marks stay in the first-level cache until they are looked at. */
export const preparedPackets = 256;

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

  /**
   * Before the packets of a selection are looked at: room for the marks of their flows (`words` may be another array
   * afterwards), and the marks fetched into the cache. These reads do not wait for each other, so the processor overlaps
   * their misses; those of the loop that acts on the marks, it cannot.
   */
  prepare(flows: Int32Array, from: number, to: number): void {
    let greatest = 0;
    for (let i = from; i < to; i += 1) if (flows[i]! > greatest) greatest = flows[i]!;
    if ((greatest + 1) * this.stride > this.words.length) this.grow((greatest + 1) * this.stride);
    const { words, stride } = this;
    let touched = 0;
    for (let i = from; i < to; i += 1) {
      const flow = flows[i]!;
      if (flow >= 0) touched ^= words[flow * stride]!;
    }
    this.touched = touched;
  }
  /** Keeps the reads of `prepare` from being optimised away. */
  touched = 0;

  private grow(needed: number): void {
    let length = this.words.length;
    while (length < needed) length *= 2;
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
