/**
 * Frames in, messages out: decodes frames into one batch, asks the plan what becomes of each, and when it is flushed, sorts
 * the rows that are kept by partition and sampling rate and encodes a message for each of these that has rows. Numbers only for each packet; a column at a time when
 * rows are sorted.
 *
 * Every message carries the counters as of its flush. A row that does not reach a message is counted, so that
 * received = kernelDropped + filtered + decoded + undecodable holds in every message.
 */
import {
  PacketBatch,
  batchHeader,
  batchTimes,
  emptyCounters,
  encodePacketBatch,
  outerColumns,
  packetColumns,
} from '@netspectra/proto';
import type { BatchHeader, CaptureCounters, OuterColumn, PacketColumn } from '@netspectra/proto';
import { DecodeReason, PacketDecoder, outerPerFrameMax, partitionOf } from '../decode/index.js';
import { RowCompactor } from '../filter/index.js';
import { captureRuleLimits } from './capture-plan.js';
import type { CapturePlan } from './capture-plan.js';
import { PayloadPicker } from './payload-picker.js';
import type { PayloadMode } from './payload-picker.js';

export interface BuilderOptions {
  readonly probe: string;
  readonly epoch: bigint;
  readonly partitions: number;
  /** interface or file name */
  readonly source: string;
  readonly payload: PayloadMode;
  /** rows before a flush is due */
  readonly rowsMax: number;
  /** a message is kept below this many bytes */
  readonly messageBytesMax: number;
}

/** A message and what it is called. `bytes` has a buffer of its own. */
export interface BuiltMessage {
  readonly partition: number;
  readonly sequence: number;
  readonly rows: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** bytes of payload that one batch holds */
const payloadBytesMax = 4 << 20;
/** the longest payload of one frame; IP's length field bounds it */
const framePayloadMax = 65_536;
/** a row with every column in use, and its outer 5-tuples */
const rowBytes = 112;
const outerBytes = 45;
const messageOverheadBytes = 16 * 1024;
/** below so many bytes a loop is faster than making a view */
const loopBytesMax = 48;

const columnNames = Object.keys(packetColumns) as PacketColumn[];
const outerNames = (Object.keys(outerColumns) as OuterColumn[]).filter((name) => name !== 'outerRow');

export class BatchBuilder {
  readonly counters: CaptureCounters = emptyCounters();
  private readonly options: BuilderOptions;
  private readonly decoder = new PacketDecoder();
  private readonly picker: PayloadPicker;
  private readonly batch: PacketBatch;
  private readonly sorted: PacketBatch;
  private readonly payload = new Uint8Array(payloadBytesMax);
  private payloadUsed = 0;
  private readonly everyRow: Uint8Array;
  private readonly compactor = new RowCompactor();
  /** 1 where the plan keeps the row */
  private readonly kept: Uint8Array;
  /** the place of the row's rate in the plan's */
  private readonly rateOfRow: Uint8Array;
  private keptRows = 0;
  private readonly bucketOfRow: Uint32Array;
  private readonly order: Uint32Array;
  private readonly starts: Uint32Array;
  private readonly sequences: Float64Array;

  /** @param plan what becomes of packets; `use` sets another */
  constructor(
    options: BuilderOptions,
    private plan: CapturePlan,
  ) {
    const { rowsMax, partitions, payload } = options;
    this.options = options;
    this.picker = new PayloadPicker(payload);
    const outers = rowsMax + outerPerFrameMax;
    this.batch = new PacketBatch(rowsMax, outers);
    this.sorted = new PacketBatch(rowsMax, outers);
    this.everyRow = new Uint8Array(rowsMax).fill(1);
    this.kept = new Uint8Array(rowsMax);
    this.rateOfRow = new Uint8Array(rowsMax);
    this.bucketOfRow = new Uint32Array(rowsMax);
    this.order = new Uint32Array(rowsMax);
    this.starts = new Uint32Array(partitions * captureRuleLimits.rates + 1);
    this.sequences = new Float64Array(partitions);
  }

  /** rows that wait for the next flush */
  get rows(): number {
    return this.batch.count;
  }

  /** From now on another plan; flush before, or rows that wait are sorted by the wrong rates. */
  use(plan: CapturePlan): void {
    this.plan = plan;
  }

