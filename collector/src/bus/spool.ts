/**
 * Messages that wait on disk while the bus is away: bounded, checked, read in the order they were written.
 *
 * A folder of segments, `00000001.spool` and on. A record is
 *
 *     length u32 | crc32 u32 | partition u32 | epoch u64 | sequence u64 | rows u32 | probe length u16 | probe | bytes
 *
 * (little-endian), where length counts what follows the crc and the crc covers length and what follows. A segment goes when all its
 * records are confirmed, so after a crash some are read again: their names make that harmless. What a kill tore is cut off
 * at the first record that is not whole, and counted. Written to the kernel at once and not synchronised: a process
 * that dies loses nothing, a machine that loses power may lose the last seconds.
 *
 * Never throws after it was opened: a disk that is full or fails makes `append` answer false, and is counted.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { BusError } from './bus.js';
import type { OutgoingMessage } from './bus.js';
import { isProbeId } from './message-id.js';

export interface SpoolOptions {
  /** a folder of its own; made with mode 0700, its files with 0600 */
  readonly folder: string;
  /** most bytes on disk */
  readonly bytesMax: number;
  /** bytes after which a new segment is begun; an eighth of bytesMax, at most 64 MiB, unless told */
  readonly segmentBytes?: number;
  /** longest message believed when reading, bytes */
  readonly messageBytesMax?: number;
}

export interface SpoolState {
  /** records not confirmed yet, and what they take on disk (whole segments count) */
  readonly records: number;
  readonly bytes: number;
  /** records refused because the bound was met */
  readonly full: number;
  /** records the disk did not take (no space, I/O error), and the last reason */
  readonly failed: number;
  readonly lastError: string;
  /** places where a record was not whole, and the bytes cut off there */
  readonly torn: number;
  readonly tornBytes: number;
  /** the process before did not close it: it was killed, and what it had sent and not put on disk may be lost */
  readonly previousUnfinished: boolean;
}

interface Segment {
  readonly number: number;
  readonly path: string;
  descriptor: number | null;
  /** bytes of whole records */
  size: number;
  readOffset: number;
  records: number;
  unread: number;
  confirmed: number;
}

/** A message off the disk, to be confirmed when the bus has it. */
export interface SpooledMessage {
  readonly message: OutgoingMessage;
  /** It need not be kept any longer. */
  confirm(): void;
}

const headBytes = 8;
const fixedBytes = 4 + 8 + 8 + 4 + 2;
const suffix = '.spool';

/**
 * Open a spool, with what an earlier process left in it.
 * @throws BusError NS_BUS_CONFIGURATION when the folder cannot be used or another process has it
 */
export function openSpool(options: SpoolOptions): Spool {
  return new Spool(options);
}

export class Spool {
  private readonly options: SpoolOptions;
  private readonly segmentBytes: number;
  private readonly messageBytesMax: number;
  private readonly lock: string;
  /** records that were not confirmed when it was closed */
  left = 0;
  private segments: Segment[] = [];
  private writing: Segment | null = null;
  private nextNumber = 1;
  /** what `peek` shows, once it was read */
  private head: { readonly segment: Segment; readonly message: OutgoingMessage } | null = null;
  private readonly unreadOf = new Map<number, number>();
  private bytes = 0;
  private previousUnfinished = false;
  private readonly counters = { full: 0, failed: 0, lastError: '', torn: 0, tornBytes: 0 };

  constructor(options: SpoolOptions) {
    this.options = options;
    this.segmentBytes = options.segmentBytes ?? Math.min(64 << 20, Math.ceil(options.bytesMax / 8));
    this.messageBytesMax = options.messageBytesMax ?? 64 << 20;
    this.lock = join(options.folder, 'lock');
    try {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
      this.previousUnfinished = takeLock(this.lock, options.folder);
      this.load();
    } catch (error) {
      if (error instanceof BusError) throw error;
      throw new BusError(
        'NS_BUS_CONFIGURATION',
        `spool folder ${options.folder} cannot be used (${reasonOf(error)}); name one that this process may write`,
        { cause: error },
      );
    }
  }

  get state(): SpoolState {
    const records = this.segments.reduce((sum, segment) => sum + segment.records - segment.confirmed, 0);
    const { bytes, previousUnfinished } = this;
    return { records, bytes, ...this.counters, previousUnfinished };
  }

  /** Records of a partition that were not read yet: a message after them must wait behind them. */
  waiting(partition: number): number {
    return this.unreadOf.get(partition) ?? 0;
  }

