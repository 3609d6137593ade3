/**
 * Finds DNS, HTTP/1.x and TLS in packets and tells the tasks of their messages.
 *
 * Contract: `process` runs once per selection, before the tasks. It sets flowTable.application, and the tasks that
 * subscribed hear of each message while its bytes are there. A flow is looked at until its first payload shows what it
 * is; a packet of another flow then costs one byte read. DNS goes by port (53, 5353, 5355), HTTP and TLS by their bytes.
 * Limits: `connectionsMax` TCP connections are followed (past that the one idle longest of a few looked at is given up),
 * each with the limits of TcpStream; idle ones are given up after `idleSecondsMax` of event time. All are counted.
 * A frame counts as the application's when a message of it ended in it (TLS: when a record begins or ends in it), or when
 * it holds bytes of such a connection outside any message, which is how tshark counts.
 */
import {
  DnsMessage,
  DnsReason,
  Recognition,
  SegmentBudget,
  recognizeHttp,
  recognizeTls,
} from '@netspectra/collector/decode';
import type { ClientHello, HttpMessage } from '@netspectra/collector/decode';
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { Application, applicationNames } from '../flow-table/index.js';
import type { FlowTable } from '../flow-table/index.js';
import { PacketEvent } from '../task.js';
import type { PacketSelection } from '../task.js';
import type { FrameCount } from './application-count.js';
import { Connection } from './application-connection.js';
import { PlainMode, PlainStretches } from './application-plain.js';
import { RecordsResult, TlsRecords } from './application-tls-records.js';
import type { ConnectionOwner, HttpTransaction } from './application-connection.js';

export { HttpTransaction } from './application-connection.js';
export type { Connection } from './application-connection.js';

/** Bits of `ApplicationTracker.layers`: whose frame a packet is. */
export const ApplicationLayer = { Dns: 1, Mdns: 2, Llmnr: 4, Http: 8, Tls: 16 } as const;

/** A DNS message; the object is reused. */
export interface DnsEvent {
  readonly message: DnsMessage;
  /** Application.Dns, Mdns or Llmnr */
  service: number;
  tcp: boolean;
  flow: number;
  seconds: number;
  nanoseconds: number;
}

export interface DnsListener {
  dnsMessage(event: DnsEvent): void;
}
export interface HttpListener {
  /** A message ended (interim responses too). One whose end was not captured only shows in its transaction. */
  httpMessage(message: HttpMessage): void;
  /** An exchange is over, or what was seen of it. */
  httpTransaction(connection: Connection, transaction: HttpTransaction): void;
}
export interface TlsListener {
  tlsClientHello(connection: Connection, hello: ClientHello, seconds: number, nanoseconds: number): void;
}

export interface ApplicationOptions {
  /** most TCP connections followed at a time */
  readonly connectionsMax?: number;
  /** bytes of out-of-order segments held back, all connections together */
  readonly heldBytesMax?: number;
  /** a followed connection without packets for so long is given up, seconds of event time */
  readonly idleSecondsMax?: number;
  /**
   * false: nobody asks `frameCount` for TLS, so its records need not be followed once a ClientHello is over: only
   * another one is looked for, at the begin of a segment. Then payload may be cut as the probe's payload picker does.
   */
  readonly countTlsFrames?: boolean;
}

/** What was given up, and why. */
export interface ApplicationCounters {
  /** connections followed now */
  connections: number;
  /** connections given up because there were too many */
  connectionsEvicted: number;
  /** connections given up because they were idle */
  connectionsExpired: number;
  /** HTTP requests given up because their pipeline was too long */
  pipelineOverflows: number;
  /** TCP segments held back because an earlier one was missing */
  segmentsHeldBack: number;
  /** holes in TCP streams that were given up, and the bytes in them */
  streamGaps: number;
  streamGapBytes: number;
  /** holes given up because a limit was reached */
  streamLimitHits: number;
}

