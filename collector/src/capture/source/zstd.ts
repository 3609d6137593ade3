/**
 * Zstandard (RFC 8878), any number of frames, skippable ones too.
 *
 * Frames and blocks are found here, by their headers; a block's contents are decompressed by node:zlib where it can
 * (Node 22.15 on) and by fzstd elsewhere. That bounds the window, names the damaged block, and yields every block before
 * it. A frame's content checksum, where it has one, is verified at its end, when the data was given out already.
 */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import type { PullReader } from './pull-reader.js';
import { TransformSteps, type StreamFault } from './transform-steps.js';
import { XxHash64 } from './xxhash64.js';

const frameMagic = 0xfd2fb528;
/** 0x184D2A50 .. 0x184D2A5F, RFC 8878 section 3.1.2. */
const isSkippable = (magic: number): boolean => (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
/** As the zstd program refuses by default (--memory): a frame may ask for gigabytes. */
const windowBytesMax = 128 * 1024 * 1024;
/** RFC 8878 section 3.1.1.2.4: no block, compressed or not, is larger. */
const blockBytesMax = 128 * 1024;
const frameHeaderBytesMax = 18;
/**
 * fzstd moves the whole window for every block. Above 8 MiB of window (RFC 8878 asks decoders for no more), a stream of
 * tiny blocks would keep it busy for hours: allow this much moving for free, and then what full blocks need.
 */
const windowBytesFree = 8 * 1024 * 1024;
const movedBytesFree = 4 * 1024 ** 3;
const movedPerByteMax = 2_048;

const u32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

interface FrameHeader {
  /** of the header itself */
  readonly bytes: number;
  readonly window: number;
  readonly checksum: boolean;
  readonly fault: string;
}

/** RFC 8878 section 3.1.1.1, from the magic on; `bytes` must hold them (pad a short end with zeros). */
function frameHeader(bytes: Uint8Array): FrameHeader {
  const descriptor = bytes[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const sizeAt = 5 + (singleSegment ? 0 : 1) + dictionaryBytes;
  let window: number;
  if (singleSegment) {
    window = 0;
    for (let i = sizeBytes - 1; i >= 0; i -= 1) window = window * 256 + bytes[sizeAt + i]!;
    if (sizeBytes === 2) window += 256;
  } else {
    const base = 2 ** (10 + (bytes[5]! >>> 3));
    window = base + (base / 8) * (bytes[5]! & 7);
  }
  let fault = '';
  if ((descriptor & 8) !== 0) fault = 'reserved bit set in a frame header';
  else if (window > windowBytesMax) fault = `a frame needs a window of ${window} bytes, more than ${windowBytesMax}`;
  else if (bytes.subarray(sizeAt - dictionaryBytes, sizeAt).some((byte) => byte !== 0))
    fault = 'a frame needs a dictionary';
  return { bytes: sizeAt + sizeBytes, window, checksum: (descriptor & 4) !== 0, fault };
}

/** One frame's decompressor, fed block by block. */
interface FrameDecompressor {
  /** Returns what came out; a failure stands in `failure` afterwards. */
  push(bytes: Uint8Array, last: boolean): Promise<Uint8Array[]>;
  readonly failure: string;
  close(): void;
}

class PortableDecompressor implements FrameDecompressor {
  failure = '';
  private output: Uint8Array[] = [];
  private readonly decompress = new Decompress((data) => {
    if (data.length > 0) this.output.push(data);
  });

  push(bytes: Uint8Array, last: boolean): Promise<Uint8Array[]> {
    try {
      this.decompress.push(bytes, last);
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error);
    }
    const output = this.output;
    this.output = [];
    return Promise.resolve(output);
  }

  close(): void {
    this.output = [];
  }
}

class NativeDecompressor implements FrameDecompressor {
  private readonly steps: TransformSteps;

  constructor(create: CreateNative) {
    this.steps = new TransformSteps(create({ chunkSize: blockBytesMax }));
  }

  get failure(): string {
    return this.steps.failure?.message ?? '';
  }

  async push(bytes: Uint8Array, last: boolean): Promise<Uint8Array[]> {
    const output = await this.steps.step(bytes);
    return last && this.failure === '' ? [...output, ...(await this.steps.end())] : output;
  }

  close(): void {
    this.steps.close();
  }
}

type CreateNative = (options: { chunkSize: number }) => Transform;

/** node:zlib has Zstandard from Node 22.15 on; the types of Node 20 do not know it. */
function nativeDecompress(): CreateNative | null {
  const create: unknown = Reflect.get(zlib, 'createZstdDecompress');
  return typeof create === 'function' ? (create as CreateNative) : null;
}

/**
 * Decompress. Ends early, after telling `fault`, when the stream is damaged or cut.
 *
 * @param native node:zlib's decompressor, which is faster and checks checksums; null: fzstd does the work
 */
export async function* unzstdChunks(
  reader: PullReader,
  fault: StreamFault,
  native: CreateNative | null = nativeDecompress(),
): AsyncGenerator<Uint8Array> {
  const cut = (): void => {
    if (reader.failure === undefined) fault('zstd: unexpected end');
  };
  while (await reader.fill(1)) {
    if (!(await reader.fill(4))) return cut();
    const magic = u32(reader.peek(), 0);
    if (isSkippable(magic)) {
      if (!(await reader.fill(8))) return cut();
      let left = u32(reader.peek(), 4);
      reader.take(8);
      while (left > 0) {
        if (!(await reader.fill(1))) return cut();
        left -= reader.take(Math.min(left, reader.available)).length;
      }
      continue;
    }
    if (magic !== frameMagic) return fault('zstd: bytes that are no frame');
    if (!(yield* frameChunks(reader, fault, cut, native))) return;
  }
}

/** One frame; returns false when the stream ended in it. */
async function* frameChunks(
  reader: PullReader,
  fault: StreamFault,
  cut: () => void,
  native: CreateNative | null,
): AsyncGenerator<Uint8Array, boolean> {
  await reader.fill(frameHeaderBytesMax);
  const head = new Uint8Array(frameHeaderBytesMax);
  head.set(reader.peek().subarray(0, frameHeaderBytesMax));
  const header = frameHeader(head);
  if (reader.available < header.bytes) return (cut(), false);
  if (header.fault !== '') return (fault(`zstd: ${header.fault}`), false);

  // node:zlib verifies it itself.
  const hash = header.checksum && !native ? new XxHash64() : undefined;
  const frame = native ? new NativeDecompressor(native) : new PortableDecompressor();
  try {
    let before = header.bytes;
    let pushed = 0;
    let moved = 0;
    let movedMax = movedBytesFree;
    for (;;) {
      if (!(await reader.fill(before + 3))) return (cut(), false);
      const start = reader.peek();
      const word = start[before]! | (start[before + 1]! << 8) | (start[before + 2]! << 16);
      const last = (word & 1) !== 0;
      const type = (word >>> 1) & 3;
      const size = word >>> 3;
      if (type === 3 || size > blockBytesMax) return (fault('zstd: a block header is damaged'), false);
      const block = before + 3 + (type === 1 ? 1 : size);
      const checksum = last && header.checksum ? 4 : 0;
      // One byte of the next block goes along: fzstd keeps a reference to every piece that ends with its block.
      await reader.fill(block + (last ? checksum : 1));
      if (reader.available < block) return (cut(), false);
      const output = await frame.push(reader.peek().subarray(pushed, block + (last ? checksum : 1)), last);
      const taken = reader.take(block + checksum);
      const whole = taken.length === block + checksum;
      for (const data of output) {
        movedMax += data.length * movedPerByteMax;
        hash?.update(data);
      }
      yield* output;
      if (!whole) return (cut(), false);
      if (frame.failure !== '') return (fault(`zstd: ${frame.failure}`), false);
      if (last) {
        if (!hash || hash.low32() === u32(taken, block)) return true;
        return (fault('zstd: wrong content checksum'), false);
      }
      moved += header.window;
      movedMax += block * movedPerByteMax;
      if (!native && header.window > windowBytesFree && moved > movedMax) {
        return (fault('zstd: blocks far too small for their window'), false);
      }
      before = 0;
      pushed = 1;
    }
  } finally {
    frame.close();
  }
}
