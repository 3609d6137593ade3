/** For the tests of dns, http and tls: captures, or packets made on the spot, through decoder, flow table and tasks. */
import { CaptureFramer, CaptureState, FrameFlag, FrameTable } from '@netspectra/collector';
import { Defragmenter, PacketDecoder } from '@netspectra/collector/decode';
import { Layer, PacketBatch } from '@netspectra/proto';
import { tables } from '../../tables/index.js';
import type { RowBlock } from '../../tables/index.js';
import { FlowTable } from '../flow-table/index.js';
import { createSelection } from '../packet-selection.js';
import { RowSink } from '../row-sink.js';
import type { Task, TaskContext } from '../task.js';
import { ApplicationTracker } from './application.js';
import type { ApplicationOptions } from './application.js';
import { dnsTask } from './dns.js';
import type { DnsReport } from './dns.js';
import { httpTask } from './http.js';
import type { HttpReport } from './http.js';
import { tlsTask } from './tls.js';
import type { TlsReport } from './tls.js';

const batchRows = 512;

/** A row of a table as text by column name. */
export type TextRow = Record<string, string>;

export interface ApplicationResult {
  readonly dns: DnsReport;
  readonly http: HttpReport;
  readonly tls: TlsReport;
  readonly dnsRows: TextRow[];
  readonly httpRows: TextRow[];
  readonly tlsRows: TextRow[];
  readonly tracker: ApplicationTracker;
  readonly flowTable: FlowTable;
}

/** One frame to be fed. */
export interface TestFrame {
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly linkType: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Frames of a capture file. */
export function framesOf(file: Uint8Array): TestFrame[] {
  const state = new CaptureState();
  const framer = new CaptureFramer(state);
  const table = new FrameTable(batchRows);
  const frames: TestFrame[] = [];
  while (!state.ended && !state.fatal) {
    const base = state.nextOffset;
    const bytes = file.subarray(base);
    framer.frame(bytes, bytes.length, base, true, table);
    for (let row = 0; row < table.count; row += 1) {
      const at = table.offset[row]!;
      frames.push({
        bytes: bytes.subarray(at, at + table.capturedLength[row]!),
        wireLength: table.wireLength[row]!,
        linkType: table.linkType[row]!,
        seconds: (table.flags[row]! & FrameFlag.NoTimestamp) === 0 ? table.seconds[row]! : 0,
        nanoseconds: table.nanoseconds[row]!,
      });
    }
  }
  return frames;
}

/** Everything that dns, http and tls make of the frames. */
export function analyzeFrames(
  frames: readonly TestFrame[],
  options: ApplicationOptions & {
    readonly windows?: boolean;
    readonly names_max?: number;
    /** how many of a row's payload bytes the engine gets; all without it */
    readonly pick?: (batch: PacketBatch, row: number) => number;
  } = {},
): ApplicationResult {
  const rows = new RowSink();
  const context: TaskContext = {
    flowTable: new FlowTable({ maxFlows: 1 << 16, windowSeconds: 0, idleTimeoutSeconds: 0 }),
    rows,
    probe: 'test',
    counterWindowSeconds: 1,
    flowWindowSeconds: 10,
    sketchWindowSeconds: 60,
    windows: options.windows ?? true,
    report: true,
    reportTop: 10,
  };
  const tracker = new ApplicationTracker(context, options);
  const namesMax = options.names_max ?? 100_000;
  const dns = dnsTask.create({ timeout_seconds: 10, pending_max: 1_024, names_max: namesMax }, context);
  const http = httpTask.create({ hosts_max: namesMax }, context);
  const tls = tlsTask.create({ names_max: namesMax }, context);
  const tasks: readonly Task[] = [dns, http, tls];
  const decoder = new PacketDecoder();
  const defragmenter = new Defragmenter();
  const batch = new PacketBatch(batchRows, batchRows * 8);
  const selection = createSelection(batch, batchRows);
  const single = createSelection(defragmenter.completed, 1);
  const take = (chosen: typeof selection, count: number): void => {
    if (count === 0) return;
    chosen.count = count;
    context.flowTable.track(chosen);
    tracker.process(chosen);
    for (const task of tasks) task.process(chosen);
  };
  for (let start = 0; start < frames.length; start += batchRows) {
    const part = frames.slice(start, start + batchRows);
    // Exactly as many bytes as the frames have, so that a read behind them finds nothing.
    const payload = new Uint8Array(part.reduce((sum, frame) => sum + frame.bytes.length, 0));
    batch.clear();
    batch.payload = payload;
    let at = 0;
    for (const frame of part) {
      payload.set(frame.bytes, at);
      decoder.decode(
        payload,
        at,
        frame.bytes.length,
        frame.wireLength,
        frame.linkType,
        frame.seconds,
        frame.nanoseconds,
        0,
        batch,
      );
      at += frame.bytes.length;
    }
    const { pick } = options;
    if (pick) for (let row = 0; row < batch.count; row += 1) batch.payloadLength[row] = pick(batch, row);
    let selected = 0;
    for (let row = 0; row < batch.count; row += 1) {
      if ((batch.layers[row]! & Layer.Fragment) !== 0 && defragmenter.add(batch, row)) {
        take(selection, selected);
        selected = 0;
        single.rows[0] = 0;
        take(single, 1);
        continue;
      }
      selection.rows[selected] = row;
      selected += 1;
    }
    take(selection, selected);
    // An engine has another message in this memory now.
    payload.fill(0xaa);
  }
  for (const task of tasks) task.finish();
  for (const task of tasks) task.flush();
  const blocks = rows.take();
  return {
    dns: dns.report(),
    http: http.report(),
    tls: tls.report(),
    dnsRows: textRows(blocks, 'dns'),
    httpRows: textRows(blocks, 'http'),
    tlsRows: textRows(blocks, 'tls'),
    tracker,
    flowTable: context.flowTable,
  };
}

function textRows(blocks: readonly RowBlock[], table: 'dns' | 'http' | 'tls'): TextRow[] {
  const names = tables[table].rowColumns.map(({ name }) => name);
  const text = new TextDecoder().decode(blocks.find((block) => block.table === table)?.bytes ?? new Uint8Array(0));
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Object.fromEntries(line.split('\t').map((value, i) => [names[i]!, value])));
}

