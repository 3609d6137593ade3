/**
 * The whole analysis on damaged captures: bytes of good ones are flipped, cut, moved and mixed, and each result is run
 * through the pipeline in pieces of random sizes, some in others once more. It never throws (except that a file is no
 * capture), never hangs, counts exactly the frames that the framer alone finds, and does not depend on the pieces.
 *
 * FUZZ_SEED=n repeats a run; the seed is printed. File i of a seed is always the same. A file that fails is kept.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { CaptureState, FrameTable, frameBytes } from '@netspectra/collector';
import { afterAll, expect, it } from 'vitest';
import { analyzeFile } from '../../backend/src/cli/analyze.js';
import type { FileAnalysis } from '../../backend/src/cli/analyze.js';
import { isNoCapture } from '../../backend/src/cli/inputs.js';
import { UserError } from '../../backend/src/errors.js';
import { corpusFolder, fixturesFolder } from '../corpus/truth.js';

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const wallMsMax = 18_000;
/** A file takes milliseconds; without any finished for so long, one hangs. */
const stallMsMax = 10_000;
/** Bigger captures are cut into windows of whole records: many small files find more than few large ones. */
const windowBytes = 12 * 1024;
/** Every so many files one goes through gzip, which starts threads and so costs a hundred times as much. */
const streamEvery = 601;
/** Files under way at once, so that one is opened while another is worked on. */
const lanes = 4;
/** Every so many files are analysed again in other pieces: a run costs milliseconds for its buffers alone. */
const againEvery = 5;

/** Thousands of small files: in memory where the system has a place for that. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = mkdtempSync(join(scratch, 'netspectra-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// --- random numbers ---

/** Tommy Ettinger's mulberry32: 32 bits of state, enough for choices. */
class Random {
  private state: number;

  constructor(start: number) {
    this.state = start | 0;
  }

  /** 0 .. below - 1 */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}

// --- what is mutated ---

interface Original {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** [start, end) of each packet's bytes */
  readonly packets: readonly (readonly [number, number])[];
}

interface Framed {
  readonly state: CaptureState;
  readonly packets: [number, number][];
  readonly wireBytes: number;
  readonly capturedBytes: number;
}

/** What the framer alone finds. */
function frame(bytes: Uint8Array): Framed {
  const state = new CaptureState();
  const packets: [number, number][] = [];
  let wireBytes = 0;
  let capturedBytes = 0;
  frameBytes(bytes, state, new FrameTable(256), (table, rest) => {
    for (let i = 0; i < table.count; i += 1) {
      const start = rest.byteOffset - bytes.byteOffset + table.offset[i]!;
      packets.push([start, start + table.capturedLength[i]!]);
      wireBytes += table.wireLength[i]!;
      capturedBytes += table.capturedLength[i]!;
    }
  });
  return { state, packets, wireBytes, capturedBytes };
}

/** A capture as one original, or as several windows of its records when it is big. */
function originalsOf(name: string, bytes: Uint8Array): Original[] {
  const { packets, state } = frame(bytes);
  if (bytes.length <= windowBytes) return [{ name, bytes, packets }];
  const headerBytes = 24;
  const isPcap = bytes.length > headerBytes && packets[0]?.[0] === headerBytes + state.recordHeaderBytes;
  if (!isPcap)
    return [{ name, bytes: bytes.slice(0, windowBytes), packets: frame(bytes.subarray(0, windowBytes)).packets }];
  const windows: Original[] = [];
  let first = 0;
  for (let i = 0; i <= packets.length && windows.length < 40; i += 1) {
    const start = packets[first]![0] - state.recordHeaderBytes;
    const end = packets[i]?.[1];
    if (end !== undefined && end - start <= windowBytes) continue;
    const last = Math.max(i, first + 1);
    const cut = bytes.subarray(start, packets[last - 1]![1]);
    const window = new Uint8Array(headerBytes + cut.length);
    window.set(bytes.subarray(0, headerBytes));
    window.set(cut, headerBytes);
    if (window.length <= 8 * windowBytes)
      windows.push({ name: `${name}#${first}`, bytes: window, packets: frame(window).packets });
    first = last;
    if (first >= packets.length) break;
    i = first - 1;
  }
  return windows;
}

const originals = [fixturesFolder, corpusFolder]
  .filter((path) => existsSync(path))
  .flatMap((path) =>
    readdirSync(path)
      .filter((name) => /\.(pcap|pcapng|cap)$/.test(name))
      .sort()
      .flatMap((name) => originalsOf(name, new Uint8Array(readFileSync(join(path, name))))),
  );

// --- mutations ---

/** Numbers that parsers trip over, as four bytes. */
const words = [0, 1, 0xffffffff, 0x7fffffff, 0x80000000, 0x0000ffff, 0xffff0000, 0x0a0d0d0a, 0x00000006, 0x06000000];

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

type Mutation = (random: Random, bytes: Uint8Array) => Uint8Array;

