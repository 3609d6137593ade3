/**
 * PacketBatch <-> netspectra.v1.PacketBatch (traffic.proto), with protobufjs' reader and writer.
 *
 * Contract: `encodePacketBatch` takes a batch of ours and throws on a broken one (our mistake). `decodePacketBatch`
 * takes bytes of anybody's: it never throws, never reads outside them, allocates at most some 30 times their length,
 * and answers a batch whose every row, offset and count is safe to use, or the reason why not. Unknown fields are skipped
 * and missing ones are zero, so old and new peers talk.
 *
 * Bytes on the wire are little-endian. On a big-endian machine elements are swapped on the way; addresses are bytes in
 * network order on both sides and are never swapped.
 */
import protobuf from 'protobufjs/minimal.js';
import { PacketBatch, outerColumns, packetColumns } from './packet-batch.js';
import type { OuterColumn, PacketColumn } from './packet-batch.js';

/** Version this codec writes, and the highest it reads. */
export const wireVersion = 1;

/** What one message may hold; longer ones are refused on both sides. */
export const wireLimits = {
  messageBytes: 256 << 20,
  rows: 1 << 20,
  outerRows: 1 << 20,
  payloadBytes: 64 << 20,
  textLength: 4096,
  reasons: 256,
} as const;

/** The probe's counters since the start of its epoch: packets, or bytes where the name says so. */
export interface CaptureCounters {
  /** received = kernelDropped + filtered + decoded + undecodable */
  received: number;
  kernelDropped: number;
  filtered: number;
  decoded: number;
  undecodable: number;
  bytes: number;
  capturedBytes: number;
  /** decoded, but given up before the bus took them */
  publishDropped: number;
  /** waiting in the spool */
  held: number;
  /** undecodable packets by DecodeReason value */
  reasons: Record<number, number>;
}

/** What a message says about its batch. */
export interface BatchHeader {
  probe: string;
  epoch: bigint;
  /** number of the message within (probe, epoch, partition), from 0 */
  sequence: number;
  /** one packet of so many was kept; 1 = all */
  samplingRate: number;
  partition: number;
  partitions: number;
  firstSeconds: number;
  firstNanoseconds: number;
  lastSeconds: number;
  lastNanoseconds: number;
  counters: CaptureCounters;
  /** interface or file name */
  source: string;
  /** where the source goes on after this batch */
  position: number;
  /** the last batch of the epoch */
  complete: boolean;
}

/** Why bytes were refused. */
export type WireError =
  | 'malformed'
  | 'too_large'
  | 'unknown_version'
  | 'column_length'
  | 'column_missing'
  | 'payload_range'
  | 'outer_row_range'
  | 'time_range'
  | 'number_range';

export type DecodedBatch =
  | { readonly ok: true; readonly batch: PacketBatch; readonly header: BatchHeader }
  | { readonly ok: false; readonly error: WireError };

/** Counters of a probe that has seen nothing. */
export function emptyCounters(): CaptureCounters {
  return {
    received: 0,
    kernelDropped: 0,
    filtered: 0,
    decoded: 0,
    undecodable: 0,
    bytes: 0,
    capturedBytes: 0,
    publishDropped: 0,
    held: 0,
    reasons: {},
  };
}

/** A header with every field at its default; `over` replaces some. */
export function batchHeader(over: Partial<BatchHeader> = {}): BatchHeader {
  return {
    probe: '',
    epoch: 0n,
    sequence: 0,
    samplingRate: 1,
    partition: 0,
    partitions: 1,
    firstSeconds: 0,
    firstNanoseconds: 0,
    lastSeconds: 0,
    lastNanoseconds: 0,
    counters: emptyCounters(),
    source: '',
    position: 0,
    complete: false,
    ...over,
  };
}

const elementBytes = { u8: 1, u16: 2, u32: 4 } as const;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

interface WireColumn {
  readonly name: PacketColumn | OuterColumn;
  readonly field: number;
  readonly bytesPerRow: number;
  /** bytes to swap together on a big-endian machine; 1 = none */
  readonly swap: number;
  readonly outer: boolean;
  /** written even when all zero */
  readonly always: boolean;
}

const wireColumns: readonly WireColumn[] = [
  ...(Object.keys(packetColumns) as PacketColumn[]).map((name) => wireColumn(name, packetColumns[name], false)),
  ...(Object.keys(outerColumns) as OuterColumn[]).map((name) => wireColumn(name, outerColumns[name], true)),
];
const wireColumnByField = new Map(wireColumns.map((column) => [column.field, column]));

