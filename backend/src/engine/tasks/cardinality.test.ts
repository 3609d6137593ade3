import { Value } from '@sinclair/typebox/value';
import { describe, expect, it } from 'vitest';
import { RowSink } from '../row-sink.js';
import { hashResult, hashWords, HyperLogLog } from '../sketches/index.js';
import { fakeContext, ipv4Words, randomNumbers, select } from '../sketches/sketch-fixtures.js';
import type { FakePacket } from '../sketches/sketch-fixtures.js';
import { PacketEvent } from '../task.js';
import type { TaskContext } from '../task.js';
import { cardinalityTask } from './cardinality.js';
import type { CardinalityReport } from './cardinality.js';
import { readRows } from './sketch-rows-fixture.js';

function start(over: Partial<TaskContext> = {}, options: Record<string, unknown> = {}) {
  const rows = new RowSink('p', 1n, 0);
  const filled = Value.Default(cardinalityTask.schema, options) as Parameters<typeof cardinalityTask.create>[0];
  expect(Value.Check(cardinalityTask.schema, filled)).toBe(true);
  return { rows, task: cardinalityTask.create(filled, fakeContext(rows, over)) };
}
const exactly = (keys: number) => ({ estimate: keys, lower: keys, upper: keys });

/** A conversation: request, answer, request. */
const conversation = (seconds: number, client: number, server: number, port = 40_000): FakePacket[] => [
  { seconds, source: client, destination: server, sourcePort: port, destinationPort: 443, bytes: 60 },
  { seconds, source: server, destination: client, sourcePort: 443, destinationPort: port, bytes: 1500 },
  { seconds, source: client, destination: server, sourcePort: port, destinationPort: 443, bytes: 60 },
];

