/**
 * Which payload travels along with a packet: what the engine's parsers of DNS, HTTP and TLS will ask for, and of other TCP
 * and QUIC packets as many bytes as tell what they are.
 *
 * Of TLS the engine reads ClientHellos, and knows a flow by a record's header; it does not follow the records behind. Of
 * an HTTP body it needs the length, which a Content-Length in the head told it: segments inside such a body travel
 * without payload.
 *
 * State is a few words for each of 65,536 slots of the flow hash, so flows may share one. What is still wanted is
 * wanted for all of them; what is left out is left out only of the flow that owns the slot: the one whose ClientHello or
 * request came last, known by all 32 bits of the hash and the client's port. The others then send a little more than is needed.
 */
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { HttpExtent, Recognition, recognizeHttp, recognizeTls } from '../decode/index.js';

/** none: headers only; applications: what parsers ask for; all: everything captured */
export const payloadModes = ['none', 'applications', 'all'] as const;
export type PayloadMode = (typeof payloadModes)[number];

const slots = 1 << 16;
const tcp = 6;
const udp = 17;
const synFlag = 2;
/** DNS, mDNS, LLMNR */
const isNamePort = (port: number): boolean => port === 53 || port === 5353 || port === 5355;
const quicPort = 443;
/** flags and version of a long header */
const quicBytes = 5;
/** enough for the greetings that the engine knows (SSH) */
const greetingBytes = 16;
/** Once a message is recognised: a header's worth of segments (the parsers' own limit is of this size). */
const httpBytes = 64 * 1024;
/** A client hello with its post-quantum key shares. */
const tlsBytes = 16 * 1024;
/** enough to see that a segment begins with a TLS record */
const recordHeaderBytes = 5;
const typeHandshake = 22;
const typeApplicationData = 23;
const clientHello = 1;

/** Words of a slot: bytes of TCP payload still wanted; the owner; where the body at hand begins and ends (TCP sequence) */
const slotWords = 4;
const ownerAt = 1;
const bodyAt = 2;
const bodyEndAt = 3;
/** What is known of the owner: it speaks TLS; it has asked by a method whose responses have no body (HEAD, CONNECT) */
const Known = { Tls: 1, Bodyless: 2 } as const;

export class PayloadPicker {
  private readonly words = new Int32Array(slots * slotWords);
  private readonly known = new Uint8Array(slots);
  private readonly extent = new HttpExtent();

  constructor(private readonly mode: PayloadMode) {}

  /**
   * @param bytes what the row's payload columns point into
   * @returns how many of the row's payload bytes are to travel, from its begin
   */
  pick(batch: PacketBatch, row: number, bytes: Uint8Array): number {
    const length = batch.payloadLength[row]!;
    if (this.mode === 'none') return 0;
    if (length === 0) {
      if ((batch.tcpFlags[row]! & synFlag) !== 0) this.begin(batch, row);
      return 0;
    }
    // Only whole datagrams show their ports, and they are put together from payload.
    if (this.mode === 'all' || (batch.layers[row]! & Layer.Fragment) !== 0) return length;
    if ((batch.layers[row]! & Layer.HasPorts) === 0) return 0;
    const from = batch.sourcePort[row]!;
    const to = batch.destinationPort[row]!;
    if (isNamePort(from) || isNamePort(to)) return length;
    const protocol = batch.protocol[row]!;
    if (protocol === udp) return from === quicPort || to === quicPort ? Math.min(length, quicBytes) : 0;
    if (protocol !== tcp) return 0;
    return this.pickTcp(batch, row, bytes, length);
  }

