/**
 * The flow table: bidirectional 5-tuple + VLAN -> one interleaved record.
 *
 * Layout. Every flow has a hot record of 32 words (128 bytes, two cache lines: key, counters, TCP positions) and a cold
 * one of 16 words (64 bytes: what only TCP events touch), both in flat typed arrays at slot * stride. The index is open
 * addressing with linear probing over pairs (hash, slot + 1), at most half full, so that a probe nearly always ends in
 * one cache line and only the right record is touched. Deletion shifts back (Knuth 6.4 algorithm R): no tombstones.
 *
 * Limits. `maxFlows` bounds everything. When it is reached the smallest quarter or so of the flows folds into one
 * "other" record per protocol (addresses ::, ports 0): no packet is lost from the sums, the flows' identity is, and
 * `foldedFlows` counts them.
 *
 * Window rows. With windows on, a record holds what the flow did in one window since the last flush. A packet of another
 * window first writes the record out as a row; so late packets make a row of their own, and sums stay right to the byte.
 *
 * Memory: 192 bytes a flow + 16 to 32 bytes of index, and while the records are copied to larger arrays a quarter more.
 */
import { freeMemory, growBuffer, growableBuffer } from '@netspectra/collector/memory';
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { PacketEvent } from '../packet-selection.js';
import type { PacketSelection } from '../packet-selection.js';
import { Application } from './application.js';
import {
  client,
  clientBytes,
  clientNext,
  clientOutOfOrder,
  clientPackets,
  clientRetransmissions,
  ClientSeen,
  clientZeroWindows,
  Closed,
  coldWords,
  firstNanoseconds,
  firstSeconds,
  generationWord,
  hotWords,
  idHigh,
  idLow,
  InUse,
  IsConversation,
  IsOther,
  lastNanoseconds,
  lastSeconds,
  meta,
  misc,
  NewInRow,
  ports,
  rtt,
  server,
  serverBytes,
  serverNext,
  serverPackets,
  ServerSeen,
  serverZeroWindows,
  swapRecord,
  tcpFlags,
  tunnelId,
  vlans,
  windowStart,
  WithPorts,
} from './record.js';
import { swapped, tcpAck, tcpSyn, trackTcp } from './tcp.js';
import type { TcpRecords } from './tcp.js';

const keptOnReopen = 0xffff | IsConversation | InUse | WithPorts;

/** Room for records at the start, and by how much it grows. Pages that are never touched cost nothing. */
const initialFlows = 1 << 18;
const growth = 4;
/** Address space is taken for so many records, or eight times those at the start: up to there they grow where they are. */
const reservedFlows = 1 << 20;
const reservedGrowth = 8;
/** Buckets of the index at the start: it is touched all over, so it grows with the flows instead, by doubling. */
const initialBuckets = 1 << 13;
/** Packets looked up ahead. 256: their records (48 KiB) still fit the second-level cache with room to spare. */
const blockPackets = 256;
/** Slots looked at by one call of `expire`. */
const expirySlots = 16_384;
/** A closed TCP flow is kept so long for its last packets, seconds. */
const closedSeconds = 5;
/** IPFIX flowEndReason (RFC 5102 5.11.3). */
export const FlowEndReason = { Idle: 1, Active: 2, Ended: 3, Forced: 4, NoResources: 5 } as const;

export interface FlowTableOptions {
  /** most flows kept; memory is about 200 bytes each */
  readonly maxFlows: number;
  /** window of a flow row in seconds, 0 = one row for the whole run */
  readonly windowSeconds: number;
  /** a flow without packets for so long is over, seconds of event time; 0 = never */
  readonly idleTimeoutSeconds: number;
  /** room for so many at the start; absent: for many, which suits one table a thread and not one for each of many streams */
  readonly initialFlows?: number;
}

/** Columns of what one side of flows is, and what it sent: addresses have four words a row, the bytes in network order. */
export interface DeltaSideColumns {
  readonly addresses: Uint32Array;
  readonly ports: Uint16Array;
  readonly bytes: Float64Array;
  readonly packets: Float64Array;
}

/** Columns of what flows added. */
export interface DeltaColumns {
  readonly client: DeltaSideColumns;
  readonly server: DeltaSideColumns;
  /** start of the flow window the packets are of, seconds since the epoch; 0 without windows */
  readonly seconds: Float64Array;
  readonly protocols: Uint8Array;
  /** 1 when the flow's packets had ports */
  readonly hasPorts: Uint8Array;
}

export class FlowTable implements TcpRecords {
  application: Uint8Array = new Uint8Array(0);
  /** flows that were folded into "other" because the table was full */
  foldedFlows = 0;
  /** of these, how many were TCP or UDP conversations */
  foldedConversations = 0;
  /** flows in the table, "other" records not counted */
  live = 0;
  /** packets that came for a window before the newest one */
  latePackets = 0;
  /** what every packet of the batch at hand stands for: packets, bytes and TCP events count so many times */
  weight = 1;

