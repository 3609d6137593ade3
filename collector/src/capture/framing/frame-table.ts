/** Bits of FrameTable.flags. */
export const FrameFlag = {
  /** The file gave the frame no time: it carries the time of the frame before (0 before any). */
  NoTimestamp: 1 << 0,
  /** The record says it captured more bytes than were on the wire. */
  CapturedOverWire: 1 << 1,
  /** The time was outside 1970..2106 or its fraction above a second, and was clamped. */
  TimestampClamped: 1 << 2,
} as const;

/**
 * Columns of framed records, one row a frame, filled anew by each CaptureFramer.frame. A thread makes one and keeps it.
 */
export class FrameTable {
  /** most rows */
  readonly capacity: number;
  /** rows in use */
  count = 0;
  /** where the frame's bytes start in the bytes given to the framer */
  readonly offset: Uint32Array;
  /** frame bytes in the capture */
  readonly capturedLength: Uint32Array;
  /** frame length on the wire, bytes */
  readonly wireLength: Uint32Array;
  /** seconds since the epoch, UTC */
  readonly seconds: Uint32Array;
  /** nanoseconds of the second, 0..999,999,999 */
  readonly nanoseconds: Uint32Array;
  /** LINKTYPE_ value; linkTypeUnknown when the file does not say */
  readonly linkType: Uint16Array;
  /** FrameFlag bits */
  readonly flags: Uint8Array;
  /** pcapng interface number in its section; 0 in pcap */
  readonly interfaceId: Uint32Array;

  /** @param capacity most rows, at least 1 */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError(`frame table of ${capacity} rows`);
    this.capacity = capacity;
    this.offset = new Uint32Array(capacity);
    this.capturedLength = new Uint32Array(capacity);
    this.wireLength = new Uint32Array(capacity);
    this.seconds = new Uint32Array(capacity);
    this.nanoseconds = new Uint32Array(capacity);
    this.linkType = new Uint16Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.interfaceId = new Uint32Array(capacity);
  }
}