/** Somewhere in a file, near its beginning as often as anywhere. */
const place = (random: Random, bytes: Uint8Array): number =>
  random.below(2) === 0 ? random.below(Math.min(bytes.length, 128) + 1) : random.below(bytes.length + 1);

/** [from, to) of up to `most` bytes */
function range(random: Random, bytes: Uint8Array, most: number): [number, number] {
  const from = place(random, bytes);
  return [from, Math.min(bytes.length, from + 1 + random.below(most))];
}

const mutations: Readonly<Record<string, Mutation>> = {
  flip(random, bytes) {
    const out = bytes.slice();
    for (let i = 1 + random.below(16); i > 0 && out.length > 0; i -= 1) {
      const at = Math.min(place(random, out), out.length - 1);
      out[at] = out[at]! ^ (1 << random.below(8));
    }
    return out;
  },
  word(random, bytes) {
    const out = bytes.slice();
    if (out.length < 4) return out;
    const at = Math.min(place(random, out) & ~3, out.length - 4);
    new DataView(out.buffer).setUint32(at, random.of(words), random.below(2) === 0);
    return out;
  },
  insert(random, bytes) {
    const at = place(random, bytes);
    const added = new Uint8Array(1 + random.below(random.below(4) === 0 ? 300 : 8));
    const fill = random.below(3);
    for (let i = 0; i < added.length; i += 1) added[i] = fill === 0 ? 0 : fill === 1 ? 0xff : random.below(256);
    return joined(bytes.subarray(0, at), added, bytes.subarray(at));
  },
  remove(random, bytes) {
    const [from, to] = range(random, bytes, random.below(4) === 0 ? 2000 : 8);
    return joined(bytes.subarray(0, from), bytes.subarray(to));
  },
  repeat(random, bytes) {
    const [from, to] = range(random, bytes, 400);
    return joined(bytes.subarray(0, to), bytes.subarray(from));
  },
  truncate: (random, bytes) => bytes.slice(0, place(random, bytes)),
  swap(random, bytes) {
    const cuts = [place(random, bytes), place(random, bytes), place(random, bytes)].sort((a, b) => a - b);
    const [a, b, c] = cuts as [number, number, number];
    return joined(bytes.subarray(0, a), bytes.subarray(b, c), bytes.subarray(a, b), bytes.subarray(c));
  },
  splice(random, bytes) {
    const other = random.of(originals).bytes;
    return joined(
      bytes.subarray(0, place(random, bytes)),
      other.subarray(random.below(2) === 0 ? 0 : place(random, other)),
    );
  },
};

/** Bytes within packets only: the records stay whole, so that the decoders see what was done. */
function mutatePackets(random: Random, original: Original): Uint8Array {
  const out = original.bytes.slice();
  const view = new DataView(out.buffer);
  for (let i = 1 + random.below(24); i > 0 && original.packets.length > 0; i -= 1) {
    const [start, end] = random.of(original.packets);
    if (end <= start) continue;
    const at = start + random.below(random.below(2) === 0 ? end - start : Math.min(end - start, 80));
    const kind = random.below(4);
    if (kind === 0) out[at] = out[at]! ^ (1 << random.below(8));
    else if (kind === 1) out[at] = random.below(256);
    else if (kind === 2 && at + 4 <= end) view.setUint32(at, random.of(words));
    else {
      // Bytes of one packet over another: headers that do not belong together.
      const [from, to] = random.of(original.packets);
      const length = Math.min(to - from, end - at, 1 + random.below(64));
      out.copyWithin(at, from, from + length);
    }
  }
  return out;
}

function mutate(random: Random): { name: string; bytes: Uint8Array } {
  const original = random.of(originals);
  let bytes = random.below(5) < 3 ? mutatePackets(random, original) : original.bytes;
  let name = `${original.name} packets`;
  if (bytes === original.bytes || random.below(4) === 0) {
    name = original.name;
    for (let i = 1 + random.below(3); i > 0; i -= 1) {
      const kind = random.of(Object.keys(mutations));
      bytes = mutations[kind]!(random, bytes);
      name += ` ${kind}`;
    }
  }
  return { name, bytes };
}

// --- what must hold ---

/** Every number is one that JSON can hold, and none is negative. */
function numbersOf(value: unknown, path: string): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || value < 0) throw new Error(`${path} is ${value}`);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, child] of Object.entries(value)) numbersOf(child, `${path}.${key}`);
  }
}

