/**
 * Task `cardinality`: how many distinct addresses and ports, by HyperLogLog; and who talks to many others.
 *
 * Counted are frames with addresses (the innermost ones), ports where there are any; src is the sender, client and server
 * are the flow's. Fed by flow, not by packet: the flow table tells what each flow added (FlowDeltas) when its record is
 * emptied or given up. The registers are the same, and a packet costs nothing here.
 *
 * A sketch window holds whole flow windows: its width is the configured one, rounded up to a multiple of the flow window.
 * Rows: one `hll` row per subject and sketch window into `sketches`, total = packets counted; one per super-spreader,
 * subject `<distinct>_per_<key>`, key = its address. In the report counts are exact up to `exactMax` keys, ports always.
 */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { hashResult, hashWord } from '../../sketch-math/index.js';
import {
  DistinctCounter,
  HyperLogLog,
  SketchWindows,
  SlotPools,
  SuperSpreaders,
  flowDeltasOf,
  keyText,
  log2RegistersMax,
  log2RegistersMin,
  mergeDistinct,
  sketchSlots,
} from '../sketches/index.js';
import type { DeltaSide, DistinctState, Estimate, FlowDeltas, SlotPool } from '../sketches/index.js';
import { defineTask } from '../task.js';
import type { Task, TaskContext } from '../task.js';

export const cardinalitySubjects = ['client_ip', 'server_ip', 'src_ip', 'dst_ip', 'src_port', 'dst_port'] as const;
export type CardinalitySubject = (typeof cardinalitySubjects)[number];

/** Distinct keys up to which a report is exact. */
const exactMax = 16_384;
const ports = 65_536;
/** From this subject on they are ports: few and small, so they are marked in an array and hashed when they are wanted. */
const firstPortSubject = 4;

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

type Options = Static<typeof schema>;

export interface CardinalityReport {
  /** keys per subject, with bounds */
  cardinality: Partial<Record<CardinalitySubject, Estimate>>;
  /** what `merge` needs; of ports, 1 for each that was seen */
  state: Partial<Record<CardinalitySubject, DistinctState | Uint8Array>>;
}

const exactly = (count: number): Estimate => ({ estimate: count, lower: count, upper: count });

/** How many ports were seen; four at a time. */
function countSeen(seen: Uint8Array): number {
  const words = new Uint32Array(seen.buffer, seen.byteOffset, ports / 4);
  let count = 0;
  for (let i = 0; i < words.length; i += 1) count += Math.imul(words[i]!, 0x01010101) >>> 24;
  return count;
}

/** Seen in any of the partitions. */
function mergeSeen(parts: readonly Uint8Array[]): Uint8Array {
  const merged = new Uint32Array(ports / 4);
  for (const part of parts) addSeen(merged, new Uint32Array(part.buffer, part.byteOffset, ports / 4));
  return new Uint8Array(merged.buffer);
}

function addSeen(merged: Uint32Array, part: Uint32Array): void {
  for (let i = 0; i < merged.length; i += 1) merged[i] = merged[i]! | part[i]!;
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
      if (cardinalitySubjects.indexOf(subject) >= firstPortSubject) {
        const seen = mergeSeen(states as Uint8Array[]);
        merged.cardinality[subject] = exactly(countSeen(seen));
        merged.state[subject] = seen;
        continue;
      }
      const counter = mergeDistinct(states as DistinctState[]);
      merged.cardinality[subject] = counter.bounds();
      merged.state[subject] = counter.state();
    }
    return merged;
  },
});

/** Sketches of one open window. */
interface Slot {
  packets: number;
  /** by index in cardinalitySubjects */
  readonly sketches: readonly (HyperLogLog | undefined)[];
  /** 1 = seen; source ports, then destination ports */
  readonly portsSeen: Uint8Array;
  readonly spreaders: readonly SuperSpreaders[];
}

