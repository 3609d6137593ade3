/**
 * Task `cardinality`: how many distinct addresses and ports, by HyperLogLog; and who talks to many others.
 *
 * Counted are frames with addresses (the innermost ones), ports where there are any; src is the sender. Each direction of a
 * flow is hashed once per window, not once per packet: the same registers at a fraction of the cost.
 *
 * Rows: one `hll` row per subject and sketch window into `sketches`, total = packets looked at; one per super-spreader,
 * subject `<distinct>_per_<key>`, key = its address. In the report counts are exact up to `exactMax` keys, ports always.
 */
import { Layer } from '@netspectra/proto';
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import {
  DistinctCounter,
  FlowMarks,
  HyperLogLog,
  SketchWindows,
  SuperSpreaders,
  flowMayDiffer,
  hashResult,
  hashWord,
  hashWords,
  keyText,
  log2RegistersMax,
  log2RegistersMin,
  mergeDistinct,
  preparedPackets,
} from '../sketches/index.js';
import type { DistinctState, Estimate } from '../sketches/index.js';
import { defineTask } from '../task.js';
import type { PacketSelection, Task, TaskContext } from '../task.js';

/** In the order of the hash results gathered per packet. */
export const cardinalitySubjects = ['client_ip', 'server_ip', 'src_ip', 'dst_ip', 'src_port', 'dst_port'] as const;
export type CardinalitySubject = (typeof cardinalitySubjects)[number];

/** Distinct keys up to which a report is exact. */
const exactMax = 16_384;
const ports = 65_536;

const schema = Type.Object(
  {
    precision: Type.Integer({
      default: 12,
      minimum: log2RegistersMin,
      maximum: log2RegistersMax,
      description: 'HyperLogLog precision p: 2^p registers, standard error 1.04 / sqrt(2^p)',
    }),
    subjects: Type.Array(Type.Union(cardinalitySubjects.map((subject) => Type.Literal(subject))), {
      default: [...cardinalitySubjects],
      uniqueItems: true,
      description: 'what to count distinct values of',
    }),
    spreaders: Type.Array(
      Type.Object(
        {
          key: Type.Union([Type.Literal('src_ip'), Type.Literal('dst_ip')], {
            description: 'the address it is kept for',
          }),
          distinct: Type.Union(
            [Type.Literal('src_ip'), Type.Literal('dst_ip'), Type.Literal('src_port'), Type.Literal('dst_port')],
            { description: 'what is counted per key' },
          ),
        },
        { additionalProperties: false },
      ),
      {
        default: [{ key: 'src_ip', distinct: 'dst_ip' }],
        maxItems: 8,
        description: 'super-spreaders: distinct values per address',
      },
    ),
    spreader_precision: Type.Integer({
      default: 8,
      minimum: log2RegistersMin,
      maximum: 12,
      description: 'HyperLogLog precision of each super-spreader sketch',
    }),
    spreader_keys: Type.Integer({
      default: 1024,
      minimum: 16,
      maximum: 65_536,
      description: 'most addresses with a sketch of their own, per window',
    }),
    spreader_rows: Type.Integer({
      default: 50,
      minimum: 1,
      maximum: 10_000,
      description: 'most super-spreaders written per window',
    }),
    spreader_minimum: Type.Integer({
      default: 32,
      minimum: 1,
      maximum: 1_000_000,
      description: 'an address with fewer distinct values is not written',
    }),
  },
  { additionalProperties: false, description: 'distinct counts of addresses and ports, and super-spreaders' },
);

export interface CardinalityReport {
  /** keys per subject, with bounds */
  cardinality: Partial<Record<CardinalitySubject, Estimate>>;
  /** what `merge` needs */
  state: Partial<Record<CardinalitySubject, DistinctState>>;
}

export const cardinalityTask = defineTask({
  type: 'cardinality',
  schema,
  create: (options, context): Task<CardinalityReport> => new CardinalityTask(options, context),
  /** Registers by maximum, exact sets by union. */
  merge(reports: CardinalityReport[]): CardinalityReport {
    const merged: CardinalityReport = { cardinality: {}, state: {} };
    for (const subject of cardinalitySubjects) {
      const states = reports.map((report) => report.state[subject]).filter((state) => state !== undefined);
      if (states.length === 0) continue;
      const counter = mergeDistinct(states);
      merged.cardinality[subject] = counter.bounds();
      merged.state[subject] = counter.state();
    }
    return merged;
  },
});

