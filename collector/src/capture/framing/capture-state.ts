/**
 * CaptureState: everything a CaptureFramer must remember between two pieces of one file, in one buffer.
 *
 * Several threads read one file in turns, so the state is numbers in an ArrayBuffer or SharedArrayBuffer and nothing
 * else. Contract: only one thread touches it at a time, and whoever passes the turn orders the memory (Atomics). A
 * zeroed buffer is the state before the first byte. Counters are doubles: they do not wrap at 2^32.
 */
import { captureDamageNames, describeCaptureDamage, type CaptureDamageReason } from './damage.js';

/** Interfaces kept in a pcapng section, 16 bytes each; those beyond are counted. */
export const interfacesPerSectionMax = 4_096;

/** Damages of which the place is kept; the counters go on. */
export const damagePlacesMax = 16;

/** What `CaptureState.format` holds. */
export const CaptureFormat = { Unknown: 0, Pcap: 1, Pcapng: 2 } as const;

/** Link type of an interface whose description could not be read, or whose pcap field uses reserved bits. */
export const linkTypeUnknown = 0xffff;

/** One damage: why (CaptureDamage) and where, in bytes from the start of the (decompressed) file. */
export interface DamagePlace {
  readonly reason: number;
  readonly name: string;
  readonly offset: number;
}

const Field = {
  Format: 0,
  LittleEndian: 1,
  Nanosecond: 2,
  LinkType: 3,
  SnapLength: 4,
  FcsBytes: 5,
  RecordHeaderBytes: 6,
  LengthOrder: 7,
  RecordBytesMax: 8,
  VersionMajor: 9,
  VersionMinor: 10,
  Sections: 11,
  Interfaces: 12,
  LastSeconds: 13,
  LastNanoseconds: 14,
  Frames: 15,
  FramesWithoutTimestamp: 16,
  NextOffset: 17,
  SkipRemaining: 18,
  SkipLength: 19,
  SkipStart: 20,
  Ended: 21,
  FatalReason: 22,
  FatalOffset: 23,
  FatalDetail: 24,
  FatalDetail2: 25,
  Places: 26,
  TimestampSeen: 27,
} as const;
const fieldCount = 28;

const countsStart = fieldCount;
const placesStart = countsStart + captureDamageNames.length;
const doubles = placesStart + 2 * damagePlacesMax;
const interfaceWords = 4;
const bytes = doubles * 8 + interfacesPerSectionMax * interfaceWords * 4;

/** Views over the buffer that workers pass along; see the module comment for who may touch it when. */
export class CaptureState {
  /** Bytes of the buffer. */
  static readonly byteLength: number = bytes;

  readonly buffer: ArrayBufferLike;
  private readonly fields: Float64Array;
  private readonly interfaces: Uint32Array;

