/**
 * CaptureFramer finds the records of a capture file in pieces of its bytes: pcap (all four magics, Kuznetzov's and
 * IXIA's variants) and pcapng. It copies nothing and decodes nothing.
 *
 * Contract: bytes are hostile; nothing here throws on them, reads past `length`, or loops without advancing. However a
 * file is cut into pieces, the frames, the damage and the final state are the same.
 */
import { CaptureFormat, linkTypeUnknown, type CaptureState } from './capture-state.js';
import { CaptureDamage } from './damage.js';
import { FrameFlag, type FrameTable } from './frame-table.js';
import { PcapngBlocks } from './pcapng-blocks.js';
import { blockBytesMax } from './limits.js';

/** Most bytes a record can take, and so the most a caller must be able to hold at once. */
export const recordBytesMax = blockBytesMax + 64;

/** A pcap record above this is impossible, whatever the snap length says (tshark refuses most above 256 KiB). */
const pcapCapturedBytesMax = 16 * 1024 * 1024;
/** A snap length below this does not bind: many writers put nonsense there. libpcap's MAXIMUM_SNAPLEN. */
const pcapCapturedBytesMin = 262_144;

/** Longer pieces are framed up to here: offsets in the hot loops are signed 32-bit numbers. */
const pieceBytesMax = 1 << 30;

const fileHeaderBytes = 24;

/** Magics as a little-endian machine reads them. */
const Magic = {
  Microseconds: 0xa1b2c3d4,
  Nanoseconds: 0xa1b23c4d,
  /** Alexey Kuznetzov's patch: record headers of 24 bytes. */
  Kuznetzov: 0xa1b2cd34,
  /** IXIA lcap, hardware and software: nanoseconds, and four more bytes (size of all records) in the file header. */
  IxiaHardware: 0x1c0001ac,
  IxiaSoftware: 0x1c0001ab,
  /** pcapng Section Header Block; the same in both byte orders. */
  Section: 0x0a0d0d0a,
} as const;

const swap32 = (value: number): number =>
  ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff0000) | (value << 24)) >>> 0;

const isPcapMagic = (value: number): boolean =>
  value === Magic.Microseconds ||
  value === Magic.Nanoseconds ||
  value === Magic.Kuznetzov ||
  value === Magic.IxiaHardware ||
  value === Magic.IxiaSoftware;

/** See the module comment. One per thread and file; all that must outlive a call stands in the CaptureState. */
export class CaptureFramer {
  readonly state: CaptureState;
  /**
   * After a call that stopped because a record is not whole in the bytes: how many bytes, from where it stopped, the
   * next step needs (at most recordBytesMax). 0 when it stopped for another reason (table full, all consumed, fatal).
   */
  neededBytes = 0;
  private readonly blocks: PcapngBlocks;

  constructor(state: CaptureState) {
    this.state = state;
    this.blocks = new PcapngBlocks(state);
  }

  /**
   * Frame the records that are whole in `bytes`. The table is filled anew (`out.count` starts at 0).
   *
   * @param bytes the file's bytes from `fileOffset` on
   * @param length how many of them are valid
   * @param fileOffset where in the (decompressed) file they start; must be `state.nextOffset`
   * @param atEnd the file ends with them: a cut record is damage (TruncatedFile at its start) and is consumed
   * @param out where the frames go; when it is full the call stops
   * @returns bytes consumed; the next call starts there. With atEnd, call again until state.ended or state.fatal.
   * @throws RangeError when the caller breaks the contract (length, offset), never for what the bytes hold
   */
  frame(bytes: Uint8Array, length: number, fileOffset: number, atEnd: boolean, out: FrameTable): number {
    const state = this.state;
    if (length < 0 || length > bytes.length) throw new RangeError(`length ${length} of ${bytes.length} bytes`);
    if (fileOffset !== state.nextOffset) {
      throw new RangeError(`framing must go on at byte ${state.nextOffset}, not ${fileOffset}`);
    }
    out.count = 0;
    this.neededBytes = 0;
    if (state.fatal || state.ended) return 0;

    if (length > pieceBytesMax) return this.frame(bytes, pieceBytesMax, fileOffset, false, out);
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    let at = 0;
    if (state.format === CaptureFormat.Unknown) {
      at = this.fileHeader(view, length);
      if (state.format === CaptureFormat.Unknown || state.fatal) {
        if (atEnd) this.endInHeader(view, length);
        return 0;
      }
    }
    if (state.format === CaptureFormat.Pcap) {
      at = this.records(view, at, length, fileOffset, out);
      const { count, seconds, nanoseconds } = out;
      out.linkType.fill(state.linkType, 0, count);
      out.interfaceId.fill(0, 0, count);
      if (count > 0) state.setLastTimestamp(seconds[count - 1]!, nanoseconds[count - 1]!);
    } else {
      at = this.blocks.frame(view, at, length, fileOffset, out);
      this.neededBytes = this.blocks.neededBytes;
    }
    state.frames += out.count;

    if (atEnd && !state.fatal && (at === length || this.neededBytes > 0)) {
      state.ended = true;
      if (state.format === CaptureFormat.Pcapng && state.sections === 0) {
        state.setFatal(CaptureDamage.TruncatedFile, 0);
      } else if (at < length || state.skipLength > 0) {
        state.recordDamage(CaptureDamage.TruncatedFile, state.skipLength > 0 ? state.skipStart : fileOffset + at);
        at = length;
        this.neededBytes = 0;
      }
    }
    state.nextOffset = fileOffset + at;
    return at;
  }

