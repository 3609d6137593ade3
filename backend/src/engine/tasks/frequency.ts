/**
 * Task `frequency`: the heaviest addresses, ports, protocols and address pairs with their error, and Count-Min sketches
 * for all the others.
 *
 * Counted are frames with addresses (the innermost ones), ports where there are any; src is the sender; bytes on the wire.
 * Fed by flow, not by packet: the flow table tells what each flow added (FlowDeltas) when its record is emptied or given up.
 * Ports and protocols are counted exactly, in one array cell each. Addresses and pairs go through a bounded table of
 * candidates (HeavyKeys): exact while there are no more than `candidates` of them, with proven bounds after that.
 * The Count-Min sketch is fed per key, when a key is evicted or its window closes.
 *
 * A sketch window holds whole flow windows: its width is the configured one, rounded up to a multiple of the flow window.
 * Rows: the `top` heaviest keys of each subject and sketch window into `top_keys` (bytes and packets are upper bounds, as
 * that table says); two `count_min` rows (bytes, packets) per subject and window into `sketches`, total = their sum.
 */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { hashResult, hashWord, hashWords } from '../../sketch-math/index.js';
import {
  CountMin,
  HeavyKeys,
  SketchWindows,
  SlotPools,
  capacityMax,
  capacityMin,
  counterFields,
  countedPackets,
  deltaRows,
  depthMax,
  depthMin,
  errorBytes,
  errorPackets,
  flowDeltasOf,
  heaviest,
  keyText,
  keyWords,
  log2WidthMax,
  log2WidthMin,
  mergeHeavyKeys,
  sketchSlots,
} from '../sketches/index.js';
import type { DeltaSide, FlowDeltas, HeavyKeysState, KeyKind, SlotPool } from '../sketches/index.js';
import { defineTask } from '../task.js';
import type { Task, TaskContext } from '../task.js';

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
/** The ones with a candidate table. */
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

type Options = Static<typeof schema>;

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
  /** Counts and errors add up, and the heaviest are found: a partition's own report names none. */
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
  /** by index in tableSubjects */
  readonly tables: readonly (HeavyKeys | undefined)[];
  readonly ports: PortCounts;
  /** by protocol: bytes and packets */
  readonly protocols: Float64Array;
  /** by subject; only when windows are kept */
  readonly sketches: Partial<Record<FrequencySubject, CountMin>>;
}

const everyProtocol = Uint32Array.from({ length: protocols }, (_, protocol) => protocol);
const protocolPlaces = everyProtocol.map((protocol) => protocol * 2);

/**
 * Counts by port, of the ports that were seen: a window with few of them (of a small probe, or a short flush) costs few to read
 * and to empty, and little memory. A sparse set (Briggs, Torczon 1993): what `entries` says of a port holds when the list agrees.
 */
class PortCounts {
  /** four a port seen: bytes and packets from it, bytes and packets to it */
  counts = new Float64Array(64 * 4);
  private readonly entries = new Uint16Array(ports);
  private list = new Uint16Array(64);
  private size = 0;

  /** Where a port's counts begin. `counts` may be another array afterwards. */
  find(port: number): number {
    const entry = this.entries[port]!;
    return (entry < this.size && this.list[entry] === port ? entry : this.add(port)) << 2;
  }

  /** The ports that were seen, ascending. */
  seen(): Uint32Array {
    return Uint32Array.from(this.list.slice(0, this.size).sort());
  }

  /** Where the counts of seen ports begin. @param first 0 for what came from them, 2 for what went to them */
  places(seen: Uint32Array, first: number): Uint32Array {
    return seen.map((port) => (this.entries[port]! << 2) + first);
  }

  reset(): void {
    this.counts.fill(0, 0, this.size << 2);
    this.size = 0;
  }

  private add(port: number): number {
    const entry = this.size;
    if (entry === this.list.length) {
      const room = entry * 4;
      const counts = new Float64Array(room * 4);
      counts.set(this.counts);
      this.counts = counts;
      const list = new Uint16Array(room);
      list.set(this.list);
      this.list = list;
    }
    this.list[entry] = port;
    this.entries[port] = entry;
    this.size = entry + 1;
    return entry;
  }
}

