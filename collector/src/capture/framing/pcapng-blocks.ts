/**
 * pcapng blocks (draft-ietf-opsawg-pcapng): packets become rows, section headers and interface descriptions become
 * state, everything else is skipped by its length, over as many pieces as it takes.
 */
import { interfacesPerSectionMax, type CaptureState } from './capture-state.js';
import { CaptureDamage } from './damage.js';
import { FrameFlag, type FrameTable } from './frame-table.js';
import { blockBytesMax } from './limits.js';
import { TimestampConverter } from './timestamp.js';

/** Block types that are read; draft-ietf-opsawg-pcapng section 4 and appendix A (the obsolete Packet Block). */
export const BlockType = {
  Section: 0x0a0d0d0a,
  Interface: 1,
  ObsoletePacket: 2,
  SimplePacket: 3,
  EnhancedPacket: 6,
} as const;

/** Byte-order magic in the section header, as a machine of the section's own order reads it. */
export const byteOrderMagic = 0x1a2b3c4d;

const OptionCode = { End: 0, TimestampResolution: 9, TimestampOffset: 14 } as const;
const resolutionDefault = 6;

/** Shortest whole block of each kind that is read. */
const sectionBytesMin = 28;
const interfaceBytesMin = 20;
const packetBytesMin = 32;
const simpleBytesMin = 16;
const blockBytesMin = 12;

/** Some writers leave the padding out of a block's lengths (but write it): tshark rounds them up, and so do we. */
const padded = (length: number): number => length + (-length & 3);

/** Walks blocks for CaptureFramer; holds nothing that must outlive a call. */
export class PcapngBlocks {
  /** As CaptureFramer.neededBytes. */
  neededBytes = 0;
  private readonly state: CaptureState;
  private readonly clock = new TimestampConverter();
  private lastSeconds = 0;
  private lastNanoseconds = 0;
  private timestampSeen = false;

  constructor(state: CaptureState) {
    this.state = state;
  }

  /** As CaptureFramer.frame, for pcapng and without the end of the file. Returns where it stopped. */
  frame(view: DataView, start: number, length: number, fileOffset: number, out: FrameTable): number {
    const state = this.state;
    this.lastSeconds = state.lastSeconds;
    this.lastNanoseconds = state.lastNanoseconds;
    this.timestampSeen = state.timestampSeen;
    const at = this.walk(view, start, length, fileOffset, out);
    if (this.timestampSeen) state.setLastTimestamp(this.lastSeconds, this.lastNanoseconds);
    return at;
  }

  private walk(view: DataView, start: number, length: number, fileOffset: number, out: FrameTable): number {
    const state = this.state;
    const capacity = out.capacity;
    let at = start;
    let le = state.littleEndian;
    this.neededBytes = 0;
    while (out.count < capacity && (at < length || state.skipLength > 0)) {
      if (state.skipLength > 0) {
        at = this.skip(view, at, length, le);
        if (this.neededBytes > 0 || state.fatal) break;
        continue;
      }
      at = this.packets(view, at, length, le, out);
      if (out.count === capacity || at === length) break;
      if (length - at < 8) {
        this.neededBytes = 8;
        break;
      }
      const type = view.getUint32(at, le);
      if (type === BlockType.Section) {
        if (length - at < 12) {
          this.neededBytes = 12;
          break;
        }
        const magic = view.getUint32(at + 8, true);
        if (magic === byteOrderMagic) le = true;
        else if (view.getUint32(at + 8, false) === byteOrderMagic) le = false;
        else {
          state.setFatal(CaptureDamage.BadByteOrder, fileOffset + at, view.getUint32(at + 8, false));
          break;
        }
      }
      const blockLength = view.getUint32(at + 4, le);
      const whole = padded(blockLength);
      const bytesMin = this.bytesMin(type);
      if (blockLength < bytesMin || (bytesMin > blockBytesMin && blockLength > blockBytesMax)) {
        state.setFatal(CaptureDamage.BadBlockLength, fileOffset + at, blockLength, type);
        break;
      }
      const end = at + whole;
      if (bytesMin === blockBytesMin) {
        // Nothing in it is needed: its middle may lie outside this piece.
        state.skipStart = fileOffset + at;
        state.skipLength = blockLength;
        state.skipRemaining = whole - 4;
        continue;
      }
      if (end > length) {
        // A section of another version is refused before its end is waited for.
        if (type === BlockType.Section && !this.versionFits(view, at, length, le, fileOffset)) break;
        this.neededBytes = whole;
        break;
      }
      if (type === BlockType.Section && !this.versionFits(view, at, length, le, fileOffset)) break;
      const trailer = view.getUint32(end - 4, le);
      if (padded(trailer) !== whole) {
        state.setFatal(CaptureDamage.BlockLengthMismatch, fileOffset + at, blockLength, trailer);
        break;
      }
      if (type === BlockType.EnhancedPacket) {
        this.packet(view, at, end, le, view.getUint32(at + 8, le), fileOffset, out);
      } else if (type === BlockType.SimplePacket) {
        this.simplePacket(view, at, end, le, fileOffset, out);
      } else if (type === BlockType.ObsoletePacket) {
        this.packet(view, at, end, le, view.getUint16(at + 8, le), fileOffset, out);
      } else if (type === BlockType.Interface) {
        this.interfaceDescription(view, at, end, le, fileOffset);
      } else {
        state.beginSection(le, view.getUint16(at + 12, le), view.getUint16(at + 14, le));
      }
      at = end;
    }
    return at;
  }

