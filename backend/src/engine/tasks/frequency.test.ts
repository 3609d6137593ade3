import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countMinCell, hashResult, hashWord, hashWords } from '../../sketch-math/index.js';
import type { FlowTableOptions } from '../flow-table/index.js';
import { TaskBench, halfOf, ipv4Words, randomNumbers, randomStream } from '../sketches/sketch-fixtures.js';
import type { FakePacket } from '../sketches/sketch-fixtures.js';
import type { TaskContext } from '../task.js';
import { frequencyTask } from './frequency.js';
import type { FrequencyReport } from './frequency.js';
import { readRows } from './sketch-rows-fixture.js';

const fuzzSeed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);

function start(
  over: Partial<TaskContext> = {},
  options: Record<string, unknown> = {},
  table: Partial<FlowTableOptions> = {},
): TaskBench<FrequencyReport> {
  const filled = Value.Default(frequencyTask.schema, options) as Parameters<typeof frequencyTask.create>[0];
  expect(Value.Check(frequencyTask.schema, filled)).toBe(true);
  return new TaskBench((context) => frequencyTask.create(filled, context), over, table);
}

const ipv4 = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
const protocolNames: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };

type Sums = Map<string, [number, number]>;

/** Exact sums, packet by packet: "subject key" and "window subject key" -> [bytes, packets]. */
function sumsOf(packets: readonly FakePacket[], sketchWindow: number): Sums {
  const truth: Sums = new Map();
  for (const packet of packets) {
    if (packet.bare) continue;
    const { source, destination, sourcePort, destinationPort, bytes, protocol = 17 } = packet;
    const flowWindow = packet.seconds - (packet.seconds % 10);
    const window = flowWindow - (flowWindow % sketchWindow);
    const add = (subject: string, key: string): void => {
      for (const name of [`${subject} ${key}`, `${window} ${subject} ${key}`]) {
        const sums = truth.get(name) ?? [0, 0];
        truth.set(name, [sums[0] + bytes, sums[1] + 1]);
      }
    };
    add('src_ip', ipv4(source));
    add('dst_ip', ipv4(destination));
    add('ip_pair', `${ipv4(source)} > ${ipv4(destination)}`);
    add('protocol', protocolNames[protocol]!);
    if (sourcePort !== undefined) add('src_port', String(sourcePort));
    if (destinationPort !== undefined) add('dst_port', String(destinationPort));
  }
  return truth;
}

/** Random packets of a few hosts, and their exact sums. */
function traffic(seed: number, count: number, hosts: number, times: () => number) {
  const packets = randomStream(seed, count, hosts).map((packet) => ({ ...packet, seconds: times() }));
  return { packets, truth: sumsOf(packets, 10) };
}

/** Rows of top keys merged as the store merges them: "window subject key" -> [bytes, packets]. */
function topSums(rows: Record<string, string>[]): Sums {
  const sums: Sums = new Map();
  for (const row of rows) {
    expect([row['bytes_error'], row['packets_error']]).toEqual(['0', '0']);
    const name = `${row['window_start']} ${row['subject']} ${row['key']}`;
    const known = sums.get(name) ?? [0, 0];
    sums.set(name, [known[0] + Number(row['bytes']), known[1] + Number(row['packets'])]);
  }
  return sums;
}

const all = { subjects: ['src_ip', 'dst_ip', 'src_port', 'dst_port', 'protocol', 'ip_pair'] };

/** What the partitions' reports come to, here those of one. */
const answer = (report: FrequencyReport): FrequencyReport => frequencyTask.merge([report]);

/** Every entry of a report is right, and the heaviest key by truth is first. */
function checkReport(report: FrequencyReport, truth: Map<string, [number, number]>, exact: boolean): void {
  for (const subject of all.subjects as (keyof FrequencyReport['top'])[]) {
    const top = report.top[subject]!;
    expect(top.length, subject).toBeGreaterThan(0);
    for (const { key, bytes, packets, lower, upper } of top) {
      const [trueBytes, truePackets] = truth.get(`${subject} ${key}`)!;
      expect(lower).toBeLessThanOrEqual(trueBytes);
      expect(upper).toBeGreaterThanOrEqual(trueBytes);
      expect(bytes).toBe(upper);
      expect(packets).toBeGreaterThanOrEqual(truePackets);
      if (exact) expect([lower, upper, packets], `${subject} ${key}`).toEqual([trueBytes, trueBytes, truePackets]);
    }
    const heaviest = [...truth]
      .filter(([name]) => name.startsWith(`${subject} `))
      .sort((a, b) => b[1][0] - a[1][0])
      .map(([name]) => name.slice(subject.length + 1));
    expect(top[0]!.key, subject).toBe(heaviest[0]);
    if (exact) expect(top.map((entry) => entry.key)).toEqual(heaviest.slice(0, 10));
  }
}

