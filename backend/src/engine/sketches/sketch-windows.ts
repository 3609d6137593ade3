/**
 * Which sketch window a flow's packets belong to. Four windows are open at a time: flows are heard of when their record is
 * emptied, at the latest after their idle timeout or at a flush, so that several windows come mixed. One more closes the
 * oldest, which makes a row. A window may be closed many times: its rows add up.
 *
 * A closed window costs a row of thousands of cells, whatever is in it, so that sparse or hostile times (every packet in a
 * window of its own) could make rows without bound. Closing therefore takes credit, earned by packets. Without credit
 * the newest window is widened to hold the packets too (its row says how wide), and past `windowsWide` they count in it all
 * the same and in `misplaced`.
 */

/** Windows open at a time. Four of 60 s: idle timeout and flush interval together may be 3 minutes. */
export const sketchSlots = 4;
/** Closings possible at once, and packets that earn another. 256 closings at some 200 kB a row set: 50 MB. */
const creditMax = 256;
const packetsPerClosing = 1024;
/** A window without credit grows to so many widths at most: a day of windows of 10 s, one packet every 84 s. */
const windowsWide = 8640;

export class SketchWindows {
  /** [start, end) of each open window, seconds since the epoch; equal when it is not open */
  readonly starts = new Float64Array(sketchSlots);
  readonly ends = new Float64Array(sketchSlots);
  /** packets that had to be counted in a window not theirs */
  misplaced = 0;
  /** seconds */
  readonly width: number;
  private credit = creditMax;
  private earned = 0;
  private readonly close: (slot: number) => void;

  /**
   * @param width seconds
   * @param close writes and empties a slot (0 .. sketchSlots - 1); its start and end are still set
   * @param unit times come as multiples of it, seconds: the width is rounded up to a multiple, so that no window claims to
   * be narrower than what is counted in it
   */
  constructor(width: number, close: (slot: number) => void, unit = 1) {
    if (!(width >= 1)) throw new RangeError(`a sketch window of ${width} s`);
    this.width = Math.ceil(width / unit) * unit;
    this.close = close;
  }

  /** So many packets came by. */
  earn(packets: number): void {
    this.earned += packets;
    if (this.earned < packetsPerClosing) return;
    const closings = Math.floor(this.earned / packetsPerClosing);
    this.earned -= closings * packetsPerClosing;
    this.credit = Math.min(creditMax, this.credit + closings);
  }

  /** The slot that counts `packets` of this time; may close a window first. */
  slot(seconds: number, packets = 1): number {
    const { starts, ends } = this;
    for (let slot = 0; slot < sketchSlots; slot += 1) if (this.holds(slot, seconds)) return slot;
    const start = seconds - (seconds % this.width);
    let oldest = -1;
    let newest = -1;
    for (let slot = 0; slot < sketchSlots; slot += 1) {
      if (ends[slot] === starts[slot]) return this.open(slot, start);
      if (oldest < 0 || starts[slot]! < starts[oldest]!) oldest = slot;
      if (newest < 0 || starts[slot]! > starts[newest]!) newest = slot;
    }
    if (this.credit > 0) {
      this.credit -= 1;
      this.close(oldest);
      return this.open(oldest, start);
    }
    const from = Math.min(starts[newest]!, start);
    const to = Math.max(ends[newest]!, start + this.width);
    if (to - from > windowsWide * this.width) {
      this.misplaced += packets;
      return newest;
    }
    starts[newest] = from;
    ends[newest] = to;
    return newest;
  }

  /** An open slot's window holds this time. */
  holds(slot: number, seconds: number): boolean {
    return seconds >= this.starts[slot]! && seconds < this.ends[slot]!;
  }

  /** Close what is open, oldest first. */
  flush(): void {
    const open = [...this.starts.keys()].filter((slot) => this.ends[slot] !== this.starts[slot]);
    for (const slot of open.sort((a, b) => this.starts[a]! - this.starts[b]!)) {
      this.close(slot);
      this.starts[slot] = 0;
      this.ends[slot] = 0;
    }
  }

  private open(slot: number, start: number): number {
    this.starts[slot] = start;
    this.ends[slot] = start + this.width;
    return slot;
  }
}
