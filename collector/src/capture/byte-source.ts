/**
 * Where a capture's bytes come from: a file that several threads can read at any place, or a stream (standard input, a
 * pipe, a compressed file). What it is, the content says, not the name.
 */
import { createReadStream, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { CaptureError, captureErrorFrom } from './errors.js';
import { gunzipChunks } from './source/gzip.js';
import { PullReader } from './source/pull-reader.js';
import { unzstdChunks } from './source/zstd.js';

/** How a stream is packed. */
export type CaptureCompression = 'none' | 'gzip' | 'zstd';

/** What ended a stream before its end. Not thrown: what came before is good. */
export interface StreamDamage {
  /** CaptureDamage number to record: CompressedStream or ReadFailed */
  readonly kind: 'compressed_stream' | 'read_failed';
  /** near which byte of the packed stream */
  readonly offset: number;
  /** bytes that were given out before */
  readonly outputOffset: number;
  /** one line for people */
  readonly message: string;
}

/** An uncompressed regular file: read it with positioned reads. */
export interface CaptureFile {
  readonly kind: 'file';
  readonly path: string;
  /** bytes, at the time it was looked at */
  readonly size: number;
}

/** Bytes that come once, in order. */
export interface CaptureStream {
  readonly kind: 'stream';
  /** for messages: the path, or `standard input` */
  readonly name: string;
  readonly compression: CaptureCompression;
  /** bytes of the packed file, when it is a file */
  readonly compressedSize?: number;
  /** The capture's bytes, unpacked, in pieces of any size. Can be iterated once; leaving early closes the source. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Packed bytes used so far, for progress against compressedSize. */
  bytesRead(): number;
  /** What ended the stream early, known when `chunks` has ended. */
  damage(): StreamDamage | undefined;
}

/** What openCaptureFile gives. */
export type CaptureInput = CaptureFile | CaptureStream;

const magicBytes = 4;

function compressionOf(bytes: Uint8Array): CaptureCompression {
  const [a, b, c, d] = bytes;
  if (a === 0x1f && b === 0x8b) return 'gzip';
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd';
  if (a !== undefined && a >>> 4 === 5 && b === 0x2a && c === 0x4d && d === 0x18) return 'zstd'; // skippable frame
  return 'none';
}

async function* plainChunks(reader: PullReader): AsyncGenerator<Uint8Array> {
  while (await reader.fill(1)) yield reader.take(reader.available);
}

class OpenedStream implements CaptureStream {
  readonly kind = 'stream';
  readonly name: string;
  readonly compression: CaptureCompression;
  declare readonly compressedSize?: number;
  private readonly reader: PullReader;
  private found: StreamDamage | undefined;
  private started = false;
  private outputBytes = 0;

  constructor(name: string, compression: CaptureCompression, reader: PullReader, compressedSize?: number) {
    this.name = name;
    this.compression = compression;
    this.reader = reader;
    if (compressedSize !== undefined) this.compressedSize = compressedSize;
  }

  bytesRead(): number {
    return this.reader.taken;
  }

  damage(): StreamDamage | undefined {
    return this.found;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.started) throw new RangeError(`${this.name} can be read only once`);
    this.started = true;
    const fault = (message: string): void => this.note('compressed_stream', message);
    try {
      const unpacked =
        this.compression === 'gzip'
          ? gunzipChunks(this.reader, fault)
          : this.compression === 'zstd'
            ? unzstdChunks(this.reader, fault)
            : plainChunks(this.reader);
      for await (const chunk of unpacked) {
        this.outputBytes += chunk.length;
        yield chunk;
      }
      if (this.reader.failure !== undefined) {
        const cause = captureErrorFrom(this.name, this.reader.failure).message;
        this.note('read_failed', `reading failed: ${cause}`);
      }
    } finally {
      await this.reader.close();
    }
  }

  private note(kind: StreamDamage['kind'], text: string): void {
    const offset = this.reader.taken;
    const message = `${this.name}: ${text} near byte ${offset} of the ${this.compression === 'none' ? 'stream' : 'compressed data'}; the ${this.outputBytes} bytes before it were read`;
    this.found ??= { kind, offset, outputOffset: this.outputBytes, message };
  }
}

/**
 * A capture from bytes that come once: standard input, a pipe, a test's pieces. Waits for the first four bytes.
 *
 * @param source pieces of any size
 * @param name for messages
 * @param size packed bytes, when known
 */
export async function openCaptureStream(
  source: AsyncIterable<Uint8Array>,
  name: string,
  size?: number,
): Promise<CaptureStream> {
  const reader = new PullReader(source);
  await reader.fill(magicBytes);
  return new OpenedStream(name, compressionOf(reader.peek()), reader, size);
}

async function firstBytes(handle: FileHandle): Promise<Uint8Array> {
  const bytes = new Uint8Array(magicBytes);
  let length = 0;
  while (length < magicBytes) {
    const { bytesRead } = await handle.read(bytes, length, magicBytes - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/**
 * Open a capture. An uncompressed regular file is only looked at; workers open it themselves.
 *
 * @param path a file, a pipe, or `-` for standard input
 * @throws CaptureError when it is missing, a directory, or may not be read
 */
export async function openCaptureFile(path: string): Promise<CaptureInput> {
  if (path === '-') return openCaptureStream(process.stdin, 'standard input');
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    throw captureErrorFrom(path, cause);
  }
  let passedOn = false;
  try {
    const stats: Stats = await handle.stat();
    if (stats.isDirectory()) {
      throw new CaptureError('NS_CAPTURE_IS_DIRECTORY', `${path} is a directory; name a capture file in it`);
    }
    if (stats.isFile()) {
      if (compressionOf(await firstBytes(handle)) === 'none') return { kind: 'file', path, size: stats.size };
      return await openCaptureStream(createReadStream(path, { highWaterMark: 1 << 18 }), path, stats.size);
    }
    // A pipe (or /dev/stdin, or a shell's <(...)) can be opened only once: go on with this handle.
    passedOn = true;
    return await openCaptureStream(handle.createReadStream({ highWaterMark: 1 << 18 }), path);
  } catch (cause) {
    throw cause instanceof CaptureError ? cause : captureErrorFrom(path, cause);
  } finally {
    if (!passedOn) await handle.close();
  }
}