function wireColumn(
  name: PacketColumn | OuterColumn,
  spec: { readonly type: 'u8' | 'u16' | 'u32'; readonly width: number; readonly field: number },
  outer: boolean,
): WireColumn {
  const isAddress = spec.width === 4;
  return {
    name,
    field: spec.field,
    bytesPerRow: spec.width * elementBytes[spec.type],
    swap: isAddress ? 1 : elementBytes[spec.type],
    outer,
    always: name === 'timestampSeconds' || name === 'outerRow',
  };
}

/**
 * Reverse the bytes of each element in place: between this machine's order and the wire's, where they differ.
 * @param size bytes an element, 1, 2 or 4; the length of `bytes` is a multiple of it
 */
export function swapElements(bytes: Uint8Array, size: number): Uint8Array {
  for (let at = 0; at + size <= bytes.length; at += size) {
    for (let low = at, high = at + size - 1; low < high; low += 1, high -= 1) {
      const kept = bytes[low]!;
      bytes[low] = bytes[high]!;
      bytes[high] = kept;
    }
  }
  return bytes;
}

const lengthDelimited = 2;
const two32 = 4294967296;
const two53 = Number.MAX_SAFE_INTEGER;

// ---- encode ----

/**
 * One bus message for a batch's rows.
 * @param header sequence, counters and so on; `rows` and the like come from the batch
 * @param payloadRows per row: nonzero = send its payload along. Without it no payload travels. Rows whose payload does not
 * travel have payloadLength 0 on the wire; transportPayloadLength still says how much there was.
 * @returns the message, at most wireLimits.messageBytes; a view, whose buffer may hold other things (copy it, do not transfer)
 * @throws RangeError when the batch or header breaks its own contract (limits, payload outside, numbers above 2^53)
 */
export function encodePacketBatch(batch: PacketBatch, header: BatchHeader, payloadRows?: Uint8Array): Uint8Array {
  const rows = batch.count;
  const outerRows = batch.outerCount;
  if (rows > batch.capacity || outerRows > batch.outerCapacity) throw new RangeError('batch counts above its capacity');
  if (rows > wireLimits.rows || outerRows > wireLimits.outerRows) throw new RangeError('batch too large for a message');
  const writer = protobuf.Writer.create();
  writer.uint32((1 << 3) | 0).uint32(wireVersion);
  text(writer, 2, header.probe);
  writer
    .uint32((3 << 3) | 1)
    .fixed32(Number(header.epoch & 0xffffffffn))
    .fixed32(Number((header.epoch >> 32n) & 0xffffffffn));
  number64(writer, 4, header.sequence);
  number32(writer, 5, header.samplingRate === 1 ? 0 : header.samplingRate);
  number32(writer, 6, header.partition);
  number32(writer, 7, header.partitions);
  number32(writer, 8, rows);
  number32(writer, 9, outerRows);
  number32(writer, 11, header.firstSeconds);
  number32(writer, 12, header.firstNanoseconds);
  number32(writer, 13, header.lastSeconds);
  number32(writer, 14, header.lastNanoseconds);
  writer.uint32((15 << 3) | lengthDelimited).fork();
  encodeCounters(writer, header.counters);
  writer.ldelim();
  text(writer, 16, header.source);
  number64(writer, 17, header.position);
  number32(writer, 18, header.complete ? 1 : 0);

  const payload = payloadRows ? gatherPayload(batch, payloadRows) : undefined;
  if (payload && payload.bytes.length > 0) bytesField(writer, 10, payload.bytes);
  for (const column of wireColumns) {
    const count = column.outer ? outerRows : rows;
    if (count === 0) continue;
    let view: Uint8Array | Uint16Array | Uint32Array = batch[column.name];
    if (column.name === 'payloadOffset') {
      if (!payload) continue;
      view = payload.offsets;
    } else if (column.name === 'payloadLength') {
      if (!payload) continue;
      view = payload.lengths;
    }
    let bytes = new Uint8Array(view.buffer, view.byteOffset, count * column.bytesPerRow);
    if (!column.always && allZero(view, count * (column.bytesPerRow / view.BYTES_PER_ELEMENT))) continue;
    if (!littleEndian && column.swap > 1) bytes = swapElements(bytes.slice(), column.swap);
    bytesField(writer, column.field, bytes);
  }
  const message = writer.finish();
  if (message.length > wireLimits.messageBytes) throw new RangeError('message too large');
  return new Uint8Array(message.buffer, message.byteOffset, message.length);
}