  /** Rows: called for a flow record that has packets and, with windows on, is about to be emptied. */
  onRow: ((flow: number, reason: number) => void) | undefined = undefined;
  private readonly deltaListeners: ((flow: number) => void)[] = [];

  /** words of the hot records; `bytes` and `float` are the same memory */
  hot: Uint32Array = new Uint32Array(0);
  private float: Float64Array = new Float64Array(0);
  addressBytes: Uint8Array = new Uint8Array(0);
  cold: Uint32Array = new Uint32Array(0);
  private hotBuffer = growableBuffer(0, 0);
  private coldBuffer = growableBuffer(0, 0);
  private applicationBuffer = growableBuffer(0, 0);
  private capacity = 0;
  /** flows (and "other" records) up to which neither records nor index must grow */
  private roomFor = 0;
  /** slots handed out so far; freed ones wait in `free` */
  private used = 0;
  private free = new Uint32Array(64);
  /** indexes that the table has grown out of, which V8 would keep until other garbage makes it look */
  private readonly outgrown: ArrayBufferLike[] = [];
  private freeCount = 0;
  private index = new Uint32Array(0);
  private mask = 0;
  private newestWindow = 0;
  /** per protocol the slot of its "other" record, -1 = none */
  private readonly others = new Int32Array(256).fill(-1);
  private otherRecords = 0;
  private expiryHand = 0;
  private nextExpirySeconds = 0;
  private readonly options: FlowTableOptions;
  private limit: number;

  constructor(options: FlowTableOptions) {
    this.options = options;
    this.limit = options.maxFlows;
    // All of these are set a second time here: what was set once V8 takes for a constant, and throws the code compiled for it away
    // when the table grows for the first time.
    this.growTo(Math.min(options.initialFlows ?? initialFlows, options.maxFlows + blockPackets));
    this.index = new Uint32Array(initialBuckets * 2);
    this.mask = initialBuckets - 1;
  }

  /** Most flows kept from now on. Tables that share a bound are given what the others leave; what is above folds. */
  set maxFlows(maxFlows: number) {
    if (maxFlows === this.limit) return;
    this.limit = maxFlows;
    this.roomFor = 0;
  }

  /** Changes whenever the slot is given to another flow: remember (flow, generation) to notice. */
  generation(flow: number): number {
    return this.cold[flow * coldWords + generationWord]!;
  }
  idHigh(flow: number): number {
    return this.hot[flow * hotWords + idHigh]!;
  }
  idLow(flow: number): number {
    return this.hot[flow * hotWords + idLow]!;
  }
  /** Where the flow's 16 address bytes (network order) stand in `addressBytes`. */
  clientAddressOffset(flow: number): number {
    return (flow * hotWords + client) * 4;
  }
  serverAddressOffset(flow: number): number {
    return (flow * hotWords + server) * 4;
  }
  clientPort(flow: number): number {
    return this.hot[flow * hotWords + ports]! & 0xffff;
  }
  serverPort(flow: number): number {
    return this.hot[flow * hotWords + ports]! >>> 16;
  }
  protocol(flow: number): number {
    return this.hot[flow * hotWords + meta]! & 0xff;
  }
  vlan(flow: number): number {
    return this.hot[flow * hotWords + vlans]! & 0xffff;
  }
  innerVlan(flow: number): number {
    return this.hot[flow * hotWords + vlans]! >>> 16;
  }
  tunnelType(flow: number): number {
    return (this.hot[flow * hotWords + meta]! >>> 8) & 0xff;
  }
  tunnelId(flow: number): number {
    return this.hot[flow * hotWords + tunnelId]!;
  }
  rttNanoseconds(flow: number): number {
    return this.hot[flow * hotWords + rtt]!;
  }
  windowStart(flow: number): number {
    return this.hot[flow * hotWords + windowStart]!;
  }
  clientBytes(flow: number): number {
    return this.float[(flow * hotWords + clientBytes) >>> 1]!;
  }
  serverBytes(flow: number): number {
    return this.float[(flow * hotWords + serverBytes) >>> 1]!;
  }
  clientPackets(flow: number): number {
    return this.float[(flow * hotWords + clientPackets) >>> 1]!;
  }
  serverPackets(flow: number): number {
    return this.float[(flow * hotWords + serverPackets) >>> 1]!;
  }
  firstSeconds(flow: number): number {
    return this.hot[flow * hotWords + firstSeconds]!;
  }
  firstNanoseconds(flow: number): number {
    return this.hot[flow * hotWords + firstNanoseconds]!;
  }
  lastSeconds(flow: number): number {
    return this.hot[flow * hotWords + lastSeconds]!;
  }
  lastNanoseconds(flow: number): number {
    return this.hot[flow * hotWords + lastNanoseconds]!;
  }
  clientTcpFlags(flow: number): number {
    return this.hot[flow * hotWords + tcpFlags]! & 0xffff;
  }
  serverTcpFlags(flow: number): number {
    return this.hot[flow * hotWords + tcpFlags]! >>> 16;
  }
  /** 0 client, 1 server */
  retransmissions(flow: number, direction: number): number {
    return this.cold[flow * coldWords + clientRetransmissions + direction]!;
  }
  outOfOrder(flow: number, direction: number): number {
    return this.cold[flow * coldWords + clientOutOfOrder + direction]!;
  }
  zeroWindows(flow: number, direction: number): number {
    return this.cold[flow * coldWords + clientZeroWindows + direction]!;
  }
  trafficClass(flow: number): number {
    return this.hot[flow * hotWords + misc]! & 0xff;
  }
  icmpType(flow: number): number {
    return (this.hot[flow * hotWords + misc]! >>> 8) & 0xff;
  }
  icmpCode(flow: number): number {
    return (this.hot[flow * hotWords + misc]! >>> 16) & 0xff;
  }
  /** The flow began within the current row. */
  isNew(flow: number): boolean {
    return (this.hot[flow * hotWords + meta]! & NewInRow) !== 0;
  }
  /** The flow began elsewhere. */
  forgetNew(flow: number): void {
    this.hot[flow * hotWords + meta] = this.hot[flow * hotWords + meta]! & ~NewInRow;
  }
  /** The record collects flows that were folded for want of room. */
  isOther(flow: number): boolean {
    return (this.hot[flow * hotWords + meta]! & IsOther) !== 0;
  }
  isConversation(flow: number): boolean {
    return (this.hot[flow * hotWords + meta]! & IsConversation) !== 0;
  }
  /**
   * Hear of what every flow added: called with the flow once for all its packets since the call before, when its record
   * is about to be emptied or given up. All of a flow's packets are of one window then (`windowStart`). Without windows
   * that is at the end: `closeDeltas`. Sums over addresses, ports and protocols cost a call a flow this way, not a packet.
   */
  onDelta(listener: (flow: number) => void): void {
    this.deltaListeners.push(listener);
  }
  /** Runs without windows: the end has come, every flow's whole record is its one delta. */
  closeDeltas(): void {
    if (this.options.windowSeconds > 0) return;
    for (let flow = 0; flow < this.used; flow += 1) this.tellDelta(flow);
  }
  private tellDelta(flow: number): void {
    if (this.isOther(flow) || !this.hasPackets(flow)) return;
    const { deltaListeners } = this;
    for (let i = 0; i < deltaListeners.length; i += 1) deltaListeners[i]!(flow);
  }

