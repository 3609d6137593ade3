/**
 * What a capture thread and its probe tell each other without messages: the thread sits in a system call most of the time
 * and does not come back to its event loop.
 */
const words = 8;
const phaseWord = 0;
const queuedBytesWord = 1;
const queuedRowsWord = 2;
const lostRowsWord = 3;

/** What the thread is to do. */
export const Phase = { Opening: 0, Capture: 1, Stop: 2 } as const;

export class SharedControl {
  readonly buffer: SharedArrayBuffer;
  private readonly view: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(words * 4)) {
    this.buffer = buffer;
    this.view = new Int32Array(buffer);
  }

  get phase(): number {
    return Atomics.load(this.view, phaseWord);
  }

  set phase(phase: number) {
    Atomics.store(this.view, phaseWord, phase);
    Atomics.notify(this.view, phaseWord);
  }

  /** Wait as long as the phase is this one, or for the time. */
  waitWhile(phase: number, milliseconds?: number): void {
    Atomics.wait(this.view, phaseWord, phase, milliseconds);
  }

  /** bytes of messages that the publisher has not taken yet */
  get queuedBytes(): number {
    return Atomics.load(this.view, queuedBytesWord);
  }

  addQueuedBytes(bytes: number): void {
    Atomics.add(this.view, queuedBytesWord, bytes);
  }

  /** packets of messages that are not confirmed yet */
  get queuedRows(): number {
    return Atomics.load(this.view, queuedRowsWord);
  }

  addQueuedRows(rows: number): void {
    Atomics.add(this.view, queuedRowsWord, rows);
  }

  /** Packets of a message that was given up after the thread had made it. */
  addLostRows(rows: number): void {
    Atomics.add(this.view, lostRowsWord, rows);
  }

  /** Those since the last call. */
  takeLostRows(): number {
    return Atomics.exchange(this.view, lostRowsWord, 0);
  }
}