  /** @param buffer at least CaptureState.byteLength long, zeroed or a state's; a new one without it */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(bytes)) {
    if (buffer.byteLength < bytes) throw new RangeError(`capture state needs ${bytes} bytes, got ${buffer.byteLength}`);
    this.buffer = buffer;
    this.fields = new Float64Array(buffer, 0, doubles);
    this.interfaces = new Uint32Array(buffer, doubles * 8, interfacesPerSectionMax * interfaceWords);
  }

  /** CaptureFormat, known after the first four bytes. */
  get format(): number {
    return this.fields[Field.Format]!;
  }
  set format(value: number) {
    this.fields[Field.Format] = value;
  }

  /** Byte order of the pcap file or of the current pcapng section. */
  get littleEndian(): boolean {
    return this.fields[Field.LittleEndian] !== 0;
  }
  set littleEndian(value: boolean) {
    this.fields[Field.LittleEndian] = value ? 1 : 0;
  }

  /** pcap: the second half of a record's time counts nanoseconds, not microseconds. */
  get nanosecond(): boolean {
    return this.fields[Field.Nanosecond] !== 0;
  }
  set nanosecond(value: boolean) {
    this.fields[Field.Nanosecond] = value ? 1 : 0;
  }

  /** pcap: LINKTYPE_ value without the FCS bits. */
  get linkType(): number {
    return this.fields[Field.LinkType]!;
  }
  set linkType(value: number) {
    this.fields[Field.LinkType] = value;
  }

  /** pcap: snap length as written, 0 = none. */
  get snapLength(): number {
    return this.fields[Field.SnapLength]!;
  }
  set snapLength(value: number) {
    this.fields[Field.SnapLength] = value;
  }

  /** pcap: bytes of frame check sequence at the end of each frame, when the header says so; else 0. */
  get fcsBytes(): number {
    return this.fields[Field.FcsBytes]!;
  }
  set fcsBytes(value: number) {
    this.fields[Field.FcsBytes] = value;
  }

  /** pcap: 16, or 24 in Kuznetzov's variant. */
  get recordHeaderBytes(): number {
    return this.fields[Field.RecordHeaderBytes]!;
  }
  set recordHeaderBytes(value: number) {
    this.fields[Field.RecordHeaderBytes] = value;
  }

  /** pcap: 0 = captured length first, 1 = either way (the smaller is the captured one), 2 = wire length first. */
  get lengthOrder(): number {
    return this.fields[Field.LengthOrder]!;
  }
  set lengthOrder(value: number) {
    this.fields[Field.LengthOrder] = value;
  }

  /** pcap: captured bytes above this make a record impossible. */
  get recordBytesMax(): number {
    return this.fields[Field.RecordBytesMax]!;
  }
  set recordBytesMax(value: number) {
    this.fields[Field.RecordBytesMax] = value;
  }

  /** Version of the file or section. */
  get versionMajor(): number {
    return this.fields[Field.VersionMajor]!;
  }
  set versionMajor(value: number) {
    this.fields[Field.VersionMajor] = value;
  }
  get versionMinor(): number {
    return this.fields[Field.VersionMinor]!;
  }
  set versionMinor(value: number) {
    this.fields[Field.VersionMinor] = value;
  }

  /** pcapng: sections begun so far. */
  get sections(): number {
    return this.fields[Field.Sections]!;
  }
  /** pcapng: interfaces the current section has described, kept or not. */
  get interfaceCount(): number {
    return this.fields[Field.Interfaces]!;
  }

  /** Time of the last packet that had one, given to packets without; 0 before the first. */
  get lastSeconds(): number {
    return this.fields[Field.LastSeconds]!;
  }
  get lastNanoseconds(): number {
    return this.fields[Field.LastNanoseconds]!;
  }
  /** Whether any packet had a time yet. */
  get timestampSeen(): boolean {
    return this.fields[Field.TimestampSeen] !== 0;
  }
  /** Remember the time of the last packet that had one. */
  setLastTimestamp(seconds: number, nanoseconds: number): void {
    this.fields[Field.LastSeconds] = seconds;
    this.fields[Field.LastNanoseconds] = nanoseconds;
    this.fields[Field.TimestampSeen] = 1;
  }

  /** Frames handed out so far. */
  get frames(): number {
    return this.fields[Field.Frames]!;
  }
  set frames(value: number) {
    this.fields[Field.Frames] = value;
  }

  /** Frames among them that the file gave no time. */
  get framesWithoutTimestamp(): number {
    return this.fields[Field.FramesWithoutTimestamp]!;
  }
  set framesWithoutTimestamp(value: number) {
    this.fields[Field.FramesWithoutTimestamp] = value;
  }

  /** Where the next call must start, bytes from the start of the (decompressed) file: also where to resume. */
  get nextOffset(): number {
    return this.fields[Field.NextOffset]!;
  }
  set nextOffset(value: number) {
    this.fields[Field.NextOffset] = value;
  }

  /** pcapng: bytes still to skip of a block that needs no reading, up to its trailing length. */
  get skipRemaining(): number {
    return this.fields[Field.SkipRemaining]!;
  }
  set skipRemaining(value: number) {
    this.fields[Field.SkipRemaining] = value;
  }
  /** pcapng: the length the block being skipped began with; 0 = none is being skipped. */
  get skipLength(): number {
    return this.fields[Field.SkipLength]!;
  }
  set skipLength(value: number) {
    this.fields[Field.SkipLength] = value;
  }
  /** pcapng: where the block being skipped began. */
  get skipStart(): number {
    return this.fields[Field.SkipStart]!;
  }
  set skipStart(value: number) {
    this.fields[Field.SkipStart] = value;
  }

  /** The end of the file was seen and judged (a cut record there is recorded once). */
  get ended(): boolean {
    return this.fields[Field.Ended] !== 0;
  }
  set ended(value: boolean) {
    this.fields[Field.Ended] = value ? 1 : 0;
  }

  /** Reading cannot go on. */
  get fatal(): boolean {
    return this.fields[Field.FatalReason] !== 0;
  }
  /** Why (CaptureDamage), where, and the numbers found there. */
  get fatalReason(): number {
    return this.fields[Field.FatalReason]!;
  }
  get fatalOffset(): number {
    return this.fields[Field.FatalOffset]!;
  }
  get fatalDetail(): number {
    return this.fields[Field.FatalDetail]!;
  }
  get fatalDetail2(): number {
    return this.fields[Field.FatalDetail2]!;
  }

  /** Count a damage and keep its place if there is room. Also for who reads the bytes: ReadFailed, CompressedStream. */
  recordDamage(reason: CaptureDamageReason, offset: number): void {
    this.fields[countsStart + reason]! += 1;
    const places = this.fields[Field.Places]!;
    if (places >= damagePlacesMax) return;
    this.fields[placesStart + 2 * places] = reason;
    this.fields[placesStart + 2 * places + 1] = offset;
    this.fields[Field.Places] = places + 1;
  }

  /** Count a damage after which no record can be found. The first one stands. */
  setFatal(reason: CaptureDamageReason, offset: number, detail = 0, detail2 = 0): void {
    if (this.fatal) return;
    this.recordDamage(reason, offset);
    this.fields[Field.FatalReason] = reason;
    this.fields[Field.FatalOffset] = offset;
    this.fields[Field.FatalDetail] = detail;
    this.fields[Field.FatalDetail2] = detail2;
  }

  /** Damages of this reason so far. */
  damageCount(reason: CaptureDamageReason): number {
    return this.fields[countsStart + reason]!;
  }

  /** Damages of all reasons so far. */
  get damageTotal(): number {
    let total = 0;
    for (let reason = 1; reason < captureDamageNames.length; reason += 1) total += this.fields[countsStart + reason]!;
    return total;
  }

  /** Counts by name, without those that are 0. */
  damageByName(): Record<string, number> {
    const counts: Record<string, number> = {};
    captureDamageNames.forEach((name, reason) => {
      const count = this.fields[countsStart + reason]!;
      if (count > 0) counts[name] = count;
    });
    return counts;
  }

  /** The first damages in the order they were met, at most damagePlacesMax. */
  damagePlaces(): DamagePlace[] {
    const places: DamagePlace[] = [];
    for (let i = 0; i < this.fields[Field.Places]!; i += 1) {
      const reason = this.fields[placesStart + 2 * i]!;
      const offset = this.fields[placesStart + 2 * i + 1]!;
      places.push({ reason, name: captureDamageNames[reason] ?? 'none', offset });
    }
    return places;
  }

  /** One line for people on why reading stopped; empty when it did not. */
  describeFatal(): string {
    if (!this.fatal) return '';
    return describeCaptureDamage(this.fatalReason, this.fatalOffset, this.fatalDetail, this.fatalDetail2);
  }

  /** pcapng: a section begins; interfaces are numbered from 0 again. */
  beginSection(littleEndian: boolean, major: number, minor: number): void {
    this.littleEndian = littleEndian;
    this.versionMajor = major;
    this.versionMinor = minor;
    this.fields[Field.Sections]! += 1;
    this.fields[Field.Interfaces] = 0;
  }

  /**
   * pcapng: the next interface of the section.
   *
   * @param linkType LINKTYPE_ value
   * @param snapLength bytes, 0 = no limit
   * @param resolution if_tsresol octet: power of ten, or of two with the high bit
   * @param offsetHigh, offsetLow if_tsoffset, signed 64-bit seconds in two halves
   * @returns false when it is beyond interfacesPerSectionMax and was only counted
   */
  addInterface(
    linkType: number,
    snapLength: number,
    resolution: number,
    offsetHigh: number,
    offsetLow: number,
  ): boolean {
    const index = this.fields[Field.Interfaces]!;
    this.fields[Field.Interfaces] = index + 1;
    if (index >= interfacesPerSectionMax) return false;
    const base = index * interfaceWords;
    this.interfaces[base] = (resolution << 16) | linkType;
    this.interfaces[base + 1] = snapLength;
    this.interfaces[base + 2] = offsetHigh;
    this.interfaces[base + 3] = offsetLow;
    return true;
  }

  /** pcapng: link type of a kept interface. */
  interfaceLinkType(index: number): number {
    return this.interfaces[index * interfaceWords]! & 0xffff;
  }
  /** pcapng: snap length of a kept interface, 0 = none. */
  interfaceSnapLength(index: number): number {
    return this.interfaces[index * interfaceWords + 1]!;
  }
  /** pcapng: if_tsresol octet of a kept interface. */
  interfaceResolution(index: number): number {
    return (this.interfaces[index * interfaceWords]! >>> 16) & 0xff;
  }
  /** pcapng: if_tsoffset of a kept interface, seconds (exact up to 2^53). */
  interfaceOffsetSeconds(index: number): number {
    const base = index * interfaceWords;
    return (this.interfaces[base + 2]! | 0) * 4_294_967_296 + this.interfaces[base + 3]!;
  }
}
