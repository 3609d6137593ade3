/**
 * Memory for messages off the bus, used again and again.
 *
 * A message of a full batch is 256 KB. As garbage each costs its pages twice (they are mapped, zeroed and given back), and
 * V8 collects all of its heap after every 64 MB of them: with the client's own buffers, which double as a message grows,
 * that was every 150 messages. So whoever has read a message gives its memory back (`PartitionConsumer.recycle`).
 */

/** Smaller messages are left to the collector: they die young, which costs next to nothing. */
const bytesMin = 16 << 10;
/** Sizes are rounded up to multiples of this ... */
const stepBytes = 64 << 10;
/** ... plus this, so that a message of 256 KB with its subject, reply and headers does not need 320 KB. */
const slackBytes = 4 << 10;

export interface MessageBufferCounters {
  /** messages that found memory that was given back */
  reused: number;
  /** messages that needed new memory */
  made: number;
  /** given back, and not kept because the limit was reached */
  dropped: number;
}

export class MessageBuffers {
  readonly counters: MessageBufferCounters = { reused: 0, made: 0, dropped: 0 };
  /** bytes that wait for a message */
  freeBytes = 0;
  private readonly bytesMax: number;
  /** by size */
  private readonly free = new Map<number, ArrayBuffer[]>();
  /** those of ours that hold a message */
  private readonly lent = new WeakSet<ArrayBufferLike>();

  /** @param bytesMax most that is kept */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Room for so many bytes; what is in it is undefined. */
  take(length: number): Uint8Array {
    if (length < bytesMin) return new Uint8Array(length);
    const size = Math.ceil(Math.max(length - slackBytes, 1) / stepBytes) * stepBytes + slackBytes;
    const found = this.free.get(size)?.pop();
    if (found) {
      this.counters.reused += 1;
      this.freeBytes -= size;
    } else {
      this.counters.made += 1;
      // Kept for sizes that are not asked for any more, they would keep out those that are.
      if (this.freeBytes + size > this.bytesMax) this.clear();
    }
    const buffer = found ?? new ArrayBuffer(size);
    this.lent.add(buffer);
    return new Uint8Array(buffer, 0, length);
  }

  /** Nobody reads these bytes, or others of the same memory, any more. What `take` did not give is passed over. */
  recycle({ buffer }: Uint8Array): void {
    if (!this.lent.delete(buffer)) return;
    const size = buffer.byteLength;
    if (this.freeBytes + size > this.bytesMax) {
      this.counters.dropped += 1;
      return;
    }
    this.freeBytes += size;
    const found = this.free.get(size);
    if (found) found.push(buffer as ArrayBuffer);
    else this.free.set(size, [buffer as ArrayBuffer]);
  }

  private clear(): void {
    this.free.clear();
    this.freeBytes = 0;
  }
}