describe('cardinality task', () => {
  it('counts clients and servers by flow, sources and destinations by packet, ports where there are any', () => {
    const { task } = start({ windows: false });
    const packets: FakePacket[] = [
      ...conversation(1, 10, 20),
      ...conversation(2, 11, 20, 40_001),
      { seconds: 3, source: 12, destination: 30, bytes: 90, protocol: 1 },
      { seconds: 3, source: 99, destination: 98, bytes: 42, bare: true },
    ];
    task.process(select(packets));
    task.finish();
    expect(task.report().cardinality).toEqual({
      client_ip: exactly(3),
      server_ip: exactly(2),
      src_ip: exactly(4),
      dst_ip: exactly(4),
      src_port: exactly(3),
      dst_port: exactly(3),
    });
  });

  it('is the same by flow as by packet: marks change no register, whatever flows, reuse and swaps come', () => {
    const next = randomNumbers(11);
    const { rows, task } = start({}, { spreaders: [] });
    const truth = new Map<string, HyperLogLog>();
    const flows = new Map<string, number>();
    const add = (window: number, subject: string, words: Uint32Array) => {
      const key = `${window} ${subject}`;
      let sketch = truth.get(key);
      if (!sketch) truth.set(key, (sketch = new HyperLogLog(12)));
      hashWords(words, 0, words.length);
      sketch.add(hashResult[0]!, hashResult[1]!);
    };
    for (let batch = 0; batch < 30; batch += 1) {
      const packets = Array.from({ length: 200 }, (): FakePacket => {
        const [a, b] = [1 + (next() % 40), 50 + (next() % 40)];
        const back = next() % 2 === 0;
        return {
          seconds: 100 + batch * 2 + (next() % 4),
          source: back ? b : a,
          destination: back ? a : b,
          ...(next() % 5 > 0 && { sourcePort: back ? 443 : a, destinationPort: back ? a : 443 }),
          bytes: 100,
          protocol: 6,
          tcpFlags: next() % 10 === 0 ? 2 : 16,
        };
      });
      if (batch === 15) flows.clear(); // every flow number goes to another flow
      const selection = select(packets, flows);
      packets.forEach((packet, row) => {
        // Client and server change places on some SYNs, which no event tells.
        if (packet.tcpFlags === 2 && packet.source % 3 === 0) {
          const flow = selection.flow[row]!;
          for (let later = row; later < packets.length; later += 1) {
            if (selection.flow[later] === flow) selection.direction[later] = 1 - selection.direction[later]!;
          }
        }
        if (row % 37 === 0) selection.flow[row] = -1;
        if (row % 37 === 0) selection.events[row] = 0;
      });
      task.process(selection);
      packets.forEach((packet, row) => {
        const window = packet.seconds - (packet.seconds % 10);
        const fromServer =
          selection.flow[row]! < 0
            ? packet.sourcePort !== undefined && packet.sourcePort < packet.destinationPort!
            : selection.direction[row] === 1;
        add(window, 'src_ip', ipv4Words(packet.source));
        add(window, 'dst_ip', ipv4Words(packet.destination));
        add(window, 'client_ip', ipv4Words(fromServer ? packet.destination : packet.source));
        add(window, 'server_ip', ipv4Words(fromServer ? packet.source : packet.destination));
        if (packet.sourcePort === undefined) return;
        add(window, 'src_port', Uint32Array.of(packet.sourcePort));
        add(window, 'dst_port', Uint32Array.of(packet.destinationPort!));
      });
      if (batch % 7 === 6) task.flush();
    }
    task.flush();
    const stored = new Map<string, HyperLogLog>();
    for (const row of readRows(rows).sketches) {
      const key = `${row['window_start']} ${row['subject']}`;
      const sketch = new HyperLogLog(12, Uint8Array.from(JSON.parse(row['registers']!) as number[]));
      const known = stored.get(key);
      if (known) known.merge(sketch);
      else stored.set(key, sketch);
    }
    expect([...stored.keys()].sort()).toEqual([...truth.keys()].sort());
    for (const [key, sketch] of truth) expect(stored.get(key)!.registers, key).toEqual(sketch.registers);
  });

  it('looks again when a flow number is given to another flow within a batch', () => {
    const { task } = start({ windows: false });
    const selection = select([...conversation(1, 1, 2), ...conversation(1, 3, 4)]);
    selection.flow.fill(0);
    expect(selection.events[3]).toBe(PacketEvent.NewFlow);
    task.process(selection);
    expect(task.report().cardinality.client_ip).toEqual(exactly(2));
    expect(task.report().cardinality.src_ip).toEqual(exactly(4));
  });

  it('looks again after a SYN, which may have made client and server change places', () => {
    const { task } = start({ windows: false });
    const packets: FakePacket[] = [
      {
        seconds: 1,
        source: 1,
        destination: 2,
        sourcePort: 80,
        destinationPort: 4000,
        bytes: 60,
        protocol: 6,
        tcpFlags: 16,
      },
      {
        seconds: 1,
        source: 2,
        destination: 1,
        sourcePort: 4000,
        destinationPort: 80,
        bytes: 60,
        protocol: 6,
        tcpFlags: 2,
      },
    ];
    const selection = select(packets);
    selection.direction[1] = 0; // what the flow table says after the change
    task.process(selection);
    const { client_ip: clients, src_ip: sources, dst_port: ports } = task.report().cardinality;
    expect([clients, sources, ports]).toEqual([exactly(2), exactly(2), exactly(2)]);
  });

  it('writes a row per subject and window, empties at each flush, and late packets make another row', () => {
    const { rows, task } = start();
    task.process(select([...conversation(105, 1, 2), ...conversation(112, 1, 3), ...conversation(121, 1, 4)]));
    task.process(select(conversation(106, 5, 6)));
    task.flush();
    task.flush();
    const written = readRows(rows).sketches;
    expect(written).toHaveLength(4 * 6);
    expect(
      written.filter((row) => row['subject'] === 'src_ip').map((row) => [row['window_start'], row['total']]),
    ).toEqual([
      ['100', '3'],
      ['110', '3'],
      ['100', '3'],
      ['120', '3'],
    ]);
    expect(written[0]).toMatchObject({
      window_seconds: '10',
      sketch: 'hll',
      log2_width: '12',
      depth: '1',
      cells: '[]',
    });
    task.process(select(conversation(107, 7, 8)));
    task.flush();
    const again = readRows(rows).sketches;
    expect(again).toHaveLength(6);
    const registers = JSON.parse(again.find((row) => row['subject'] === 'src_ip')!['registers']!) as number[];
    expect(registers.filter((register) => register > 0)).toHaveLength(2);
    // the report goes on over the whole run
    expect(task.report().cardinality.client_ip).toEqual(exactly(3));
  });

  it('finds the scanner among many sources', () => {
    const { rows, task } = start({}, { spreader_keys: 64, spreaders: [{ key: 'src_ip', distinct: 'dst_ip' }] });
    const packets: FakePacket[] = [];
    for (let i = 0; i < 3000; i += 1) {
      packets.push({ seconds: 5, source: 1000 + i, destination: 7, bytes: 60 });
      if (i % 3 === 0) packets.push({ seconds: 5, source: 42, destination: 100_000 + i, bytes: 60 });
    }
    task.process(select(packets));
    task.flush();
    const spreaders = readRows(rows).sketches.filter((row) => row['subject'] === 'dst_ip_per_src_ip');
    expect(spreaders.map((row) => row['key'])).toEqual(['0.0.0.42']);
    const sketch = new HyperLogLog(8, Uint8Array.from(JSON.parse(spreaders[0]!['registers']!) as number[]));
    expect(Math.abs(sketch.estimate() / 1000 - 1)).toBeLessThan(0.25);
  });

  it('merges the reports of partitions, also after a structured clone', () => {
    const part = (from: number, to: number): CardinalityReport => {
      const { task } = start({ windows: false });
      const packets: FakePacket[] = [];
      for (let i = from; i < to; i += 1) packets.push(...conversation(1, i, 1_000_000, i & 0xffff));
      task.process(select(packets));
      return structuredClone(task.report());
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
});
