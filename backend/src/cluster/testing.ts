/** For tests: a bus in memory with messages of known packets, a store that keeps sums, and runners over both. */
import { createMemoryBus, createMemoryRecords, silentLog } from '@netspectra/collector/bus';
import type { Bus, Delivery, OutgoingMessage, Publisher, Records } from '@netspectra/collector/bus';
import { batchHeader, batchTimes, encodePacketBatch, Layer, PacketBatch } from '@netspectra/proto';
import type { BatchHeader } from '@netspectra/proto';
import { PacketProcessor } from '../engine/pipeline/packet-processor.js';
import { tables, WriteForbidden } from '../tables/index.js';
import type { Flush, RowBlock, TableName, Writer } from '../tables/index.js';
import { FlowBudget } from './flow-budget.js';
import { FlushGate } from './flush-gate.js';
import type { Lease } from './lease.js';
import { PartitionLeases } from './partition-leases.js';
import { PartitionRunner } from './partition-runner.js';
import type { RunnerOptions, RunnerParts } from './partition-runner.js';
import type { StoredPart } from './stream-intake.js';
import { Turns } from './turns.js';

const startSeconds = 1_767_225_600;
const tcp = 6;

/** `packets` packets of 100 bytes of flows between two hosts, as a message. */
export function testMessage(
  name: { readonly probe: string; readonly epoch: bigint; readonly sequence: number; readonly partition?: number },
  packets: number,
  over: Partial<BatchHeader> = {},
): OutgoingMessage {
  return messageOf(name, testBatch(packets, name.sequence), over);
}

function messageOf(
  name: { readonly probe: string; readonly epoch: bigint; readonly sequence: number; readonly partition?: number },
  batch: PacketBatch,
  over: Partial<BatchHeader>,
): OutgoingMessage {
  const { probe, epoch, sequence, partition = 0 } = name;
  const header = batchHeader({ probe, epoch, sequence, partition, source: 'eth0', ...batchTimes(batch), ...over });
  return { probe, epoch, sequence, partition, bytes: encodePacketBatch(batch, header) };
}

function testBatch(packets: number, sequence: number): PacketBatch {
  const batch = new PacketBatch(Math.max(1, packets), 0);
  batch.count = packets;
  for (let row = 0; row < packets; row += 1) {
    batch.timestampSeconds[row] = startSeconds + sequence;
    batch.wireLength[row] = 100;
    batch.capturedLength[row] = 100;
    batch.layers[row] = Layer.Ipv4 | Layer.Tcp | Layer.HasAddresses | Layer.HasPorts | Layer.HasTcp;
    batch.flowHash[row] = 7 + (row % 3);
    batch.sourceAddress.fill(0xffff, row * 4 + 2, row * 4 + 3);
    batch.sourceAddress[row * 4 + 3] = 1 + (row % 3);
    batch.destinationAddress[row * 4 + 3] = 9;
    batch.sourcePort[row] = 4000;
    batch.destinationPort[row] = 80;
    batch.protocol[row] = tcp;
  }
  return batch;
}

/** A message of one packet for each number: packets of the same number are copies of each other, or alike. */
export function numberedMessage(
  name: { readonly probe: string; readonly epoch: bigint; readonly sequence: number },
  numbers: readonly number[],
  over: Partial<BatchHeader> = {},
): OutgoingMessage {
  const batch = testBatch(numbers.length, name.sequence);
  numbers.forEach((number, row) => {
    batch.tcpSequence[row] = number;
    batch.flowHash[row] = 7 + (number % 3);
    batch.sourceAddress[row * 4 + 3] = 1 + (number % 3);
  });
  return messageOf(name, batch, over);
}

interface Kept {
  readonly table: TableName;
  readonly flush: Flush;
  readonly block: RowBlock;
}

/** Keeps what is inserted, each token once, as ClickHouse does. */
export class TestStore implements Writer {
  readonly inserts: Kept[] = [];
  repeats = 0;
  /** awaited before each insert, after it was allowed; may throw */
  beforeInsert: (table: TableName, flush: Flush) => Promise<void> = async () => {};
  private readonly tokens = new Set<string>();

  async write(flush: Flush, mayWrite: () => boolean = () => true): Promise<void> {
    for (const block of flush.blocks) {
      if (!mayWrite()) throw new WriteForbidden('not any longer');
      await this.beforeInsert(block.table, flush);
      const token = [block.table, flush.probe, flush.epoch, flush.partition, flush.firstSeq, flush.lastSeq].join(':');
      if (this.tokens.has(token)) this.repeats += 1;
      else this.inserts.push({ table: block.table, flush, block: { ...block, bytes: block.bytes.slice() } });
      this.tokens.add(token);
    }
  }

  async close(): Promise<void> {}

  /** Sum of a column over a table's rows. */
  sum(table: TableName, column: string, of: (flush: Flush) => boolean = () => true): number {
    const at = tables[table].rowColumns.findIndex(({ name }) => name === column);
    if (at < 0) throw new Error(`${table} has no ${column}`);
    let sum = 0;
    for (const kept of this.inserts) {
      if (kept.table !== table || !of(kept.flush)) continue;
      for (const line of new TextDecoder().decode(kept.block.bytes).split('\n'))
        if (line !== '') sum += Number(line.split('\t')[at]);
    }
    return sum;
  }

