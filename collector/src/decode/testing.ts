/** Hand-built frames and a small capture reader for tests. Everything is plain bytes; nothing is checked. */
import { PacketBatch } from '@netspectra/proto';

/** Bytes from numbers, hex strings and byte arrays, in order. */
export function bytesOf(...parts: readonly (number | string | Uint8Array)[]): Uint8Array {
  const out: number[] = [];
  for (const part of parts) {
    if (typeof part === 'number') out.push(part);
    else if (typeof part === 'string') {
      const digits = part.replace(/\s/g, '');
      for (let i = 0; i < digits.length; i += 2) out.push(Number.parseInt(digits.slice(i, i + 2), 16));
    } else out.push(...part);
  }
  return Uint8Array.from(out);
}

export const be16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value);
export const be32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

export const ethernet = (type: number, payload: Uint8Array): Uint8Array =>
  bytesOf('020000000002 020000000001', be16(type), payload);
export const vlan = (id: number, type: number, payload: Uint8Array): Uint8Array =>
  bytesOf(be16(id), be16(type), payload);
export const snap = (type: number, payload: Uint8Array): Uint8Array => bytesOf('aaaa03000000', be16(type), payload);

export interface Ipv4Fields {
  source?: string;
  destination?: string;
  options?: Uint8Array;
  id?: number;
  /** flags and offset field */
  fragment?: number;
  ttl?: number;
  tos?: number;
  totalLength?: number;
}

export function ipv4(protocol: number, payload: Uint8Array, fields: Ipv4Fields = {}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0);
  const words = 5 + options.length / 4;
  const address = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number));
  return bytesOf(
    0x40 | words,
    fields.tos ?? 0,
    be16(fields.totalLength ?? words * 4 + payload.length),
    be16(fields.id ?? 0x1234),
    be16(fields.fragment ?? 0),
    fields.ttl ?? 64,
    protocol,
    '0000',
    address(fields.source ?? '192.0.2.1'),
    address(fields.destination ?? '198.51.100.2'),
    options,
    payload,
  );
}

export interface Ipv6Fields {
  /** 32 hex digits */
  source?: string;
  destination?: string;
  trafficClass?: number;
  hopLimit?: number;
  payloadLength?: number;
}

export function ipv6(next: number, payload: Uint8Array, fields: Ipv6Fields = {}): Uint8Array {
  return bytesOf(
    be32(0x60000000 | ((fields.trafficClass ?? 0) << 20)),
    be16(fields.payloadLength ?? payload.length),
    next,
    fields.hopLimit ?? 64,
    fields.source ?? '20010db8000000000000000000000001',
    fields.destination ?? '20010db8000000000000000000000002',
    payload,
  );
}

/** An IPv6 extension header of eight bytes (options, routing without addresses). */
export const extension = (next: number, payload: Uint8Array): Uint8Array => bytesOf(next, 0, '010400000000', payload);
export const ipv6Fragment = (
  next: number,
  offset: number,
  more: boolean,
  id: number,
  payload: Uint8Array,
): Uint8Array => bytesOf(next, 0, be16(offset | (more ? 1 : 0)), be32(id), payload);

export const tcp = (source: number, destination: number, payload: Uint8Array, flags = 0x18, options = 0): Uint8Array =>
  bytesOf(
    be16(source),
    be16(destination),
    be32(0xfedcba98),
    be32(0x01020304),
    be16(((5 + options) << 12) | flags),
    be16(0x7210),
    '00000000',
    new Uint8Array(options * 4).fill(1),
    payload,
  );
export const udp = (source: number, destination: number, payload: Uint8Array): Uint8Array =>
  bytesOf(be16(source), be16(destination), be16(8 + payload.length), '0000', payload);
export const icmp = (type: number, code: number, payload: Uint8Array): Uint8Array =>
  bytesOf(type, code, '0000 00000000', payload);
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const vxlan = (id: number, frame: Uint8Array): Uint8Array => bytesOf('08000000', be32(id << 8), frame);
export const geneve = (id: number, type: number, payload: Uint8Array): Uint8Array =>
  bytesOf('0100', be16(type), be32(id << 8), '00000000', payload);
export const gtpu = (teid: number, packet: Uint8Array): Uint8Array =>
  bytesOf('30ff', be16(packet.length), be32(teid), packet);

export interface CapturedFrame {
  readonly linkType: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly wireLength: number;
  readonly bytes: Uint8Array;
}