const udp = 17;
const tcp = 6;
const finFlag = 1;
const synFlag = 2;
const rstFlag = 4;
const ackFlag = 16;
const connectionsMaxDefault = 32_768;
const heldBytesMaxDefault = 32 << 20;
const idleSecondsMaxDefault = 300;
/** Connections looked at for the idlest one when there are too many, and for expiry per selection. */
const clockSteps = 8;
const closedConnection = -1;
/** In `connectionOf`: a TLS connection in TlsRecords; less 1 when the client's side is known there, less 2 the server's. */
const compactTls = -2;
const flowBegins = PacketEvent.NewFlow | PacketEvent.Reopened;
const layerOf = new Uint8Array(256);
layerOf[Application.Dns] = ApplicationLayer.Dns;
layerOf[Application.Mdns] = ApplicationLayer.Mdns;
layerOf[Application.Llmnr] = ApplicationLayer.Llmnr;
layerOf[Application.Http] = ApplicationLayer.Http;
layerOf[Application.Tls] = ApplicationLayer.Tls;

/** The Application of DNS's three ports, else Unknown; the lower port decides, as it does for tshark. */
function dnsServiceOf(sourcePort: number, destinationPort: number): number {
  if (sourcePort === 53 || destinationPort === 53) return Application.Dns;
  if (sourcePort === 5353 || destinationPort === 5353) return Application.Mdns;
  if (sourcePort === 5355 || destinationPort === 5355) return Application.Llmnr;
  return Application.Unknown;
}

/** Ports where HTTP or TLS is so likely that a flow is not given up after one strange payload (captures begin anywhere). */
const likelyPorts = new Set([80, 81, 443, 591, 853, 993, 995, 3128, 5000, 8000, 8008, 8080, 8081, 8088, 8443, 8888]);
const isLikely = new Uint8Array(65_536);
for (const port of likelyPorts) isLikely[port] = 1;

const trackers = new WeakMap<object, ApplicationTracker>();

/** The tracker of a task context; tasks of one context share it. */
export function applicationTrackerOf(context: { readonly flowTable: FlowTable }): ApplicationTracker {
  return trackers.get(context) ?? new ApplicationTracker(context);
}

export class ApplicationTracker implements ConnectionOwner {
  /** per packet of the selection processed last: ApplicationLayer bits */
  layers = new Uint8Array(1_024);
  seconds = 0;
  nanoseconds = 0;
  readonly budget: SegmentBudget;
  readonly tlsApplication = Application.Tls;

  private readonly flowTable: FlowTable;
  private readonly connectionsMax: number;
  private readonly idleSecondsMax: number;
  private readonly countTlsFrames: boolean;
  private readonly dnsListeners: DnsListener[] = [];
  private readonly httpListeners: HttpListener[] = [];
  private readonly tlsListeners: TlsListener[] = [];
  private readonly frames = new Float64Array(2 * 256);
  private readonly message = new DnsMessage();
  private readonly dnsEvent: DnsEvent = {
    message: this.message,
    service: 0,
    tcp: false,
    flow: -1,
    seconds: 0,
    nanoseconds: 0,
  };
  /** per flow: 1 + index into `connections`, 0 = none, closedConnection = it was followed to its end, or compactTls */
  private connectionOf = new Int32Array(1);
  private readonly records = new TlsRecords();
  private readonly plain = new PlainStretches();
  private readonly connections: (Connection | undefined)[] = [];
  private readonly free: number[] = [];
  private live = 0;
  private hand = 0;
  private evicted = 0;
  private expired = 0;
  private pipelineOverflows = 0;
  /** the packet being processed */
  private packet = 0;
  private payload: Uint8Array = new Uint8Array(0);
  private finished = false;

  constructor(context: { readonly flowTable: FlowTable }, options: ApplicationOptions = {}) {
    this.flowTable = context.flowTable;
    this.connectionsMax = options.connectionsMax ?? connectionsMaxDefault;
    this.idleSecondsMax = options.idleSecondsMax ?? idleSecondsMaxDefault;
    this.countTlsFrames = options.countTlsFrames ?? true;
    this.budget = new SegmentBudget(options.heldBytesMax ?? heldBytesMaxDefault);
    // Twice, so that V8 takes it for no constant: see PlainStretches.
    this.growTo(1_023);
    trackers.set(context, this);
  }