/**
 * What exact counts hold of these keys, without those that have none.
 * @param places where each key's bytes and packets stand
 */
function exactState(counts: Float64Array, keys: Uint32Array, places: Uint32Array): HeavyKeysState {
  const words = new Uint32Array(keys.length);
  const counters = new Float64Array(keys.length * counterFields);
  const size = gatherCounted(counts, keys, places, words, counters);
  return {
    width: 1,
    size,
    words: words.slice(0, size),
    counters: counters.slice(0, size * counterFields),
    evictedBytes: 0,
    evictedPackets: 0,
  };
}

/** The loop of `exactState`. @returns how many have counts */
function gatherCounted(
  counts: Float64Array,
  keys: Uint32Array,
  places: Uint32Array,
  words: Uint32Array,
  counters: Float64Array,
): number {
  let size = 0;
  for (let i = 0; i < keys.length; i += 1) {
    const at = places[i]!;
    if (counts[at + 1] === 0) continue;
    words[size] = keys[i]!;
    counters[size * counterFields] = counts[at]!;
    counters[size * counterFields + countedPackets] = counts[at + 1]!;
    size += 1;
  }
  return size;
}

function createSlot({ subjects, candidates, depth, log2_width: log2Width, sketches: written }: Options): Slot {
  const sketches: Slot['sketches'] = {};
  if (written) for (const subject of subjects) sketches[subject] = new CountMin(depth, log2Width);
  return {
    tables: tableSubjects.map((subject) =>
      subjects.includes(subject) ? new HeavyKeys(keyWords[kinds[subject]], candidates, sketches[subject]) : undefined,
    ),
    ports: new PortCounts(),
    protocols: new Float64Array(protocols * 2),
    sketches,
  };
}

const pools = new SlotPools(createSlot);

class FrequencyTask implements Task<FrequencyReport> {
  private readonly options: Options;
  private readonly context: TaskContext;
  private readonly deltas: FlowDeltas;
  private readonly windows: SketchWindows;
  private readonly slots: (Slot | undefined)[] = new Array<undefined>(sketchSlots).fill(undefined);
  private readonly pool: SlotPool<Slot>;
  /** the whole run when windows come and go */
  private readonly totals: Partial<Record<FrequencySubject, HeavyKeys>> = {};
  /** sender and receiver of a block's flows, and the hashes of both together */
  private readonly pairs = new Uint32Array(deltaRows * 8);
  private readonly pairHashes = new Int32Array(deltaRows * 2);

