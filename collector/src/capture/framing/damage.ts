/**
 * What can be wrong with a capture file, as small numbers, and the sentences that say so to people.
 *
 * Two kinds. Content damage costs one record or one value: the record lengths still agree, so reading goes on. Framing
 * damage is fatal: where the next record starts is unknown, so everything before it stays and nothing after is guessed.
 */

/** Reasons. Numbers are stored in CaptureState's buffer and never reused; 0 means none. */
export const CaptureDamage = {
  None: 0,
  /** The file (or compressed stream) ends inside a header or record. */
  TruncatedFile: 1,
  /** Nothing was in the file. Fatal. */
  EmptyFile: 2,
  /** The first bytes are no capture format that is read here. Fatal. */
  UnknownFormat: 3,
  /** A pcap or pcapng version that is not defined. Fatal. */
  UnsupportedVersion: 4,
  /** A pcap record claims more captured bytes than any capture holds. Fatal. */
  BadRecordLength: 5,
  /** A pcapng block is shorter than its fixed fields or longer than any block that must be read whole. Fatal. */
  BadBlockLength: 6,
  /** The two lengths of a pcapng block disagree. Fatal. */
  BlockLengthMismatch: 7,
  /** A pcapng section header without the byte-order magic. Fatal. */
  BadByteOrder: 8,
  /** Captured bytes do not fit in their pcapng packet block; the packet is left out. */
  BadPacketBlock: 9,
  /** A pcapng packet names an interface that its section did not describe; the packet is left out. */
  UnknownInterface: 10,
  /** A section describes more interfaces than are kept; packets of those beyond are left out. */
  InterfaceLimit: 11,
  /** An interface description or one of its options is cut or has a wrong length; defaults are used. */
  BadInterfaceBlock: 12,
  /** A record says it captured more bytes than were on the wire; both numbers are kept as they are. */
  CapturedOverWire: 13,
  /** Time outside 1970..2106, or a fraction of a second above one second; clamped. */
  TimestampOutOfRange: 14,
  /** The gzip or zstd stream is damaged; recorded by who reads the stream. */
  CompressedStream: 15,
  /** The operating system could not read on; recorded by who reads the file. */
  ReadFailed: 16,
} as const;

/** One of CaptureDamage's numbers. */
export type CaptureDamageReason = (typeof CaptureDamage)[keyof typeof CaptureDamage];

/** Names for CaptureDamage values, index = value; used in JSON, metrics and the API. */
export const captureDamageNames = [
  'none',
  'truncated_file',
  'empty_file',
  'unknown_format',
  'unsupported_version',
  'bad_record_length',
  'bad_block_length',
  'block_length_mismatch',
  'bad_byte_order',
  'bad_packet_block',
  'unknown_interface',
  'interface_limit',
  'bad_interface_block',
  'captured_over_wire',
  'timestamp_out_of_range',
  'compressed_stream',
  'read_failed',
] as const;

/** Other formats people hand in, by their first four bytes read as one big-endian number. */
const foreignMagics: ReadonlyMap<number, string> = new Map([
  [0xfd377a58, 'it is xz-compressed: decompress it first (xz -dc FILE | netspectra analyze -)'],
  [0x04224d18, 'it is lz4-compressed: decompress it first (lz4 -dc FILE | netspectra analyze -)'],
  [0x504b0304, 'it is a ZIP archive: unpack it first'],
  [0x28b52ffd, 'it is zstd inside another compression: decompress it once first'],
  [0x736e6f6f, 'it is a snoop capture: convert it first (editcap -F pcapng FILE OUT)'],
]);

function unknownFormatHint(magic: number): string {
  const known = foreignMagics.get(magic);
  if (known !== undefined) return known;
  if (magic >>> 16 === 0x1f8b) return 'it is gzip inside another compression: decompress it once first';
  if (magic >>> 8 === 0x425a68)
    return 'it is bzip2-compressed: decompress it first (bzip2 -dc FILE | netspectra analyze -)';
  return 'pcap and pcapng are read, plain or in gzip or zstd; convert others with: editcap -F pcapng FILE OUT';
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
const at = (offset: number): string => `at byte ${offset}`;
const before = 'everything before it was read';

/**
 * One line for people: what is wrong, where, what to do.
 *
 * @param reason a CaptureDamage number
 * @param offset byte offset in the (decompressed) file
 * @param detail, detail2 the numbers found there, as CaptureState.fatalDetail and fatalDetail2 keep them
 */
export function describeCaptureDamage(reason: number, offset: number, detail = 0, detail2 = 0): string {
  switch (reason) {
    case CaptureDamage.TruncatedFile:
      if (offset === 0)
        return 'the capture is cut inside its file header: nothing can be read from it, get a whole copy';
      return `the capture is cut: its last record, ${at(offset)}, is not whole; ${before}`;
    case CaptureDamage.EmptyFile:
      return 'the capture file is empty (0 bytes): check the program that wrote it, or name another file';
    case CaptureDamage.UnknownFormat:
      return `not a capture file: unknown magic ${hex(detail)} ${at(offset)}; ${unknownFormatHint(detail)}`;
    case CaptureDamage.UnsupportedVersion:
      return `format version ${detail}.${detail2} ${at(offset)} is not supported (pcap 2.x and pcapng 1.x are): convert the file with a current editcap`;
    case CaptureDamage.BadRecordLength:
      return `record ${at(offset)} claims ${detail} captured bytes, more than the limit of ${detail2}: the file is damaged there; ${before}`;
    case CaptureDamage.BadBlockLength:
      return `pcapng block ${at(offset)} (type ${hex(detail2)}) claims an impossible length of ${detail} bytes: the file is damaged there; ${before}`;
    case CaptureDamage.BlockLengthMismatch:
      return `pcapng block ${at(offset)} begins with length ${detail} and ends with length ${detail2}: the file is damaged there; ${before}`;
    case CaptureDamage.BadByteOrder:
      return `pcapng section header ${at(offset)} has the byte-order magic ${hex(detail)}, which is none: the file is damaged there; ${before}`;
    case CaptureDamage.BadPacketBlock:
      return `pcapng packet block ${at(offset)} is shorter than its own packet; that packet was left out`;
    case CaptureDamage.UnknownInterface:
      return `pcapng packet block ${at(offset)} names an interface that was never described; that packet was left out`;
    case CaptureDamage.InterfaceLimit:
      return `pcapng block ${at(offset)} belongs to an interface beyond the limit of interfaces in a section; its packets were left out`;
    case CaptureDamage.BadInterfaceBlock:
      return `pcapng interface description ${at(offset)} is cut or has a bad option; defaults were used for it`;
    case CaptureDamage.CapturedOverWire:
      return `record ${at(offset)} says it captured more bytes than were on the wire; both numbers were kept`;
    case CaptureDamage.TimestampOutOfRange:
      return `record ${at(offset)} has a time outside 1970..2106 or a bad fraction of a second; it was clamped`;
    case CaptureDamage.CompressedStream:
      return `the compressed stream is damaged or cut near byte ${offset}; everything before that was read`;
    case CaptureDamage.ReadFailed:
      return `reading failed ${at(offset)}; ${before}`;
    default:
      return `damage of unknown kind ${reason} ${at(offset)}`;
  }
}