/** Sketches of one open window. */
interface Slot {
  epoch: number;
  packets: number;
  /** by index in cardinalitySubjects */
  readonly sketches: readonly (HyperLogLog | undefined)[];
  readonly spreaders: readonly SuperSpreaders[];
}

class CardinalityTask implements Task<CardinalityReport> {
  private readonly options: Static<typeof schema>;
  private readonly context: TaskContext;
  private readonly marks = new FlowMarks(1);
  private readonly windows: SketchWindows;
  private readonly slots: Slot[];
  /** the whole run, by index in cardinalitySubjects; only with context.report */
  private readonly totals: (DistinctCounter | undefined)[];
  /** ports of src_port and dst_port that the totals have: spares most packets a look into a large set */
  private readonly portsSeen = new Uint8Array(2 * ports);
  /** high and low hash of client_ip, server_ip, src_ip, dst_ip, src_port, dst_port of the packet at hand */
  private readonly hashes = new Int32Array(2 * cardinalitySubjects.length);

  constructor(options: Static<typeof schema>, context: TaskContext) {
    this.options = options;
    this.context = context;
    const wanted = cardinalitySubjects.map((subject) => options.subjects.includes(subject));
    const slot = (): Slot => ({
      epoch: this.marks.nextEpoch(),
      packets: 0,
      sketches: wanted.map((yes) => (yes && context.windows ? new HyperLogLog(options.precision) : undefined)),
      spreaders: context.windows
        ? options.spreaders.map(() => new SuperSpreaders(options.spreader_keys, options.spreader_precision))
        : [],
    });
    this.slots = [slot(), slot()];
    this.windows = new SketchWindows(context.sketchWindowSeconds, (closed) => this.close(closed));
    this.totals = wanted.map((yes, subject) =>
      yes && context.report ? new DistinctCounter(options.precision, subject >= 4 ? ports : exactMax) : undefined,
    );
  }

  process(selection: PacketSelection): void {
    const { batch, rows, count, flow, direction, events } = selection;
    const { layers, timestampSeconds, tcpFlags } = batch;
    const { windows, slots, marks } = this;
    const timed = this.context.windows;
    windows.earn(count);
    let slot = slots[0]!;
    let start = timed ? 0 : -Infinity;
    let end = timed ? 0 : Infinity;
    for (let i = 0; i < count; i += 1) {
      if (i % preparedPackets === 0) marks.prepare(flow, i, Math.min(count, i + preparedPackets));
      const row = rows[i]!;
      const bits = layers[row]!;
      if ((bits & Layer.HasAddresses) === 0) continue;
      const seconds = timestampSeconds[row]!;
      if (seconds < start || seconds >= end) {
        const number = windows.slot(seconds);
        slot = slots[number]!;
        start = windows.starts[number]!;
        end = windows.ends[number]!;
      }
      slot.packets += 1;
      const index = flow[i]!;
      if (index >= 0) {
        const words = marks.words;
        const bit = 1 << (direction[i]! | ((bits & Layer.HasPorts) !== 0 ? 2 : 0));
        let mark = words[index]!;
        const flags = (bits & Layer.HasTcp) !== 0 ? tcpFlags[row]! : 0;
        if ((mark & ~15) !== slot.epoch || flowMayDiffer(events[i]!, flags)) mark = slot.epoch;
        else if ((mark & bit) !== 0) continue;
        words[index] = mark | bit;
      }
      this.count(selection, i, row, slot);
    }
  }

  flush(): void {
    this.windows.flush();
  }

  finish(): void {
    // Nothing waits for a partner here.
  }

  report(): CardinalityReport {
    const report: CardinalityReport = { cardinality: {}, state: {} };
    this.totals.forEach((total, subject) => {
      if (!total) return;
      report.cardinality[cardinalitySubjects[subject]!] = total.bounds();
      report.state[cardinalitySubjects[subject]!] = total.state();
    });
    return report;
  }