function expectSound({ analysis, damage }: FileAnalysis, framed: Framed): void {
  numbersOf(analysis, 'analysis');
  expect({ packets: analysis.packets, bytes: analysis.bytes, captured: analysis.captured_bytes }).toEqual({
    packets: framed.packets.length,
    bytes: framed.wireBytes,
    captured: framed.capturedBytes,
  });
  expect(analysis.damage.reasons).toMatchObject(framed.state.damageByName());
  expect(damage.length > 0).toBe(framed.state.damageTotal > 0);
  expect(analysis.damage.bad_packets).toBeLessThanOrEqual(analysis.packets);
  let packets = 0;
  let bytes = 0;
  for (const flow of analysis.flows) {
    packets += flow.client_packets + flow.server_packets;
    bytes += flow.client_bytes + flow.server_bytes;
    expect(flow.last >= flow.first).toBe(true);
  }
  expect(packets).toBeLessThanOrEqual(analysis.packets);
  expect(bytes).toBeLessThanOrEqual(analysis.bytes);
  for (const counted of Object.values(analysis.protocols)) {
    expect(counted.packets).toBeLessThanOrEqual(analysis.packets);
    expect(counted.bytes).toBeLessThanOrEqual(analysis.bytes);
  }
  for (const { lower, estimate, upper } of Object.values(analysis.cardinality)) {
    expect(lower <= estimate && estimate <= upper).toBe(true);
  }
}

/** Ends the process when one file takes too long: the pipeline runs in this thread, so nothing here could. */
function watchdog(beat: Int32Array): Worker {
  const source = `
    const { workerData: { beat, seed, limit } } = require('node:worker_threads');
    let last = -1;
    setInterval(() => {
      const now = Atomics.load(beat, 0);
      if (now === last) {
        require('node:fs').writeSync(2, 'hangs: FUZZ_SEED=' + seed + ' near file ' + now + '\\n');
        process.kill(process.pid, 'SIGKILL');
      }
      last = now;
    }, limit);`;
  return new Worker(source, { eval: true, workerData: { beat, seed, limit: stallMsMax } });
}

const filesMin = 1_000;
const nothingSeen = { files: 0, refused: 0, damaged: 0, again: 0, streams: 0, packets: 0, badPackets: 0 };
type Seen = typeof nothingSeen;

it(`mutated captures (FUZZ_SEED=${seed})`, async () => {
  const beat = new Int32Array(new SharedArrayBuffer(4));
  const guard = watchdog(beat);
  const seen: Seen = { ...nothingSeen };
  const end = Date.now() + wallMsMax;
  try {
    const lane = async (first: number): Promise<void> => {
      // On a busy machine for longer: fewer files would say less.
      for (let i = first; Date.now() < end || seen.files <= filesMin; i += lanes) {
        Atomics.store(beat, 0, i);
        const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(i + 1, 0x85ebca6b));
        const { name, bytes } = mutate(random);
        try {
          await runOne(random, i, join(folder, `${first}.pcap`), bytes, seen);
        } catch (error) {
          const kept = join(tmpdir(), `netspectra-fuzz-${seed}-${i}.pcap`);
          writeFileSync(kept, bytes);
          throw new Error(`FUZZ_SEED=${seed} file ${i} (${name}), kept as ${kept}: ${(error as Error).message}`, {
            cause: error,
          });
        }
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));
  } finally {
    await guard.terminate();
  }
  process.stderr.write(`FUZZ_SEED=${seed}: ${JSON.stringify(seen)}\n`);
  expect(seen.files).toBeGreaterThan(filesMin);
  expect(seen.damaged).toBeGreaterThan(seen.files / 20);
  expect(seen.badPackets).toBeGreaterThan(0);
  expect(seen.refused).toBeLessThan(seen.files / 2);
}, 60_000);

async function runOne(random: Random, i: number, path: string, bytes: Uint8Array, seen: Seen): Promise<void> {
  const options = { top: 1_000_000, workers: 1, maxFlows: 65_536 };
  const shape = () => ({
    chunkBytes: 64 + random.below(random.below(3) === 0 ? 20_000 : 900),
    chunkRows: 1 + random.below(200),
  });
  writeFileSync(path, bytes);
  const framed = frame(bytes);
  seen.files += 1;
  // Bytes that say they are packed are unpacked, which the framer alone does not do.
  const packed = (bytes[0] === 0x1f && bytes[1] === 0x8b) || (bytes[1] === 0xb5 && bytes[2] === 0x2f);
  let whole: FileAnalysis;
  try {
    whole = await analyzeFile(path, options, shape());
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'NS_INPUT_UNKNOWN_FORMAT') throw error;
    expect(packed || isNoCapture(framed.state, null)).toBe(true);
    seen.refused += 1;
    return;
  }
  if (packed) return;
  expect(isNoCapture(framed.state, null)).toBe(false);
  expectSound(whole, framed);
  if (i % againEvery === 0) {
    const again = await analyzeFile(path, options, shape());
    // Text first: it is fast, and it is equal nearly always.
    if (JSON.stringify(again) !== JSON.stringify(whole)) expect(again).toEqual(whole);
    seen.again += 1;
  }
  if (whole.damage.length > 0) seen.damaged += 1;
  seen.packets += whole.analysis.packets;
  seen.badPackets += whole.analysis.damage.bad_packets;
  if (i % streamEvery !== 1) return;
  seen.streams += 1;
  const gz = `${path}.gz`;
  writeFileSync(gz, gzipSync(bytes));
  const unpacked = await analyzeFile(gz, { ...options, workers: 2 }, shape());
  expect({ ...unpacked.analysis, file: path }).toEqual(whole.analysis);
}
