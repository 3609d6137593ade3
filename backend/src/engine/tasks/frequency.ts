/**
 * Task `frequency`: the heaviest addresses, ports, protocols and address pairs with their error, and Count-Min sketches
 * for all the others.
 *
 * Counted are frames with addresses (the innermost ones), ports where there are any; src is the sender; bytes on the wire.
 * Ports and protocols are counted exactly, in one array cell each. Addresses and pairs go through a bounded table of
 * candidates (HeavyKeys): exact while there are no more than `candidates` of them, with proven bounds after that. The
 * entries a flow's packets add to are remembered per flow and direction, so that a packet costs additions and no hashing.
 * The Count-Min sketch is fed per key, when a key is evicted or its window closes, not per packet.
 *
 * Rows: the `top` heaviest keys of each subject and sketch window into `top_keys` (bytes and packets are upper bounds, as
 * that table says); two `count_min` rows (bytes, packets) per subject and window into `sketches`, total = their sum.
 */
import { Layer } from '@netspectra/proto';
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import {
  CountMin,
  FlowMarks,
  HeavyKeys,
  SketchWindows,
  capacityMax,
  capacityMin,
  counterFields,
  countedPackets,
  depthMax,
  depthMin,
  errorBytes,
  errorPackets,
  flowMayDiffer,
  hashResult,
  hashWord,
  heaviest,
  keyText,
  keyWords,
  log2WidthMax,
  log2WidthMin,
  mergeHeavyKeys,
  preparedPackets,
} from '../sketches/index.js';
import type { HeavyKeysState, KeyKind } from '../sketches/index.js';
import { defineTask } from '../task.js';
import type { PacketSelection, Task, TaskContext } from '../task.js';

export const frequencySubjects = ['src_ip', 'dst_ip', 'src_port', 'dst_port', 'protocol', 'ip_pair'] as const;
export type FrequencySubject = (typeof frequencySubjects)[number];

const kinds: Readonly<Record<FrequencySubject, KeyKind>> = {
  src_ip: 'address',
  dst_ip: 'address',
  src_port: 'port',
  dst_port: 'port',
  protocol: 'protocol',
  ip_pair: 'pair',
};
/** The ones with a candidate table, in the order of the words after a flow's mark. */
const tableSubjects = ['src_ip', 'dst_ip', 'ip_pair'] as const;

const ports = 65_536;
const protocols = 256;

const schema = Type.Object(
  {
    subjects: Type.Array(Type.Union(frequencySubjects.map((subject) => Type.Literal(subject))), {
      default: ['src_ip', 'dst_ip', 'src_port', 'dst_port', 'protocol'],
      uniqueItems: true,
      description: 'what to find the heaviest of; ip_pair is sender and receiver',
    }),
    candidates: Type.Integer({
      default: 32_768,
      minimum: capacityMin,
      maximum: capacityMax,
      description: 'addresses (or pairs) counted exactly; beyond, errors are at most 2 / candidates of all bytes',
    }),
    top: Type.Integer({
      default: 100,
      minimum: 1,
      maximum: 10_000,
      description: 'heaviest keys written per subject and window',
    }),
    sketches: Type.Boolean({ default: true, description: 'write Count-Min sketches too, not only the heaviest keys' }),
    depth: Type.Integer({
      default: 4,
      minimum: depthMin,
      maximum: depthMax,
      description: 'rows of the Count-Min sketch: its bound holds with probability 1 - e^-depth',
    }),
    log2_width: Type.Integer({
      default: 11,
      minimum: log2WidthMin,
      maximum: log2WidthMax,
      description:
        'cells a row of the Count-Min sketch, as a power of two: its error is at most e / 2^log2_width of all',
    }),
  },
  { additionalProperties: false, description: 'heaviest addresses, ports, protocols and pairs' },
);

/** One of the heaviest keys. Truth in bytes is in [lower, upper]; `bytes` and `packets` are the upper bounds. */
export interface TopEntry {
  key: string;
  bytes: number;
  packets: number;
  lower: number;
  upper: number;
}

export interface FrequencyReport {
  /** heaviest first */
  top: Partial<Record<FrequencySubject, TopEntry[]>>;
  /** what `merge` needs */
  state: Partial<Record<FrequencySubject, HeavyKeysState>>;
  topMax: number;
}

