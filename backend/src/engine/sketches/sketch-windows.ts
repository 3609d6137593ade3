/**
 * Which sketch window a packet belongs to. Two windows are open at a time, so that packets a little out of order around
 * a window's end cost nothing; a third one closes the older of the two, which makes a row. A window may be closed many
 * times: its rows add up.
 *
 * A closed window costs a row of thousands of cells, whatever is in it, so that sparse or hostile times (every packet in a
 * window of its own) could make rows without bound. Closing therefore takes credit, earned by packets. Without credit
 * the window is widened to hold the packet too (its row says how wide), and past `windowsWide` the packet counts in the
 * newest window and in `misplaced`.
 */

/** Closings possible at once, and packets that earn another. 256 closings at some 200 kB a row set: 50 MB. */
const creditMax = 256;
const packetsPerClosing = 1024;
/** A window without credit grows to so many widths at most: a day of windows of 10 s, one packet every 84 s. */
const windowsWide = 8640;

export class SketchWindows {
  /** [start, end) of each open window, seconds since the epoch; equal when it is not open */
  readonly starts = new Float64Array(2);
  readonly ends = new Float64Array(2);
  /** packets that had to be counted in a window not theirs */
  misplaced = 0;
  private newest = 0;
  private credit = creditMax;
  private earned = 0;
  private readonly width: number;
  private readonly close: (slot: number) => void;

  /**
   * @param width seconds
   * @param close writes and empties a slot (0 or 1); its start and end are still set
   */
  constructor(width: number, close: (slot: number) => void) {
    if (!(width >= 1)) throw new RangeError(`a sketch window of ${width} s`);
    this.width = width;
    this.close = close;
  }

  /** So many packets came by. */
  earn(packets: number): void {
    this.earned += packets;
    const closings = Math.floor(this.earned / packetsPerClosing);
    this.earned -= closings * packetsPerClosing;
    this.credit = Math.min(creditMax, this.credit + closings);
  }

  /** The slot that counts a packet of this time; may close a window first. */
  slot(seconds: number): number {
    const { starts, ends } = this;
    if (seconds >= starts[0]! && seconds < ends[0]!) return 0;
    if (seconds >= starts[1]! && seconds < ends[1]!) return 1;
    const start = seconds - (seconds % this.width);
    const older = 1 - this.newest;
    const free = ends[this.newest] === starts[this.newest] ? this.newest : ends[older] === starts[older] ? older : -1;
    if (free >= 0) return this.open(free, start);
    if (this.credit > 0) {
      this.credit -= 1;
      this.close(older);
      return this.open(older, start);
    }
    const near = this.newest;
    const from = Math.min(starts[near]!, start);
    const to = Math.max(ends[near]!, start + this.width);
    if (to - from > windowsWide * this.width) {
      this.misplaced += 1;
      return near;
    }
    starts[near] = from;
    ends[near] = to;
    return near;
  }

  /** Close what is open. */
  flush(): void {
    for (const slot of [1 - this.newest, this.newest]) {
      if (this.ends[slot] === this.starts[slot]) continue;
      this.close(slot);
      this.starts[slot] = 0;
      this.ends[slot] = 0;
    }
  }

  private open(slot: number, start: number): number {
    this.starts[slot] = start;
    this.ends[slot] = start + this.width;
    if (start >= this.starts[1 - slot]!) this.newest = slot;
    else this.newest = 1 - slot;
    return slot;
  }
}