  /**
   * What a flow added, into row `row` of columns: one call, where the getters would be twelve.
   * @returns its packets
   */
  readDelta(flow: number, columns: DeltaColumns, row: number): number {
    const { hot, float } = this;
    const { client: ofClient, server: ofServer } = columns;
    const record = flow * hotWords;
    const counter = record >>> 1;
    const to = row << 2;
    const state = hot[record + meta]!;
    const bothPorts = hot[record + ports]!;
    const sent = float[counter + (clientPackets >> 1)]!;
    const answered = float[counter + (serverPackets >> 1)]!;
    columns.seconds[row] = hot[record + windowStart]!;
    columns.protocols[row] = state & 0xff;
    columns.hasPorts[row] = (state & WithPorts) !== 0 ? 1 : 0;
    ofClient.ports[row] = bothPorts & 0xffff;
    ofServer.ports[row] = bothPorts >>> 16;
    ofClient.bytes[row] = float[counter + (clientBytes >> 1)]!;
    ofServer.bytes[row] = float[counter + (serverBytes >> 1)]!;
    ofClient.packets[row] = sent;
    ofServer.packets[row] = answered;
    for (let i = 0; i < 4; i += 1) {
      ofClient.addresses[to + i] = hot[record + client + i]!;
      ofServer.addresses[to + i] = hot[record + server + i]!;
    }
    return sent + answered;
  }

  /** Slots ever used; walk 0 .. slots - 1 and skip those that are not `inUse`. */
  get slots(): number {
    return this.used;
  }
  /** The slot holds packets since the last row. */
  hasPackets(flow: number): boolean {
    return this.clientPackets(flow) + this.serverPackets(flow) > 0;
  }
  /** Bytes of all arrays. */
  get memoryBytes(): number {
    return this.hot.byteLength + this.cold.byteLength + this.index.byteLength + this.application.byteLength;
  }

