/** Fixtures for the tests and benchmarks of sketches and their tasks: packets without a capture, for a real flow table. */
import { flowHash, partitionOf } from '@netspectra/collector/decode';
import { Layer, PacketBatch } from '@netspectra/proto';
import { FlowTable } from '../flow-table/index.js';
import type { FlowTableOptions } from '../flow-table/index.js';
import { createSelection } from '../packet-selection.js';
import { RowSink } from '../row-sink.js';
import type { Task, TaskContext } from '../task.js';

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
  /** 17 without it */
  protocol?: number;
  tcpFlags?: number;
  tcpSequence?: number;
  /** without addresses (ARP, say) */
  bare?: boolean;
}

/** A batch of these packets. */
export function batchOf(packets: readonly FakePacket[]): PacketBatch {
  const batch = new PacketBatch(Math.max(1, packets.length), 0);
  batch.count = packets.length;
  packets.forEach((packet, row) => {
    const source = ipv4Words(packet.source);
    const destination = ipv4Words(packet.destination);
    const { sourcePort = 0, destinationPort = 0, protocol = 17 } = packet;
    batch.timestampSeconds[row] = packet.seconds;
    batch.wireLength[row] = packet.bytes;
    batch.sourceAddress.set(source, row * 4);
    batch.destinationAddress.set(destination, row * 4);
    batch.sourcePort[row] = sourcePort;
    batch.destinationPort[row] = destinationPort;
    batch.protocol[row] = protocol;
    batch.tcpFlags[row] = packet.tcpFlags ?? 0;
    batch.tcpSequence[row] = packet.tcpSequence ?? 0;
    batch.layers[row] = packet.bare
      ? Layer.Arp
      : Layer.Ipv4 |
        Layer.HasAddresses |
        (packet.sourcePort !== undefined ? Layer.HasPorts : 0) |
        (protocol === 6 ? Layer.Tcp | Layer.HasTcp : 0);
    const words = [...source, ...destination] as [number, number, number, number, number, number, number, number];
    batch.flowHash[row] = flowHash(...words, sourcePort, destinationPort, protocol);
  });
  return batch;
}

/** A task on a flow table of its own, run as the worker runs it. */
export class TaskBench<Report> {
  readonly flowTable: FlowTable;
  readonly rows = new RowSink();
  readonly task: Task<Report>;
  private readonly context: TaskContext;

  constructor(
    create: (context: TaskContext) => Task<Report>,
    over: Partial<TaskContext> = {},
    table: Partial<FlowTableOptions> = {},
  ) {
    const windows = over.windows ?? true;
    this.flowTable = new FlowTable({
      maxFlows: 100_000,
      windowSeconds: windows ? 10 : 0,
      idleTimeoutSeconds: 0,
      ...table,
    });
    this.context = {
      flowTable: this.flowTable,
      rows: this.rows,
      probe: 'test',
      counterWindowSeconds: 1,
      flowWindowSeconds: 10,
      sketchWindowSeconds: 10,
      windows: true,
      report: true,
      reportTop: 10,
      ...over,
    };
    this.task = create(this.context);
  }

  /** A batch of packets, in blocks of at most 1,024. */
  feed(packets: readonly FakePacket[]): void {
    for (let at = 0; at < packets.length; at += 1024) {
      const batch = batchOf(packets.slice(at, at + 1024));
      const selection = createSelection(batch, batch.count);
      selection.rows.forEach((_, row) => (selection.rows[row] = row));
      selection.count = batch.count;
      this.flowTable.track(selection);
      this.task.process(selection);
      if (this.context.windows) this.flowTable.expire(batch.timestampSeconds[batch.count - 1]!);
    }
  }

  flush(): void {
    this.flowTable.flush();
    this.task.flush();
  }

  /** The end of the run: what is open is flushed, or closed, and the report is taken. */
  end(): Report {
    this.task.finish();
    if (this.context.windows) this.flush();
    this.flowTable.closeDeltas();
    return this.task.report();
  }
}

/** The partition of two that a packet's flow belongs to. */
export function halfOf(packet: FakePacket): number {
  return partitionOf(batchOf([packet]).flowHash[0]!, 2);
}

/**
 * Random packets both ways between `hosts` clients and servers: UDP, ICMP without ports, TCP with a SYN here and there from
 * either side, frames without addresses; times that rise with disorder, late packets, and a leap now and then.
 */
export function randomStream(seed: number, count: number, hosts: number): FakePacket[] {
  const next = randomNumbers(seed);
  const zipf = (): number => Math.floor((hosts + 1) ** (next() / 4294967296));
  let clock = 1000;
  return Array.from({ length: count }, (): FakePacket => {
    if (next() % 80 === 0) clock += 1 + (next() % 8);
    if (next() % 1200 === 0) clock += 300;
    const client = zipf();
    const server = 100_000 + zipf();
    const back = next() % 3 === 0;
    const protocol = [17, 6, 6, 1][next() % 4]!;
    const port = 1000 + (client % 50);
    return {
      seconds: clock - (next() % 8 === 0 ? next() % 45 : 0),
      source: back ? server : client,
      destination: back ? client : server,
      bytes: 60 + (next() % 1400),
      protocol,
      ...(protocol !== 1 && { sourcePort: back ? 53 : port, destinationPort: back ? port : 53 }),
      ...(protocol === 6 && { tcpFlags: next() % 10 === 0 ? 2 : 16, tcpSequence: next() }),
      bare: next() % 20 === 0,
    };
  });
}