  onDns(listener: DnsListener): void {
    this.dnsListeners.push(listener);
  }
  onHttp(listener: HttpListener): void {
    this.httpListeners.push(listener);
  }
  onTls(listener: TlsListener): void {
    this.tlsListeners.push(listener);
  }

  /** Frames of an application so far. */
  frameCount(application: number): FrameCount {
    return { packets: this.frames[2 * application]!, bytes: this.frames[2 * application + 1]! };
  }

  /** Frames so far of those of the applications that had any, by the application's name. */
  frameCounts(applications: readonly number[]): Record<string, FrameCount> {
    const counts: Record<string, FrameCount> = {};
    for (const application of applications) {
      const count = this.frameCount(application);
      if (count.packets > 0) counts[applicationNames[application]!] = count;
    }
    return counts;
  }

  counters(): ApplicationCounters {
    return {
      connections: this.live,
      connectionsEvicted: this.evicted,
      connectionsExpired: this.expired,
      pipelineOverflows: this.pipelineOverflows,
      segmentsHeldBack: this.budget.heldBack,
      streamGaps: this.budget.gaps,
      streamGapBytes: this.budget.gapBytes,
      streamLimitHits: this.budget.limitHits,
    };
  }

  /** Look at every packet of the selection. */
  process(selection: PacketSelection): void {
    const { batch, rows, flow, direction, events, count } = selection;
    if (this.layers.length < count) this.layers = new Uint8Array(count * 2);
    this.layers.fill(0, 0, count);
    const { application } = this.flowTable;
    const { protocol, transportPayloadLength, sourcePort, destinationPort } = batch;
    this.payload = batch.payload;
    for (let i = 0; i < count; i += 1) {
      const row = rows[i]!;
      const transport = protocol[row]!;
      const slot = flow[i]!;
      if (slot < 0) continue;
      if (transport === tcp) {
        // The flow table has seen the whole selection already: only events tell where in it a flow began.
        if ((events[i]! & flowBegins) !== 0) this.restart(slot);
        const known = application[slot]!;
        if (known > Application.Llmnr) continue;
        if (known === Application.Unknown && transportPayloadLength[row] === 0) continue;
        this.packet = i;
        this.tcpPacket(batch, row, slot, known, direction[i]!);
      } else if (transport === udp) {
        const from = sourcePort[row]!;
        const to = destinationPort[row]!;
        const service = dnsServiceOf(from, to);
        if (service !== Application.Unknown) {
          this.packet = i;
          this.udpMessage(batch, row, slot, service);
        } else if ((from === 443 || to === 443) && application[slot] === Application.Unknown) {
          this.lookForQuic(batch, row, slot);
        }
      }
    }
    if (this.live > 0 && count > 0) this.expireSome(batch.timestampSeconds[rows[count - 1]!]!);
  }

  /** Between two flushes nothing is kept for rows here; there to be called by the engine. */
  flush(): void {}