  constructor(options: Options, context: TaskContext) {
    this.options = options;
    this.context = context;
    this.pool = pools.of({ ...options, sketches: options.sketches && context.windows });
    this.windows = new SketchWindows(
      context.sketchWindowSeconds,
      (closed) => this.close(closed),
      Math.max(1, context.flowWindowSeconds),
    );
    if (context.windows && context.report) {
      for (const subject of options.subjects) {
        const kind = kinds[subject];
        const capacity = kind === 'port' ? ports : kind === 'protocol' ? protocols : options.candidates;
        this.totals[subject] = new HeavyKeys(keyWords[kind], capacity);
      }
    }
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

  report(): FrequencyReport {
    this.deltas.drain();
    const state: FrequencyReport['state'] = {};
    const report: FrequencyReport = { top: {}, state, topMax: this.context.reportTop };
    if (!this.context.report) return report;
    for (const subject of this.options.subjects) {
      const total = this.totals[subject];
      const parts = total ? [total.state()] : [];
      // What is in windows still open belongs to the run as well.
      for (const slot of this.slots) if (slot) parts.push(this.stateOf(slot, subject));
      if (parts.length === 0) parts.push(new HeavyKeys(keyWords[kinds[subject]], capacityMin).state());
      state[subject] = parts.length === 1 ? parts[0]! : mergeHeavyKeys(parts).state();
    }
    return report;
  }

  /** Count a block, a run of flows of the same window at a time. */
  private count(deltas: FlowDeltas): void {
    const { windows } = this;
    const { client, server, count, seconds } = deltas;
    if (!this.context.windows) {
      this.countWindow(this.slot(0), deltas, 0, count);
      return;
    }
    windows.earn(deltas.packets);
    let from = 0;
    while (from < count) {
      const number = windows.slot(seconds[from]!, client.packets[from]! + server.packets[from]!);
      let to = from + 1;
      while (to < count && windows.holds(number, seconds[to]!)) to += 1;
      this.countWindow(this.slot(number), deltas, from, to);
      from = to;
    }
  }

  private countWindow(slot: Slot, deltas: FlowDeltas, from: number, to: number): void {
    const { client, server } = deltas;
    const [sources, destinations, pairs] = slot.tables;
    if (sources) {
      sources.addRows(client.addresses, client.hashes, client.bytes, client.packets, from, to);
      sources.addRows(server.addresses, server.hashes, server.bytes, server.packets, from, to);
    }
    if (destinations) {
      destinations.addRows(server.addresses, server.hashes, client.bytes, client.packets, from, to);
      destinations.addRows(client.addresses, client.hashes, server.bytes, server.packets, from, to);
    }
    if (pairs) {
      this.countPairs(pairs, client, server, from, to);
      this.countPairs(pairs, server, client, from, to);
    }
    countPorts(slot, deltas, from, to);
  }

  private countPairs(table: HeavyKeys, sender: DeltaSide, receiver: DeltaSide, from: number, to: number): void {
    const { pairs, pairHashes } = this;
    for (let row = from; row < to; row += 1) {
      if (sender.packets[row] === 0) continue;
      for (let i = 0; i < 4; i += 1) {
        pairs[row * 8 + i] = sender.addresses[row * 4 + i]!;
        pairs[row * 8 + 4 + i] = receiver.addresses[row * 4 + i]!;
      }
      hashWords(pairs, row * 8, 8);
      pairHashes[row * 2] = hashResult[0]!;
      pairHashes[row * 2 + 1] = hashResult[1]!;
    }
    table.addRows(pairs, pairHashes, sender.bytes, sender.packets, from, to);
  }

  private slot(number: number): Slot {
    return (this.slots[number] ??= this.pool.take());
  }

  /** A copy of what a slot holds of a subject. */
  private stateOf(slot: Slot, subject: FrequencySubject): HeavyKeysState {
    const table = slot.tables[(tableSubjects as readonly string[]).indexOf(subject)];
    if (table) return table.state();
    if (subject === 'protocol') return exactState(slot.protocols, everyProtocol, protocolPlaces);
    const seen = slot.ports.seen();
    return exactState(slot.ports.counts, seen, slot.ports.places(seen, subject === 'dst_port' ? 2 : 0));
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
    slot.ports.reset();
    slot.protocols.fill(0);
    this.slots[number] = undefined;
    this.pool.give(slot);
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

/** Add flows from .. to - 1 to the ports they sent from and to, and to their protocols. */
function countPorts(slot: Slot, deltas: FlowDeltas, from: number, to: number): void {
  const { protocols: byProtocol } = slot;
  const { client, server, hasPorts } = deltas;
  for (let row = from; row < to; row += 1) {
    const sent = client.bytes[row]!;
    const sentPackets = client.packets[row]!;
    const answered = server.bytes[row]!;
    const answeredPackets = server.packets[row]!;
    const at = deltas.protocols[row]! << 1;
    byProtocol[at] = byProtocol[at]! + sent + answered;
    byProtocol[at + 1] = byProtocol[at + 1]! + sentPackets + answeredPackets;
    if (hasPorts[row] === 0) continue;
    const clientPort = slot.ports.find(client.ports[row]!);
    const serverPort = slot.ports.find(server.ports[row]!);
    const byPort = slot.ports.counts;
    byPort[clientPort] = byPort[clientPort]! + sent;
    byPort[clientPort + 1] = byPort[clientPort + 1]! + sentPackets;
    byPort[serverPort + 2] = byPort[serverPort + 2]! + sent;
    byPort[serverPort + 3] = byPort[serverPort + 3]! + sentPackets;
    if (answeredPackets === 0) continue;
    byPort[clientPort + 2] = byPort[clientPort + 2]! + answered;
    byPort[clientPort + 3] = byPort[clientPort + 3]! + answeredPackets;
    byPort[serverPort] = byPort[serverPort]! + answered;
    byPort[serverPort + 1] = byPort[serverPort + 1]! + answeredPackets;
  }
}