  /** The whole file is shorter than its own header. */
  private endInHeader(view: DataView, length: number): void {
    const state = this.state;
    if (state.fatal) return;
    if (length === 0) state.setFatal(CaptureDamage.EmptyFile, 0);
    else if (length < 4) {
      let magic = 0;
      for (let i = 0; i < 4; i += 1) magic = magic * 256 + (i < length ? view.getUint8(i) : 0);
      state.setFatal(CaptureDamage.UnknownFormat, 0, magic);
    } else state.setFatal(CaptureDamage.TruncatedFile, 0);
    this.neededBytes = 0;
  }

  /** Recognise the file. Returns bytes consumed; state.format stays Unknown when more bytes are needed. */
  private fileHeader(view: DataView, length: number): number {
    const state = this.state;
    if (length < 4) {
      this.neededBytes = fileHeaderBytes;
      return 0;
    }
    const little = view.getUint32(0, true);
    if (little === Magic.Section) {
      state.format = CaptureFormat.Pcapng;
      return 0;
    }
    const big = swap32(little);
    const magic = isPcapMagic(little) ? little : big;
    if (!isPcapMagic(magic)) {
      state.setFatal(CaptureDamage.UnknownFormat, 0, big);
      return 0;
    }
    const ixia = magic === Magic.IxiaHardware || magic === Magic.IxiaSoftware;
    const headerBytes = ixia ? fileHeaderBytes + 4 : fileHeaderBytes;
    if (length < headerBytes) {
      this.neededBytes = headerBytes;
      return 0;
    }
    const le = magic === little;
    const major = view.getUint16(4, le);
    const minor = view.getUint16(6, le);
    if (major < 2) {
      state.setFatal(CaptureDamage.UnsupportedVersion, 4, major, minor);
      return 0;
    }
    const snapLength = view.getUint32(16, le);
    const network = view.getUint32(20, le);
    state.littleEndian = le;
    state.nanosecond = ixia || magic === Magic.Nanoseconds;
    state.recordHeaderBytes = magic === Magic.Kuznetzov ? 24 : 16;
    state.versionMajor = major;
    state.versionMinor = minor;
    state.snapLength = snapLength;
    // Before 2.3 the lengths stood the other way round; 2.3 files exist both ways (libpcap sf-pcap.c has the history).
    state.lengthOrder = (major === 2 && minor < 3) || major === 543 ? 2 : major === 2 && minor === 3 ? 1 : 0;
    state.recordBytesMax = Math.min(pcapCapturedBytesMax, Math.max(pcapCapturedBytesMin, snapLength));
    // draft-ietf-opsawg-pcap section 4: 16 bits of LINKTYPE, 10 reserved, the P bit, and the FCS length in 16-bit words.
    state.linkType = (network & 0x03ff0000) === 0 ? network & 0xffff : linkTypeUnknown;
    state.fcsBytes = (network & 0x04000000) === 0 ? 0 : (network >>> 28) * 2;
    state.format = CaptureFormat.Pcap;
    return headerBytes;
  }

  /** pcap records from `start` on: the hot loop. */
  private records(view: DataView, start: number, length: number, fileOffset: number, out: FrameTable): number {
    const state = this.state;
    const le = state.littleEndian;
    // What comes out of the shared state is no machine integer unless it is said; `neededBytes` would change its kind by it.
    const headerBytes = state.recordHeaderBytes | 0;
    const nanosecond = state.nanosecond;
    const fractionMax = nanosecond ? 999_999_999 : 999_999;
    const scale = nanosecond ? 1 : 1_000;
    const capturedMax = state.recordBytesMax;
    const lengthOrder = state.lengthOrder;
    const { capacity, offset, capturedLength, wireLength, seconds, nanoseconds, flags } = out;

    // Signed 32-bit reads keep everything in machine integers (a third of the time of getUint32): a length from 2^31 on
    // is negative, and a piece is below 2^31 bytes.
    let at = start;
    let count = 0;
    let needed = 0;
    while (count < capacity && at < length) {
      const data = (at + headerBytes) | 0;
      if (data > length) {
        needed = headerBytes;
        break;
      }
      let captured = view.getInt32(at + 8, le);
      let wire = view.getInt32(at + 12, le);
      if (lengthOrder !== 0 && (lengthOrder === 2 || captured >>> 0 > wire >>> 0)) {
        const other = captured;
        captured = wire;
        wire = other;
      }
      if (captured < 0 || captured > capturedMax) {
        state.setFatal(CaptureDamage.BadRecordLength, fileOffset + at, captured >>> 0, capturedMax);
        break;
      }
      const next = (data + captured) | 0;
      if (next > length) {
        needed = (next - at) | 0;
        break;
      }
      let fraction = view.getInt32(at + 4, le);
      let flag = 0;
      if (fraction < 0 || fraction > fractionMax) {
        fraction = fractionMax;
        flag = FrameFlag.TimestampClamped;
        state.recordDamage(CaptureDamage.TimestampOutOfRange, fileOffset + at);
      }
      if (wire >= 0 && captured > wire) {
        flag |= FrameFlag.CapturedOverWire;
        state.recordDamage(CaptureDamage.CapturedOverWire, fileOffset + at);
      }
      offset[count] = data;
      capturedLength[count] = captured;
      wireLength[count] = wire;
      seconds[count] = view.getInt32(at, le);
      nanoseconds[count] = Math.imul(fraction, scale);
      flags[count] = flag;
      count = (count + 1) | 0;
      at = next;
    }
    out.count = count;
    this.neededBytes = needed;
    return at;
  }
}