  /** The stream has ended: close every connection. The tasks call it too; only the first call does something. */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    for (let i = 0; i < this.connections.length; i += 1) if (this.connections[i] !== undefined) this.release(i);
  }

  // What connections tell.

  frame(application: number, wireLength: number, live: boolean): void {
    const bit = layerOf[application]!;
    if (live) {
      if ((this.layers[this.packet]! & bit) !== 0) return;
      this.layers[this.packet] = this.layers[this.packet]! | bit;
    }
    this.frames[2 * application] = this.frames[2 * application]! + 1;
    this.frames[2 * application + 1] = this.frames[2 * application + 1]! + wireLength;
  }

  isLive(bytes: Uint8Array): boolean {
    return bytes === this.payload;
  }

  dnsMessage(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    this.tellDns(bytes, start, end, connection.application, true, connection.flow);
  }

  httpMessage(message: HttpMessage): void {
    for (const listener of this.httpListeners) listener.httpMessage(message);
  }

  httpTransaction(connection: Connection, transaction: HttpTransaction): void {
    for (const listener of this.httpListeners) listener.httpTransaction(connection, transaction);
  }

  tlsClientHello(connection: Connection, hello: ClientHello): void {
    for (const listener of this.tlsListeners) {
      listener.tlsClientHello(connection, hello, this.seconds, this.nanoseconds);
    }
  }

  pipelineOverflow(): void {
    this.pipelineOverflows += 1;
  }

  // Packets.

  private udpMessage(batch: PacketBatch, row: number, slot: number, service: number): void {
    if ((batch.layers[row]! & (Layer.Fragment | Layer.HasPorts)) !== Layer.HasPorts) return;
    const start = batch.payloadOffset[row]!;
    const end = start + batch.payloadLength[row]!;
    this.seconds = batch.timestampSeconds[row]!;
    this.nanoseconds = batch.timestampNanoseconds[row]!;
    if (!this.tellDns(batch.payload, start, end, service, false, slot)) return;
    this.flowTable.application[slot] = service;
    this.frame(service, batch.wireLength[row]!, true);
  }

  /** Returns false when the bytes hold no header. */
  private tellDns(
    bytes: Uint8Array,
    start: number,
    end: number,
    service: number,
    overTcp: boolean,
    flow: number,
  ): boolean {
    const { dnsEvent } = this;
    if (this.message.parse(bytes, start, end, service !== Application.Dns) === DnsReason.HeaderCut) return false;
    dnsEvent.service = service;
    dnsEvent.tcp = overTcp;
    dnsEvent.flow = flow;
    dnsEvent.seconds = this.seconds;
    dnsEvent.nanoseconds = this.nanoseconds;
    for (const listener of this.dnsListeners) listener.dnsMessage(dnsEvent);
    return true;
  }

  /** A long header of QUIC version 1 or 2 (RFC 9000 section 17.2, RFC 9369) names the flow; its bytes are encrypted. */
  private lookForQuic(batch: PacketBatch, row: number, slot: number): void {
    if ((batch.layers[row]! & (Layer.Fragment | Layer.HasPorts)) !== Layer.HasPorts) return;
    const at = batch.payloadOffset[row]!;
    if (batch.payloadLength[row]! < 5) return;
    const { payload } = batch;
    if ((payload[at]! & 0xc0) !== 0xc0) return;
    const version =
      ((payload[at + 1]! << 24) | (payload[at + 2]! << 16) | (payload[at + 3]! << 8) | payload[at + 4]!) >>> 0;
    if (version === 1 || version === 0x6b3343cf) this.flowTable.application[slot] = Application.Quic;
  }

  private tcpPacket(batch: PacketBatch, row: number, slot: number, known: number, direction: number): void {
    if ((batch.layers[row]! & (Layer.Fragment | Layer.HasTcp | Layer.HasPorts)) !== (Layer.HasTcp | Layer.HasPorts)) {
      return;
    }
    const place = slot < this.connectionOf.length ? this.connectionOf[slot]! : 0;
    if (place === closedConnection) return;
    if (place <= compactTls) {
      const length = batch.transportPayloadLength[row]!;
      if (length === 0) return;
      const result = this.followRecords(batch, row, slot, compactTls - place, direction, length);
      if (result !== RecordsResult.Parse) {
        if (result === RecordsResult.Touched) this.frame(Application.Tls, batch.wireLength[row]!, true);
        return;
      }
    }
    if (place > 0 && this.passPlain(batch, row, slot, direction)) return;
    let connection = place <= 0 ? undefined : this.connections[place - 1];
    this.seconds = batch.timestampSeconds[row]!;
    this.nanoseconds = batch.timestampNanoseconds[row]!;
    if (connection === undefined) {
      if (batch.transportPayloadLength[row] === 0) return;
      connection =
        place <= compactTls
          ? this.expand(batch, row, slot, compactTls - place, direction)
          : this.begin(batch, row, slot, known);
      if (connection === undefined) return;
    }
    this.follow(connection, batch, row, slot, direction);
  }

  /** A packet that needs no parser: an acknowledgment nobody waits for, or a segment of a plain stretch. */
  private passPlain(batch: PacketBatch, row: number, slot: number, direction: number): boolean {
    const { plain } = this;
    if ((batch.tcpFlags[row]! & (finFlag | synFlag | rstFlag)) !== 0) return false;
    const length = batch.transportPayloadLength[row]!;
    if (plain.waiting(slot)) return false;
    if (length === 0) return true;
    const mode = plain.mode(slot, direction);
    const sequence = batch.tcpSequence[row]!;
    if (mode === PlainMode.None || !plain.isNext(slot, direction, sequence)) return false;
    if (mode === PlainMode.Body) {
      if (!plain.endsWithin(slot, direction, sequence, length)) return false;
    } else {
      const start = batch.payloadOffset[row]!;
      const end = start + Math.min(batch.payloadLength[row]!, length);
      if (start === end || recognizeHttp(batch.payload, start, end) !== Recognition.No) return false;
      this.frame(Application.Http, batch.wireLength[row]!, true);
    }
    plain.advance(slot, direction, length, batch.timestampSeconds[row]!);
    return true;
  }

  /** Bring a connection up to date with what passed it by; side 0 is the client's when its port says so. */
  private settle(connection: Connection): void {
    const { flow } = connection;
    connection.lastSeconds = this.lastSecondsOf(connection);
    for (let direction = 0; direction < 2; direction += 1) {
      if (this.plain.mode(flow, direction) === PlainMode.None) continue;
      connection.catchUp(direction === connection.direction0 ? 0 : 1, this.plain.next(flow, direction));
    }
    this.plain.clear(flow, false);
  }

  /** Note which sides of an HTTP connection are plain from here on. */
  private notePlain(connection: Connection, slot: number): void {
    const { plain } = this;
    const waiting = connection.sides[0].stream.waiting || connection.sides[1].stream.waiting;
    plain.clear(slot, waiting);
    if (waiting || connection.application !== Application.Http) return;
    for (let side = 0; side < 2; side += 1) {
      const remaining = connection.httpPlain(side);
      if (remaining === 0) continue;
      const { next } = connection.sides[side]!.stream;
      const direction = side === 0 ? connection.direction0 : 1 - connection.direction0;
      plain.set(
        slot,
        direction,
        remaining < 0 ? PlainMode.Lost : PlainMode.Body,
        next,
        (next + Math.max(0, remaining)) >>> 0,
        this.seconds,
      );
    }
  }

  /** A segment of a TLS connection kept in TlsRecords. @param sides bit 0 the client's is known, bit 1 the server's */
  private followRecords(
    batch: PacketBatch,
    row: number,
    slot: number,
    sides: number,
    direction: number,
    length: number,
  ): RecordsResult {
    const start = batch.payloadOffset[row]!;
    const end = start + Math.min(batch.payloadLength[row]!, length);
    const sequence = batch.tcpSequence[row]!;
    const known = (sides & (1 << direction)) !== 0;
    if (!this.countTlsFrames) {
      if (!known) this.connectionOf[slot] = compactTls - (sides | (1 << direction));
      return this.records.watch(slot, direction, known, sequence, length, batch.payload, start, end);
    }
    if (!known) {
      if (recognizeTls(batch.payload, start, end) !== Recognition.Yes) return RecordsResult.Parse;
      this.records.set(slot, direction, sequence, 0);
      this.connectionOf[slot] = compactTls - (sides | (1 << direction));
    }
    return this.records.follow(slot, direction, sequence, length, batch.payload, start, end);
  }

  /** Back to parsers: the segment at hand is not a plain one. */
  private expand(batch: PacketBatch, row: number, slot: number, before: number, direction: number): Connection {
    // followRecords may have come to know the side only now; the parsers start there all the same.
    const sides = Math.max(before, compactTls - this.connectionOf[slot]!);
    const connection = this.connect(batch, row, slot, Application.Tls);
    connection.wasConfirmed = true;
    for (const side of [0, 1]) {
      const way = side === 0 ? direction : 1 - direction;
      if ((sides & (1 << way)) !== 0)
        connection.resumeTls(side, this.records.next(slot, way), this.records.left(slot, way));
    }
    return connection;
  }

  /** A TLS connection that is in the middle of nothing needs no parsers. */
  private compact(connection: Connection, slot: number, side: number, direction: number): void {
    const mine = connection.tlsRemaining(side, !this.countTlsFrames);
    const peers = connection.tlsRemaining(1 - side, !this.countTlsFrames);
    if (mine === null || peers === null) return;
    this.forget(connection);
    let place = compactTls;
    if (mine >= 0) {
      this.records.set(slot, direction, connection.sides[side]!.stream.next, mine);
      place -= 1 << direction;
    }
    if (peers >= 0) {
      this.records.set(slot, 1 - direction, connection.sides[1 - side]!.stream.next, peers);
      place -= 1 << (1 - direction);
    }
    this.connectionOf[slot] = place;
  }

  /** The first payload of a flow (or the first since its connection was given up): is it one to follow? */
  private begin(batch: PacketBatch, row: number, slot: number, known: number): Connection | undefined {
    const { payload } = batch;
    const start = batch.payloadOffset[row]!;
    const end = start + batch.payloadLength[row]!;
    const from = batch.sourcePort[row]!;
    const to = batch.destinationPort[row]!;
    const service = dnsServiceOf(from, to);
    let found = known;
    if (found === Application.Unknown) {
      if (start === end) return undefined; // the snap length left nothing to go by
      if (service === Application.Dns || service === Application.Llmnr) found = service;
      else if (recognizeTls(payload, start, end) !== Recognition.No) found = Application.Tls;
      else if (recognizeHttp(payload, start, end) !== Recognition.No) found = Application.Http;
      else if (isSsh(payload, start, end)) found = Application.Ssh;
    }
    if (found === Application.Unknown || found === Application.Ssh) {
      if (found === Application.Ssh) this.flowTable.application[slot] = found;
      else if (isLikely[from] === 0 && isLikely[to] === 0) this.flowTable.application[slot] = Application.Other;
      return undefined;
    }
    const connection = this.connect(batch, row, slot, found);
    connection.wasConfirmed = known !== Application.Unknown;
    if ((batch.tcpFlags[row]! & ackFlag) !== 0) connection.sides[1].stream.start(batch.tcpAcknowledgment[row]!);
    return connection;
  }

  /** A new connection whose side 0 sent the packet at hand. */
  private connect(batch: PacketBatch, row: number, slot: number, found: number): Connection {
    if (this.live >= this.connectionsMax) this.evictOne();
    const connection = new Connection(
      this,
      slot,
      found,
      found === Application.Http ? 'http' : found === Application.Tls ? 'tls' : 'dns',
      batch.sourcePort[row]!,
      batch.destinationPort[row]!,
      batch.sourceAddress,
      row << 2,
    );
    connection.stamp.read(this.flowTable, slot);
    this.plain.reserve(slot);
    this.plain.clear(slot, false);
    const index = this.free.pop() ?? this.connections.length;
    this.connections[index] = connection;
    this.live += 1;
    if (slot >= this.connectionOf.length) this.growTo(slot);
    this.connectionOf[slot] = index + 1;
    return connection;
  }

  private follow(connection: Connection, batch: PacketBatch, row: number, slot: number, direction: number): void {
    this.settle(connection);
    const flags = batch.tcpFlags[row]!;
    const side = connection.sideOf(batch.sourceAddress, row, batch.sourcePort[row]!);
    const stream = connection.sides[side]!.stream;
    const other = connection.sides[1 - side]!.stream;
    const wireLength = batch.wireLength[row]!;
    const length = batch.transportPayloadLength[row]!;
    connection.lastSeconds = this.seconds;
    connection.closingWireLength = wireLength;
    // The acknowledgment first: it may free what the peer sent before this segment.
    if ((flags & ackFlag) !== 0 && other.started) other.acknowledge(batch.tcpAcknowledgment[row]!, this.seconds);
    if (length > 0 || (flags & finFlag) !== 0) {
      const syn = (flags & synFlag) !== 0 ? 1 : 0;
      stream.segment(
        batch.payload,
        batch.payloadOffset[row]!,
        Math.min(batch.payloadLength[row]!, length),
        (batch.tcpSequence[row]! + syn) >>> 0,
        length,
        flags,
        wireLength,
        this.seconds,
      );
    }
    if ((flags & rstFlag) !== 0) connection.close();
    if (connection.rejected) {
      this.forget(connection);
      const likely = isLikely[connection.port] === 1 || isLikely[connection.otherPort] === 1;
      this.flowTable.application[slot] = likely ? Application.Unknown : Application.Other;
      return;
    }
    if (this.flowTable.application[slot] !== connection.application && connection.confirmed) {
      this.flowTable.application[slot] = connection.application;
    }
    if (connection.closed) {
      const confirmed = connection.confirmed;
      this.forget(connection);
      if (confirmed) this.connectionOf[slot] = closedConnection;
    } else if (connection.application === Application.Tls && connection.confirmed) {
      this.compact(connection, slot, side, direction);
    } else {
      connection.direction0 = side === 0 ? direction : 1 - direction;
      this.notePlain(connection, slot);
    }
    connection.closingWireLength = 0;
  }

  // The table of connections.

  /** A flow begins at this index: what ran here before is over. */
  private restart(slot: number): void {
    this.flowTable.application[slot] = Application.Unknown;
    const place = slot < this.connectionOf.length ? this.connectionOf[slot]! : 0;
    if (place > 0) this.release(place - 1);
    if (place !== 0) this.connectionOf[slot] = 0;
  }

  private forget(connection: Connection): void {
    this.release(this.connectionOf[connection.flow]! - 1);
  }

  /** Close a connection and free its place. */
  private release(index: number): void {
    const connection = this.connections[index]!;
    this.connections[index] = undefined;
    this.free.push(index);
    this.live -= 1;
    this.settle(connection);
    this.connectionOf[connection.flow] = 0;
    connection.close();
  }

  private evictOne(): void {
    let idlest = -1;
    const steps = Math.min(this.connections.length, clockSteps * 4);
    for (let looked = 0; looked < steps; looked += 1) {
      this.hand = (this.hand + 1) % this.connections.length;
      const connection = this.connections[this.hand];
      if (connection === undefined) continue;
      if (idlest < 0 || this.lastSecondsOf(connection) < this.lastSecondsOf(this.connections[idlest]!))
        idlest = this.hand;
    }
    if (idlest < 0) idlest = this.connections.findIndex((connection) => connection !== undefined);
    this.evicted += 1;
    this.release(idlest);
  }

  private lastSecondsOf(connection: Connection): number {
    const plain = this.plain.mode(connection.flow, 0) !== 0 || this.plain.mode(connection.flow, 1) !== 0;
    return plain ? Math.max(connection.lastSeconds, this.plain.lastSeconds(connection.flow)) : connection.lastSeconds;
  }

  private expireSome(seconds: number): void {
    const steps = Math.min(this.connections.length, clockSteps);
    for (let looked = 0; looked < steps; looked += 1) {
      this.hand = (this.hand + 1) % this.connections.length;
      const connection = this.connections[this.hand];
      if (connection === undefined || seconds - this.lastSecondsOf(connection) <= this.idleSecondsMax) continue;
      this.expired += 1;
      this.release(this.hand);
    }
  }

  private growTo(slot: number): void {
    let size = this.connectionOf.length;
    while (size <= slot) size *= 2;
    const connectionOf = new Int32Array(size);
    connectionOf.set(this.connectionOf);
    this.connectionOf = connectionOf;
  }
}

/** RFC 4253 section 4.2 */
function isSsh(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= 4 &&
    bytes[start] === 83 &&
    bytes[start + 1] === 83 &&
    bytes[start + 2] === 72 &&
    bytes[start + 3] === 45
  );
}