  /**
   * Count the selected packets: fills `selection.flow`, `.direction` and `.events`.
   *
   * Three passes over blocks of packets. The first only reads the index and the second only a word of each of the record's lines:
   * their cache misses do not depend on each other, so the processor overlaps them, and the third pass finds everything
   * near. With 2M flows that is the difference between one miss at a time and many in flight.
   *
   * @param weight what each packet stands for; with 0 it changes what is known of its flow (who is client, where TCP
   *   stands), and adds nothing
   */
  track(selection: PacketSelection, weight: number = selection.batch.samplingRate): void {
    const { batch, rows, count, flow, direction, events } = selection;
    const { layers, flowHash } = batch;
    this.weight = weight;
    // Now, when nothing is in the middle of anything that may look at them.
    while (this.outgrown.length > 0) freeMemory(this.outgrown.pop()!);
    for (let start = 0; start < count; start += blockPackets) {
      const end = Math.min(count, start + blockPackets);
      // Room for a block of new flows first, so that nothing moves while the block is counted.
      if (this.live + this.otherRecords + (end - start) > this.roomFor) this.makeRoom(end - start);
      const index = this.index;
      const mask = this.mask;
      let touch = 0;
      for (let i = start; i < end; i += 1) {
        flow[i] = index[((flowHash[rows[i]!]! & mask) << 1) + 1]!;
      }
      const hot = this.hot;
      for (let i = start; i < end; i += 1) {
        const guess = flow[i]!;
        if (guess !== 0) touch ^= hot[(guess - 1) * hotWords + meta]! ^ hot[(guess - 1) * hotWords + clientPackets]!;
      }
      this.touched = touch;
      for (let i = start; i < end; i += 1) {
        const row = rows[i]!;
        events[i] = 0;
        direction[i] = 0;
        if ((layers[row]! & Layer.HasAddresses) === 0) {
          flow[i] = -1;
          continue;
        }
        this.count(batch, row, selection, i);
      }
    }
  }
  /** Keeps the second pass of `track` from being optimised away. */
  touched = 0;

  private count(batch: PacketBatch, row: number, selection: PacketSelection, i: number): void {
    const hash = batch.flowHash[row]!;
    const source = batch.sourceAddress;
    const destination = batch.destinationAddress;
    const at = row << 2;
    const s0 = source[at]!;
    const s1 = source[at + 1]!;
    const s2 = source[at + 2]!;
    const s3 = source[at + 3]!;
    const d0 = destination[at]!;
    const d1 = destination[at + 1]!;
    const d2 = destination[at + 2]!;
    const d3 = destination[at + 3]!;
    const sourcePort = batch.sourcePort[row]!;
    const destinationPort = batch.destinationPort[row]!;
    const forward = (sourcePort | (destinationPort << 16)) >>> 0;
    const backward = (destinationPort | (sourcePort << 16)) >>> 0;
    const protocol = batch.protocol[row]!;
    const vlan = (batch.vlan[row]! | (batch.innerVlan[row]! << 16)) >>> 0;
    const layers = batch.layers[row]!;

    const index = this.index;
    const mask = this.mask;
    const hot = this.hot;
    let bucket = hash & mask;
    let record = -1;
    let slot = -1;
    let fromServer = 0;
    for (;;) {
      const stored = index[(bucket << 1) + 1]!;
      if (stored === 0) break;
      if (index[bucket << 1] === hash) {
        const base = (stored - 1) * hotWords;
        if ((hot[base + meta]! & 0xff) === protocol && hot[base + vlans] === vlan) {
          if (
            hot[base + ports] === forward &&
            hot[base + 3] === s3 &&
            hot[base + 7] === d3 &&
            hot[base] === s0 &&
            hot[base + 1] === s1 &&
            hot[base + 2] === s2 &&
            hot[base + 4] === d0 &&
            hot[base + 5] === d1 &&
            hot[base + 6] === d2
          ) {
            record = base;
            slot = stored - 1;
            break;
          }
          if (
            hot[base + ports] === backward &&
            hot[base + 3] === d3 &&
            hot[base + 7] === s3 &&
            hot[base] === d0 &&
            hot[base + 1] === d1 &&
            hot[base + 2] === d2 &&
            hot[base + 4] === s0 &&
            hot[base + 5] === s1 &&
            hot[base + 6] === s2
          ) {
            record = base;
            slot = stored - 1;
            fromServer = 1;
            break;
          }
        }
      }
      bucket = (bucket + 1) & mask;
    }

    const seconds = batch.timestampSeconds[row]!;
    const nanoseconds = batch.timestampNanoseconds[row]!;
    const flags = batch.tcpFlags[row]!;
    const hasTcp = (layers & Layer.HasTcp) !== 0;
    let event = 0;
    if (record < 0) {
      slot = this.take();
      record = slot * hotWords;
      index[bucket << 1] = hash;
      index[(bucket << 1) + 1] = slot + 1;
      // The client sent the first packet, unless that is the answer to a SYN we did not see.
      fromServer = hasTcp && (flags & (tcpSyn | tcpAck)) === (tcpSyn | tcpAck) ? 1 : 0;
      const from = record + (fromServer ? server : client);
      const to = record + (fromServer ? client : server);
      hot[from] = s0;
      hot[from + 1] = s1;
      hot[from + 2] = s2;
      hot[from + 3] = s3;
      hot[to] = d0;
      hot[to + 1] = d1;
      hot[to + 2] = d2;
      hot[to + 3] = d3;
      hot[record + ports] = fromServer ? backward : forward;
      hot[record + meta] = protocol | (batch.tunnelType[row]! << 8);
      hot[record + vlans] = vlan;
      hot[record + tunnelId] = batch.tunnelId[row]!;
      this.begin(slot, record, hash, seconds, nanoseconds);
      event = PacketEvent.NewFlow;
    }

    const window = this.options.windowSeconds;
    if (window > 0) {
      const start = seconds - (seconds % window);
      if (start !== hot[record + windowStart]) {
        if (start < this.newestWindow) this.latePackets += 1;
        else this.newestWindow = start;
        this.emit(slot, FlowEndReason.Active);
        hot[record + windowStart] = start;
      }
    }

    if (hasTcp) {
      event |= trackTcp(this, batch, row, slot, record, fromServer, flags);
      if (event & swapped) {
        fromServer = 0;
        event &= ~swapped;
      }
      hot[record + tcpFlags] = hot[record + tcpFlags]! | (fromServer ? flags << 16 : flags);
    }

    const float = this.float;
    const counter = record >>> 1;
    const packets = counter + (clientPackets >> 1) + fromServer;
    const before = float[counter + (clientPackets >> 1)]! + float[counter + (serverPackets >> 1)]!;
    const weight = this.weight;
    float[packets] = float[packets]! + weight;
    const bytes = counter + (clientBytes >> 1) + fromServer;
    float[bytes] = float[bytes]! + batch.wireLength[row]! * weight;
    if (before === 0) {
      hot[record + firstSeconds] = seconds;
      hot[record + firstNanoseconds] = nanoseconds;
      hot[record + lastSeconds] = seconds;
      hot[record + lastNanoseconds] = nanoseconds;
      hot[record + misc] = batch.trafficClass[row]! | (batch.icmpType[row]! << 8) | (batch.icmpCode[row]! << 16);
    } else {
      const last = hot[record + lastSeconds]!;
      if (seconds > last || (seconds === last && nanoseconds > hot[record + lastNanoseconds]!)) {
        hot[record + lastSeconds] = seconds;
        hot[record + lastNanoseconds] = nanoseconds;
      } else if (
        seconds < hot[record + firstSeconds]! ||
        (seconds === hot[record + firstSeconds]! && nanoseconds < hot[record + firstNanoseconds]!)
      ) {
        hot[record + firstSeconds] = seconds;
        hot[record + firstNanoseconds] = nanoseconds;
      }
    }
    let state = hot[record + meta]! | (fromServer ? ServerSeen : ClientSeen);
    if (layers & Layer.HasPorts) state |= WithPorts;
    if (layers & (Layer.Tcp | Layer.Udp) && (layers & (Layer.HasPorts | Layer.Fragment)) === Layer.HasPorts) {
      if (protocol === 6 || protocol === 17) state |= IsConversation;
    }
    hot[record + meta] = state;
    selection.flow[i] = slot;
    selection.direction[i] = fromServer;
    selection.events[i] = event;
  }