  /**
   * The hot loop: Enhanced Packet Blocks as long as nothing is odd about them. Returns where it stopped; `walk` deals
   * with the block there, whatever it is. Signed reads as in CaptureFramer's loop.
   */
  private packets(view: DataView, start: number, length: number, le: boolean, out: FrameTable): number {
    const { state, clock } = this;
    const { capacity, offset, capturedLength, wireLength, seconds, nanoseconds, linkType, flags, interfaceId } = out;
    const interfaces = Math.min(state.interfaceCount, interfacesPerSectionMax) | 0;
    let id = -1;
    let idLinkType = 0;
    let idResolution = 0;
    let idOffset = 0;
    let at = start;
    let count = out.count;
    while (count < capacity && length - at >= packetBytesMin) {
      if (view.getInt32(at, le) !== BlockType.EnhancedPacket) break;
      const blockLength = view.getInt32(at + 4, le);
      if (blockLength < packetBytesMin || blockLength > blockBytesMax || (blockLength & 3) !== 0) break;
      const end = (at + blockLength) | 0;
      if (end > length || view.getInt32(end - 4, le) !== blockLength) break;
      const blockId = view.getInt32(at + 8, le);
      if (blockId !== id) {
        if (blockId < 0 || blockId >= interfaces) break;
        id = blockId;
        idLinkType = state.interfaceLinkType(id);
        idResolution = state.interfaceResolution(id);
        idOffset = state.interfaceOffsetSeconds(id);
      }
      const captured = view.getInt32(at + 20, le);
      const wire = view.getInt32(at + 24, le);
      if (captured < 0 || captured > blockLength - packetBytesMin || (wire >= 0 && captured > wire)) break;
      if (!clock.convert(view.getUint32(at + 12, le), view.getUint32(at + 16, le), idResolution, idOffset)) break;
      offset[count] = at + 28;
      capturedLength[count] = captured;
      wireLength[count] = wire;
      seconds[count] = clock.seconds;
      nanoseconds[count] = clock.nanoseconds;
      linkType[count] = idLinkType;
      flags[count] = 0;
      interfaceId[count] = id;
      count = (count + 1) | 0;
      at = end;
    }
    if (count > out.count) {
      out.count = count;
      this.lastSeconds = seconds[count - 1]!;
      this.lastNanoseconds = nanoseconds[count - 1]!;
      this.timestampSeen = true;
    }
    return at;
  }

  private bytesMin(type: number): number {
    if (type === BlockType.EnhancedPacket || type === BlockType.ObsoletePacket) return packetBytesMin;
    if (type === BlockType.SimplePacket) return simpleBytesMin;
    if (type === BlockType.Interface) return interfaceBytesMin;
    if (type === BlockType.Section) return sectionBytesMin;
    return blockBytesMin;
  }

  /** Step over (more of) the block being skipped, then check its trailing length. */
  private skip(view: DataView, start: number, length: number, le: boolean): number {
    const state = this.state;
    const step = Math.min(state.skipRemaining, length - start);
    const at = start + step;
    state.skipRemaining -= step;
    if (state.skipRemaining > 0 || length - at < 4) {
      this.neededBytes = state.skipRemaining > 0 ? 1 : 4;
      return at;
    }
    const trailer = view.getUint32(at, le);
    const blockLength = state.skipLength;
    state.skipLength = 0;
    if (padded(trailer) !== padded(blockLength)) {
      state.setFatal(CaptureDamage.BlockLengthMismatch, state.skipStart, blockLength, trailer);
      return at;
    }
    return at + 4;
  }

  private versionFits(view: DataView, at: number, length: number, le: boolean, fileOffset: number): boolean {
    if (length - at < 16) return true;
    const major = view.getUint16(at + 12, le);
    if (major === 1) return true;
    this.state.setFatal(CaptureDamage.UnsupportedVersion, fileOffset + at + 12, major, view.getUint16(at + 14, le));
    return false;
  }

