import { Value } from '@sinclair/typebox/value';
import { describe, expect, it } from 'vitest';
import { RowSink } from '../row-sink.js';
import { countMinCell, hashResult, hashWord, hashWords } from '../sketches/index.js';
import { fakeContext, ipv4Words, randomNumbers, select } from '../sketches/sketch-fixtures.js';
import type { FakePacket } from '../sketches/sketch-fixtures.js';
import type { TaskContext } from '../task.js';
import { frequencyTask } from './frequency.js';
import type { FrequencyReport } from './frequency.js';
import { readRows } from './sketch-rows-fixture.js';

function start(over: Partial<TaskContext> = {}, options: Record<string, unknown> = {}) {
  const rows = new RowSink('p', 1n, 0);
  const filled = Value.Default(frequencyTask.schema, options) as Parameters<typeof frequencyTask.create>[0];
  expect(Value.Check(frequencyTask.schema, filled)).toBe(true);
  return { rows, task: frequencyTask.create(filled, fakeContext(rows, over)) };
}

const ipv4 = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

/** Random packets of a few hosts, and their exact sums: "subject key" -> [bytes, packets]. */
function traffic(seed: number, count: number, hosts: number, times: () => number) {
  const next = randomNumbers(seed);
  const truth = new Map<string, [number, number]>();
  const packets: FakePacket[] = [];
  const add = (window: number, subject: string, key: string, bytes: number) => {
    for (const name of [`${subject} ${key}`, `${window} ${subject} ${key}`]) {
      const sums = truth.get(name) ?? [0, 0];
      truth.set(name, [sums[0] + bytes, sums[1] + 1]);
    }
  };
  for (let i = 0; i < count; i += 1) {
    const seconds = times();
    const packet: FakePacket = {
      seconds,
      source: Math.floor(hosts ** (next() / 4294967296)),
      destination: 100_000 + Math.floor(hosts ** (next() / 4294967296)),
      bytes: 60 + (next() % 1400),
      protocol: next() % 3 === 0 ? 6 : 17,
      tcpFlags: next() % 4 === 0 ? 2 : 16,
      ...(next() % 6 > 0 && { sourcePort: 1000 + (next() % 50), destinationPort: 53 }),
      bare: next() % 20 === 0,
    };
    packets.push(packet);
    if (packet.bare) continue;
    const window = seconds - (seconds % 10);
    add(window, 'src_ip', ipv4(packet.source), packet.bytes);
    add(window, 'dst_ip', ipv4(packet.destination), packet.bytes);
    add(window, 'ip_pair', `${ipv4(packet.source)} > ${ipv4(packet.destination)}`, packet.bytes);
    add(window, 'protocol', packet.protocol === 6 ? 'tcp' : 'udp', packet.bytes);
    if (packet.sourcePort === undefined) continue;
    add(window, 'src_port', String(packet.sourcePort), packet.bytes);
    add(window, 'dst_port', '53', packet.bytes);
  }
  return { packets, truth };
}

const all = { subjects: ['src_ip', 'dst_ip', 'src_port', 'dst_port', 'protocol', 'ip_pair'] };

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
      const { task } = start({ windows }, all);
      const flows = new Map<string, number>();
      for (let at = 0; at < packets.length; at += 1000) task.process(select(packets.slice(at, at + 1000), flows));
      task.finish();
      checkReport(task.report(), truth, true);
      if (windows) task.flush();
      checkReport(task.report(), truth, true); // also once nothing is open any more
    }
  });

  it('keeps its bounds when keys are evicted, over windows, flushes, partitions and flow numbers used again', () => {
    const { packets, truth } = traffic(4, 30_000, 5_000, () => 100);
    for (const windows of [false, true]) {
      const parts = [0, 1, 2].map(() => start({ windows }, { ...all, candidates: 128 }));
      parts.forEach(({ task }, part) => {
        let flows = new Map<string, number>();
        const mine = packets.filter((packet) => (packet.source + packet.destination) % 3 === part);
        for (let at = 0; at < mine.length; at += 500) {
          if (at % 2500 === 0) flows = new Map();
          const selection = select(mine.slice(at, at + 500), flows);
          for (let row = 0; row < selection.count; row += 29) selection.flow[row] = -1;
          task.process(selection);
          if (windows && at % 3000 === 0) task.flush();
        }
      });
      const reports = parts.map(({ task }) => structuredClone(task.report()));
      checkReport(frequencyTask.merge(reports), truth, false);
      const pairs = frequencyTask.merge([frequencyTask.merge(reports.slice(0, 2)), reports[2]!]);
      checkReport(pairs, truth, false);
    }
  });

  it('looks again after a SYN, which may have made client and server change places', () => {
    const { task } = start({ windows: false });
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
    const selection = select([from(1, 16, 100), from(2, 16, 10), from(2, 2, 1000), from(1, 16, 3)]);
    selection.direction.set([0, 1, 0, 1]);
    task.process(selection);
    expect(task.report().top.src_ip!.map(({ key, bytes }) => [key, bytes])).toEqual([
      ['0.0.0.2', 1010],
      ['0.0.0.1', 103],
    ]);
  });

  it('counts past 4 GiB', () => {
    const { task } = start({ windows: false });
    for (let i = 0; i < 3; i += 1) {
      task.process(
        select([{ seconds: 1, source: 1, destination: 2, bytes: 0xffffffff, sourcePort: 9, destinationPort: 8 }]),
      );
    }
    const bytes = 3 * 0xffffffff;
    expect(task.report().top).toEqual({
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
    const { rows, task } = start({}, { ...all, top: 10_000, depth: 3, log2_width: 8 });
    const flows = new Map<string, number>();
    for (let at = 0; at < packets.length; at += 1000) {
      task.process(select(packets.slice(at, at + 1000), flows));
      if (at % 5000 === 0) task.flush();
    }
    task.flush();
    const { top_keys: topKeys, sketches } = readRows(rows);
    const sums = new Map<string, [number, number]>();
    for (const row of topKeys) {
      expect([row['bytes_error'], row['packets_error'], row['window_seconds']]).toEqual(['0', '0', '10']);
      const name = `${row['window_start']} ${row['subject']} ${row['key']}`;
      const known = sums.get(name) ?? [0, 0];
      sums.set(name, [known[0] + Number(row['bytes']), known[1] + Number(row['packets'])]);
    }
    const windowed = [...truth].filter(([name]) => /^\d/.test(name));
    expect([...sums].sort()).toEqual(windowed.sort());

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
    const { rows, task } = start({}, { subjects: ['src_ip'], candidates: 64 });
    task.process(select(packets));
    task.flush();
    const everything = packets.filter((packet) => !packet.bare).length;
    const row = readRows(rows).sketches.find((sketch) => sketch['measure'] === 'packets')!;
    expect(Number(row['total'])).toBe(everything);
  });

  it('keeps nothing per window for a report alone, and nothing for a report when none is wanted', () => {
    const { packets } = traffic(7, 500, 50, () => 100);
    const analyze = start({ windows: false });
    analyze.task.process(select(packets));
    analyze.task.flush();
    expect(analyze.rows.size).toBe(0);
    const engine = start({ report: false });
    engine.task.process(select(packets));
    expect(engine.task.report().top).toEqual({});
    expect(start({ windows: false }).task.report().top.src_ip).toEqual([]);
  });
});