/** Header fields from the rows: time of the earliest and latest packet, for a batch with rows. */
export function batchTimes(
  batch: PacketBatch,
): Pick<BatchHeader, 'firstSeconds' | 'firstNanoseconds' | 'lastSeconds' | 'lastNanoseconds'> {
  const { count, timestampSeconds: seconds, timestampNanoseconds: nanoseconds } = batch;
  let first = 0;
  let last = 0;
  for (let row = 1; row < count; row += 1) {
    const s = seconds[row]!;
    const n = nanoseconds[row]!;
    if (s < seconds[first]! || (s === seconds[first]! && n < nanoseconds[first]!)) first = row;
    if (s > seconds[last]! || (s === seconds[last]! && n > nanoseconds[last]!)) last = row;
  }
  if (count === 0) return { firstSeconds: 0, firstNanoseconds: 0, lastSeconds: 0, lastNanoseconds: 0 };
  return {
    firstSeconds: seconds[first]!,
    firstNanoseconds: nanoseconds[first]!,
    lastSeconds: seconds[last]!,
    lastNanoseconds: nanoseconds[last]!,
  };
}

function gatherPayload(batch: PacketBatch, payloadRows: Uint8Array) {
  const rows = batch.count;
  const { payload, payloadOffset, payloadLength } = batch;
  if (payloadRows.length < rows) throw new RangeError('payload mask shorter than the batch');
  const offsets = new Uint32Array(rows);
  const lengths = new Uint32Array(rows);
  let total = 0;
  for (let row = 0; row < rows; row += 1) {
    if (payloadRows[row] === 0) continue;
    const length = payloadLength[row]!;
    if (length === 0) continue;
    if (payloadOffset[row]! + length > payload.length) throw new RangeError(`payload of row ${row} lies outside`);
    offsets[row] = total;
    lengths[row] = length;
    total += length;
  }
  if (total > wireLimits.payloadBytes) throw new RangeError('payload too large for a message');
  const bytes = new Uint8Array(total);
  for (let row = 0; row < rows; row += 1) {
    const length = lengths[row]!;
    if (length === 0) continue;
    const from = payloadOffset[row]!;
    bytes.set(payload.subarray(from, from + length), offsets[row]!);
  }
  return { bytes, offsets, lengths };
}

function encodeCounters(writer: protobuf.Writer, counters: CaptureCounters): void {
  number64(writer, 1, counters.received);
  number64(writer, 2, counters.kernelDropped);
  number64(writer, 3, counters.filtered);
  number64(writer, 4, counters.decoded);
  number64(writer, 5, counters.undecodable);
  number64(writer, 6, counters.bytes);
  number64(writer, 7, counters.capturedBytes);
  number64(writer, 8, counters.publishDropped);
  number64(writer, 9, counters.held);
  const reasons = Object.entries(counters.reasons);
  if (reasons.length > wireLimits.reasons) throw new RangeError('too many reasons');
  for (const [reason, packets] of reasons) {
    writer.uint32((10 << 3) | lengthDelimited).fork();
    number32(writer, 1, Number(reason));
    number64(writer, 2, packets);
    writer.ldelim();
  }
}

function text(writer: protobuf.Writer, field: number, value: string): void {
  if (value.length > wireLimits.textLength) throw new RangeError(`field ${field}: text too long`);
  if (value !== '') writer.uint32((field << 3) | lengthDelimited).string(value);
}

function number32(writer: protobuf.Writer, field: number, value: number): void {
  if (value !== value >>> 0) throw new RangeError(`field ${field}: ${value} is not a 32-bit number`);
  if (value !== 0) writer.uint32((field << 3) >>> 0).uint32(value);
}

function number64(writer: protobuf.Writer, field: number, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`field ${field}: ${value} is not a count`);
  if (value === 0) return;
  writer
    .uint32((field << 3) | 1)
    .fixed32(value >>> 0)
    .fixed32(Math.floor(value / two32));
}

function bytesField(writer: protobuf.Writer, field: number, bytes: Uint8Array): void {
  writer.uint32((field << 3) | lengthDelimited).bytes(bytes);
}

