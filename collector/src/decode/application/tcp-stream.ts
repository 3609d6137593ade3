/**
 * The bytes of one direction of a TCP connection, in order (RFC 9293 section 3.4: sequence numbers modulo 2^32).
 *
 * Contract: segments come as captured - repeated, overlapping, out of order, cut by the snap length, some never. The
 * consumer gets every byte position once, in order, segment by segment; positions that nobody captured are told as
 * missing. What overlaps bytes already given is dropped (the first copy counts). Nothing throws.
 * A hole is waited for while the bytes behind it fit into the limits; it is given up when the receiver has acknowledged
 * data behind it (so it arrived there, and the capture lost it), when it is older than `holeSecondsMax`, at a limit,
 * and at the end of the connection.
 * Limits: `segmentsMax` segments and `bytesMax` bytes held back a stream, and a SegmentBudget over all streams.
 */

/** Bytes held back by all streams together. */
export class SegmentBudget {
  readonly bytesMax: number;
  bytes = 0;
  /** segments held back because an earlier one was missing */
  heldBack = 0;
  /** holes that were given up: bytes never captured (or over a limit) */
  gaps = 0;
  /** bytes in them */
  gapBytes = 0;
  /** holes given up because a limit was reached */
  limitHits = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }
}

export interface StreamConsumer {
  /**
   * The next segment: `bytes[start..end)` and behind them `missing` positions that were cut off by the snap length.
   * @param wireLength of the frame that brought it
   */
  streamSegment(bytes: Uint8Array, start: number, end: number, missing: number, wireLength: number): void;
  /** `length` positions that were never captured. */
  streamGap(length: number): void;
  /** Nothing comes any more. `orderly`: FIN at this position; else RST, or the connection was given up. */
  streamClose(orderly: boolean): void;
}

const segmentsMax = 256;
const bytesMax = 1 << 18;
const holeSecondsMax = 3;
/** A jump beyond any window in use (RFC 7323 allows 1 GiB): not a hole but another numbering. */
const jumpMax = 1 << 28;
const finFlag = 1;
const nothing = new Uint8Array(0);

interface HeldSegment {
  sequence: number;
  length: number;
  bytes: Uint8Array;
  wireLength: number;
}

/**
 * Sequence numbers are kept as signed 32-bit numbers: unsigned ones above 2^31 would each be an object of the collector's
 * for as long as the connection lives. They are compared by `(a - b) | 0`, which either kind serves.
 */
export class TcpStream {
  /** the sequence number of the next byte the consumer has not had */
  next = 0;
  /** the first one it could have had */
  initial = 0;
  started = false;
  closed = false;

  private readonly consumer: StreamConsumer;
  private readonly budget: SegmentBudget;
  /** sorted by sequence; null while nothing is held back, which is nearly always */
  private held: HeldSegment[] | null = null;
  private heldBytes = 0;
  private holeSince = 0;
  private acknowledged = 0;
  private hasAcknowledged = false;
  private finSequence = 0;
  private hasFin = false;

  constructor(consumer: StreamConsumer, budget: SegmentBudget) {
    this.consumer = consumer;
    this.budget = budget;
  }

  /** The next byte to come has this sequence number. */
  start(sequence: number): void {
    this.next = sequence | 0;
    this.initial = this.next;
    this.started = true;
  }

  /** Segments are held back behind a hole? */
  get waiting(): boolean {
    return this.held !== null;
  }

  /**
   * A segment of this direction.
   * @param sequence of its first payload byte (SYN's own number already counted)
   * @param captured payload bytes at bytes[offset..offset+captured)
   * @param length payload bytes by the headers, at least `captured`
   * @param flags TCP flags of the segment
   * @param seconds time of capture
   */
  segment(
    bytes: Uint8Array,
    offset: number,
    captured: number,
    sequence: number,
    length: number,
    flags: number,
    wireLength: number,
    seconds: number,
  ): void {
    if (this.closed) return;
    if (!this.started) this.start(sequence);
    const distance = (sequence - this.next) | 0;
    if ((flags & finFlag) !== 0 && !this.hasFin && distance > -jumpMax && distance < jumpMax) {
      this.hasFin = true;
      this.finSequence = (sequence + length) | 0;
    }
    if (length > 0) {
      if (distance <= 0) {
        const overlap = -distance;
        if (overlap < length) this.give(bytes, offset, captured, length, overlap, wireLength);
        else if (overlap > jumpMax) this.renumber(bytes, offset, captured, sequence, length, wireLength);
      } else if (distance > jumpMax) {
        this.renumber(bytes, offset, captured, sequence, length, wireLength);
      } else if (this.hasAcknowledged && ((this.acknowledged - sequence) | 0) >= 0 && this.held === null) {
        this.gap(distance);
        this.give(bytes, offset, captured, length, 0, wireLength);
      } else {
        this.hold(bytes, offset, captured, sequence, length, wireLength, seconds);
      }
    }
    if (this.held !== null) this.release(seconds);
    this.closeAtFin();
  }