export const frequencyTask = defineTask({
  type: 'frequency',
  schema,
  create: (options, context): Task<FrequencyReport> => new FrequencyTask(options, context),
  /** Counts and errors add up. */
  merge(reports: FrequencyReport[]): FrequencyReport {
    const state: FrequencyReport['state'] = {};
    for (const subject of frequencySubjects) {
      const states = reports.map((report) => report.state[subject]).filter((one) => one !== undefined);
      if (states.length > 0) state[subject] = mergeHeavyKeys(states).state();
    }
    return reportOf(state, Math.max(1, ...reports.map((report) => report.topMax)));
  },
});

function reportOf(state: FrequencyReport['state'], topMax: number): FrequencyReport {
  const report: FrequencyReport = { top: {}, state, topMax };
  for (const subject of frequencySubjects) {
    const keys = state[subject];
    if (!keys) continue;
    report.top[subject] = heaviest(keys, topMax).map((entry) => {
      const at = entry * counterFields;
      const lower = keys.counters[at]!;
      const upper = lower + keys.counters[at + errorBytes]!;
      const packets = keys.counters[at + countedPackets]! + keys.counters[at + errorPackets]!;
      return { key: keyText(kinds[subject], keys.words, entry), bytes: upper, packets, lower, upper };
    });
  }
  return report;
}

/** What one open window holds. */
interface Slot {
  epoch: number;
  /** by index in tableSubjects */
  readonly tables: readonly (HeavyKeys | undefined)[];
  /** bytes and packets by turns, by port: source, destination; by protocol */
  readonly sourcePorts: Float64Array;
  readonly destinationPorts: Float64Array;
  readonly protocols: Float64Array;
  /** by subject; only when windows are kept */
  readonly sketches: Partial<Record<FrequencySubject, CountMin>>;
}

class FrequencyTask implements Task<FrequencyReport> {
  private readonly options: Static<typeof schema>;
  private readonly context: TaskContext;
  /** a mark, then for source, destination and pair the entry numbers of direction 0 and 1, 16 bits each */
  private readonly marks = new FlowMarks(4);
  private readonly windows: SketchWindows;
  private readonly slots: (Slot | undefined)[] = [undefined, undefined];
  /** the whole run when windows come and go */
  private readonly totals: Partial<Record<FrequencySubject, HeavyKeys>> = {};
  private readonly pair = new Uint32Array(8);

  constructor(options: Static<typeof schema>, context: TaskContext) {
    this.options = options;
    this.context = context;
    this.windows = new SketchWindows(context.sketchWindowSeconds, (closed) => this.close(closed));
    if (context.windows && context.report) {
      for (const subject of options.subjects) {
        const kind = kinds[subject];
        const capacity = kind === 'port' ? ports : kind === 'protocol' ? protocols : options.candidates;
        this.totals[subject] = new HeavyKeys(keyWords[kind], capacity);
      }
    }
  }

  process(selection: PacketSelection): void {
    const { batch, rows, count, flow, direction, events } = selection;
    const { layers, timestampSeconds, wireLength, tcpFlags, sourcePort, destinationPort, protocol } = batch;
    const { windows, marks } = this;
    const timed = this.context.windows;
    windows.earn(count);
    let slot = timed ? undefined : this.slot(0);
    let start = timed ? 0 : -Infinity;
    let end = timed ? 0 : Infinity;
    for (let i = 0; i < count; i += 1) {
      if (i % preparedPackets === 0) marks.prepare(flow, i, Math.min(count, i + preparedPackets));
      const row = rows[i]!;
      const bits = layers[row]!;
      if ((bits & Layer.HasAddresses) === 0) continue;
      const seconds = timestampSeconds[row]!;
      if (seconds < start || seconds >= end || slot === undefined) {
        const number = windows.slot(seconds);
        slot = this.slot(number);
        start = windows.starts[number]!;
        end = windows.ends[number]!;
      }
      const bytes = wireLength[row]!;
      const index = flow[i]!;
      if (index < 0) {
        this.countDirect(selection, row, slot, bytes);
      } else {
        const base = index << 2;
        const words = marks.words;
        const fromServer = direction[i]!;
        const flags = (bits & Layer.HasTcp) !== 0 ? tcpFlags[row]! : 0;
        const mark = words[base]!;
        if ((mark & ~15) !== slot.epoch || (mark & (1 << fromServer)) === 0 || flowMayDiffer(events[i]!, flags)) {
          this.remember(selection, row, slot, base, fromServer, flowMayDiffer(events[i]!, flags));
        }
        const shift = fromServer << 4;
        const { tables } = slot;
        const sources = tables[0];
        if (sources) {
          const { counters } = sources;
          const at = ((words[base + 1]! >>> shift) & 0xffff) << 2;
          counters[at] = counters[at]! + bytes;
          counters[at + 1] = counters[at + 1]! + 1;
        }
        const destinations = tables[1];
        if (destinations) {
          const { counters } = destinations;
          const at = ((words[base + 2]! >>> shift) & 0xffff) << 2;
          counters[at] = counters[at]! + bytes;
          counters[at + 1] = counters[at + 1]! + 1;
        }
        const pairs = tables[2];
        if (pairs) pairs.add((words[base + 3]! >>> shift) & 0xffff, bytes, 1);
      }
      if ((bits & Layer.HasPorts) !== 0) {
        const sources = slot.sourcePorts;
        const from = sourcePort[row]! << 1;
        sources[from] = sources[from]! + bytes;
        sources[from + 1] = sources[from + 1]! + 1;
        const destinations = slot.destinationPorts;
        const to = destinationPort[row]! << 1;
        destinations[to] = destinations[to]! + bytes;
        destinations[to + 1] = destinations[to + 1]! + 1;
      }
      const byProtocol = slot.protocols;
      const at = protocol[row]! << 1;
      byProtocol[at] = byProtocol[at]! + bytes;
      byProtocol[at + 1] = byProtocol[at + 1]! + 1;
    }
  }