  /** Put a message behind the others. False: it was not taken, and `state` says why. */
  append(message: OutgoingMessage): boolean {
    const record = encode(message);
    if (this.bytes + record.length > this.options.bytesMax || message.bytes.length > this.messageBytesMax) {
      this.counters.full += 1;
      return false;
    }
    let segment: Segment | null = null;
    try {
      segment = this.segmentFor(record.length);
      let written = 0;
      while (written < record.length)
        written += writeSync(segment.descriptor!, record, written, record.length - written, segment.size + written);
    } catch (error) {
      this.counters.failed += 1;
      this.counters.lastError = reasonOf(error);
      if (segment) this.cutBack(segment);
      return false;
    }
    segment.size += record.length;
    segment.records += 1;
    segment.unread += 1;
    this.bytes += record.length;
    this.unreadOf.set(message.partition, this.waiting(message.partition) + 1);
    return true;
  }

  /** The next message in order, without taking it; null when all were read. */
  peek(): OutgoingMessage | null {
    return this.look()?.message ?? null;
  }

  /** Take the message that `peek` shows. */
  take(): SpooledMessage | null {
    const found = this.look();
    if (!found) return null;
    const { segment, message } = found;
    this.head = null;
    segment.readOffset += encodedBytes(message);
    segment.unread -= 1;
    this.countRead(message.partition);
    let confirmed = false;
    return {
      message,
      confirm: () => {
        if (confirmed) return;
        confirmed = true;
        segment.confirmed += 1;
        this.dropIfDone(segment);
      },
    };
  }

  /** Leave what was not confirmed to the next process; `left` says how many records. */
  close(): void {
    this.left = this.state.records;
    for (const segment of this.segments) release(segment);
    this.segments = [];
    this.writing = null;
    quietly(() => unlinkSync(this.lock));
  }

  private load(): void {
    const numbers = readdirSync(this.options.folder)
      .filter((name) => /^\d{8}\.spool$/.test(name))
      .map((name) => Number(name.slice(0, -suffix.length)))
      .sort((a, b) => a - b);
    for (const number of numbers) {
      this.nextNumber = number + 1;
      const segment = this.newSegment(number);
      segment.descriptor = openSync(segment.path, 'r+');
      this.scan(segment);
      if (segment.records === 0) {
        release(segment);
        unlinkSync(segment.path);
        continue;
      }
      this.bytes += segment.size;
      this.segments.push(segment);
    }
  }

  /** Count the whole records of a segment, and cut off what is not. */
  private scan(segment: Segment): void {
    const found = fstatSync(segment.descriptor!).size;
    segment.size = found;
    for (;;) {
      const message = this.readAt(segment);
      if (!message) break;
      segment.readOffset += encodedBytes(message);
      segment.records += 1;
      segment.unread += 1;
      this.unreadOf.set(message.partition, this.waiting(message.partition) + 1);
    }
    segment.size = segment.readOffset;
    segment.readOffset = 0;
    if (segment.size === found) return;
    this.counters.torn += 1;
    this.counters.tornBytes += found - segment.size;
    ftruncateSync(segment.descriptor!, segment.size);
  }

  /** The record at the read offset; null when none is whole there. */
  private readAt(segment: Segment): OutgoingMessage | null {
    const head = Buffer.alloc(headBytes);
    if (segment.readOffset + headBytes + fixedBytes > segment.size) return null;
    if (!this.fill(segment, head, segment.readOffset)) return null;
    const length = head.readUInt32LE(0);
    if (length < fixedBytes || segment.readOffset + headBytes + length > segment.size) return null;
    const body = Buffer.alloc(length);
    if (!this.fill(segment, body, segment.readOffset + headBytes)) return null;
    if (crc32(body, crc32(head.subarray(0, 4))) !== head.readUInt32LE(4)) return null;
    return decode(body);
  }

  private fill(segment: Segment, target: Buffer, offset: number): boolean {
    try {
      return readSync(segment.descriptor!, target, 0, target.length, offset) === target.length;
    } catch (error) {
      this.counters.lastError = reasonOf(error);
      return false;
    }
  }

  /** The first unread message and its segment. One that can no longer be read is given up and counted. */
  private look(): { readonly segment: Segment; readonly message: OutgoingMessage } | null {
    while (this.head === null) {
      const segment = this.segments.find(({ unread }) => unread > 0);
      if (!segment) return null;
      const message = this.readAt(segment);
      if (message) {
        this.head = { segment, message };
        break;
      }
      this.counters.torn += 1;
      this.counters.tornBytes += segment.size - segment.readOffset;
      segment.confirmed += segment.unread;
      segment.unread = 0;
      this.recountUnread();
      this.dropIfDone(segment);
    }
    return this.head;
  }