  /** Interface Description Block, section 4.2. Options other than time resolution and offset do not matter here. */
  private interfaceDescription(view: DataView, at: number, end: number, le: boolean, fileOffset: number): void {
    const state = this.state;
    let resolution: number = resolutionDefault;
    let offsetHigh = 0;
    let offsetLow = 0;
    let bad = false;
    const optionsEnd = end - 4;
    let option = at + 16;
    while (option + 4 <= optionsEnd) {
      const code = view.getUint16(option, le);
      const bytes = view.getUint16(option + 2, le);
      if (code === OptionCode.End) break;
      const value = option + 4;
      if (value + bytes > optionsEnd) {
        bad = true;
        break;
      }
      if (code === OptionCode.TimestampResolution) {
        if (bytes === 1) resolution = view.getUint8(value);
        else bad = true;
      } else if (code === OptionCode.TimestampOffset) {
        if (bytes === 8) {
          offsetHigh = view.getUint32(value + (le ? 4 : 0), le);
          offsetLow = view.getUint32(value + (le ? 0 : 4), le);
        } else bad = true;
      }
      option = value + bytes + (-bytes & 3);
    }
    if (bad) state.recordDamage(CaptureDamage.BadInterfaceBlock, fileOffset + at);
    const linkType = view.getUint16(at + 8, le);
    const kept = state.addInterface(linkType, view.getUint32(at + 12, le), resolution, offsetHigh, offsetLow);
    if (!kept) state.recordDamage(CaptureDamage.InterfaceLimit, fileOffset + at);
  }

  /** Whether packets of this interface can be read; counts those that cannot. */
  private interfaceKnown(id: number, place: number): boolean {
    if (id < this.state.interfaceCount) {
      if (id < interfacesPerSectionMax) return true;
      this.state.recordDamage(CaptureDamage.InterfaceLimit, place);
    } else {
      this.state.recordDamage(CaptureDamage.UnknownInterface, place);
    }
    return false;
  }

  /** Enhanced Packet Block (section 4.3) and the obsolete Packet Block, which share all but the interface number. */
  private packet(
    view: DataView,
    at: number,
    end: number,
    le: boolean,
    id: number,
    fileOffset: number,
    out: FrameTable,
  ): void {
    const state = this.state;
    if (!this.interfaceKnown(id, fileOffset + at)) return;
    const captured = view.getUint32(at + 20, le);
    const wire = view.getUint32(at + 24, le);
    const data = at + 28;
    if (captured > end - 4 - data) {
      state.recordDamage(CaptureDamage.BadPacketBlock, fileOffset + at);
      return;
    }
    const clock = this.clock;
    let flag = 0;
    const high = view.getUint32(at + 12, le);
    const low = view.getUint32(at + 16, le);
    if (!clock.convert(high, low, state.interfaceResolution(id), state.interfaceOffsetSeconds(id))) {
      flag = FrameFlag.TimestampClamped;
      state.recordDamage(CaptureDamage.TimestampOutOfRange, fileOffset + at);
    }
    this.lastSeconds = clock.seconds;
    this.lastNanoseconds = clock.nanoseconds;
    this.timestampSeen = true;
    this.row(out, data, captured, wire, state.interfaceLinkType(id), id, flag, fileOffset + at);
  }

  /** Simple Packet Block, section 4.4: interface 0, no time, captured length only from the snap length. */
  private simplePacket(
    view: DataView,
    at: number,
    end: number,
    le: boolean,
    fileOffset: number,
    out: FrameTable,
  ): void {
    const state = this.state;
    if (!this.interfaceKnown(0, fileOffset + at)) return;
    const wire = view.getUint32(at + 8, le);
    const snapLength = state.interfaceSnapLength(0);
    const captured = snapLength > 0 && snapLength < wire ? snapLength : wire;
    const data = at + 12;
    if (captured > end - 4 - data) {
      state.recordDamage(CaptureDamage.BadPacketBlock, fileOffset + at);
      return;
    }
    state.framesWithoutTimestamp += 1;
    this.row(out, data, captured, wire, state.interfaceLinkType(0), 0, FrameFlag.NoTimestamp, fileOffset + at);
  }

  private row(
    out: FrameTable,
    data: number,
    captured: number,
    wire: number,
    linkType: number,
    id: number,
    flag: number,
    place: number,
  ): void {
    const row = out.count;
    let flags = flag;
    if (captured > wire) {
      flags |= FrameFlag.CapturedOverWire;
      this.state.recordDamage(CaptureDamage.CapturedOverWire, place);
    }
    out.offset[row] = data;
    out.capturedLength[row] = captured;
    out.wireLength[row] = wire;
    out.seconds[row] = this.lastSeconds;
    out.nanoseconds[row] = this.lastNanoseconds;
    out.linkType[row] = linkType;
    out.flags[row] = flags;
    out.interfaceId[row] = id;
    out.count = row + 1;
  }
}
