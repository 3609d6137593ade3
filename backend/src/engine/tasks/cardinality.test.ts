import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashResult, hashWords } from '../../sketch-math/index.js';
import type { FlowTableOptions } from '../flow-table/index.js';
import { HyperLogLog } from '../sketches/index.js';
import type { DistinctState } from '../sketches/index.js';
import { TaskBench, halfOf, ipv4Words, randomStream } from '../sketches/sketch-fixtures.js';
import type { FakePacket } from '../sketches/sketch-fixtures.js';
import type { TaskContext } from '../task.js';
import { cardinalityTask } from './cardinality.js';
import type { CardinalityReport } from './cardinality.js';
import { readRows } from './sketch-rows-fixture.js';

const fuzzSeed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);

function start(
  over: Partial<TaskContext> = {},
  options: Record<string, unknown> = {},
  table: Partial<FlowTableOptions> = {},
): TaskBench<CardinalityReport> {
  const filled = Value.Default(cardinalityTask.schema, options) as Parameters<typeof cardinalityTask.create>[0];
  expect(Value.Check(cardinalityTask.schema, filled)).toBe(true);
  return new TaskBench((context) => cardinalityTask.create(filled, context), over, table);
}
const exactly = (keys: number) => ({ estimate: keys, lower: keys, upper: keys });

/** A conversation: request, answer, request. */
const conversation = (seconds: number, client: number, server: number, port = 40_000): FakePacket[] => [
  { seconds, source: client, destination: server, sourcePort: port, destinationPort: 443, bytes: 60 },
  { seconds, source: server, destination: client, sourcePort: 443, destinationPort: port, bytes: 1500 },
  { seconds, source: client, destination: server, sourcePort: port, destinationPort: 443, bytes: 60 },
];

/**
 * Exact sets, packet by packet, "window subject" (sketch windows of 60 s) and "subject" -> keys; packets by window. Clients follow the rule of the
 * flow table (first sender, or who sent the first SYN) as it stands when a flow's stay in a window ends.
 */
class Reference {
  readonly sets = new Map<string, Set<number>>();
  readonly packets = new Map<number, number>();
  private readonly flows = new Map<string, { client: number; server: number; window: number; sawSyn: boolean }>();
  private readonly windowed: boolean;

  constructor(windowed: boolean) {
    this.windowed = windowed;
  }

  take(packet: FakePacket): void {
    if (packet.bare) return;
    const { source, destination, sourcePort, destinationPort, seconds, protocol = 17 } = packet;
    const window = this.windowed ? seconds - (seconds % 10) : 0;
    const sketchWindow = window - (window % 60);
    this.packets.set(sketchWindow, (this.packets.get(sketchWindow) ?? 0) + 1);
    this.add(window, 'src_ip', source);
    this.add(window, 'dst_ip', destination);
    if (sourcePort !== undefined) this.add(window, 'src_port', sourcePort);
    if (destinationPort !== undefined) this.add(window, 'dst_port', destinationPort);
    const ends = [`${source}:${sourcePort ?? 0}`, `${destination}:${destinationPort ?? 0}`].sort();
    const key = `${ends.join(' ')} ${protocol}`;
    let flow = this.flows.get(key);
    if (!flow) this.flows.set(key, (flow = { client: source, server: destination, window, sawSyn: false }));
    if (flow.window !== window) this.leave(flow);
    flow.window = window;
    if (packet.tcpFlags === 2 && !flow.sawSyn) {
      flow.sawSyn = true;
      flow.client = source;
      flow.server = destination;
    }
  }

  flush(): void {
    for (const flow of this.flows.values()) {
      this.leave(flow);
      flow.window = -1;
    }
  }

  private leave(flow: { client: number; server: number; window: number }): void {
    if (flow.window < 0) return;
    this.add(flow.window, 'client_ip', flow.client);
    this.add(flow.window, 'server_ip', flow.server);
  }

  private add(window: number, subject: string, key: number): void {
    for (const name of [subject, `${window - (window % 60)} ${subject}`]) {
      const set = this.sets.get(name);
      if (set) set.add(key);
      else this.sets.set(name, new Set([key]));
    }
  }
}