  /**
   * Decode a frame; arguments as PacketDecoder.decode. What of it is needed is copied.
   * @returns false when there is no room: flush first
   */
  add(
    bytes: Uint8Array,
    offset: number,
    capturedLength: number,
    wireLength: number,
    linkType: number,
    seconds: number,
    nanoseconds: number,
    flags: number,
  ): boolean {
    const { batch } = this;
    if (payloadBytesMax - this.payloadUsed < framePayloadMax) return false;
    const row = batch.count;
    if (!this.decoder.decode(bytes, offset, capturedLength, wireLength, linkType, seconds, nanoseconds, flags, batch)) {
      return false;
    }
    const length = this.judge(row, bytes, offset);
    if (length > 0) this.copyPayload(bytes, batch.payloadOffset[row]!, length);
    batch.payloadOffset[row] = this.payloadUsed;
    batch.payloadLength[row] = length;
    this.payloadUsed += length;
    return true;
  }

  /** Ask the plan about a row, and mark it. @returns how many of its payload bytes are to travel, from its begin */
  private judge(row: number, bytes: Uint8Array, offset: number): number {
    const { batch, plan } = this;
    const rate = plan.judge(batch, row);
    this.kept[row] = rate < 0 ? 0 : 1;
    if (rate < 0) return 0;
    this.rateOfRow[row] = rate;
    this.keptRows += 1;
    const { snapLength } = plan;
    if (batch.capturedLength[row]! > snapLength) batch.capturedLength[row] = snapLength;
    const within = Math.max(0, snapLength - (batch.payloadOffset[row]! - offset));
    const wanted = plan.wantsPayload ? batch.payloadLength[row]! : this.picker.pick(batch, row, bytes);
    return Math.min(wanted, within, framePayloadMax);
  }

  /**
   * Make messages of the rows that wait. Those that the plan does not keep are counted as filtered.
   * @param room false: nobody can take messages, the rows are given up and counted
   */
  flush(room: boolean): BuiltMessage[] {
    const { batch, counters } = this;
    if (batch.count === 0) return [];
    this.leaveOut();
    this.countRows();
    const messages = room ? this.messages() : [];
    if (!room) counters.publishDropped += batch.count;
    batch.clear();
    this.payloadUsed = 0;
    this.keptRows = 0;
    return messages;
  }

  private leaveOut(): void {
    const { batch, kept, rateOfRow, counters } = this;
    const before = batch.count;
    if (this.keptRows === before) return;
    let left = 0;
    for (let row = 0; row < before; row += 1) if (kept[row] === 1) rateOfRow[left++] = rateOfRow[row]!;
    this.compactor.compact(batch, kept);
    counters.filtered += before - left;
  }

  /**
   * A message without rows for a partition: its counters and the time tell that the probe lives.
   * @param seconds up to when everything was published, since the epoch
   * @param complete nothing will come after it
   */
  bare(partition: number, seconds: number, nanoseconds: number, complete: boolean): BuiltMessage {
    const { sorted } = this;
    sorted.clear();
    const times = {
      firstSeconds: seconds,
      firstNanoseconds: nanoseconds,
      lastSeconds: seconds,
      lastNanoseconds: nanoseconds,
    };
    return this.message(partition, sorted, { ...times, complete });
  }

  /** Messages made for a partition so far. */
  sequenceOf(partition: number): number {
    return this.sequences[partition]!;
  }

  private copyPayload(bytes: Uint8Array, from: number, length: number): void {
    const { payload, payloadUsed: to } = this;
    if (length > loopBytesMax) payload.set(bytes.subarray(from, from + length), to);
    else for (let i = 0; i < length; i += 1) payload[to + i] = bytes[from + i]!;
  }

  private countRows(): void {
    const { batch, counters } = this;
    const { reason, wireLength, capturedLength } = batch;
    let bytes = 0;
    let captured = 0;
    let undecodable = 0;
    for (let row = 0; row < batch.count; row += 1) {
      bytes += wireLength[row]!;
      captured += capturedLength[row]!;
      const why = reason[row]!;
      if (why !== DecodeReason.Ok) {
        undecodable += 1;
        counters.reasons[why] = (counters.reasons[why] ?? 0) + 1;
      }
    }
    counters.bytes += bytes;
    counters.capturedBytes += captured;
    counters.undecodable += undecodable;
    counters.decoded += batch.count - undecodable;
  }

  private messages(): BuiltMessage[] {
    const { batch, plan } = this;
    batch.payload = this.payload;
    const { rates } = plan;
    const built: BuiltMessage[] = [];
    const buckets = this.options.partitions * rates.length;
    this.sortRows(buckets);
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      const end = this.starts[bucket + 1]!;
      for (let start = this.starts[bucket]!; start < end;) {
        const stop = this.fitting(start, end);
        this.gather(start, stop);
        const samplingRate = rates[bucket % rates.length]!;
        const header = { ...batchTimes(this.sorted), samplingRate };
        built.push(this.message(Math.floor(bucket / rates.length), this.sorted, header));
        start = stop;
      }
    }
    return built;
  }