/**
 * The whole records of a well-formed capture file (pcap or pcapng with Enhanced and Simple Packet Blocks); it stops at
 * the first thing it does not understand. Times are kept for pcap only.
 */
export function readCapture(file: Uint8Array): CapturedFrame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const frames: CapturedFrame[] = [];
  if (file.length < 24) return frames;
  const magic = view.getUint32(0, true);
  if (magic === 0x0a0d0d0a) return readBlocks(file, view);
  const little = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d;
  const nano = view.getUint32(0, little) === 0xa1b23c4d;
  const linkType = view.getUint32(20, little) & 0xffff;
  for (let at = 24; at + 16 <= file.length;) {
    const length = view.getUint32(at + 8, little);
    if (at + 16 + length > file.length) break;
    frames.push({
      linkType,
      seconds: view.getUint32(at, little),
      nanoseconds: view.getUint32(at + 4, little) * (nano ? 1 : 1000),
      wireLength: view.getUint32(at + 12, little),
      bytes: file.subarray(at + 16, at + 16 + length),
    });
    at += 16 + length;
  }
  return frames;
}

function readBlocks(file: Uint8Array, view: DataView): CapturedFrame[] {
  const frames: CapturedFrame[] = [];
  let little = true;
  let interfaces: { linkType: number; snapLength: number }[] = [];
  for (let at = 0; at + 12 <= file.length;) {
    if (view.getUint32(at, true) === 0x0a0d0d0a) {
      little = view.getUint32(at + 8, true) === 0x1a2b3c4d;
      interfaces = [];
    }
    const type = view.getUint32(at, little);
    const length = view.getUint32(at + 4, little);
    if (length < 12 || at + length > file.length) break;
    if (type === 1) {
      interfaces.push({ linkType: view.getUint16(at + 8, little), snapLength: view.getUint32(at + 12, little) });
    } else if (type === 6 || type === 3) {
      const from = interfaces[type === 6 ? view.getUint32(at + 8, little) : 0];
      if (!from) break;
      const wireLength = view.getUint32(at + (type === 6 ? 24 : 8), little);
      const limit = from.snapLength === 0 ? wireLength : Math.min(from.snapLength, wireLength);
      const captured = type === 6 ? view.getUint32(at + 20, little) : Math.min(limit, length - 16);
      const start = at + (type === 6 ? 28 : 12);
      frames.push({
        linkType: from.linkType,
        seconds: 0,
        nanoseconds: 0,
        wireLength,
        bytes: file.subarray(start, start + captured),
      });
    }
    at += length;
  }
  return frames;
}

/** 16 address bytes of a row as hex. */
export function addressOf(column: Uint32Array, row: number): string {
  const bytes = new Uint8Array(column.buffer, column.byteOffset + row * 16, 16);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Every column of a row and its outer entries as plain numbers, payload offset relative to `base`. */
export function rowOf(batch: PacketBatch, row: number, base = 0): Record<string, unknown> {
  const out: Record<string, unknown> = {
    source: addressOf(batch.sourceAddress, row),
    destination: addressOf(batch.destinationAddress, row),
    payloadOffset: batch.payloadOffset[row]! - base,
  };
  for (const name of [
    'timestampSeconds',
    'timestampNanoseconds',
    'wireLength',
    'capturedLength',
    'layers',
    'flowHash',
    'tcpSequence',
    'tcpAcknowledgment',
    'tunnelId',
    'transportPayloadLength',
    'payloadLength',
    'fragmentId',
    'sourcePort',
    'destinationPort',
    'vlan',
    'innerVlan',
    'etherType',
    'tcpFlags',
    'tcpWindow',
    'fragmentOffset',
    'protocol',
    'trafficClass',
    'hopLimit',
    'icmpType',
    'icmpCode',
    'tunnelType',
    'reason',
  ] as const) {
    out[name] = batch[name][row]!;
  }
  const outer: unknown[] = [];
  for (let i = 0; i < batch.outerCount; i += 1) {
    if (batch.outerRow[i] !== row) continue;
    outer.push({
      source: addressOf(batch.outerSourceAddress, i),
      destination: addressOf(batch.outerDestinationAddress, i),
      ports: [batch.outerSourcePort[i]!, batch.outerDestinationPort[i]!],
      protocol: batch.outerProtocol[i]!,
      hash: batch.outerHash[i]!,
    });
  }
  out.outer = outer;
  return out;
}