/** Registers of a set of addresses or ports. */
function registersOf(keys: Iterable<number>, port: boolean): Uint8Array {
  const sketch = new HyperLogLog(12);
  for (const key of keys) {
    const words = port ? Uint32Array.of(key) : ipv4Words(key);
    hashWords(words, 0, words.length);
    sketch.add(hashResult[0]!, hashResult[1]!);
  }
  return sketch.registers;
}

/** "window subject" -> merged registers, and packets by window, of the rows written. */
function stored(benches: readonly TaskBench<CardinalityReport>[]) {
  const registers = new Map<string, HyperLogLog>();
  const packets = new Map<number, number>();
  for (const { rows } of benches) {
    for (const row of readRows(rows).sketches) {
      const key = `${row['window_start']} ${row['subject']}`;
      const sketch = new HyperLogLog(12, Uint8Array.from(JSON.parse(row['registers']!) as number[]));
      const known = registers.get(key);
      if (known) known.merge(sketch);
      else registers.set(key, sketch);
      if (row['subject'] !== 'src_ip') continue;
      const window = Number(row['window_start']);
      packets.set(window, (packets.get(window) ?? 0) + Number(row['total']));
    }
  }
  return { registers, packets };
}

describe('cardinality task', () => {
  it('counts clients and servers by flow, sources and destinations by packet, ports where there are any', () => {
    for (const windows of [false, true]) {
      const bench = start({ windows });
      bench.feed([
        ...conversation(1, 10, 20),
        ...conversation(2, 11, 20, 40_001),
        { seconds: 3, source: 12, destination: 30, bytes: 90, protocol: 1 },
        { seconds: 3, source: 99, destination: 98, bytes: 42, bare: true },
      ]);
      expect(bench.end().cardinality).toEqual({
        client_ip: exactly(3),
        server_ip: exactly(2),
        src_ip: exactly(4),
        dst_ip: exactly(4),
        src_port: exactly(3),
        dst_port: exactly(3),
      });
    }
  });

  it('is by flow what it is by packet: late packets, swaps, folding, expiry, flushes and partitions change nothing', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.nat(),
          windows: fc.boolean(),
          maxFlows: fc.constantFrom(16, 100_000),
          idleTimeoutSeconds: fc.constantFrom(0, 20),
          hosts: fc.constantFrom(5, 60, 1000),
          flushEvery: fc.constantFrom(300, 1100, 1e9),
        }),
        ({ seed, windows, maxFlows, idleTimeoutSeconds, hosts, flushEvery }) => {
          const packets = randomStream(seed, 2500, hosts);
          const reference = new Reference(windows);
          const over = { windows, sketchWindowSeconds: 60 };
          const table = { maxFlows, idleTimeoutSeconds };
          const benches = [0, 1].map(() => start(over, { spreaders: [] }, table));
          const parts = packets.map(halfOf);
          for (let at = 0; at < packets.length; at += 100) {
            const part = packets.slice(at, at + 100);
            for (const packet of part) reference.take(packet);
            benches.forEach((bench, half) => bench.feed(part.filter((_, i) => parts[at + i] === half)));
            if (!windows || (at + 100) % flushEvery !== 0) continue;
            reference.flush();
            for (const bench of benches) bench.flush();
          }
          reference.flush();
          const merged = cardinalityTask.merge(benches.map((bench) => structuredClone(bench.end())));
          // A flow that was given up or expired has a client by the packet it came back with.
          const folded = benches.some((bench) => bench.flowTable.foldedFlows > 0);
          const forgets = folded || (windows && idleTimeoutSeconds > 0);
          if (maxFlows > 16) expect(folded).toBe(false);
          const checked = ['src_ip', 'dst_ip', 'src_port', 'dst_port', ...(forgets ? [] : ['client_ip', 'server_ip'])];
          for (const subject of checked as (keyof CardinalityReport['cardinality'])[]) {
            expect(merged.cardinality[subject], subject).toEqual(exactly(reference.sets.get(subject)!.size));
          }
          const { registers, packets: counted } = stored(benches);
          if (!windows) {
            expect(registers.size).toBe(0);
            return;
          }
          expect([...counted].sort()).toEqual([...reference.packets].sort());
          for (const [name, keys] of reference.sets) {
            const [window, subject] = name.split(' ');
            if (subject === undefined || !checked.includes(subject)) continue;
            expect(registers.get(name)?.registers, `${window} ${subject}`).toEqual(
              registersOf(keys, subject.endsWith('port')),
            );
          }
        },
      ),
      { seed: fuzzSeed, numRuns: 12 },
    );
  });

  it('folds in that property: a small table gives flows up, and misses nothing', () => {
    const bench = start({ windows: false }, {}, { maxFlows: 16 });
    const packets = Array.from({ length: 3000 }, (_, i): FakePacket[] => conversation(1, i, 100_000 + i)).flat();
    bench.feed(packets);
    const report = bench.end();
    expect(bench.flowTable.foldedFlows).toBeGreaterThan(1000);
    expect(report.cardinality.src_ip).toEqual(exactly(6000));
    expect(report.cardinality.dst_ip).toEqual(exactly(6000));
  });

  it('counts every packet in some row when sparse times make windows wide', () => {
    const bench = start({}, { spreaders: [] });
    const packets = Array.from({ length: 1000 }, (_, i) =>
      conversation(1000 + ((i * 7919) % 1000) * 50, i, 5000),
    ).flat();
    bench.feed(packets);
    expect(bench.end().cardinality.client_ip).toEqual(exactly(1000));
    const rows = readRows(bench.rows).sketches.filter((row) => row['subject'] === 'src_ip');
    expect(rows.length).toBeLessThan(300);
    expect(Math.max(...rows.map((row) => Number(row['window_seconds'])))).toBeGreaterThan(10);
    expect(rows.reduce((sum, row) => sum + Number(row['total']), 0)).toBe(packets.length);
  });

  it('takes the sender of the SYN for the client, whoever was seen first', () => {
    const bench = start({ windows: false });
    const from = (source: number, tcpFlags: number): FakePacket => ({
      seconds: 1,
      source,
      destination: 3 - source,
      sourcePort: source * 1000,
      destinationPort: (3 - source) * 1000,
      bytes: 60,
      protocol: 6,
      tcpFlags,
    });
    bench.feed([from(1, 16), from(2, 2)]);
    const { state, cardinality } = bench.end();
    hashWords(ipv4Words(2), 0, 4);
    const { exact } = state.client_ip as DistinctState;
    expect(exact?.filter((word) => word !== 0)).toEqual(Uint32Array.of(hashResult[0]! >>> 0, hashResult[1]! >>> 0));
    expect([cardinality.client_ip, cardinality.src_ip, cardinality.dst_port]).toEqual([
      exactly(1),
      exactly(2),
      exactly(2),
    ]);
  });

  it('does not count who never sent as a source', () => {
    const bench = start({ windows: false });
    bench.feed([{ seconds: 1, source: 1, destination: 2, sourcePort: 5, destinationPort: 6, bytes: 60 }]);
    const { cardinality } = bench.end();
    for (const subject of ['src_ip', 'dst_ip', 'src_port', 'dst_port'] as const) {
      expect(cardinality[subject], subject).toEqual(exactly(1));
    }
  });

  it('writes a row per subject and window, empties at each flush, and late packets make another row', () => {
    const bench = start();
    const { rows } = bench;
    bench.feed([...conversation(105, 1, 2), ...conversation(112, 1, 3), ...conversation(121, 1, 4)]);
    bench.feed(conversation(106, 5, 6));
    bench.flush();
    bench.flush();
    const written = readRows(rows).sketches;
    expect(written).toHaveLength(3 * 6);
    expect(
      written.filter((row) => row['subject'] === 'src_ip').map((row) => [row['window_start'], row['total']]),
    ).toEqual([
      ['100', '6'],
      ['110', '3'],
      ['120', '3'],
    ]);
    expect(written[0]).toMatchObject({
      window_seconds: '10',
      sketch: 'hll',
      log2_width: '12',
      depth: '1',
      cells: '[]',
    });
    bench.feed(conversation(107, 7, 8));
    bench.flush();
    const again = readRows(rows).sketches;
    expect(again).toHaveLength(6);
    const registers = JSON.parse(again.find((row) => row['subject'] === 'src_ip')!['registers']!) as number[];
    expect(registers.filter((register) => register > 0)).toHaveLength(2);
    // the report goes on over the whole run
    expect(bench.end().cardinality.client_ip).toEqual(exactly(3));
  });

  it('makes a sketch window hold whole flow windows', () => {
    const bench = start({ sketchWindowSeconds: 4 });
    bench.feed([...conversation(104, 1, 2), ...conversation(109, 3, 4)]);
    bench.flush();
    const rows = readRows(bench.rows).sketches.filter((row) => row['subject'] === 'src_ip');
    expect(rows.map((row) => [row['window_start'], row['window_seconds'], row['total']])).toEqual([['100', '10', '6']]);
  });

  it('finds the scanner among many sources', () => {
    const bench = start({}, { spreader_keys: 64, spreaders: [{ key: 'src_ip', distinct: 'dst_ip' }] });
    const packets: FakePacket[] = [];
    for (let i = 0; i < 3000; i += 1) {
      packets.push({ seconds: 5, source: 1000 + i, destination: 7, bytes: 60 });
      if (i % 3 === 0) packets.push({ seconds: 5, source: 42, destination: 100_000 + i, bytes: 60 });
    }
    bench.feed(packets);
    bench.flush();
    const spreaders = readRows(bench.rows).sketches.filter((row) => row['subject'] === 'dst_ip_per_src_ip');
    expect(spreaders.map((row) => row['key'])).toEqual(['0.0.0.42']);
    const sketch = new HyperLogLog(8, Uint8Array.from(JSON.parse(spreaders[0]!['registers']!) as number[]));
    expect(Math.abs(sketch.estimate() / 1000 - 1)).toBeLessThan(0.25);
  });

  it('finds who is reached from many, and on many ports', () => {
    const spreaders = [
      { key: 'dst_ip', distinct: 'src_ip' },
      { key: 'dst_ip', distinct: 'dst_port' },
    ];
    const bench = start({}, { spreaders });
    const packets = Array.from({ length: 500 }, (_, i): FakePacket[] => [
      { seconds: 5, source: 1000 + i, destination: 7, sourcePort: 9, destinationPort: 80, bytes: 60 },
      { seconds: 5, source: 8, destination: 9, sourcePort: 9, destinationPort: 1 + i, bytes: 60 },
    ]).flat();
    bench.feed(packets);
    bench.flush();
    const found = readRows(bench.rows).sketches.filter((row) => row['key'] !== '');
    expect(found.map((row) => [row['subject'], row['key']])).toEqual([
      ['src_ip_per_dst_ip', '0.0.0.7'],
      ['dst_port_per_dst_ip', '0.0.0.9'],
    ]);
    for (const row of found) {
      const sketch = new HyperLogLog(8, Uint8Array.from(JSON.parse(row['registers']!) as number[]));
      expect(Math.abs(sketch.estimate() / 500 - 1)).toBeLessThan(0.25);
    }
  });

  it('merges the reports of partitions, also after a structured clone', () => {
    const part = (from: number, to: number): CardinalityReport => {
      const bench = start({ windows: false });
      const packets: FakePacket[] = [];
      for (let i = from; i < to; i += 1) packets.push(...conversation(1, i, 1_000_000, i & 0xffff));
      bench.feed(packets);
      return structuredClone(bench.end());
    };
    const merged = cardinalityTask.merge([part(0, 600), part(500, 1000)]);
    expect(merged.cardinality.client_ip).toEqual(exactly(1000));
    expect(merged.cardinality.server_ip).toEqual(exactly(1));
    expect(cardinalityTask.merge([merged, part(900, 1100)]).cardinality.client_ip).toEqual(exactly(1100));
    const many = cardinalityTask.merge([part(0, 12_000), part(8_000, 20_000)]).cardinality.client_ip!;
    expect(many.lower).toBeLessThan(20_000);
    expect(many.upper).toBeGreaterThan(20_000);
    expect(cardinalityTask.merge([]).cardinality).toEqual({});
  });

  it('counts only the subjects asked for, and reports nothing when no report is wanted', () => {
    const some = start({}, { subjects: ['server_ip', 'dst_port'], spreaders: [] });
    some.feed(conversation(1, 2, 3));
    expect(Object.keys(some.end().cardinality)).toEqual(['server_ip', 'dst_port']);
    expect(readRows(some.rows).sketches.map((row) => row['subject'])).toEqual(['server_ip', 'dst_port']);
    const silent = start({ report: false });
    silent.feed(conversation(1, 2, 3));
    expect(silent.end().cardinality).toEqual({});
  });
});
