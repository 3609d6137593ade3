/**
 * TLS connections whose ClientHello is over, in a few words per flow instead of parser objects.
 *
 * What is left to find out about such a connection is which frames hold the beginning or end of a record. While its
 * segments come in order that takes two sequence numbers a side: the next byte, and the next record's header. A packet
 * costs one cache line and a look at the headers in it; with parser objects it was a chase through ten of them, and a
 * quarter of the time of a run with many connections. Whatever is not plain (a hole, a header cut by a segment's end or
 * by the snap length, bytes that are no record, another ClientHello) goes back to the parsers, which know it all.
 */
import { Recognition, recognizeTls } from '@netspectra/collector/decode';

/** What `follow` says of a segment. */
export const RecordsResult = {
  /** no record begins or ends in it */
  Untouched: 0,
  Touched: 1,
  /** not for here: nothing was changed, the parsers must see it */
  Parse: 2,
} as const;
export type RecordsResult = (typeof RecordsResult)[keyof typeof RecordsResult];

const wordsPerFlow = 4;
const recordHeaderBytes = 5;
const typeHandshake = 22;
const clientHello = 1;

export class TlsRecords {
  /** per flow: next byte of client and server, next record header of client and server */
  private words = new Int32Array(wordsPerFlow);

  constructor() {
    // Made anew before anybody looks: see PlainStretches.
    this.grow(1024 * wordsPerFlow);
  }

  /**
   * Take a side over.
   * @param direction 0 client, 1 server
   * @param next sequence number of its next byte
   * @param left bytes of a record's body still to come
   */
  set(flow: number, direction: number, next: number, left: number): void {
    const needed = (flow + 1) * wordsPerFlow;
    if (needed > this.words.length) this.grow(Math.max(this.words.length * 2, needed));
    const at = flow * wordsPerFlow + direction;
    this.words[at] = next;
    this.words[at + 2] = next + left;
  }

  private grow(length: number): void {
    const grown = new Int32Array(length);
    grown.set(this.words);
    this.words = grown;
  }

  /** Sequence number of the side's next byte, unsigned. */
  next(flow: number, direction: number): number {
    return this.words[flow * wordsPerFlow + direction]! >>> 0;
  }

  /** Bytes of a record's body still to come on this side. */
  left(flow: number, direction: number): number {
    const at = flow * wordsPerFlow + direction;
    return (this.words[at + 2]! - this.words[at]!) >>> 0;
  }

  /**
   * A segment with payload.
   * @param sequence of its first byte
   * @param length bytes by the headers
   * @param start, end the captured ones in `bytes`
   */
  follow(
    flow: number,
    direction: number,
    sequence: number,
    length: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): RecordsResult {
    const { words } = this;
    const at = flow * wordsPerFlow + direction;
    const next = words[at]!;
    const last = (sequence + length) | 0;
    if (((last - next) | 0) <= 0) return RecordsResult.Untouched; // all of it was there before
    if (((sequence - next) | 0) > 0) return RecordsResult.Parse; // something is missing
    let header = words[at + 2]!;
    const touched = ((last - header) | 0) >= 0;
    while (((last - header) | 0) > 0) {
      const place = start + ((header - sequence) | 0);
      if (place + recordHeaderBytes > end) return RecordsResult.Parse;
      if (recognizeTls(bytes, place, place + recordHeaderBytes) !== Recognition.Yes) return RecordsResult.Parse;
      if (bytes[place] === typeHandshake) {
        if (place + recordHeaderBytes === end || bytes[place + recordHeaderBytes] === clientHello) {
          return RecordsResult.Parse;
        }
      }
      header = (header + recordHeaderBytes + ((bytes[place + 3]! << 8) | bytes[place + 4]!)) | 0;
    }
    words[at] = last;
    words[at + 2] = header;
    return touched ? RecordsResult.Touched : RecordsResult.Untouched;
  }

  /**
   * A segment with payload of a connection whose records nobody counts: only another ClientHello is of interest, where
   * the segment begins with records. Arguments as `follow`.
   * @param known `set` or `watch` was called for this side
   * @returns Parse: one may begin here; the side is set to the segment's begin
   */
  watch(
    flow: number,
    direction: number,
    known: boolean,
    sequence: number,
    length: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): RecordsResult {
    const last = (sequence + length) | 0;
    if (!known) this.set(flow, direction, sequence, 0);
    const at = flow * wordsPerFlow + direction;
    const distance = (sequence - this.words[at]!) | 0;
    if (((last - this.words[at]!) | 0) <= 0) return RecordsResult.Untouched; // all of it was there before
    if (distance >= 0 && mayHoldHello(bytes, start, end)) {
      this.set(flow, direction, sequence, 0);
      return RecordsResult.Parse;
    }
    this.words[at] = last;
    this.words[at + 2] = last;
    return RecordsResult.Untouched;
  }
}

/** Do whole records from `start` on lead to a ClientHello, or to a record of which too little is here to tell? */
function mayHoldHello(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += recordHeaderBytes + ((bytes[at + 3]! << 8) | bytes[at + 4]!)) {
    if (recognizeTls(bytes, at, end) === Recognition.No) return false;
    if (bytes[at] === typeHandshake) {
      if (at + recordHeaderBytes >= end || bytes[at + recordHeaderBytes] === clientHello) return true;
    }
    if (at + recordHeaderBytes > end) return false;
  }
  return false;
}