  /** Write out every record that has packets; the counters restart, the flows live on. */
  flush(): void {
    for (let flow = 0; flow < this.used; flow += 1) this.emit(flow, FlowEndReason.Active);
  }

  /** Forget flows that were idle longer than the timeout at event time `now` (seconds); walks a part of the table a call. */
  expire(now: number): void {
    const idle = this.options.idleTimeoutSeconds;
    if (idle === 0 || now < this.nextExpirySeconds) return;
    const until = Math.min(this.used, this.expiryHand + expirySlots);
    for (let flow = this.expiryHand; flow < until; flow += 1) {
      const record = flow * hotWords;
      const state = this.hot[record + meta]!;
      if ((state & (InUse | IsOther)) !== InUse) continue;
      const timeout = state & Closed ? Math.min(idle, closedSeconds) : idle;
      if (now - this.hot[record + lastSeconds]! > timeout) {
        this.emit(flow, state & Closed ? FlowEndReason.Ended : FlowEndReason.Idle);
        this.remove(flow);
      }
    }
    this.expiryHand = until >= this.used ? 0 : until;
    if (this.expiryHand === 0) this.nextExpirySeconds = now + 1;
  }

  private emit(flow: number, reason: number): void {
    const record = flow * hotWords;
    const counter = record >>> 1;
    const float = this.float;
    if (float[counter + (clientPackets >> 1)]! + float[counter + (serverPackets >> 1)]! === 0) return;
    if (this.options.windowSeconds === 0) return;
    this.onRow?.(flow, reason);
    this.tellDelta(flow);
    zero(this.hot, record + clientBytes, record + clientBytes + 8);
    const low = flow * coldWords;
    zero(this.cold, low + clientRetransmissions, low + serverZeroWindows + 1);
    this.hot[record + tcpFlags] = 0;
    // The measured RTT belongs to the row in which the handshake ended.
    this.hot[record + rtt] = 0;
    this.hot[record + meta] = this.hot[record + meta]! & ~NewInRow;
  }