  private pickTcp(batch: PacketBatch, row: number, bytes: Uint8Array, length: number): number {
    const { words } = this;
    const slot = batch.flowHash[row]! & (slots - 1);
    const at = slot * slotWords;
    const start = batch.payloadOffset[row]!;
    const end = start + length;
    const http = recognizeHttp(bytes, start, end);
    if (http === Recognition.Yes) return this.pickHttp(batch, row, bytes, slot, length);
    if (http === Recognition.Perhaps) words[at] = httpBytes;
    const owns = this.owns(batch, row, at);
    if (owns) {
      // Modulo 2^32, as sequence numbers are.
      const before = (batch.tcpSequence[row]! - words[at + bodyAt]!) | 0;
      const behind = (words[at + bodyEndAt]! - batch.tcpSequence[row]! - batch.transportPayloadLength[row]!) | 0;
      if (before >= 0 && behind >= 0 && words[at + bodyAt] !== words[at + bodyEndAt]) return 0;
    }
    const speaksTls = owns && (this.known[slot]! & Known.Tls) !== 0;
    const fromClient = words[at + ownerAt]! >>> 16 === batch.sourcePort[row]!;
    if (recognizeTls(bytes, start, end) !== Recognition.No) {
      const type = bytes[start]!;
      if (type === typeApplicationData) {
        // Both have seen a hello by now; what may follow an early one begins a segment and is recognised there.
        if (speaksTls) words[at] = 0;
        return Math.min(length, recordHeaderBytes);
      }
      if (type === typeHandshake && (length <= recordHeaderBytes || bytes[start + recordHeaderBytes] === clientHello)) {
        this.own(batch, row, slot, true);
      } else if (speaksTls && !fromClient) return Math.min(length, recordHeaderBytes);
      words[at] = Math.max(words[at]!, tlsBytes);
    } else if (speaksTls && !fromClient) return 0;
    const left = words[at]!;
    if (left <= 0) return speaksTls ? 0 : Math.min(length, greetingBytes);
    words[at] = left - length;
    return length;
  }

  /** A segment that begins an HTTP message. */
  private pickHttp(batch: PacketBatch, row: number, bytes: Uint8Array, slot: number, length: number): number {
    const { words, extent } = this;
    const at = slot * slotWords;
    const start = batch.payloadOffset[row]!;
    // HTTP/ is a response; no method begins with HT.
    const isResponse = bytes[start] === 72 && bytes[start + 1] === 84;
    if (!isResponse) this.own(batch, row, slot, false);
    words[at] = httpBytes;
    let wanted = length;
    if (this.owns(batch, row, at)) {
      words[at + bodyAt] = words[at + bodyEndAt] = 0;
      if (isBodylessMethod(bytes, start)) this.known[slot] = this.known[slot]! | Known.Bodyless;
      const told = !isResponse || (this.known[slot]! & Known.Bodyless) === 0;
      if (told && extent.read(bytes, start, start + length, isResponse)) {
        const sent = batch.transportPayloadLength[row]!;
        if (extent.whole >= sent) {
          words[at + bodyAt] = batch.tcpSequence[row]! + sent;
          words[at + bodyEndAt] = batch.tcpSequence[row]! + extent.whole;
          wanted = extent.head;
        }
      }
    }
    words[at] = httpBytes - wanted;
    return wanted;
  }

  /** The slot is this flow's from here on; the sender is its client. */
  private own(batch: PacketBatch, row: number, slot: number, tls: boolean): void {
    const at = slot * slotWords;
    const { words, known } = this;
    const from = batch.sourcePort[row]!;
    // Between equal ports nobody can tell the sides apart: such a flow owns nothing.
    const owner = from === batch.destinationPort[row]! ? 0 : (batch.flowHash[row]! >>> 16) | (from << 16);
    if (words[at + ownerAt] !== owner || tls !== ((known[slot]! & Known.Tls) !== 0)) {
      words[at + ownerAt] = owner;
      words[at + bodyAt] = words[at + bodyEndAt] = 0;
      known[slot] = tls ? Known.Tls : 0;
    }
  }

  private owns(batch: PacketBatch, row: number, at: number): boolean {
    const owner = this.words[at + ownerAt]!;
    if ((owner & 0xffff) !== batch.flowHash[row]! >>> 16 || owner === 0) return false;
    const port = owner >>> 16;
    return port === batch.sourcePort[row]! || port === batch.destinationPort[row]!;
  }

  /** A SYN: nothing is known of what follows, though the ports may have been used before. */
  private begin(batch: PacketBatch, row: number): void {
    const at = (batch.flowHash[row]! & (slots - 1)) * slotWords;
    if (this.owns(batch, row, at)) this.words[at + ownerAt] = 0;
  }
}

/** HEAD or CONNECT: of no other method are these the first letters. */
function isBodylessMethod(bytes: Uint8Array, start: number): boolean {
  if (bytes[start] === 72) return bytes[start + 1] === 69;
  return bytes[start] === 67 && bytes[start + 1] === 79 && bytes[start + 2] === 78;
}
