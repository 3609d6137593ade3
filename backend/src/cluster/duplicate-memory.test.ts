/** What is told of packets depends on the stream alone, from where the bus keeps it on. */
import fc from 'fast-check';
import { Layer, PacketBatch } from '@netspectra/proto';
import { describe, expect, it } from 'vitest';
import { DuplicateMemory } from './duplicate-memory.js';

const windowMs = 100;

interface Message {
  readonly probe: string;
  readonly sequence: number;
  readonly kinds: readonly number[];
  readonly arrivedMs: number;
}

/** Packets that differ by their kind alone. */
function batchOf(kinds: readonly number[]): PacketBatch {
  const batch = new PacketBatch(Math.max(1, kinds.length), 0);
  batch.count = kinds.length;
  kinds.forEach((kind, row) => {
    batch.layers[row] = Layer.Ipv4 | Layer.HasAddresses;
    batch.fragmentId[row] = kind;
  });
  return batch;
}

/** Message `at` of the stream. @returns what is told of its packets, a digit each */
function take(memory: DuplicateMemory, stream: readonly Message[], at: number, isStored = false): string {
  const { probe, sequence, kinds, arrivedMs } = stream[at]!;
  memory.pass(arrivedMs, at + 1);
  const batch = batchOf(kinds);
  const marks = memory.judge({ probe, epoch: 1n, sequence, batch, arrivedMs, capturedMs: arrivedMs, isStored });
  return [...marks.subarray(0, batch.count)].join('');
}

/** Messages of a clock that goes on by steps, stands, goes back a little now and then and once in a while is set. */
const streams = fc
  .array(
    fc.record({
      probe: fc.constantFrom('a', 'b', 'c'),
      // Few names: most are on the bus several times.
      sequence: fc.nat(6),
      kinds: fc.array(fc.nat(12), { maxLength: 6 }),
      stepMs: fc.oneof(
        { weight: 12, arbitrary: fc.nat(30) },
        { weight: 2, arbitrary: fc.integer({ min: -30, max: -1 }) },
        { weight: 1, arbitrary: fc.integer({ min: 50, max: 250 }) },
        { weight: 1, arbitrary: fc.integer({ min: -1_000, max: 1_000 }) },
      ),
    }),
    { minLength: 2, maxLength: 120 },
  )
  .map((steps) => {
    let arrivedMs = 1_000_000;
    return steps.map(({ stepMs, ...message }): Message => ({ ...message, arrivedMs: (arrivedMs += stepMs) }));
  });

const at = (arrivedMs: number, probe: string, sequence: number): Message => ({
  probe,
  sequence,
  kinds: [7],
  arrivedMs,
});

describe('what is told of packets', () => {
  it('is told alike by whoever begins where the bus was to be kept from, again and again', () => {
    const limits = fc.record({
      maxPackets: fc.integer({ min: 4, max: 40 }),
      messages: fc.integer({ min: 12, max: 300 }),
    });
    fc.assert(
      fc.property(streams, limits, fc.array(fc.nat(20), { minLength: 1 }), (stream, limit, lives) => {
        const open = (): DuplicateMemory =>
          new DuplicateMemory({ windowMs, maxPackets: limit.maxPackets }, limit.messages);
        const first = open();
        const told = stream.map((_, at) => take(first, stream, at));
        // Engines take turns; each has stored what it took, or all but some of it, when the next one comes.
        let from = 0;
        let stored = 0;
        for (let life = 0; stored < stream.length; life += 1) {
          const memory = open();
          const end = Math.min(stream.length, stored + 1 + (lives[life % lives.length] ?? 0));
          for (let at = from; at < end; at += 1) {
            const found = take(memory, stream, at, at < stored);
            if (at >= stored) expect(found).toBe(told[at]);
          }
          stored = Math.max(stored + 1, end - (lives[(life + 1) % lives.length] ?? 0));
          const kept = memory.keptFrom(stored + 1);
          expect(kept - 1).toBeGreaterThanOrEqual(from);
          from = kept - 1;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is that another probe brought it in the same window or the one before, by the bus', () => {
    const memory = new DuplicateMemory({ windowMs, maxPackets: 100 }, 1_000);
    const stream = [at(1_000, 'a', 0), at(1_199, 'b', 0), at(1_299, 'c', 0), at(1_300, 'd', 0), at(1_600, 'e', 0)];
    expect(stream.map((_, i) => take(memory, stream, i))).toEqual(['0', '1', '1', '1', '0']);
    expect(memory.state).toMatchObject({ duplicatePackets: 3, duplicatesOverflows: 0, rememberedPackets: 1 });
  });

  it('outlasts a bus whose clock is a little behind the one it took over from', () => {
    const memory = new DuplicateMemory({ windowMs, maxPackets: 100 }, 1_000);
    const stream = [1_099, 1_100, 1_099, 1_100].map((arrivedMs, i): Message => {
      return { probe: `p${i}`, sequence: 0, kinds: [7], arrivedMs };
    });
    expect(stream.map((_, i) => take(memory, stream, i))).toEqual(['0', '1', '1', '1']);
  });

  it('does not change when a message is on the bus twice', () => {
    const memory = new DuplicateMemory({ windowMs, maxPackets: 100 }, 1_000);
    const stream = [at(1_000, 'a', 0), at(1_050, 'a', 0), at(1_100, 'a', 0), at(1_110, 'b', 0), at(1_120, 'b', 1)];
    expect(stream.map((_, i) => take(memory, stream, i))).toEqual(['0', '0', '0', '1', '0']);
    // Sent again and again: who begins at the second one tells as who knew the first.
    const again = [at(1_000, 'a', 0), at(1_100, 'a', 0), at(1_200, 'a', 0), at(1_300, 'b', 0)];
    for (const from of [0, 1]) {
      const one = new DuplicateMemory({ windowMs, maxPackets: 100 }, 1_000);
      expect(again.map((_, i) => (i < from ? '' : take(one, again, i))).at(-1)).toBe('0');
    }
  });

  it('keeps no more of a stream than half of what it can hold, and says that windows are shorter', () => {
    const messages = 60;
    const memory = new DuplicateMemory({ windowMs: 1e9, maxPackets: 1_000 }, messages);
    const stream = Array.from({ length: 500 }, (_, sequence) => ({ probe: 'a', sequence, kinds: [], arrivedMs: 1 }));
    stream.forEach((_, at) => {
      take(memory, stream, at);
      expect(at + 2 - memory.keptFrom(at + 2)).toBeLessThanOrEqual(messages / 2);
    });
    expect(memory.state.duplicatesOverflows).toBe(49);
  });

  it('is nothing for probes beyond those that have a number, until others are forgotten', () => {
    const memory = new DuplicateMemory({ windowMs, maxPackets: 100_000 }, 1e6);
    const probes = (from: number, arrivedMs: number): Message[] =>
      Array.from({ length: 2_500 }, (_, i) => ({ probe: `p${from + i}`, sequence: 0, kinds: [7], arrivedMs }));
    const stream = [...probes(0, 1_000), ...probes(10_000, 1_100), ...probes(20_000, 1_200), ...probes(30_000, 1_300)];
    const counted = stream.map((_, at) => take(memory, stream, at)).filter((told) => told === '0').length;
    // The first one of all, and in each generation those beyond the 2,047.
    expect(counted).toBe(1 + 4 * (2_500 - 2_047));
    expect(memory.state.duplicatesUnjudgedPackets).toBe(4 * (2_500 - 2_047));
  });
});