function allZero(view: Uint8Array | Uint16Array | Uint32Array, elements: number): boolean {
  for (let i = 0; i < elements; i += 1) if (view[i] !== 0) return false;
  return true;
}

// ---- decode ----

/**
 * Read a bus message. Never throws on its bytes.
 * @param message any bytes
 * @param reuse a batch to write into when it has room for the message's rows, instead of a new one: who reads thousands
 * of messages a second spares the memory, its zeroing and its collection. What it held is lost, even if the message is refused
 * @returns the batch (a new one has capacity for its rows; columns copied, so aligned and independent of the message) whose
 * `payload` is a view into `message`, and the header; or why the message was refused
 */
export function decodePacketBatch(message: Uint8Array, reuse?: PacketBatch): DecodedBatch {
  if (message.length > wireLimits.messageBytes) return refuse('too_large');
  const found: Scan = {
    header: batchHeader({ partitions: 0, samplingRate: 0 }),
    version: 0,
    rows: 0,
    outerRows: 0,
    payloadStart: 0,
    payloadLength: 0,
    starts: new Int32Array(columnFieldsEnd).fill(-1),
    lengths: new Int32Array(columnFieldsEnd),
  };
  let error: WireError | undefined;
  try {
    error = scan(new MessageReader(message), message.length, found);
  } catch {
    // protobufjs throws on a varint or length that runs past the end, on a bad wire type and on deep groups.
    error = 'malformed';
  }
  if (error) return refuse(error);
  const { header, rows, outerRows } = found;
  if (found.version > wireVersion) return refuse('unknown_version');
  if (rows > wireLimits.rows || outerRows > wireLimits.outerRows) return refuse('too_large');
  if (found.payloadLength > wireLimits.payloadBytes) return refuse('too_large');
  if (header.firstNanoseconds >= 1e9 || header.lastNanoseconds >= 1e9) return refuse('time_range');
  for (const column of wireColumns) {
    const count = column.outer ? outerRows : rows;
    if (found.starts[column.field]! < 0) {
      if (column.always && count > 0) return refuse('column_missing');
    } else if (found.lengths[column.field]! !== count * column.bytesPerRow) return refuse('column_length');
  }
  if (header.samplingRate === 0) header.samplingRate = 1;
  if (header.partitions === 0) header.partitions = 1;
  if (header.partition >= header.partitions) return refuse('number_range');

  // Not subarray: of a Buffer that is a Buffer again, whose slice() shares memory.
  const payload = new Uint8Array(message.buffer, message.byteOffset + found.payloadStart, found.payloadLength);
  const fits = reuse !== undefined && rows <= reuse.capacity && outerRows <= reuse.outerCapacity;
  const batch = fits ? reuse : new PacketBatch(rows, outerRows);
  batch.payload = payload;
  batch.count = rows;
  batch.outerCount = outerRows;
  batch.samplingRate = header.samplingRate;
  const bytes = new Uint8Array(batch.buffer);
  for (const column of wireColumns) {
    const at = batch[column.name].byteOffset;
    const length = (column.outer ? outerRows : rows) * column.bytesPerRow;
    const start = found.starts[column.field]!;
    if (start < 0) {
      if (fits) bytes.fill(0, at, at + length);
      continue;
    }
    bytes.set(message.subarray(start, start + length), at);
    if (!littleEndian && column.swap > 1) swapElements(bytes.subarray(at, at + length), column.swap);
  }
  const wrong = check(batch, payload.length);
  return wrong ? refuse(wrong) : { ok: true, batch, header };
}

/**
 * One reader lives for ever. When V8 collects everything and finds no instance of a kind, it forgets the kind's hidden class, and
 * throws away all compiled code that knew it: with readers that was the code of every message, several times a second.
 */
class MessageReader extends protobuf.Reader {
  static readonly kept = new MessageReader(new Uint8Array(0));
}

interface Scan {
  readonly header: BatchHeader;
  version: number;
  rows: number;
  outerRows: number;
  payloadStart: number;
  payloadLength: number;
  /** by field number: where a column's bytes stand in the message (-1: not there), and how many */
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
}

const columnFieldsEnd = Math.max(...wireColumns.map((column) => column.field)) + 1;
const refuse = (error: WireError): DecodedBatch => ({ ok: false, error });