describe('frequency task', () => {
  it('names the heaviest of each subject exactly while the candidates suffice', () => {
    for (const windows of [false, true]) {
      let clock = 100;
      const { packets, truth } = traffic(3, 20_000, 300, () => 100 + Math.floor((clock += 1) / 300));
      const bench = start({ windows }, all);
      bench.feed(packets);
      if (windows) {
        // Told of by the flow table, but in windows that are open yet.
        bench.flowTable.flush();
        checkReport(answer(bench.task.report()), truth, true);
      }
      checkReport(answer(bench.end()), truth, true);
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
          const truth = sumsOf(packets, 60);
          const over = { windows, sketchWindowSeconds: 60, reportTop: 10_000 };
          const table = { maxFlows, idleTimeoutSeconds };
          const benches = [0, 1].map(() => start(over, { ...all, top: 10_000 }, table));
          const parts = packets.map(halfOf);
          for (let at = 0; at < packets.length; at += 100) {
            benches.forEach((bench, half) =>
              bench.feed(packets.slice(at, at + 100).filter((_, i) => parts[at + i] === half)),
            );
            if (windows && (at + 100) % flushEvery === 0) for (const bench of benches) bench.flush();
          }
          const merged = frequencyTask.merge(benches.map((bench) => structuredClone(bench.end())));
          if (maxFlows > 16) expect(benches.some((bench) => bench.flowTable.foldedFlows > 0)).toBe(false);
          const reported = Object.entries(merged.top).flatMap(([subject, top]) =>
            top.map(({ key, lower, upper, packets: count }): [string, number[]] => {
              expect(lower).toBe(upper);
              return [`${subject} ${key}`, [upper, count]];
            }),
          );
          expect(new Map(reported.sort())).toEqual(new Map([...truth].filter(([name]) => !/^\d/.test(name)).sort()));
          const rows = benches.flatMap((bench) => readRows(bench.rows).top_keys);
          const windowed = windows ? [...truth].filter(([name]) => /^\d/.test(name)) : [];
          expect([...topSums(rows)].sort()).toEqual(windowed.sort());
        },
      ),
      { seed: fuzzSeed, numRuns: 12 },
    );
  });

  it('keeps its bounds when keys are evicted, over windows, flushes, partitions and folded flows', () => {
    const { packets, truth } = traffic(4, 30_000, 5_000, () => 100);
    for (const windows of [false, true]) {
      const parts = [0, 1, 2].map((part) =>
        start({ windows }, { ...all, candidates: 128 }, { maxFlows: part === 0 ? 1000 : 100_000 }),
      );
      parts.forEach((bench, part) => {
        const mine = packets.filter((packet) => (packet.source + packet.destination) % 3 === part);
        for (let at = 0; at < mine.length; at += 500) {
          bench.feed(mine.slice(at, at + 500));
          if (windows && at % 3000 === 0) bench.flush();
        }
      });
      const reports = parts.map((bench) => structuredClone(bench.end()));
      expect(parts[0]!.flowTable.foldedFlows).toBeGreaterThan(0);
      expect(reports[0]!.state.src_ip!.evictedBytes).toBeGreaterThan(0);
      checkReport(frequencyTask.merge(reports), truth, false);
      checkReport(frequencyTask.merge([frequencyTask.merge(reports.slice(0, 2)), reports[2]!]), truth, false);
    }
  });

  it('gives bytes to their sender when a SYN makes client and server change places', () => {
    for (const windows of [false, true]) {
      const bench = start({ windows });
      const from = (source: number, tcpFlags: number, bytes: number): FakePacket => ({
        seconds: 1,
        source,
        destination: 3 - source,
        sourcePort: source,
        destinationPort: 3 - source,
        bytes,
        protocol: 6,
        tcpFlags,
      });
      bench.feed([from(1, 16, 100), from(2, 16, 10), from(2, 2, 1000), from(1, 16, 3)]);
      const { top } = answer(bench.end());
      for (const subject of ['src_ip', 'src_port'] as const) {
        const host = (key: number) => (subject === 'src_ip' ? `0.0.0.${key}` : String(key));
        expect(top[subject]!.map(({ key, bytes }) => [key, bytes])).toEqual([
          [host(2), 1010],
          [host(1), 103],
        ]);
      }
    }
  });

  it('counts past 4 GiB', () => {
    const bench = start({ windows: false });
    for (let i = 0; i < 3; i += 1) {
      bench.feed([{ seconds: 1, source: 1, destination: 2, bytes: 0xffffffff, sourcePort: 9, destinationPort: 8 }]);
    }
    const bytes = 3 * 0xffffffff;
    expect(answer(bench.end()).top).toEqual({
      src_ip: [{ key: '0.0.0.1', bytes, packets: 3, lower: bytes, upper: bytes }],
      dst_ip: [{ key: '0.0.0.2', bytes, packets: 3, lower: bytes, upper: bytes }],
      src_port: [{ key: '9', bytes, packets: 3, lower: bytes, upper: bytes }],
      dst_port: [{ key: '8', bytes, packets: 3, lower: bytes, upper: bytes }],
      protocol: [{ key: 'udp', bytes, packets: 3, lower: bytes, upper: bytes }],
    });
  });

  it('writes top keys that add up to the truth per window, and sketches that are never under it', () => {
    const next = randomNumbers(9);
    let clock = 0;
    // Times in disorder around the window borders, and flushes in between.
    const { packets, truth } = traffic(5, 12_000, 400, () => 200 + Math.floor((clock += 1) / 400) + (next() % 3));
    const bench = start({}, { ...all, top: 10_000, depth: 3, log2_width: 8 });
    for (let at = 0; at < packets.length; at += 1000) {
      bench.feed(packets.slice(at, at + 1000));
      if (at % 5000 === 0) bench.flush();
    }
    bench.flush();
    const { top_keys: topKeys, sketches } = readRows(bench.rows);
    expect(new Set(topKeys.map((row) => row['window_seconds']))).toEqual(new Set(['10']));
    const windowed = [...truth].filter(([name]) => /^\d/.test(name));
    expect([...topSums(topKeys)].sort()).toEqual(windowed.sort());

    // Cells add up over rows (sumForEach), as the store would merge them.
    const cells = new Map<string, Float64Array>();
    const totals = new Map<string, number>();
    for (const row of sketches) {
      expect([row['sketch'], row['depth'], row['log2_width'], row['registers']]).toEqual(['count_min', '3', '8', '[]']);
      const name = `${row['subject']} ${row['measure']}`;
      const sum = cells.get(name) ?? new Float64Array(3 << 8);
      (JSON.parse(row['cells']!) as number[]).forEach((value, i) => (sum[i] = sum[i]! + value));
      cells.set(name, sum);
      totals.set(name, (totals.get(name) ?? 0) + Number(row['total']));
    }
    const estimate = (name: string) =>
      Math.min(
        ...[0, 1, 2].map((row) => cells.get(name)![(row << 8) + countMinCell(hashResult[0]!, hashResult[1]!, row, 8)]!),
      );
    for (let host = 1; host <= 400; host += 1) {
      const [bytes, count] = truth.get(`src_ip ${ipv4(host)}`) ?? [0, 0];
      hashWords(ipv4Words(host), 0, 4);
      expect(estimate('src_ip bytes')).toBeGreaterThanOrEqual(bytes);
      expect(estimate('src_ip packets')).toBeGreaterThanOrEqual(count);
    }
    hashWord(53);
    expect(estimate('dst_port bytes')).toBe(truth.get('dst_port 53')![0]);
    const everything = packets.reduce((sum, packet) => sum + (packet.bare ? 0 : packet.bytes), 0);
    for (const subject of ['src_ip', 'dst_ip', 'protocol', 'ip_pair'])
      expect(totals.get(`${subject} bytes`)).toBe(everything);
  });

  it('puts evicted keys into the sketch: its total misses nothing', () => {
    const { packets } = traffic(6, 8_000, 4_000, () => 100);
    const bench = start({}, { subjects: ['src_ip'], candidates: 64 });
    bench.feed(packets);
    bench.flush();
    const everything = packets.filter((packet) => !packet.bare).length;
    const row = readRows(bench.rows).sketches.find((sketch) => sketch['measure'] === 'packets')!;
    expect(Number(row['total'])).toBe(everything);
  });

  it('keeps nothing per window for a report alone, and nothing for a report when none is wanted', () => {
    const { packets } = traffic(7, 500, 50, () => 100);
    const analyze = start({ windows: false });
    analyze.feed(packets);
    expect(answer(analyze.end()).top.src_ip).not.toEqual([]);
    analyze.task.flush();
    expect(analyze.rows.size).toBe(0);
    const engine = start({ report: false });
    engine.feed(packets);
    expect(answer(engine.end()).top).toEqual({});
    expect(answer(start({ windows: false }).end()).top.src_ip).toEqual([]);
  });
});
