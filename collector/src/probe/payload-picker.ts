/**
 * Which payload travels along with a packet: what the engine's parsers of DNS, HTTP and TLS will ask for, and of other TCP
 * and QUIC packets as many bytes as tell what they are. State is one small number for each of 65,536 slots of the flow
 * hash, so two flows may share one: then a little more travels than is needed.
 */
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { Recognition, recognizeHttp, recognizeTls } from '../decode/index.js';

/** none: headers only; applications: what parsers ask for; all: everything captured */
export const payloadModes = ['none', 'applications', 'all'] as const;
export type PayloadMode = (typeof payloadModes)[number];

const slots = 1 << 16;
const tcp = 6;
const udp = 17;
/** DNS, mDNS, LLMNR */
const isNamePort = (port: number): boolean => port === 53 || port === 5353 || port === 5355;
const quicPort = 443;
/** flags and version of a long header */
const quicBytes = 5;
/** enough for the greetings that the engine knows (SSH) */
const greetingBytes = 16;
/** Once a message is recognised: a header's worth of segments (the parsers' own limit is of this size). */
const httpBytes = 64 * 1024;
/** A client hello with its post-quantum key shares, and the server's flight. */
const tlsBytes = 16 * 1024;

export class PayloadPicker {
  /** bytes of TCP payload that are still wanted, by slot */
  private readonly wanted = new Int32Array(slots);

  constructor(private readonly mode: PayloadMode) {}

  /**
   * @param bytes what the row's payload columns point into
   * @returns how many of the row's payload bytes are to travel, from its begin
   */
  pick(batch: PacketBatch, row: number, bytes: Uint8Array): number {
    const length = batch.payloadLength[row]!;
    if (length === 0 || this.mode === 'none') return 0;
    // Only whole datagrams show their ports, and they are put together from payload.
    if (this.mode === 'all' || (batch.layers[row]! & Layer.Fragment) !== 0) return length;
    if ((batch.layers[row]! & Layer.HasPorts) === 0) return 0;
    const from = batch.sourcePort[row]!;
    const to = batch.destinationPort[row]!;
    if (isNamePort(from) || isNamePort(to)) return length;
    const protocol = batch.protocol[row]!;
    if (protocol === udp) return from === quicPort || to === quicPort ? Math.min(length, quicBytes) : 0;
    if (protocol !== tcp) return 0;
    return this.pickTcp(batch.flowHash[row]! & (slots - 1), bytes, batch.payloadOffset[row]!, length);
  }

  private pickTcp(slot: number, bytes: Uint8Array, start: number, length: number): number {
    const end = start + length;
    if (recognizeHttp(bytes, start, end) !== Recognition.No) this.wanted[slot] = httpBytes;
    else if (recognizeTls(bytes, start, end) !== Recognition.No)
      this.wanted[slot] = Math.max(this.wanted[slot]!, tlsBytes);
    const left = this.wanted[slot]!;
    if (left <= 0) return Math.min(length, greetingBytes);
    this.wanted[slot] = left - length;
    return length;
  }
}