  /** Counting sort of the rows by partition, then rate; rows of a bucket stay in their order. */
  private sortRows(buckets: number): void {
    const { batch, starts, order, bucketOfRow, rateOfRow, plan } = this;
    const { partitions } = this.options;
    const { count, flowHash } = batch;
    const rates = plan.rates.length;
    starts.fill(0, 0, buckets + 1);
    for (let row = 0; row < count; row += 1) {
      const bucket = partitionOf(flowHash[row]!, partitions) * rates + rateOfRow[row]!;
      bucketOfRow[row] = bucket;
      starts[bucket + 1] = starts[bucket + 1]! + 1;
    }
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      starts[bucket + 1] = starts[bucket + 1]! + starts[bucket]!;
    }
    const next = starts.slice(0, buckets);
    for (let row = 0; row < count; row += 1) {
      const bucket = bucketOfRow[row]!;
      order[next[bucket]!] = row;
      next[bucket] = next[bucket]! + 1;
    }
  }

  /** How far from `start` on rows fit into one message; one row always does. */
  private fitting(start: number, end: number): number {
    const { payloadLength } = this.batch;
    const most = this.options.messageBytesMax - messageOverheadBytes;
    const perRow = rowBytes + (this.batch.outerCount > 0 ? outerBytes * outerPerFrameMax : 0);
    let bytes = 0;
    let at = start;
    for (; at < end; at += 1) {
      bytes += perRow + payloadLength[this.order[at]!]!;
      if (bytes > most && at > start) break;
    }
    return at;
  }

  /** Copy the rows order[start..stop) into `sorted`, column by column. */
  private gather(start: number, stop: number): void {
    const { batch, sorted, order } = this;
    sorted.clear();
    sorted.payload = this.payload;
    sorted.count = stop - start;
    for (const name of columnNames) {
      const { width } = packetColumns[name];
      if (width === 1) gatherColumn(batch[name], sorted[name], order, start, stop);
      else gatherWide(batch[name], sorted[name], width, order, start, stop);
    }
    if (batch.outerCount > 0) this.gatherOuter(start, stop);
  }

  private gatherOuter(start: number, stop: number): void {
    const { batch, sorted, order } = this;
    let entry = 0;
    let count = 0;
    // Both the entries' rows and those of the message rise.
    for (let at = start; at < stop; at += 1) {
      const row = order[at]!;
      while (entry < batch.outerCount && batch.outerRow[entry]! < row) entry += 1;
      for (; entry < batch.outerCount && batch.outerRow[entry] === row; entry += 1) {
        for (const name of outerNames) {
          const { width } = outerColumns[name];
          for (let i = 0; i < width; i += 1) sorted[name][count * width + i] = batch[name][entry * width + i]!;
        }
        sorted.outerRow[count] = at - start;
        count += 1;
      }
    }
    sorted.outerCount = count;
  }

  private message(partition: number, rows: PacketBatch, over: Partial<BatchHeader>): BuiltMessage {
    const { probe, epoch, partitions, source } = this.options;
    const sequence = this.sequences[partition]!;
    this.sequences[partition] = sequence + 1;
    const { counters } = this;
    counters.received = counters.kernelDropped + counters.filtered + counters.decoded + counters.undecodable;
    const header = batchHeader({
      probe,
      epoch,
      sequence,
      samplingRate: this.plan.rates[0]!,
      partition,
      partitions,
      source,
      counters,
      ...over,
    });
    const bytes = encodePacketBatch(rows, header, this.everyRow);
    return { partition, sequence, rows: rows.count, bytes: ownBytes(bytes) };
  }
}

/** The bytes with a buffer of their own: small ones lie in a pool that others use. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const alone = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length;
  return alone ? new Uint8Array(buffer) : new Uint8Array(bytes);
}

type Column = Uint8Array | Uint16Array | Uint32Array;

function gatherColumn(from: Column, to: Column, order: Uint32Array, start: number, stop: number): void {
  for (let at = start; at < stop; at += 1) to[at - start] = from[order[at]!]!;
}

function gatherWide(from: Column, to: Column, width: number, order: Uint32Array, start: number, stop: number): void {
  let place = 0;
  for (let at = start; at < stop; at += 1) {
    const row = order[at]! * width;
    for (let i = 0; i < width; i += 1) to[place++] = from[row + i]!;
  }
}