  private count(selection: PacketSelection, i: number, row: number, slot: Slot): void {
    const { batch } = selection;
    const { hashes, totals } = this;
    const hasPorts = (batch.layers[row]! & Layer.HasPorts) !== 0;
    const sourcePort = batch.sourcePort[row]!;
    const destinationPort = batch.destinationPort[row]!;
    // Without a flow nobody knows the client; the side with the lower port is taken for the server.
    const fromServer =
      selection.flow[i]! >= 0 ? selection.direction[i]! : hasPorts && sourcePort < destinationPort ? 1 : 0;
    hashWords(batch.sourceAddress, row << 2, 4);
    hashes[4] = hashResult[0]!;
    hashes[5] = hashResult[1]!;
    const source = fromServer === 0 ? 0 : 2;
    hashes[source] = hashResult[0]!;
    hashes[source + 1] = hashResult[1]!;
    hashWords(batch.destinationAddress, row << 2, 4);
    hashes[6] = hashResult[0]!;
    hashes[7] = hashResult[1]!;
    hashes[2 - source] = hashResult[0]!;
    hashes[3 - source] = hashResult[1]!;
    if (hasPorts) {
      hashWord(sourcePort);
      hashes[8] = hashResult[0]!;
      hashes[9] = hashResult[1]!;
      hashWord(destinationPort);
      hashes[10] = hashResult[0]!;
      hashes[11] = hashResult[1]!;
    }
    const subjects = hasPorts ? 6 : 4;
    for (let subject = 0; subject < subjects; subject += 1) {
      const high = hashes[subject * 2]!;
      const low = hashes[subject * 2 + 1]!;
      const sketch = slot.sketches[subject];
      if (sketch) sketch.add(high, low);
      const total = totals[subject];
      if (!total) continue;
      if (subject >= 4) {
        const port = subject === 4 ? sourcePort : ports + destinationPort;
        if (this.portsSeen[port] === 1) continue;
        this.portsSeen[port] = 1;
      }
      total.add(high, low);
    }
    const { spreaders } = slot;
    for (let s = 0; s < spreaders.length; s += 1) {
      const { key, distinct } = this.options.spreaders[s]!;
      const subject = distinct === 'src_ip' ? 2 : distinct === 'dst_ip' ? 3 : distinct === 'src_port' ? 4 : 5;
      if (subject >= subjects) continue;
      const addresses = key === 'src_ip' ? batch.sourceAddress : batch.destinationAddress;
      const keyHash = key === 'src_ip' ? 4 : 6;
      spreaders[s]!.add(
        addresses,
        row << 2,
        hashes[keyHash]!,
        hashes[keyHash + 1]!,
        hashes[subject * 2]!,
        hashes[subject * 2 + 1]!,
      );
    }
  }

  private close(number: number): void {
    const slot = this.slots[number]!;
    const start = this.windows.starts[number]!;
    const seconds = this.windows.ends[number]! - start;
    slot.sketches.forEach((sketch, subject) => {
      if (!sketch) return;
      const { registers, log2Registers } = sketch;
      this.row(start, seconds, cardinalitySubjects[subject]!, '', log2Registers, slot.packets, registers);
      sketch.reset();
    });
    slot.spreaders.forEach((spreaders, s) => {
      const { key, distinct } = this.options.spreaders[s]!;
      const p = spreaders.log2Registers;
      for (const { entry } of spreaders.top(this.options.spreader_rows, this.options.spreader_minimum)) {
        const address = keyText('address', spreaders.words, entry);
        this.row(start, seconds, `${distinct}_per_${key}`, address, p, slot.packets, spreaders.registersOf(entry));
      }
      spreaders.reset();
    });
    slot.packets = 0;
    slot.epoch = this.marks.nextEpoch();
  }

  private row(
    start: number,
    seconds: number,
    subject: string,
    key: string,
    log2Registers: number,
    total: number,
    registers: Uint8Array,
  ): void {
    const row = this.context.rows.table('sketches');
    row.begin();
    row.number(start);
    row.number(seconds);
    row.text('hll');
    row.text(subject);
    row.text('');
    row.text(key);
    row.number(log2Registers);
    row.number(1);
    row.number(total);
    row.numbers(registers);
    row.numbers([]);
    row.end();
  }
}