/** What the rows say of each other: nothing may point outside. */
function check(batch: PacketBatch, payloadBytes: number): WireError | undefined {
  const { count, outerCount, timestampNanoseconds, payloadOffset, payloadLength, outerRow } = batch;
  for (let row = 0; row < count; row += 1) if (timestampNanoseconds[row]! >= 1e9) return 'time_range';
  for (let row = 0; row < count; row += 1) {
    if (payloadOffset[row]! + payloadLength[row]! > payloadBytes) return 'payload_range';
  }
  for (let entry = 0; entry < outerCount; entry += 1) if (outerRow[entry]! >= count) return 'outer_row_range';
  return undefined;
}

function scan(reader: protobuf.Reader, end: number, found: Scan): WireError | undefined {
  const { header } = found;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    const wireType = tag & 7;
    if (field === 0) return 'malformed';
    if (wireType === lengthDelimited) {
      const length = reader.uint32();
      if (length > end - reader.pos) return 'malformed';
      const start = reader.pos;
      reader.pos = start + length;
      if (wireColumnByField.has(field)) {
        found.starts[field] = start;
        found.lengths[field] = length;
      } else if (field === 10) {
        found.payloadStart = start;
        found.payloadLength = length;
      } else if (field === 2 || field === 16) {
        // 3 bytes at most per UTF-16 unit
        if (length > wireLimits.textLength * 3) return 'too_large';
        const value = protobuf.util.utf8.read(reader.buf, start, start + length);
        if (value.length > wireLimits.textLength) return 'too_large';
        if (field === 2) header.probe = value;
        else header.source = value;
      } else if (field === 15) {
        const sub = new MessageReader(reader.buf.subarray(start, start + length));
        const error = scanCounters(sub, length, header.counters);
        if (error) return error;
      }
    } else if (wireType === 1) {
      const low = reader.fixed32();
      const high = reader.fixed32();
      if (field === 3) {
        header.epoch = (BigInt(high) << 32n) | BigInt(low);
        continue;
      }
      if (field !== 4 && field !== 17) continue;
      const value = high * two32 + low;
      if (value > two53) return 'number_range';
      if (field === 4) header.sequence = value;
      else header.position = value;
    } else if (wireType === 0 && field <= 18) {
      const value = reader.uint32();
      if (field === 1) found.version = value;
      else if (field === 5) header.samplingRate = value;
      else if (field === 6) header.partition = value;
      else if (field === 7) header.partitions = value;
      else if (field === 8) found.rows = value;
      else if (field === 9) found.outerRows = value;
      else if (field === 11) header.firstSeconds = value;
      else if (field === 12) header.firstNanoseconds = value;
      else if (field === 13) header.lastSeconds = value;
      else if (field === 14) header.lastNanoseconds = value;
      else if (field === 18) header.complete = value !== 0;
    } else {
      reader.skipType(wireType);
    }
  }
  return reader.pos === end ? undefined : 'malformed';
}

const counterFields = [
  undefined,
  'received',
  'kernelDropped',
  'filtered',
  'decoded',
  'undecodable',
  'bytes',
  'capturedBytes',
  'publishDropped',
  'held',
] as const;

function scanCounters(reader: protobuf.Reader, end: number, counters: CaptureCounters): WireError | undefined {
  let reasons = 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    if ((tag & 7) === 1) {
      const low = reader.fixed32();
      const value = reader.fixed32() * two32 + low;
      const name = counterFields[field];
      if (!name) continue;
      if (value > two53) return 'number_range';
      counters[name] = value;
    } else if (field === 10 && (tag & 7) === lengthDelimited) {
      const length = reader.uint32();
      if (length > end - reader.pos) return 'malformed';
      reasons += 1;
      if (reasons > wireLimits.reasons) return 'too_large';
      const error = scanReason(reader, reader.pos + length, counters.reasons);
      if (error) return error;
    } else {
      reader.skipType(tag & 7);
    }
  }
  return reader.pos === end ? undefined : 'malformed';
}

function scanReason(reader: protobuf.Reader, end: number, into: Record<number, number>): WireError | undefined {
  let reason = 0;
  let packets = 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 8) reason = reader.uint32();
    else if (tag === 17) {
      const low = reader.fixed32();
      packets = reader.fixed32() * two32 + low;
    } else reader.skipType(tag & 7);
  }
  if (reader.pos !== end) return 'malformed';
  if (packets > two53) return 'number_range';
  into[reason] = packets;
  return undefined;
}