  /** The receiver has acknowledged everything before this number. */
  acknowledge(acknowledgment: number, seconds: number): void {
    if (!this.hasAcknowledged || ((acknowledgment - this.acknowledged) | 0) > 0) {
      this.acknowledged = acknowledgment | 0;
      this.hasAcknowledged = true;
    }
    if (this.held !== null) {
      this.release(seconds);
      this.closeAtFin();
    }
  }

  /** RST, or nobody waits any longer: give what is held back, then close. */
  close(): void {
    if (this.closed) return;
    while (this.held !== null) this.giveUpHole();
    this.end(false);
  }

  private closeAtFin(): void {
    if (this.hasFin && this.held === null && ((this.finSequence - this.next) | 0) <= 0) this.end(true);
  }

  private end(orderly: boolean): void {
    if (this.closed) return;
    this.closed = true;
    this.consumer.streamClose(orderly);
  }

  private give(
    bytes: Uint8Array,
    offset: number,
    captured: number,
    length: number,
    overlap: number,
    wireLength: number,
  ): void {
    const cut = Math.min(overlap, captured);
    const end = offset + captured;
    this.next = (this.next + length - overlap) | 0;
    this.consumer.streamSegment(bytes, offset + cut, end, length - overlap - (captured - cut), wireLength);
  }

  private gap(length: number): void {
    this.budget.gaps += 1;
    this.budget.gapBytes += length;
    this.next = (this.next + length) | 0;
    this.consumer.streamGap(length);
  }

  /** Numbers that belong to no window: the connection was replaced, or most of it was not captured. */
  private renumber(
    bytes: Uint8Array,
    offset: number,
    captured: number,
    sequence: number,
    length: number,
    wireLength: number,
  ): void {
    while (this.held !== null) this.giveUpHole();
    this.gap(jumpMax);
    this.start(sequence);
    this.give(bytes, offset, captured, length, 0, wireLength);
  }

  private hold(
    bytes: Uint8Array,
    offset: number,
    captured: number,
    sequence: number,
    length: number,
    wireLength: number,
    seconds: number,
  ): void {
    const { budget } = this;
    if (this.held === null) {
      this.held = [];
      this.holeSince = seconds;
    }
    const { held } = this;
    let at = held.length;
    while (at > 0 && ((held[at - 1]!.sequence - sequence) | 0) > 0) at -= 1;
    const same = at > 0 ? held[at - 1]! : undefined;
    if (same !== undefined && same.sequence === sequence && same.length >= length) return;
    const copy = captured > 0 ? bytes.slice(offset, offset + captured) : nothing;
    held.splice(at, 0, { sequence, length, bytes: copy, wireLength });
    this.heldBytes += copy.length;
    budget.bytes += copy.length;
    budget.heldBack += 1;
    while (
      this.held !== null &&
      (held.length > segmentsMax || this.heldBytes > bytesMax || budget.bytes > budget.bytesMax)
    ) {
      budget.limitHits += 1;
      this.giveUpHole();
    }
  }

  /** Give whatever is in order now, or can be because its hole will not be filled. */
  private release(seconds: number): void {
    while (this.held !== null) {
      const first = this.held[0]!;
      const distance = (first.sequence - this.next) | 0;
      if (distance <= 0) {
        this.giveHeld();
      } else if (
        (this.hasAcknowledged && ((this.acknowledged - first.sequence) | 0) > 0) ||
        seconds - this.holeSince > holeSecondsMax
      ) {
        this.giveUpHole();
        this.holeSince = seconds;
      } else {
        return;
      }
    }
  }

  private giveUpHole(): void {
    const distance = (this.held![0]!.sequence - this.next) | 0;
    if (distance > 0) this.gap(distance);
    this.giveHeld();
  }

  /** Give the first held segment and all that are in order behind it. */
  private giveHeld(): void {
    for (;;) {
      const { held } = this;
      if (held === null) return;
      const first = held[0]!;
      const overlap = -((first.sequence - this.next) | 0);
      if (overlap < 0) return;
      held.shift();
      this.heldBytes -= first.bytes.length;
      this.budget.bytes -= first.bytes.length;
      if (held.length === 0) this.held = null;
      if (overlap < first.length) {
        this.give(first.bytes, 0, first.bytes.length, first.length, overlap, first.wireLength);
      }
    }
  }
}