function createSlot(options: Options): Slot {
  const { precision, spreaders, spreader_keys: keys, spreader_precision: keyPrecision, subjects } = options;
  return {
    packets: 0,
    sketches: cardinalitySubjects.map((subject) =>
      subjects.includes(subject) ? new HyperLogLog(precision) : undefined,
    ),
    portsSeen: new Uint8Array(2 * ports),
    spreaders: spreaders.map(() => new SuperSpreaders(keys, keyPrecision)),
  };
}

const pools = new SlotPools(createSlot);

class CardinalityTask implements Task<CardinalityReport> {
  private readonly options: Options;
  private readonly context: TaskContext;
  private readonly deltas: FlowDeltas;
  private readonly windows: SketchWindows;
  private readonly slots: (Slot | undefined)[] = new Array<undefined>(sketchSlots).fill(undefined);
  private readonly pool: SlotPool<Slot>;
  /** the whole run, by index in cardinalitySubjects; only with context.report */
  private readonly totals: (DistinctCounter | undefined)[];
  /** the whole run's ports, as in a slot; only with context.report */
  private readonly portsSeen: Uint8Array;

  constructor(options: Options, context: TaskContext) {
    this.options = options;
    this.context = context;
    this.pool = pools.of(options);
    this.portsSeen = new Uint8Array(context.report ? 2 * ports : 0);
    this.windows = new SketchWindows(
      context.sketchWindowSeconds,
      (closed) => this.close(closed),
      Math.max(1, context.flowWindowSeconds),
    );
    this.totals = cardinalitySubjects.map((subject, i) =>
      context.report && i < firstPortSubject && options.subjects.includes(subject)
        ? new DistinctCounter(options.precision, exactMax)
        : undefined,
    );
    this.deltas = flowDeltasOf(context.flowTable);
    this.deltas.onBlock((deltas) => this.count(deltas));
  }

  process(): void {
    // The flow table tells what its flows added.
  }

  get misplacedPackets(): number {
    return this.windows.misplaced;
  }

  flush(): void {
    this.deltas.drain();
    this.windows.flush();
  }

  finish(): void {
    // Nothing waits for a partner here.
  }

  report(): CardinalityReport {
    this.deltas.drain();
    const report: CardinalityReport = { cardinality: {}, state: {} };
    if (!this.context.report) return report;
    cardinalitySubjects.forEach((subject, i) => {
      if (!this.options.subjects.includes(subject)) return;
      const total = this.totals[i];
      if (total) {
        report.cardinality[subject] = total.bounds();
        report.state[subject] = total.state();
        return;
      }
      const seen = this.portsSeen.slice((i - firstPortSubject) * ports, (i - firstPortSubject + 1) * ports);
      report.cardinality[subject] = exactly(countSeen(seen));
      report.state[subject] = seen;
    });
    return report;
  }

  /** Count a block, a run of flows of the same window at a time. */
  private count(deltas: FlowDeltas): void {
    const { totals, windows } = this;
    const { client, server, count, seconds } = deltas;
    totals[0]?.addRows(client.hashes, undefined, 0, count);
    totals[1]?.addRows(server.hashes, undefined, 0, count);
    totals[2]?.addRows(client.hashes, client.packets, 0, count);
    totals[2]?.addRows(server.hashes, server.packets, 0, count);
    totals[3]?.addRows(server.hashes, client.packets, 0, count);
    totals[3]?.addRows(client.hashes, server.packets, 0, count);
    if (this.context.report) markPorts(this.portsSeen, deltas, 0, count);
    if (!this.context.windows) return;
    windows.earn(deltas.packets);
    let from = 0;
    while (from < count) {
      const number = windows.slot(seconds[from]!, client.packets[from]! + server.packets[from]!);
      let to = from + 1;
      while (to < count && windows.holds(number, seconds[to]!)) to += 1;
      this.countWindow((this.slots[number] ??= this.pool.take()), deltas, from, to);
      from = to;
    }
  }