  /** Stored stretches of a stream, ascending. */
  stretches(probe: string, epoch: bigint): [number, number][] {
    return this.inserts
      .filter(({ table, flush }) => table === 'probe_stats' && flush.probe === probe && flush.epoch === epoch)
      .map(({ flush }): [number, number] => [flush.firstSeq, flush.lastSeq])
      .sort((a, b) => a[0] - b[0]);
  }

  async readStored(probe: string, epoch: bigint): Promise<StoredPart> {
    const stretches = this.stretches(probe, epoch);
    const gaps: { first: number; last: number }[] = [];
    let expected = 0;
    for (const [first, last] of stretches) {
      if (first > expected) gaps.push({ first: expected, last: first - 1 });
      expected = Math.max(expected, last + 1);
    }
    const mine = (flush: Flush): boolean => flush.probe === probe && flush.epoch === epoch;
    return {
      lastSeq: expected - 1,
      gaps,
      filtered: this.sum('probe_stats', 'filtered', mine),
      kernelDropped: this.sum('probe_stats', 'kernel_dropped', mine),
    };
  }
}

/** A bus that overwrites what is given back, as the server's may with a later message: whoever reads on finds out. */
function withOverwriting(bus: Bus): Bus {
  const consume: Bus['consume'] = (partition, options) => {
    const consumer = bus.consume(partition, options);
    async function* copies(): AsyncGenerator<Delivery> {
      for await (const one of consumer.messages) yield 'bytes' in one ? { ...one, bytes: one.bytes.slice() } : one;
    }
    return {
      partition,
      messages: copies(),
      acknowledge: (sequence) => consumer.acknowledge(sequence),
      recycle: (bytes) => void bytes.fill(0xaa),
      stop: () => consumer.stop(),
      get state() {
        return consumer.state;
      },
    };
  };
  return Object.assign(Object.create(bus) as Bus, { consume });
}

/** One partition: bus, store, and engines that take turns. */
export class TestCluster {
  readonly bus: Bus;
  readonly records: Records = createMemoryRecords();
  readonly store = new TestStore();
  readonly publisher: Publisher;
  private engines = 0;

  /**
   * @param now the bus's clock, unix milliseconds
   * @param streamMessages most messages of the stream; absent: as on a server
   */
  constructor(now: () => number = Date.now, streamMessages?: number) {
    const limits = streamMessages === undefined ? {} : { messagesMax: streamMessages };
    this.bus = withOverwriting(createMemoryBus({ partitions: 1, ...limits }, now));
    this.publisher = this.bus.publisher();
  }

  async publish(...messages: readonly OutgoingMessage[]): Promise<void> {
    for (const message of messages) {
      while (this.publisher.publish(message) === 'full') await this.publisher.room();
    }
  }

  /** Wait until an engine of its own holds the lease. */
  async lease(ttlMs: number, now?: () => number): Promise<{ readonly lease: Lease; readonly leases: PartitionLeases }> {
    const engine = `e${(this.engines += 1)}`;
    const leases = new PartitionLeases({ records: this.records, partitions: 1, engine, ttlMs, ...(now && { now }) });
    for (;;) {
      await leases.round();
      const lease = leases.leases.get(0);
      if (lease) return { lease, leases };
      await new Promise((resolve) => setTimeout(resolve, ttlMs / 10));
    }
  }

  runner(lease: Lease, over: Partial<RunnerOptions> = {}, parts: Partial<RunnerParts> = {}): PartitionRunner {
    return new PartitionRunner(
      {
        bus: this.bus,
        lease,
        writer: this.store,
        budget: new FlowBudget(10_000),
        gate: new FlushGate(1),
        turns: new Turns(),
        log: silentLog,
        readStored: (probe, epoch) => this.store.readStored(probe, epoch),
        newProcessor: testProcessor,
        // As the engine's, which puts later rows there: whoever reads them still finds out.
        recycleRows: (blocks) => blocks.forEach(({ bytes }) => bytes.fill(0xaa)),
        ...parts,
      },
      {
        partition: 0,
        flushMs: 20,
        rowBytesMax: 1 << 20,
        packetsMax: 100_000,
        pendingBytesMax: 1 << 20,
        heldBytesMax: 4 << 20,
        holeMs: 60_000,
        streamsMax: 16,
        ...over,
      },
    );
  }

  /** Messages the bus has not been told to forget. */
  async left(): Promise<number> {
    return (await this.bus.streams())[0]!.messages;
  }
}

function testProcessor(probe: string): PacketProcessor {
  return new PacketProcessor({
    probe,
    maxFlows: 10_000,
    fragmentsMax: 16,
    idleTimeoutSeconds: 60,
    counterWindowSeconds: 1,
    flowWindowSeconds: 10,
    sketchWindowSeconds: 60,
    windows: true,
    report: false,
    reportTop: 0,
    tasks: [
      { type: 'flow', options: {} },
      { type: 'traffic', options: {} },
    ],
  });
}