/** Latin-1 bytes of a text. */
export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

export interface SegmentSpec {
  /** 0: 192.0.2.1:40000, 1: 198.51.100.2 at `port` */
  readonly from: 0 | 1;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly flags?: number;
  readonly data?: Uint8Array;
  /** payload bytes that were captured; all without it */
  readonly captured?: number;
  readonly port?: number;
  /** client's port, 40000 without it */
  readonly clientPort?: number;
  readonly milliseconds?: number;
}

const ack = 16;
const clientPort = 40_000;

function ipv4Frame(protocol: number, from: number, transport: Uint8Array, captured: number): [Uint8Array, number] {
  const frame = new Uint8Array(34 + transport.length);
  const view = new DataView(frame.buffer);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint16(16, 20 + transport.length);
  view.setUint8(22, 64);
  view.setUint8(23, protocol);
  frame.set(from === 0 ? [192, 0, 2, 1, 198, 51, 100, 2] : [198, 51, 100, 2, 192, 0, 2, 1], 26);
  frame.set(transport, 34);
  return [frame.subarray(0, frame.length - (transport.length - captured)), frame.length];
}

function timed(bytes: Uint8Array, wireLength: number, milliseconds: number): TestFrame {
  return {
    bytes,
    wireLength,
    linkType: 1,
    seconds: 1_700_000_000 + Math.floor(milliseconds / 1_000),
    nanoseconds: (milliseconds % 1_000) * 1_000_000,
  };
}

/** An Ethernet, IPv4, TCP frame. */
export function tcpFrame(spec: SegmentSpec): TestFrame {
  const data = spec.data ?? new Uint8Array(0);
  const server = spec.port ?? 80;
  const segment = new Uint8Array(20 + data.length);
  const view = new DataView(segment.buffer);
  const client = spec.clientPort ?? clientPort;
  view.setUint16(0, spec.from === 0 ? client : server);
  view.setUint16(2, spec.from === 0 ? server : client);
  view.setUint32(4, (spec.sequence ?? 0) >>> 0);
  view.setUint32(8, (spec.acknowledgment ?? 0) >>> 0);
  view.setUint8(12, 0x50);
  view.setUint8(13, spec.flags ?? ack);
  view.setUint16(14, 65_535);
  segment.set(data, 20);
  const [bytes, wire] = ipv4Frame(6, spec.from, segment, 20 + (spec.captured ?? data.length));
  return timed(bytes, wire, spec.milliseconds ?? 0);
}

/** An Ethernet, IPv4, UDP frame. */
export function udpFrame(from: 0 | 1, port: number, data: Uint8Array, milliseconds = 0): TestFrame {
  const datagram = new Uint8Array(8 + data.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, from === 0 ? clientPort : port);
  view.setUint16(2, from === 0 ? port : clientPort);
  view.setUint16(4, datagram.length);
  datagram.set(data, 8);
  const [bytes, wire] = ipv4Frame(17, from, datagram, datagram.length);
  return timed(bytes, wire, milliseconds);
}