  flush(): void {
    this.windows.flush();
  }

  finish(): void {
    // Nothing waits for a partner here.
  }

  report(): FrequencyReport {
    const state: FrequencyReport['state'] = {};
    if (!this.context.report) return reportOf(state, this.context.reportTop);
    for (const subject of this.options.subjects) {
      const total = this.totals[subject];
      const parts = total ? [total.state()] : [];
      // What is in windows still open belongs to the run as well.
      for (const slot of this.slots) if (slot) parts.push(this.stateOf(slot, subject));
      if (parts.length === 0) parts.push(new HeavyKeys(keyWords[kinds[subject]], capacityMin).state());
      state[subject] = parts.length === 1 ? parts[0]! : mergeHeavyKeys(parts).state();
    }
    return reportOf(state, this.context.reportTop);
  }

  /** Find the packet's entries and write them beside the flow's mark. */
  private remember(
    selection: PacketSelection,
    row: number,
    slot: Slot,
    base: number,
    fromServer: number,
    forget: boolean,
  ): void {
    const { words } = this.marks;
    const shift = fromServer << 4;
    const kept = 0xffff0000 >>> shift;
    const source = this.entryOf(selection, row, slot, 0);
    const destination = this.entryOf(selection, row, slot, 1);
    const pair = this.entryOf(selection, row, slot, 2);
    const mark = words[base]!;
    // Finding an entry may have purged a table, which voids what flows remember: then the slot has a new epoch.
    words[base] = (mark & ~15) === slot.epoch && !forget ? mark | (1 << fromServer) : slot.epoch | (1 << fromServer);
    words[base + 1] = (words[base + 1]! & kept) | (source << shift);
    words[base + 2] = (words[base + 2]! & kept) | (destination << shift);
    words[base + 3] = (words[base + 3]! & kept) | (pair << shift);
  }

  private countDirect(selection: PacketSelection, row: number, slot: Slot, bytes: number): void {
    for (let table = 0; table < tableSubjects.length; table += 1) {
      const entry = this.entryOf(selection, row, slot, table);
      slot.tables[table]?.add(entry, bytes, 1);
    }
  }

  /** Entry of the packet's key in a table, 0 when that subject is not wanted. */
  private entryOf(selection: PacketSelection, row: number, slot: Slot, table: number): number {
    const keys = slot.tables[table];
    if (!keys) return 0;
    const { sourceAddress, destinationAddress } = selection.batch;
    const at = row << 2;
    const { purges } = keys;
    let entry: number;
    if (table === 0) entry = keys.entry(sourceAddress, at);
    else if (table === 1) entry = keys.entry(destinationAddress, at);
    else {
      const { pair } = this;
      for (let i = 0; i < 4; i += 1) {
        pair[i] = sourceAddress[at + i]!;
        pair[4 + i] = destinationAddress[at + i]!;
      }
      entry = keys.entry(pair, 0);
    }
    if (keys.purges !== purges) slot.epoch = this.marks.nextEpoch();
    return entry;
  }