  private begin(slot: number, record: number, hash: number, seconds: number, nanoseconds: number): void {
    const hot = this.hot;
    const window = this.options.windowSeconds;
    const start = window > 0 ? seconds - (seconds % window) : 0;
    if (start > this.newestWindow) this.newestWindow = start;
    hot[record + windowStart] = start;
    hot[record + clientNext] = 0;
    hot[record + serverNext] = 0;
    zero(hot, record + clientBytes, record + idHigh);
    zero(this.cold, slot * coldWords, slot * coldWords + generationWord);
    this.identify(record, hash, seconds, nanoseconds);
    this.cold[slot * coldWords + generationWord] = this.cold[slot * coldWords + generationWord]! + 1;
    hot[record + meta] = hot[record + meta]! | NewInRow | InUse;
    this.application[slot] = Application.Unknown;
  }

  /** The same 5-tuple begins anew (SYN after the end): another flow, in the same slot. */
  reopen(slot: number, record: number, seconds: number, nanoseconds: number): void {
    const hot = this.hot;
    this.emit(slot, FlowEndReason.Ended);
    const conversation = hot[record + meta]! & keptOnReopen;
    hot[record + meta] = conversation;
    this.cold[slot * coldWords + generationWord] = this.cold[slot * coldWords + generationWord]! + 1;
    this.application[slot] = Application.Unknown;
    if (this.options.windowSeconds > 0) {
      hot[record + meta] = conversation | NewInRow;
      this.identify(record, hot[record + idLow]!, seconds, nanoseconds);
    }
  }

  /** 64-bit id: the key's hash, and a mix of addresses, ports, VLAN and the time of the first packet. Equal input gives
   * equal ids, so that a file read again names its flows alike. The low half is also how `remove` finds the index entry. */
  private identify(record: number, hash: number, seconds: number, nanoseconds: number): void {
    const hot = this.hot;
    let high = Math.imul(hot[record + 3]! ^ Math.imul(hot[record + 7]!, 0x9e3779b1), 0x85ebca6b) ^ hot[record + ports]!;
    high = Math.imul(high ^ (high >>> 15) ^ seconds, 0xc2b2ae35);
    high = Math.imul(high ^ (high >>> 13) ^ hot[record + vlans]!, 0x27d4eb2f);
    high = Math.imul(high ^ (high >>> 15) ^ nanoseconds, 0x85ebca6b);
    hot[record + idHigh] = high ^ (high >>> 16);
    hot[record + idLow] = hash;
  }

  private take(): number {
    this.live += 1;
    if (this.freeCount > 0) {
      this.freeCount -= 1;
      return this.free[this.freeCount]!;
    }
    if (this.used >= this.capacity) throw new Error('flow table: no room was made for this block');
    const slot = this.used;
    this.used += 1;
    return slot;
  }

  private remove(flow: number): void {
    const record = flow * hotWords;
    const index = this.index;
    const mask = this.mask;
    let bucket = this.bucketOf(flow);
    for (;;) {
      // Shift back whatever probed past this bucket.
      let next = bucket;
      for (;;) {
        next = (next + 1) & mask;
        if (index[(next << 1) + 1] === 0) {
          index[bucket << 1] = 0;
          index[(bucket << 1) + 1] = 0;
          this.hot[record + meta] = 0;
          zero(this.hot, record + clientBytes, record + tcpFlags);
          if (this.freeCount === this.free.length) {
            const grown = new Uint32Array(this.free.length * 2);
            grown.set(this.free);
            this.free = grown;
          }
          this.free[this.freeCount] = flow;
          this.freeCount += 1;
          this.live -= 1;
          return;
        }
        const home = index[next << 1]! & mask;
        if (((next - home) & mask) >= ((next - bucket) & mask)) break;
      }
      index[bucket << 1] = index[next << 1]!;
      index[(bucket << 1) + 1] = index[(next << 1) + 1]!;
      bucket = next;
    }
  }

  private bucketOf(flow: number): number {
    const index = this.index;
    const mask = this.mask;
    let bucket = this.idLow(flow) & mask;
    while (index[(bucket << 1) + 1] !== flow + 1) {
      if (index[(bucket << 1) + 1] === 0) throw new Error('flow table: a record is not in the index');
      bucket = (bucket + 1) & mask;
    }
    return bucket;
  }

  private makeRoom(needed: number): void {
    const most = this.limit + blockPackets;
    while (this.live + this.otherRecords + needed > Math.min(this.capacity, most)) {
      if (this.capacity < most) this.grow();
      else if (this.live > 0) this.fold();
      else break;
    }
    let buckets = this.mask + 1;
    while (buckets < (this.live + needed) * 2) buckets *= 2;
    if (buckets > this.mask + 1) this.growIndex(buckets);
    this.roomFor = Math.min(this.capacity, most, buckets >>> 1);
  }

