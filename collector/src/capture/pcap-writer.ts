/**
 * Writers for pcap and pcapng, for the sample generator and for tests. They write what they are told, also nonsense
 * (a wire length below the captured one), because tests need it; they are no hot path.
 */
import { BlockType, byteOrderMagic } from './framing/pcapng-blocks.js';

/** A growing byte buffer in either byte order. */
class ByteWriter {
  private bytes = new Uint8Array(4_096);
  private view = new DataView(this.bytes.buffer);
  private readonly littleEndian: boolean;
  length = 0;

  constructor(bigEndian: boolean) {
    this.littleEndian = !bigEndian;
  }

  u16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, value, this.littleEndian);
    this.length += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, this.littleEndian);
    this.length += 4;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Zero bytes up to the next multiple of four. */
  pad(): void {
    const padding = -this.length & 3;
    this.reserve(padding);
    this.bytes.fill(0, this.length, this.length + padding);
    this.length += padding;
  }

  /** Hand out the bytes so far as an own copy and start anew. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.length);
    this.length = 0;
    return taken;
  }

  private reserve(more: number): void {
    const wanted = this.length + more;
    if (wanted <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** How a pcap file is written; draft-ietf-opsawg-pcap section 4. */
export interface PcapWriterOptions {
  /** LINKTYPE_ value, or the whole 32-bit field with FCS bits; 1 (Ethernet) without it */
  readonly linkType?: number;
  /** record times in nanoseconds instead of microseconds */
  readonly nanoseconds?: boolean;
  readonly bigEndian?: boolean;
  /** frames are cut to this many bytes; 262,144 without it */
  readonly snapLength?: number;
}

/** Writes a pcap file: `packet` per frame, then `finish`; or `take` now and then to write a large file in parts. */
export class PcapWriter {
  private readonly out: ByteWriter;
  private readonly nanoseconds: boolean;
  private readonly snapLength: number;

  constructor(options: PcapWriterOptions = {}) {
    this.nanoseconds = options.nanoseconds ?? false;
    this.snapLength = options.snapLength ?? 262_144;
    this.out = new ByteWriter(options.bigEndian ?? false);
    this.out.u32(this.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
    this.out.u16(2);
    this.out.u16(4);
    this.out.u32(0);
    this.out.u32(0);
    this.out.u32(this.snapLength);
    this.out.u32(options.linkType ?? 1);
  }

  /**
   * @param seconds, nanoseconds time since the epoch; a microsecond file drops what is finer
   * @param bytes the frame, cut to the snap length when longer
   * @param wireLength length on the wire, bytes.length without it
   */
  packet(seconds: number, nanoseconds: number, bytes: Uint8Array, wireLength = bytes.length): void {
    const captured = bytes.length > this.snapLength ? bytes.subarray(0, this.snapLength) : bytes;
    this.out.u32(seconds);
    this.out.u32(this.nanoseconds ? nanoseconds : Math.floor(nanoseconds / 1_000));
    this.out.u32(captured.length);
    this.out.u32(wireLength);
    this.out.raw(captured);
  }

  /** Bytes written since the last `take`; the file is all of them in order. */
  take(): Uint8Array {
    return this.out.take();
  }

  /** The (rest of the) file. */
  finish(): Uint8Array {
    return this.out.take();
  }
}

/** One interface of a pcapng section; draft-ietf-opsawg-pcapng section 4.2. */
export interface PcapngInterface {
  /** LINKTYPE_ value; 1 (Ethernet) without it */
  readonly linkType?: number;
  /** bytes, 0 = no limit; binds Simple Packet Blocks of interface 0 and cuts other packets */
  readonly snapLength?: number;
  /** if_tsresol octet: n for 10^-n s, 0x80 | n for 2^-n s; 6 (and no option) without it */
  readonly timestampResolution?: number;
  /** if_tsoffset, whole seconds that are left out of the packets' times */
  readonly timestampOffsetSeconds?: number;
}

/** How a pcapng file is written. */
export interface PcapngWriterOptions {
  readonly bigEndian?: boolean;
  /** interfaces of the first section; one Ethernet interface without it */
  readonly interfaces?: readonly PcapngInterface[];
}

/** Writes a pcapng file: sections, interfaces, Enhanced and Simple Packet Blocks, and any other block as raw bytes. */
export class PcapngWriter {
  private readonly out: ByteWriter;
  private readonly bigEndian: boolean;
  private interfaces: PcapngInterface[] = [];

