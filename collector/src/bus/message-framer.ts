/**
 * Cuts what comes from a NATS server where its messages end, so that the client's parser never meets a part of one.
 *
 * The client gathers a message that comes in several pieces in a buffer that it doubles: for a message of 256 KB, in pieces of
 * 64 KB, it makes three, 540 KB in all. Here the message's length, which stands in its first line, is read beforehand:
 * its bytes are copied once, into memory of the right size.
 *
 * Protocol: lines, ended by CR LF; after `MSG subject sid [reply] bytes` and `HMSG subject sid [reply] header-bytes bytes` follow
 * so many bytes and CR LF (docs.nats.io, "Client Protocol"). Whether it is right otherwise is for the parser to say: a line
 * that cannot be read is passed on.
 */
import type { BufferPool } from '../memory/index.js';

const newline = 10;
const carriageReturn = 13;
const endOfMessage = 2;
/** The parser refuses larger ones. */
const messageBytesMax = 64 << 20;
/** Longer lines (servers allow 4 KB, and tell of a cluster's members in one) are passed on as they come. */
const lineBytesMax = 64 << 10;
const nothing = new Uint8Array(0);

export class MessageFramer {
  private readonly buffers: BufferPool;
  /** a message that is not complete, and how much of it is there */
  private frame: Uint8Array | null = null;
  private filled = 0;
  /** the beginning of a line */
  private line: Uint8Array = nothing;
  /** in a line that is too long: up to its end bytes are passed on */
  private isLong = false;

  constructor(buffers: BufferPool) {
    this.buffers = buffers;
  }

  /**
   * The next bytes. Answers those that are complete, in order: one array a message that came in pieces, and one for all
   * between two of those. They may be parts of `chunk`.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const out: Uint8Array[] = [];
    let at = 0;
    // What is complete in the chunk and not in `out` yet begins here.
    let from = 0;
    while (at < chunk.length) {
      if (this.frame) {
        at += this.fill(this.frame, chunk.subarray(at), out);
        from = at;
        continue;
      }
      const end = chunk.indexOf(newline, at);
      if (this.isLong) {
        at = end < 0 ? chunk.length : end + 1;
        this.isLong = end < 0;
        continue;
      }
      if (end < 0) break;
      const line = this.wholeLine(chunk.subarray(at, end + 1));
      const bytes = messageBytes(line);
      const isSplit = line.length > end + 1 - at;
      if (bytes < 0 || (!isSplit && bytes <= chunk.length - end - 1)) {
        if (isSplit) {
          out.push(line);
          from = end + 1;
        }
        at = end + 1 + Math.max(bytes, 0);
        continue;
      }
      if (at > from) out.push(chunk.subarray(from, at));
      this.frame = this.buffers.take(line.length + bytes);
      this.frame.set(line);
      this.filled = line.length;
      at = end + 1;
      from = at;
    }
    if (this.frame) return out;
    if (at > from) out.push(chunk.subarray(from, at));
    if (at < chunk.length) this.keepLine(chunk.subarray(at), out);
    return out;
  }

  /** @returns how many bytes were the message's */
  private fill(frame: Uint8Array, bytes: Uint8Array, out: Uint8Array[]): number {
    const count = Math.min(bytes.length, frame.length - this.filled);
    frame.set(count < bytes.length ? bytes.subarray(0, count) : bytes, this.filled);
    this.filled += count;
    if (this.filled === frame.length) {
      out.push(frame);
      this.frame = null;
    }
    return count;
  }

  /** The line that ends with these bytes. */
  private wholeLine(end: Uint8Array): Uint8Array {
    if (this.line.length === 0) return end;
    const whole = joined(this.line, end);
    this.line = nothing;
    return whole;
  }

  private keepLine(part: Uint8Array, out: Uint8Array[]): void {
    const line = joined(this.line, part);
    this.isLong = line.length > lineBytesMax;
    this.line = this.isLong ? nothing : line;
    if (this.isLong) out.push(line);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** How many bytes follow the line as its message, the end of it included; -1: none do, or the line does not say. */
function messageBytes(line: Uint8Array): number {
  // M and m, or H and h; no other line begins so.
  const first = line[0]! | 32;
  if (first !== 109 && first !== 104) return -1;
  let at = line.length - 2;
  if (line[at] === carriageReturn) at -= 1;
  let bytes = 0;
  let place = 1;
  for (; at > 0; at -= 1) {
    const digit = line[at]! - 48;
    if (!(digit >= 0 && digit <= 9)) break;
    bytes += digit * place;
    place *= 10;
    if (bytes > messageBytesMax) return -1;
  }
  return place === 1 ? -1 : bytes + endOfMessage;
}