  private slot(number: number): Slot {
    return (this.slots[number] ??= this.createSlot());
  }

  private createSlot(): Slot {
    const { subjects, candidates, depth, log2_width: log2Width } = this.options;
    const sketches: Slot['sketches'] = {};
    if (this.context.windows && this.options.sketches) {
      for (const subject of subjects) sketches[subject] = new CountMin(depth, log2Width);
    }
    return {
      epoch: this.marks.nextEpoch(),
      tables: tableSubjects.map((subject) =>
        subjects.includes(subject) ? new HeavyKeys(keyWords[kinds[subject]], candidates, sketches[subject]) : undefined,
      ),
      sourcePorts: new Float64Array(ports * 2),
      destinationPorts: new Float64Array(ports * 2),
      protocols: new Float64Array(protocols * 2),
      sketches,
    };
  }

  /** A copy of what a slot holds of a subject. */
  private stateOf(slot: Slot, subject: FrequencySubject): HeavyKeysState {
    const table = slot.tables[(tableSubjects as readonly string[]).indexOf(subject)];
    if (table) return table.state();
    const counts =
      subject === 'src_port' ? slot.sourcePorts : subject === 'dst_port' ? slot.destinationPorts : slot.protocols;
    let size = 0;
    for (let at = 1; at < counts.length; at += 2) if (counts[at] !== 0) size += 1;
    const words = new Uint32Array(size);
    const counters = new Float64Array(size * counterFields);
    let entry = 0;
    for (let at = 0; at < counts.length; at += 2) {
      if (counts[at + 1] === 0) continue;
      words[entry] = at >>> 1;
      counters[entry * counterFields] = counts[at]!;
      counters[entry * counterFields + countedPackets] = counts[at + 1]!;
      entry += 1;
    }
    return { width: 1, size, words, counters, evictedBytes: 0, evictedPackets: 0 };
  }

  private close(number: number): void {
    const slot = this.slots[number];
    if (!slot) return;
    const start = this.windows.starts[number]!;
    const seconds = this.windows.ends[number]! - start;
    for (const subject of this.options.subjects) {
      const state = this.stateOf(slot, subject);
      this.topRows(start, seconds, subject, state);
      this.totals[subject]?.merge(state);
      const sketch = slot.sketches[subject];
      if (!sketch) continue;
      const table = slot.tables[(tableSubjects as readonly string[]).indexOf(subject)];
      if (table) table.addTo(sketch);
      else {
        for (let entry = 0; entry < state.size; entry += 1) {
          hashWord(state.words[entry]!);
          const at = entry * counterFields;
          sketch.add(hashResult[0]!, hashResult[1]!, state.counters[at]!, state.counters[at + countedPackets]!);
        }
      }
      this.sketchRow(start, seconds, subject, 'bytes', sketch, sketch.totalBytes, sketch.bytes);
      this.sketchRow(start, seconds, subject, 'packets', sketch, sketch.totalPackets, sketch.packets);
      sketch.reset();
    }
    for (const table of slot.tables) table?.reset();
    slot.sourcePorts.fill(0);
    slot.destinationPorts.fill(0);
    slot.protocols.fill(0);
    slot.epoch = this.marks.nextEpoch();
  }

  private topRows(start: number, seconds: number, subject: FrequencySubject, state: HeavyKeysState): void {
    const row = this.context.rows.table('top_keys');
    const { counters } = state;
    for (const entry of heaviest(state, this.options.top)) {
      const at = entry * counterFields;
      row.begin();
      row.number(start);
      row.number(seconds);
      row.text(subject);
      row.text(keyText(kinds[subject], state.words, entry));
      row.number(counters[at + countedPackets]! + counters[at + errorPackets]!);
      row.number(counters[at + errorPackets]!);
      row.number(counters[at]! + counters[at + errorBytes]!);
      row.number(counters[at + errorBytes]!);
      row.end();
    }
  }

  private sketchRow(
    start: number,
    seconds: number,
    subject: FrequencySubject,
    measure: string,
    sketch: CountMin,
    total: number,
    cells: Float64Array,
  ): void {
    const row = this.context.rows.table('sketches');
    row.begin();
    row.number(start);
    row.number(seconds);
    row.text('count_min');
    row.text(subject);
    row.text(measure);
    row.text('');
    row.number(sketch.log2Width);
    row.number(sketch.depth);
    row.number(total);
    row.numbers([]);
    row.numbers(cells);
    row.end();
  }
}