  constructor(options: PcapngWriterOptions = {}) {
    this.bigEndian = options.bigEndian ?? false;
    this.out = new ByteWriter(this.bigEndian);
    this.section(options.interfaces ?? [{}]);
  }

  /** Begin a section; interfaces are numbered from 0 again. */
  section(interfaces: readonly PcapngInterface[] = []): void {
    const body = new ByteWriter(this.bigEndian);
    body.u32(byteOrderMagic);
    body.u16(1);
    body.u16(0);
    body.u32(0xffffffff); // section length not given
    body.u32(0xffffffff);
    this.block(BlockType.Section, body.take());
    this.interfaces = [];
    for (const description of interfaces) this.interface(description);
  }

  /** Describe an interface; returns its number in the section. */
  interface(description: PcapngInterface): number {
    const body = new ByteWriter(this.bigEndian);
    body.u16(description.linkType ?? 1);
    body.u16(0);
    body.u32(description.snapLength ?? 0);
    if (description.timestampResolution !== undefined) {
      body.u16(9);
      body.u16(1);
      body.raw(Uint8Array.of(description.timestampResolution));
      body.pad();
    }
    if (description.timestampOffsetSeconds !== undefined) {
      body.u16(14);
      body.u16(8);
      this.u64(body, BigInt.asUintN(64, BigInt(description.timestampOffsetSeconds)));
    }
    body.u16(0);
    body.u16(0);
    this.block(BlockType.Interface, body.take());
    return this.interfaces.push(description) - 1;
  }

  /**
   * Enhanced Packet Block.
   *
   * @param interfaceId as `interface` returned it
   * @param seconds, nanoseconds time since the epoch; dropped to the interface's resolution
   * @throws RangeError for an interface that was not described, or a time before its offset
   */
  packet(
    interfaceId: number,
    seconds: number,
    nanoseconds: number,
    bytes: Uint8Array,
    wireLength = bytes.length,
  ): void {
    const description = this.interfaces[interfaceId];
    if (!description) throw new RangeError(`interface ${interfaceId} was not described`);
    const since = BigInt(seconds) - BigInt(description.timestampOffsetSeconds ?? 0);
    if (since < 0n) throw new RangeError(`time ${seconds} s is before the interface's offset`);
    const resolution = description.timestampResolution ?? 6;
    const units = (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
    // Rounded up, so that reading (which rounds down) gives these nanoseconds back when units are finer than that.
    const time =
      since * units + (BigInt(nanoseconds) * units + (units > 1_000_000_000n ? 999_999_999n : 0n)) / 1_000_000_000n;
    this.rawPacket(interfaceId, BigInt.asUintN(64, time), this.cut(description, bytes), wireLength);
  }

  /** Enhanced Packet Block with the 64-bit time as the file is to hold it; the interface need not exist. */
  rawPacket(interfaceId: number, time: bigint, bytes: Uint8Array, wireLength = bytes.length): void {
    const body = new ByteWriter(this.bigEndian);
    body.u32(interfaceId);
    body.u32(Number(time >> 32n));
    body.u32(Number(time & 0xffffffffn));
    body.u32(bytes.length);
    body.u32(wireLength);
    body.raw(bytes);
    this.block(BlockType.EnhancedPacket, body.take());
  }

  /** Simple Packet Block: interface 0, no time. */
  simplePacket(bytes: Uint8Array, wireLength = bytes.length): void {
    const body = new ByteWriter(this.bigEndian);
    body.u32(wireLength);
    body.raw(this.cut(this.interfaces[0] ?? {}, bytes));
    this.block(BlockType.SimplePacket, body.take());
  }

  /** Any block: type, both lengths and padding are added to the body. */
  block(type: number, body: Uint8Array): void {
    const length = 12 + body.length + (-body.length & 3);
    this.out.u32(type);
    this.out.u32(length);
    this.out.raw(body);
    this.out.pad();
    this.out.u32(length);
  }

  /** Bytes written since the last `take`; the file is all of them in order. */
  take(): Uint8Array {
    return this.out.take();
  }

  /** The (rest of the) file. */
  finish(): Uint8Array {
    return this.out.take();
  }

  private cut(description: PcapngInterface, bytes: Uint8Array): Uint8Array {
    const snapLength = description.snapLength ?? 0;
    return snapLength > 0 && bytes.length > snapLength ? bytes.subarray(0, snapLength) : bytes;
  }

  private u64(out: ByteWriter, value: bigint): void {
    const high = Number(value >> 32n);
    const low = Number(value & 0xffffffffn);
    out.u32(this.bigEndian ? high : low);
    out.u32(this.bigEndian ? low : high);
  }
}