/** What one end says, in turn; the segments are made from it with right sequence numbers. */
export interface Turn {
  readonly from: 0 | 1;
  readonly data: Uint8Array;
}

/**
 * A whole TCP connection: handshake, the turns cut into segments of at most `segmentBytes`, FIN both ways.
 * @param initial the client's first sequence number; the server's is 1,000,000 above it
 */
export function conversation(
  turns: readonly Turn[],
  { segmentBytes = 1_460, port = 80, initial = 1_000, cutsAt = [] as readonly number[] } = {},
): TestFrame[] {
  const next = [initial + 1, initial + 1_000_001];
  let milliseconds = 0;
  const frames: TestFrame[] = [];
  const send = (from: 0 | 1, data: Uint8Array, flags: number): void => {
    milliseconds += 1;
    frames.push(
      tcpFrame({ from, sequence: next[from]!, acknowledgment: next[1 - from]!, flags, data, port, milliseconds }),
    );
    next[from] = next[from]! + data.length + (flags & 1);
  };
  const none = new Uint8Array(0);
  frames.push(tcpFrame({ from: 0, sequence: initial, flags: 2, port }));
  frames.push(tcpFrame({ from: 1, sequence: initial + 1_000_000, acknowledgment: initial + 1, flags: 18, port }));
  send(0, none, ack);
  const sent = [0, 0];
  for (const { from, data } of turns) {
    let at = 0;
    while (at < data.length) {
      let end = Math.min(data.length, at + segmentBytes);
      for (const cut of cutsAt) {
        const inside = cut - sent[from]!;
        if (inside > 0 && inside < end - at) end = at + inside;
      }
      send(from, data.subarray(at, end), ack);
      sent[from] = sent[from]! + end - at;
      at = end;
    }
  }
  send(0, none, ack | 1);
  send(1, none, ack | 1);
  send(0, none, ack);
  return frames;
}

/** A DNS message with one question and address answers. */
export function dnsBytes(
  id: number,
  name: string,
  { response = false, rcode = 0, type = 1, answers = [] as readonly string[] } = {},
): Uint8Array {
  const bytes: number[] = [id >>> 8, id & 255, response ? 0x81 : 0x01, (response ? 0x80 : 0) | rcode];
  bytes.push(0, 1, 0, answers.length, 0, 0, 0, 0);
  for (const label of name.split('.')) bytes.push(label.length, ...bytesOf(label));
  bytes.push(0, type >>> 8, type & 255, 0, 1);
  for (const answer of answers) bytes.push(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer.split('.').map(Number));
  return Uint8Array.from(bytes);
}

/** The same behind its length, as it stands in a TCP stream (RFC 1035 section 4.2.2). */
export function dnsOverTcp(message: Uint8Array): Uint8Array {
  return Uint8Array.from([message.length >>> 8, message.length & 255, ...message]);
}

/** A ClientHello in records of at most `recordBytes`. */
export function clientHelloBytes(
  serverName: string,
  {
    alpn = ['h2', 'http/1.1'] as readonly string[],
    versions = [0x0304, 0x0303],
    recordBytes = 16_384,
    padding = 0,
  } = {},
): Uint8Array {
  const word = (value: number): number[] => [value >>> 8, value & 255];
  const extension = (type: number, body: readonly number[]): number[] => [...word(type), ...word(body.length), ...body];
  const host = [...bytesOf(serverName)];
  const protocols = alpn.flatMap((name) => [name.length, ...bytesOf(name)]);
  const extensions = [
    ...extension(0x0a0a, []),
    ...extension(0, [...word(host.length + 3), 0, ...word(host.length), ...host]),
    ...extension(16, [...word(protocols.length), ...protocols]),
    ...extension(43, [versions.length * 2, ...versions.flatMap(word)]),
    ...extension(
      21,
      Array.from({ length: padding }, () => 0),
    ),
  ];
  const body = [3, 3, ...Array.from({ length: 32 }, (_, i) => i), 0, 0, 2, 0x13, 1, 1, 0, ...word(extensions.length)];
  body.push(...extensions);
  const handshake = [1, body.length >>> 16, (body.length >>> 8) & 255, body.length & 255, ...body];
  const records: number[] = [];
  for (let at = 0; at < handshake.length; at += recordBytes) {
    const part = handshake.slice(at, at + recordBytes);
    records.push(22, 3, 1, ...word(part.length), ...part);
  }
  return Uint8Array.from(records);
}

/** A record of application data. */
export function tlsRecord(length: number, type = 23): Uint8Array {
  const record = new Uint8Array(5 + length).fill(0xa5, 5);
  record.set([type, 3, 3, length >>> 8, length & 255]);
  return record;
}
