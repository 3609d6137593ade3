import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountMin } from './count-min.js';
import { hashResult, hashWord } from '../../sketch-math/index.js';
import { HeavyKeys, counterFields, heaviest, mergeHeavyKeys } from './heavy-keys.js';
import type { HeavyKeysState } from './heavy-keys.js';
import { randomNumbers } from './sketch-fixtures.js';

const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
const key = new Uint32Array(1);

function add(table: HeavyKeys, truth: Map<number, [number, number]>, value: number, bytes: number): void {
  key[0] = value;
  table.add(table.entry(key, 0), bytes, 1);
  const known = truth.get(value) ?? [0, 0];
  truth.set(value, [known[0] + bytes, known[1] + 1]);
}

/** Every promise of the table against the truth; plain comparisons, for there are many. */
function check(state: HeavyKeysState, truth: Map<number, [number, number]>): void {
  const hold = (what: boolean, promise: string): void => {
    if (!what) throw new Error(`${promise} (seed ${seed})`);
  };
  const inTable = new Set<number>();
  for (let entry = 0; entry < state.size; entry += 1) {
    const value = state.words[entry]!;
    hold(!inTable.has(value), 'a key stands in the table once');
    inTable.add(value);
    const [bytes, packets] = truth.get(value)!;
    const at = entry * counterFields;
    const [lowBytes, lowPackets, errorBytes, errorPackets] = state.counters.subarray(at, at + 4);
    hold(lowBytes! <= bytes && bytes <= lowBytes! + errorBytes!, `bytes of ${value}`);
    hold(lowPackets! <= packets && packets <= lowPackets! + errorPackets!, `packets of ${value}`);
    hold(errorBytes! <= state.evictedBytes, 'no error above the evicted bound');
  }
  for (const [value, [bytes, packets]] of truth) {
    if (inTable.has(value)) continue;
    hold(bytes <= state.evictedBytes && packets <= state.evictedPackets, `bound of ${value}, not in the table`);
  }
}

describe('HeavyKeys', () => {
  it('is exact while the keys fit, past 4 GiB', () => {
    const table = new HeavyKeys(1, 5000);
    const truth = new Map<number, [number, number]>();
    for (let i = 0; i < 20_000; i += 1) add(table, truth, i % 5000, 2 ** 31);
    const state = table.state();
    check(state, truth);
    expect([state.size, state.evictedBytes, state.counters[0]]).toEqual([5000, 0, 4 * 2 ** 31]);
  });

  it('keeps its bounds on any stream, and 2 * total / capacity', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(120), fc.integer({ min: 1, max: 1500 })), { maxLength: 600, size: 'max' }),
        fc.integer({ min: 16, max: 60 }),
        (stream, capacity) => {
          const sketch = new CountMin(2, 6);
          const table = new HeavyKeys(1, capacity, sketch);
          const truth = new Map<number, [number, number]>();
          let total = 0;
          for (const [value, bytes] of stream) {
            add(table, truth, value, bytes);
            total += bytes;
          }
          check(table.state(), truth);
          expect(table.evictedBytes).toBeLessThanOrEqual((2 * total) / (capacity - (capacity & 1)));
          table.addTo(sketch);
          expect(sketch.totalBytes).toBe(total); // table and sketch together hold every byte
        },
      ),
      { seed, numRuns: 300 },
    );
  });

  it('keeps its bounds when parts are merged, in any order and size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(100), fc.integer({ min: 1, max: 1500 }), fc.nat(2)), { maxLength: 600, size: 'max' }),
        fc.integer({ min: 16, max: 70 }),
        (stream, capacity) => {
          const parts = [16, 40, 200].map((room) => new HeavyKeys(1, room));
          const truth = new Map<number, [number, number]>();
          for (const [value, bytes, part] of stream) add(parts[part]!, truth, value, bytes);
          const states = parts.map((part) => part.state());
          check(mergeHeavyKeys(states).state(), truth);
          const small = new HeavyKeys(1, capacity);
          for (const state of states) small.merge(state);
          check(small.state(), truth);
        },
      ),
      { seed, numRuns: 200 },
    );
  });

  it('finds the heavy ones of a Zipf stream of 300,000 keys, split over two partitions', () => {
    const next = randomNumbers(7);
    const parts = [new HeavyKeys(1, 4096), new HeavyKeys(1, 4096)];
    const truth = new Map<number, [number, number]>();
    for (let i = 0; i < 600_000; i += 1) {
      // inverse of the Zipf distribution with exponent 1
      const value = Math.floor(300_000 ** (next() / 4294967296));
      add(parts[next() & 1]!, truth, value, 60 + (next() % 1400));
    }
    const merged = mergeHeavyKeys(parts.map((part) => part.state())).state();
    check(merged, truth);
    const wanted = [...truth].sort((a, b) => b[1][0] - a[1][0]).slice(0, 20);
    expect(heaviest(merged, 20).map((entry) => merged.words[entry])).toEqual(wanted.map(([value]) => value));
  });

  it('is not fooled by a flood of one-off keys', () => {
    const table = new HeavyKeys(1, 1024);
    const truth = new Map<number, [number, number]>();
    let total = 0;
    for (let i = 0; i < 100_000; i += 1) {
      add(table, truth, 1_000_000 + i, 1500);
      total += 1500;
      if (i % 100 === 0) {
        add(table, truth, 5, 1500);
        total += 1500;
      }
    }
    const state = table.state();
    check(state, truth);
    expect(state.words[heaviest(state, 1)[0]!]).toBe(5);
    expect(state.evictedBytes).toBeLessThanOrEqual((2 * total) / 1024);
  });

  it('orders equals by key, whatever order they came in', () => {
    const forward = new HeavyKeys(1, 100);
    const backward = new HeavyKeys(1, 100);
    for (let i = 0; i < 50; i += 1) {
      add(forward, new Map(), i, 100);
      add(backward, new Map(), 49 - i, 100);
    }
    const names = (table: HeavyKeys) => heaviest(table.state(), 10).map((entry) => table.state().words[entry]);
    expect(names(forward)).toEqual(names(backward));
    expect(heaviest(forward.state(), 100)).toHaveLength(50);
  });

  it('forgets everything at a reset', () => {
    const table = new HeavyKeys(1, 16);
    const truth = new Map<number, [number, number]>();
    for (let i = 0; i < 100; i += 1) add(table, truth, i, i);
    table.reset();
    expect(table.state()).toEqual(new HeavyKeys(1, 16).state());
    const after = new Map<number, [number, number]>();
    for (let i = 0; i < 10; i += 1) add(table, after, i, 7);
    check(table.state(), after);
    expect(table.state().size).toBe(10);
  });

  it('keeps keys apart whose hashes agree in the low half only', () => {
    // More keys than the low bits of the index tell apart.
    const table = new HeavyKeys(1, 60_000);
    const truth = new Map<number, [number, number]>();
    for (let i = 0; i < 60_000; i += 1) add(table, truth, i, i + 1);
    check(table.state(), truth);
    hashWord(1);
    expect(hashResult[0]).not.toBe(0);
  });
});