  private recountUnread(): void {
    // What could not be read cannot say whose it was; when nothing is left unread, nobody waits.
    if (this.segments.every(({ unread }) => unread === 0)) this.unreadOf.clear();
  }

  private countRead(partition: number): void {
    const left = this.waiting(partition) - 1;
    if (left > 0) this.unreadOf.set(partition, left);
    else this.unreadOf.delete(partition);
  }

  private segmentFor(bytes: number): Segment {
    const { writing } = this;
    if (writing && (writing.size === 0 || writing.size + bytes <= this.segmentBytes)) return writing;
    const segment = this.newSegment(this.nextNumber);
    // Never an existing file: what stands in the folder under another name is not ours to overwrite.
    segment.descriptor = openSync(segment.path, 'wx+', 0o600);
    this.nextNumber += 1;
    this.segments.push(segment);
    const before = this.writing;
    this.writing = segment;
    if (before) this.dropIfDone(before);
    return segment;
  }

  private newSegment(number: number): Segment {
    const path = join(this.options.folder, `${String(number).padStart(8, '0')}${suffix}`);
    return { number, path, descriptor: null, size: 0, readOffset: 0, records: 0, unread: 0, confirmed: 0 };
  }

  /** After a write that failed half way. */
  private cutBack(segment: Segment): void {
    quietly(() => ftruncateSync(segment.descriptor!, segment.size));
  }

  private dropIfDone(segment: Segment): void {
    if (segment.confirmed < segment.records || !this.segments.includes(segment)) return;
    this.segments = this.segments.filter((one) => one !== segment);
    if (this.writing === segment) this.writing = null;
    this.bytes -= segment.size;
    release(segment);
    quietly(() => unlinkSync(segment.path));
  }
}

const encodedBytes = ({ probe, bytes }: OutgoingMessage): number =>
  headBytes + fixedBytes + Buffer.byteLength(probe) + bytes.length;

function encode(message: OutgoingMessage): Buffer {
  const probe = Buffer.from(message.probe);
  const record = Buffer.alloc(headBytes + fixedBytes + probe.length + message.bytes.length);
  record.writeUInt32LE(record.length - headBytes, 0);
  record.writeUInt32LE(message.partition, 8);
  record.writeBigUInt64LE(message.epoch, 12);
  record.writeBigUInt64LE(BigInt(message.sequence), 20);
  record.writeUInt32LE(message.rows ?? 0, 28);
  record.writeUInt16LE(probe.length, 32);
  probe.copy(record, 34);
  record.set(message.bytes, 34 + probe.length);
  record.writeUInt32LE(crc32(record.subarray(headBytes), crc32(record.subarray(0, 4))), 4);
  return record;
}

/** The reverse; null for what encode does not make. */
function decode(body: Buffer): OutgoingMessage | null {
  const probeBytes = body.readUInt16LE(24);
  if (fixedBytes + probeBytes > body.length) return null;
  const probe = body.toString('utf8', fixedBytes, fixedBytes + probeBytes);
  const sequence = Number(body.readBigUInt64LE(12));
  if (!isProbeId(probe) || Buffer.byteLength(probe) !== probeBytes || !Number.isSafeInteger(sequence)) return null;
  return {
    partition: body.readUInt32LE(0),
    epoch: body.readBigUInt64LE(4),
    sequence,
    rows: body.readUInt32LE(20),
    probe,
    bytes: body.subarray(fixedBytes + probeBytes),
  };
}

/**
 * One process has the folder: two would delete each other's segments.
 * @returns whether the one before left its lock behind
 */
function takeLock(path: string, folder: string): boolean {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
      return tries > 0;
    } catch (error) {
      if (reasonOf(error) !== 'EEXIST') throw error;
    }
    const owner = Number(readFileSync(path, 'utf8'));
    // In a container that was started anew, the process before had the same id as this one.
    if (Number.isInteger(owner) && owner > 0 && owner !== process.pid && isAlive(owner))
      throw new BusError(
        'NS_BUS_CONFIGURATION',
        `spool folder ${folder} is in use by process ${owner}; give each probe its own, or remove ${path} if that is no probe`,
      );
    unlinkSync(path);
  }
  throw new BusError('NS_BUS_CONFIGURATION', `spool folder ${folder} is being opened by another process`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return reasonOf(error) === 'EPERM';
  }
}

function release(segment: Segment): void {
  const { descriptor } = segment;
  segment.descriptor = null;
  if (descriptor !== null) quietly(() => closeSync(descriptor));
}

/** For what changes nothing when it fails. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // the file is gone already, or the disk is
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error);
