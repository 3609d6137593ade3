/** Helpers for tests of what frames captures: a whole file as plain values, and captures made up from a seed. */
import { CaptureFramer } from './framing/framer.js';
import { CaptureState } from './framing/capture-state.js';
import { FrameTable } from './framing/frame-table.js';
import { PcapngWriter, PcapWriter } from './pcap-writer.js';

/** One framed record as plain values; `offset` is from the start of the file. */
export interface PlainFrame {
  readonly offset: number;
  readonly captured: number;
  readonly wire: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly linkType: number;
  readonly flags: number;
  readonly interfaceId: number;
}

/** The table's rows as plain values; `base` is the file offset of the bytes they point into. */
export function plainFrames(table: FrameTable, base: number): PlainFrame[] {
  return Array.from({ length: table.count }, (_, row) => ({
    offset: base + table.offset[row]!,
    captured: table.capturedLength[row]!,
    wire: table.wireLength[row]!,
    seconds: table.seconds[row]!,
    nanoseconds: table.nanoseconds[row]!,
    linkType: table.linkType[row]!,
    flags: table.flags[row]!,
    interfaceId: table.interfaceId[row]!,
  }));
}

/** What came of a file: its frames and, comparable as a whole, what the state says about it. */
export interface FramedFile {
  readonly frames: PlainFrame[];
  readonly damage: Record<string, number>;
  readonly places: readonly { name: string; offset: number }[];
  readonly fatal: string;
  readonly framesWithoutTimestamp: number;
  readonly nextOffset: number;
}

/** What the state says, with the frames that were gathered. */
export function framedFile(frames: PlainFrame[], state: CaptureState): FramedFile {
  return {
    frames,
    damage: state.damageByName(),
    places: state.damagePlaces().map(({ name, offset }) => ({ name, offset })),
    fatal: state.describeFatal(),
    framesWithoutTimestamp: state.framesWithoutTimestamp,
    nextOffset: state.nextOffset,
  };
}

/**
 * Frame a file in pieces as several readers would: every piece is a copy of its own (so that a read outside it shows),
 * framed by a new framer over the same state buffer.
 *
 * @param nextLength asked for each piece: how many bytes to offer at least
 */
export function frameInPieces(file: Uint8Array, capacity: number, nextLength: () => number): FramedFile {
  const state = new CaptureState();
  const table = new FrameTable(capacity);
  const frames: PlainFrame[] = [];
  let needed = 0;
  while (!state.ended && !state.fatal) {
    const framer = new CaptureFramer(new CaptureState(state.buffer));
    const at = state.nextOffset;
    const length = Math.min(Math.max(nextLength(), needed, 1), file.length - at);
    const piece = file.slice(at, at + length);
    const consumed = framer.frame(piece, length, at, at + length === file.length, table);
    if (consumed < 0 || consumed > length) throw new RangeError(`consumed ${consumed} of ${length}`);
    for (let row = 0; row < table.count; row += 1) {
      if (table.offset[row]! + table.capturedLength[row]! > length) throw new RangeError(`row ${row} leaves the piece`);
    }
    if (consumed === 0 && table.count === 0 && framer.neededBytes <= length && !state.ended && !state.fatal) {
      throw new RangeError(`no progress at byte ${at} with ${length} bytes`);
    }
    frames.push(...plainFrames(table, at));
    needed = framer.neededBytes;
  }
  return framedFile(frames, state);
}

/** Frame a file in one piece. */
export function frameWhole(file: Uint8Array): FramedFile {
  return frameInPieces(file, 1 << 16, () => file.length);
}

/** Bytes of a frame that differ from frame to frame. */
export function sampleFrame(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) & 0xff);
}

/** A small pcap of three frames, one of them cut by the snap length. */
export function samplePcap(
  options: { nanoseconds?: boolean; bigEndian?: boolean; linkType?: number } = {},
): Uint8Array {
  const writer = new PcapWriter({ ...options, snapLength: 100 });
  writer.packet(1_700_000_000, 123_456_789, sampleFrame(60, 1));
  writer.packet(1_700_000_001, 0, sampleFrame(150, 2), 1_514);
  writer.packet(4_294_967_295, 999_999_999, sampleFrame(1, 3));
  return writer.finish();
}

/** A small pcapng with two sections, several resolutions, packets with and without time, and blocks to skip. */
export function samplePcapng(bigEndian = false): Uint8Array {
  const writer = new PcapngWriter({
    bigEndian,
    interfaces: [{ snapLength: 64 }, { linkType: 113, timestampResolution: 9 }],
  });
  writer.packet(0, 1_700_000_000, 123_456_789, sampleFrame(60, 1));
  writer.block(5, new Uint8Array(12));
  writer.packet(1, 1_700_000_000, 123_456_789, sampleFrame(61, 2), 1_514);
  writer.simplePacket(sampleFrame(99, 3), 99);
  writer.block(0x0bad, sampleFrame(301, 4));
  writer.section([{ linkType: 101, timestampResolution: 0x80 | 20, timestampOffsetSeconds: 1_000 }]);
  writer.block(4, new Uint8Array(4));
  writer.packet(0, 1_700_000_002, 500_000_000, sampleFrame(3, 5));
  return writer.finish();
}

/** A file as one Zstandard frame of stored (uncompressed) blocks, RFC 8878; what fzstd needs no compressor for. */
export function storedZstd(file: Uint8Array, blockBytes = 100_000): Uint8Array {
  // Magic, descriptor without content size or checksum, window descriptor of 2 MiB.
  const parts: Uint8Array[] = [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 11 << 3)];
  for (let at = 0; at === 0 || at < file.length; at += blockBytes) {
    const block = file.subarray(at, at + blockBytes);
    const header = (block.length << 3) | (at + blockBytes >= file.length ? 1 : 0);
    parts.push(Uint8Array.of(header & 0xff, (header >>> 8) & 0xff, header >>> 16), block);
  }
  return new Uint8Array(Buffer.concat(parts));
}