  private grow(): void {
    this.growTo(Math.min(this.capacity * growth, this.limit + blockPackets));
  }

  /** Room for so many records: where they are, or, beyond what was reserved, in another place. */
  private growTo(capacity: number): void {
    const grown =
      growBuffer(this.hotBuffer, capacity * hotWords * 4) &&
      growBuffer(this.coldBuffer, capacity * coldWords * 4) &&
      growBuffer(this.applicationBuffer, capacity);
    if (!grown) this.move(capacity);
    this.hot = new Uint32Array(this.hotBuffer, 0, capacity * hotWords);
    this.float = new Float64Array(this.hotBuffer, 0, capacity * (hotWords / 2));
    this.addressBytes = new Uint8Array(this.hotBuffer, 0, capacity * hotWords * 4);
    this.cold = new Uint32Array(this.coldBuffer, 0, capacity * coldWords);
    this.application = new Uint8Array(this.applicationBuffer, 0, capacity);
    this.capacity = capacity;
  }

  private move(capacity: number): void {
    const most = Math.max(
      capacity,
      Math.min(this.limit + blockPackets, Math.max(reservedFlows, capacity * reservedGrowth)),
    );
    this.hotBuffer = growableBuffer(capacity * hotWords * 4, most * hotWords * 4);
    this.coldBuffer = growableBuffer(capacity * coldWords * 4, most * coldWords * 4);
    this.applicationBuffer = growableBuffer(capacity, most);
    new Uint32Array(this.hotBuffer).set(this.hot);
    new Uint32Array(this.coldBuffer).set(this.cold);
    new Uint8Array(this.applicationBuffer).set(this.application);
  }

  private growIndex(buckets: number): void {
    const old = this.index;
    // Written before it is read: a page that is read first is given zeros that all share, and taking them away at the first write
    // interrupts every thread of the process.
    const index = new Uint32Array(buckets * 2).fill(0);
    reindex(old, index);
    this.outgrow(old);
    this.index = index;
    this.mask = buckets - 1;
  }

  /**
   * An array that will not be read any more. Freeing the first one costs a thread all its compiled code, which rests on no array ever
   * having lost its memory, and a check at each access from then on: an eighth of a run that only reports, so these leave it to V8.
   */
  private outgrow({ buffer }: Uint32Array): void {
    if (this.options.windowSeconds > 0) this.outgrown.push(buffer);
  }

  /**
   * The table is full: about a quarter of the flows, those with the fewest bytes by a sampled quantile, give their
   * counters to the "other" record of their protocol and are forgotten.
   */
  private fold(): void {
    const step = Math.max(1, Math.floor(this.used / 4096));
    const sample: number[] = [];
    for (let flow = 0; flow < this.used; flow += step) {
      if ((this.hot[flow * hotWords + meta]! & (InUse | IsOther)) === InUse) sample.push(this.totalBytes(flow));
    }
    sample.sort((a, b) => a - b);
    const threshold = sample[sample.length >> 2] ?? 0;
    let wanted = Math.max(blockPackets, this.capacity >> 2);
    for (let flow = 0; flow < this.used && wanted > 0; flow += 1) {
      if ((this.hot[flow * hotWords + meta]! & (InUse | IsOther)) !== InUse) continue;
      if (this.totalBytes(flow) > threshold) continue;
      this.foldOne(flow);
      wanted -= 1;
    }
  }

  private totalBytes(flow: number): number {
    return this.clientBytes(flow) + this.serverBytes(flow);
  }

  private foldOne(flow: number): void {
    if (this.isConversation(flow)) this.foldedConversations += 1;
    this.foldedFlows += 1;
    const from = flow * hotWords;
    if (this.hasPackets(flow)) {
      this.tellDelta(flow);
      const other = this.otherFor(this.protocol(flow), flow);
      const to = other * hotWords;
      const window = this.windowStart(flow);
      if (this.windowStart(other) !== window) {
        this.emit(other, FlowEndReason.NoResources);
        this.hot[to + windowStart] = window;
      }
      this.addCounters(to, other, this.hot, from, this.cold, flow * coldWords);
    }
    this.remove(flow);
  }

  /** The record that collects folded flows of a protocol: addresses ::, ports 0, not in the index, never folded itself. */
  private otherFor(protocol: number, like: number): number {
    const known = this.others[protocol]!;
    if (known >= 0) return known;
    if (this.used >= this.capacity) this.grow();
    const slot = this.used;
    this.used += 1;
    const record = slot * hotWords;
    this.hot.fill(0, record, record + hotWords);
    this.cold.fill(0, slot * coldWords, slot * coldWords + coldWords);
    this.hot[record + meta] = protocol | InUse | IsOther;
    this.hot[record + windowStart] = this.windowStart(like);
    this.application[slot] = Application.Other;
    this.others[protocol] = slot;
    this.otherRecords += 1;
    return slot;
  }