  private countWindow(slot: Slot, deltas: FlowDeltas, from: number, to: number): void {
    const { client, server } = deltas;
    const { sketches, spreaders } = slot;
    for (let row = from; row < to; row += 1) slot.packets += client.packets[row]! + server.packets[row]!;
    sketches[0]?.addRows(client.hashes, undefined, from, to);
    sketches[1]?.addRows(server.hashes, undefined, from, to);
    sketches[2]?.addRows(client.hashes, client.packets, from, to);
    sketches[2]?.addRows(server.hashes, server.packets, from, to);
    sketches[3]?.addRows(server.hashes, client.packets, from, to);
    sketches[3]?.addRows(client.hashes, server.packets, from, to);
    markPorts(slot.portsSeen, deltas, from, to);
    for (let s = 0; s < spreaders.length; s += 1) {
      this.spread(spreaders[s]!, s, deltas, client, server, from, to);
      this.spread(spreaders[s]!, s, deltas, server, client, from, to);
    }
  }

  /** Super-spreaders of one direction. */
  private spread(
    spreaders: SuperSpreaders,
    option: number,
    deltas: FlowDeltas,
    sender: DeltaSide,
    receiver: DeltaSide,
    from: number,
    to: number,
  ): void {
    const { key, distinct } = this.options.spreaders[option]!;
    const keys = key === 'src_ip' ? sender : receiver;
    const side = distinct === 'src_ip' || distinct === 'src_port' ? sender : receiver;
    const byPort = distinct === 'src_port' || distinct === 'dst_port';
    for (let row = from; row < to; row += 1) {
      if (sender.packets[row] === 0 || (byPort && deltas.hasPorts[row] === 0)) continue;
      let high = side.hashes[row << 1]!;
      let low = side.hashes[(row << 1) + 1]!;
      if (byPort) {
        hashWord(side.ports[row]!);
        high = hashResult[0]!;
        low = hashResult[1]!;
      }
      spreaders.add(keys.addresses, row << 2, keys.hashes[row << 1]!, keys.hashes[(row << 1) + 1]!, high, low);
    }
  }

  private close(number: number): void {
    const slot = this.slots[number];
    if (!slot) return;
    const start = this.windows.starts[number]!;
    const seconds = this.windows.ends[number]! - start;
    slot.sketches.forEach((sketch, subject) => {
      if (!sketch) return;
      if (subject >= firstPortSubject) addPorts(sketch, slot.portsSeen, subject);
      const { registers, log2Registers } = sketch;
      this.row(start, seconds, cardinalitySubjects[subject]!, '', log2Registers, slot.packets, registers);
      sketch.reset();
    });
    slot.spreaders.forEach((spreaders, s) => {
      const { key, distinct } = this.options.spreaders[s]!;
      const p = spreaders.log2Registers;
      for (const { entry } of spreaders.top(this.options.spreader_rows, this.options.spreader_minimum)) {
        const address = keyText('address', spreaders.keyOf(entry), 0);
        this.row(start, seconds, `${distinct}_per_${key}`, address, p, slot.packets, spreaders.registersOf(entry));
      }
      spreaders.reset();
    });
    slot.portsSeen.fill(0);
    slot.packets = 0;
    this.slots[number] = undefined;
    this.pool.give(slot);
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

/** Mark the ports that flows from .. to - 1 sent from and to. */
function markPorts(seen: Uint8Array, deltas: FlowDeltas, from: number, to: number): void {
  const { client, server, hasPorts } = deltas;
  for (let row = from; row < to; row += 1) {
    if (hasPorts[row] === 0) continue;
    const clientPort = client.ports[row]!;
    const serverPort = server.ports[row]!;
    if (client.packets[row] !== 0) {
      seen[clientPort] = 1;
      seen[ports + serverPort] = 1;
    }
    if (server.packets[row] !== 0) {
      seen[serverPort] = 1;
      seen[ports + clientPort] = 1;
    }
  }
}

/** Count the marked ports of a subject. */
function addPorts(counter: { add(high: number, low: number): void }, seen: Uint8Array, subject: number): void {
  const offset = (subject - firstPortSubject) * ports;
  for (let port = 0; port < ports; port += 1) {
    if (seen[offset + port] === 0) continue;
    hashWord(port);
    counter.add(hashResult[0]!, hashResult[1]!);
  }
}
