/**
 * HTTP connections on a plain stretch: inside a body whose end is known, or past bytes that are no HTTP. Until that ends,
 * a segment in its place needs a few words of a typed array, not the connection's objects (some ten cache misses).
 *
 * A side is `Body` while its next bytes lie before `until`; `Lost` while segments do not begin a message. Whatever else
 * comes (out of order, FIN, RST, the end of the body, something that may be HTTP) makes the caller bring the objects up
 * to date from here first (`next`) and then follow the segment with them.
 */
export const PlainMode = { None: 0, Body: 1, Lost: 2 } as const;

const wordsPerFlow = 5;

export class PlainStretches {
  /** per flow: next byte of client and server, end of the body of client and server, seconds of the last packet */
  private words = new Int32Array(wordsPerFlow);
  /** per flow: PlainMode of the client, of the server << 2, and `waiting` << 4 */
  private modes = new Uint8Array(1);

  constructor() {
    // Made anew before anybody looks: V8 takes a field that was set once for a constant, and would throw all code that was compiled
    // for it away when the arrays grow for the first time.
    this.grow(1024);
  }

  /** Room for this flow. */
  reserve(flow: number): void {
    if (flow >= this.modes.length) this.grow(Math.max(this.modes.length * 2, flow + 1));
  }

  private grow(size: number): void {
    const words = new Int32Array(size * wordsPerFlow);
    words.set(this.words);
    this.words = words;
    const modes = new Uint8Array(size);
    modes.set(this.modes);
    this.modes = modes;
  }

  mode(flow: number, direction: number): number {
    return (this.modes[flow]! >>> (direction * 2)) & 3;
  }

  /** The flow's streams hold segments back: an acknowledgment may free them. */
  waiting(flow: number): boolean {
    return (this.modes[flow]! & 16) !== 0;
  }

  /** Nothing is plain here (any more). */
  clear(flow: number, waiting: boolean): void {
    this.modes[flow] = waiting ? 16 : 0;
  }

  /** A side is plain from `next` on; for Body up to `until`. */
  set(flow: number, direction: number, mode: number, next: number, until: number, seconds: number): void {
    const at = flow * wordsPerFlow;
    this.words[at + direction] = next;
    this.words[at + 2 + direction] = until;
    this.words[at + 4] = seconds;
    this.modes[flow] = (this.modes[flow]! & ~(3 << (direction * 2))) | (mode << (direction * 2));
  }

  /** The segment is the side's next. */
  isNext(flow: number, direction: number, sequence: number): boolean {
    return this.words[flow * wordsPerFlow + direction] === (sequence | 0);
  }

  /** The segment ends before the body does. */
  endsWithin(flow: number, direction: number, sequence: number, length: number): boolean {
    return ((this.words[flow * wordsPerFlow + 2 + direction]! - ((sequence + length) | 0)) | 0) > 0;
  }

  advance(flow: number, direction: number, length: number, seconds: number): void {
    const at = flow * wordsPerFlow;
    this.words[at + direction] = (this.words[at + direction]! + length) | 0;
    this.words[at + 4] = seconds;
  }

  /** Sequence number of the side's next byte, unsigned. */
  next(flow: number, direction: number): number {
    return this.words[flow * wordsPerFlow + direction]! >>> 0;
  }

  /** Seconds of the last packet that went this way. */
  lastSeconds(flow: number): number {
    return this.words[flow * wordsPerFlow + 4]! >>> 0;
  }
}
