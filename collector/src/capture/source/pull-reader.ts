/** Bytes pulled from an async source: peek at them, take them, know how many were read. */
export class PullReader {
  /** Bytes taken so far. */
  taken = 0;
  /** The error that ended the source early, if one did; treated as its end. */
  failure: unknown = undefined;
  private readonly iterator: AsyncIterator<Uint8Array>;
  private held: Uint8Array = new Uint8Array(0);
  private finished = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.iterator = source[Symbol.asyncIterator]();
  }

  /** Bytes that can be taken without waiting. */
  get available(): number {
    return this.held.length;
  }

  /** The bytes that can be taken, without taking them; valid until the next fill or take. */
  peek(): Uint8Array {
    return this.held;
  }

  /** Wait until `count` bytes can be taken; false when the source ended before. */
  async fill(count: number): Promise<boolean> {
    if (this.held.length >= count) return true;
    const parts = [this.held];
    let length = this.held.length;
    while (length < count && !this.finished) {
      try {
        const next = await this.iterator.next();
        if (next.done === true) this.finished = true;
        else {
          parts.push(next.value);
          length += next.value.length;
        }
      } catch (cause) {
        this.failure = cause;
        this.finished = true;
      }
    }
    if (parts.length > 1) this.held = Buffer.concat(parts, length);
    return length >= count;
  }

  /** Take up to `count` of the available bytes. */
  take(count: number): Uint8Array {
    const bytes = this.held.subarray(0, count);
    this.held = this.held.subarray(bytes.length);
    this.taken += bytes.length;
    return bytes;
  }

  /** Give the source up; it closes what it holds open. */
  async close(): Promise<void> {
    this.finished = true;
    this.held = new Uint8Array(0);
    try {
      await this.iterator.return?.();
    } catch (cause) {
      this.failure ??= cause;
    }
  }
}
