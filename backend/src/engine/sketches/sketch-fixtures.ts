/** Fixtures for the tests and benchmarks of sketches and their tasks: packets without a capture, a fake flow table. */
import { Layer, PacketBatch } from '@netspectra/proto';
import type { FlowTable } from '../flow-table/index.js';
import { PacketEvent, createSelection } from '../packet-selection.js';
import type { PacketSelection } from '../packet-selection.js';
import type { RowSink } from '../row-sink.js';
import type { TaskContext } from '../task.js';

/** mulberry32: the same 32-bit numbers for the same seed on every machine. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Four address words of an IPv4 address given as a number, as a PacketBatch holds them. */
export function ipv4Words(address: number): Uint32Array {
  const bytes = new Uint8Array(16);
  bytes.set([0xff, 0xff, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255], 10);
  return new Uint32Array(bytes.buffer);
}

export interface FakePacket {
  seconds: number;
  /** IPv4 addresses as numbers */
  source: number;
  destination: number;
  sourcePort?: number;
  destinationPort?: number;
  bytes: number;
  protocol?: number;
  tcpFlags?: number;
  /** without addresses (ARP, say) */
  bare?: boolean;
}

/**
 * A selection of these packets, with flow numbers, directions and NewFlow events as the flow table gives them. `flows`
 * remembers flows from call to call.
 */
export function select(packets: readonly FakePacket[], flows: Map<string, number> = new Map()): PacketSelection {
  const batch = new PacketBatch(packets.length, 0);
  batch.count = packets.length;
  const selection = createSelection(batch, Math.max(1, packets.length));
  selection.count = packets.length;
  packets.forEach((packet, row) => {
    const hasPorts = packet.sourcePort !== undefined;
    batch.timestampSeconds[row] = packet.seconds;
    batch.wireLength[row] = packet.bytes;
    batch.sourceAddress.set(ipv4Words(packet.source), row * 4);
    batch.destinationAddress.set(ipv4Words(packet.destination), row * 4);
    batch.sourcePort[row] = packet.sourcePort ?? 0;
    batch.destinationPort[row] = packet.destinationPort ?? 0;
    batch.protocol[row] = packet.protocol ?? 17;
    batch.tcpFlags[row] = packet.tcpFlags ?? 0;
    batch.layers[row] = packet.bare
      ? Layer.Arp
      : Layer.Ipv4 | Layer.HasAddresses | (hasPorts ? Layer.HasPorts : 0) | (packet.protocol === 6 ? Layer.HasTcp : 0);
    selection.rows[row] = row;
    if (packet.bare) {
      selection.flow[row] = -1;
      return;
    }
    const forward = `${packet.source}:${packet.sourcePort ?? 0} ${packet.destination}:${packet.destinationPort ?? 0}`;
    const backward = `${packet.destination}:${packet.destinationPort ?? 0} ${packet.source}:${packet.sourcePort ?? 0}`;
    const known = flows.get(forward);
    const reverse = flows.get(backward);
    if (known !== undefined) selection.flow[row] = known;
    else if (reverse !== undefined) {
      selection.flow[row] = reverse;
      selection.direction[row] = 1;
    } else {
      selection.flow[row] = flows.size;
      selection.events[row] = PacketEvent.NewFlow;
      flows.set(forward, flows.size);
    }
  });
  return selection;
}

/** A context whose flow table must not be asked: neither sketch task needs more than the selection. */
export function fakeContext(rows: RowSink, over: Partial<TaskContext> = {}): TaskContext {
  return {
    flowTable: {} as FlowTable,
    rows,
    probe: 'test',
    counterWindowSeconds: 1,
    flowWindowSeconds: 10,
    sketchWindowSeconds: 10,
    windows: true,
    report: true,
    reportTop: 10,
    ...over,
  };
}