  /** Add a record's counters, times and flags to the record at `to`. */
  private addCounters(
    to: number,
    slot: number,
    fromHot: Uint32Array,
    from: number,
    fromCold: Uint32Array,
    fromLow: number,
  ): void {
    const hot = this.hot;
    const before = this.hasPackets(slot);
    const source = new Float64Array(fromHot.buffer, fromHot.byteOffset + from * 4 + clientBytes * 4, 4);
    const counter = (to + clientBytes) >>> 1;
    for (let i = 0; i < 4; i += 1) this.float[counter + i] = this.float[counter + i]! + source[i]!;
    hot[to + tcpFlags] = hot[to + tcpFlags]! | fromHot[from + tcpFlags]!;
    const earlier = (seconds: number, nanoseconds: number): boolean =>
      fromHot[from + seconds]! < hot[to + seconds]! ||
      (fromHot[from + seconds] === hot[to + seconds] && fromHot[from + nanoseconds]! < hot[to + nanoseconds]!);
    if (!before || earlier(firstSeconds, firstNanoseconds)) {
      hot[to + firstSeconds] = fromHot[from + firstSeconds]!;
      hot[to + firstNanoseconds] = fromHot[from + firstNanoseconds]!;
    }
    if (!before || !earlier(lastSeconds, lastNanoseconds)) {
      hot[to + lastSeconds] = fromHot[from + lastSeconds]!;
      hot[to + lastNanoseconds] = fromHot[from + lastNanoseconds]!;
    }
    const low = slot * coldWords;
    for (let word = clientRetransmissions; word <= serverZeroWindows; word += 1) {
      this.cold[low + word] = this.cold[low + word]! + fromCold[fromLow + word]!;
    }
  }

  /**
   * Flows that belong to other partitions (put together from fragments, whose hash has no ports): taken out of this
   * table as records for `absorb` of the owner's. Only for runs without windows, where a flow is one record.
   */
  exportForeign(owns: (hash: number) => boolean): Uint32Array[] {
    const records: Uint32Array[] = [];
    for (let flow = 0; flow < this.used; flow += 1) {
      if ((this.hot[flow * hotWords + meta]! & (InUse | IsOther)) !== InUse || owns(this.idLow(flow))) continue;
      const record = new Uint32Array(hotWords + coldWords);
      record.set(this.hot.subarray(flow * hotWords, (flow + 1) * hotWords));
      record.set(this.cold.subarray(flow * coldWords, (flow + 1) * coldWords), hotWords);
      records.push(record);
      this.remove(flow);
    }
    return records;
  }

  /** Add a record of `exportForeign`: to the flow with the same key, whoever is client there, or as a new one. */
  absorb(record: Uint32Array): void {
    this.makeRoom(1);
    const hash = record[idLow]!;
    for (let turn = 0; turn < 2; turn += 1) {
      let bucket = hash & this.mask;
      for (;;) {
        const stored = this.index[(bucket << 1) + 1]!;
        if (stored === 0) break;
        const at = (stored - 1) * hotWords;
        if (this.index[bucket << 1] === hash && this.sameKey(at, record)) {
          this.addCounters(at, stored - 1, record, 0, record, hotWords);
          this.hot[at + meta] = this.hot[at + meta]! | (record[meta]! & IsConversation);
          return;
        }
        bucket = (bucket + 1) & this.mask;
      }
      if (turn === 0) swapRecord(record, 0, record, hotWords);
    }
    swapRecord(record, 0, record, hotWords);
    let bucket = hash & this.mask;
    while (this.index[(bucket << 1) + 1] !== 0) bucket = (bucket + 1) & this.mask;
    const slot = this.take();
    this.index[bucket << 1] = hash;
    this.index[(bucket << 1) + 1] = slot + 1;
    this.hot.set(record.subarray(0, hotWords), slot * hotWords);
    this.cold.set(record.subarray(hotWords), slot * coldWords);
    this.application[slot] = Application.Unknown;
  }

  private sameKey(at: number, record: Uint32Array): boolean {
    for (let word = client; word <= ports; word += 1) if (this.hot[at + word] !== record[word]) return false;
    return this.hot[at + vlans] === record[vlans] && (this.hot[at + meta]! & 0xff) === (record[meta]! & 0xff);
  }
}

/** `fill` for a few words: calling V8's costs more than writing them. */
function zero(words: Uint32Array, from: number, to: number): void {
  for (let i = from; i < to; i += 1) words[i] = 0;
}

/** Put what an index holds into a larger one. */
function reindex(old: Uint32Array, index: Uint32Array): void {
  const mask = (index.length >>> 1) - 1;
  for (let from = 0; from < old.length; from += 2) {
    const stored = old[from + 1]!;
    if (stored === 0) continue;
    let bucket = old[from]! & mask;
    while (index[(bucket << 1) + 1] !== 0) bucket = (bucket + 1) & mask;
    index[bucket << 1] = old[from]!;
    index[(bucket << 1) + 1] = stored;
  }
}
