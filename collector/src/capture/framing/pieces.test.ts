/** However a file is cut into pieces, and however it is damaged: same result, no throw, no end-less loop. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PcapngWriter, PcapWriter } from '../pcap-writer.js';
import { frameInPieces, frameWhole, plainFrames, sampleFrame, samplePcap, samplePcapng } from '../testing.js';
import { CaptureState } from './capture-state.js';
import { frameBytes, frameStream } from './frame-stream.js';
import { FrameTable } from './frame-table.js';

/** A capture of any kind, of random packets, sometimes damaged in a few bytes, sometimes cut. */
const capture = fc
  .record({
    pcapng: fc.boolean(),
    bigEndian: fc.boolean(),
    packets: fc.array(
      fc.record({
        length: fc.integer({ min: 0, max: 90 }),
        kind: fc.integer({ min: 0, max: 9 }),
        seconds: fc.integer({ min: 0, max: 0xffffffff }),
      }),
      { maxLength: 20 },
    ),
    damage: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
    cut: fc.option(fc.nat()),
  })
  .map(({ pcapng, bigEndian, packets, damage, cut }) => {
    let file: Uint8Array;
    if (pcapng) {
      const writer = new PcapngWriter({ bigEndian, interfaces: [{ timestampResolution: 9 }, { snapLength: 40 }] });
      for (const { length, kind, seconds } of packets) {
        if (kind === 0) writer.block(5, sampleFrame(length, kind));
        else if (kind === 1) writer.simplePacket(sampleFrame(length, kind));
        else if (kind === 2) writer.section([{}, { linkType: 113 }]);
        else writer.packet(kind & 1, seconds, 5_000, sampleFrame(length, kind));
      }
      file = writer.finish();
    } else {
      const writer = new PcapWriter({ bigEndian });
      for (const { length, kind, seconds } of packets) writer.packet(seconds, kind * 1_000, sampleFrame(length, kind));
      file = writer.finish();
    }
    for (const [at, value] of damage) file[at % file.length] = value;
    return cut === null ? file : file.subarray(0, cut % (file.length + 1));
  });

describe('pieces', () => {
  it('any cutting, window and table size gives the same frames, damage and end', () => {
    fc.assert(
      fc.property(
        capture,
        fc.integer({ min: 1, max: 12 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 120 })),
        (file, capacity, lengths) => {
          const got = frameInPieces(file, capacity, () => lengths.next().value as number);
          expect(got).toEqual(frameWhole(file));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('frameStream and frameBytes agree with it for pieces of any size and a tiny window', async () => {
    await fc.assert(
      fc.asyncProperty(
        capture,
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 5 }),
        async (file, size, rows) => {
          const state = new CaptureState();
          const whole = frameWhole(file);
          const wires: number[] = [];
          async function* pieces() {
            for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
          }
          const firstBytes: number[] = [];
          await frameStream(
            pieces(),
            state,
            new FrameTable(rows),
            (table, bytes) => {
              for (const frame of plainFrames(table, 0)) {
                wires.push(frame.wire);
                firstBytes.push(frame.captured > 0 ? bytes[frame.offset]! : -1);
              }
            },
            8,
          );
          expect(wires).toEqual(whole.frames.map((frame) => frame.wire));
          expect(firstBytes).toEqual(whole.frames.map((f) => (f.captured > 0 ? file[f.offset]! : -1)));
          expect(state.damageByName()).toEqual(whole.damage);

          const inMemory = new CaptureState();
          let count = 0;
          frameBytes(file, inMemory, new FrameTable(rows), (table) => (count += table.count));
          expect(count).toBe(whole.frames.length);
          expect(inMemory.damageByName()).toEqual(whole.damage);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('fuzz', () => {
  it('mutated files for three seconds: no throw, no hang, nothing outside the piece', () => {
    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() & 0x7fffffff);
    const where = (run: number) => `FUZZ_SEED=${seed}, file ${run}`;
    let random = seed | 0;
    const next = (below: number): number => {
      // xorshift32
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      return (random >>> 0) % below;
    };
    if (random === 0) random = 1;
    const originals = [
      samplePcap(),
      samplePcap({ bigEndian: true, nanoseconds: true }),
      samplePcapng(),
      samplePcapng(true),
    ];
    const nasty = [0, 1, 4, 8, 11, 12, 16, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff, 0x0a0d0d0a, 0x1a2b3c4d];
    const until = performance.now() + 3_000;
    let runs = 0;
    for (; performance.now() < until; runs += 1) {
      const file = originals[next(originals.length)]!.slice();
      const view = new DataView(file.buffer);
      for (let i = next(6); i >= 0; i -= 1) {
        const at = next(file.length - 4);
        if (next(2) === 0) file[at] = next(256);
        else view.setUint32(at & ~3, nasty[next(nasty.length)]!, next(2) === 0);
      }
      const whole = frameWhole(file);
      const pieces = frameInPieces(file, 1 + next(4), () => next(64));
      expect(pieces, where(runs)).toEqual(whole);
      expect(whole.frames.length, where(runs)).toBeLessThanOrEqual(file.length / 16);
      for (const frame of whole.frames) {
        if (frame.offset + frame.captured > file.length || frame.nanoseconds > 999_999_999)
          throw new Error(where(runs));
      }
    }
    expect(runs).toBeGreaterThan(100);
  });
});
