import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FrameTable } from '../../framing/frame-table.js';
import { DumpReader, recordHeaderBytes } from './dump-reader.js';

const memoryBytes = 4096;
const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Write records as pcap_dump does. @returns their bytes */
function write(memory: ArrayBuffer, frames: readonly Uint8Array[], fraction = 5): number {
  const view = new DataView(memory);
  let at = 0;
  frames.forEach((bytes, i) => {
    view.setUint32(at, 1_700_000_000 + i, littleEndian);
    view.setUint32(at + 4, fraction, littleEndian);
    view.setUint32(at + 8, bytes.length, littleEndian);
    view.setUint32(at + 12, bytes.length + 1_000, littleEndian);
    new Uint8Array(memory, at + recordHeaderBytes).set(bytes);
    at += recordHeaderBytes + bytes.length;
  });
  return at;
}

const frames = [10, 33, 0, 200].map((length, i) => new Uint8Array(length).fill(i + 1));

it('gives the frames over as many fills as they take, cut to the snap length', () => {
  const memory = new ArrayBuffer(memoryBytes);
  const reader = new DumpReader(memory, 113, 100, 1_000);
  const table = new FrameTable(3);
  reader.refill(frames.length, write(memory, frames));
  const seen: number[][] = [];
  for (const expected of [3, 1, 0]) {
    expect(reader.fill(table)).toBe(expected);
    for (let row = 0; row < table.count; row += 1) {
      const offset = table.offset[row]!;
      expect([table.nanoseconds[row], table.linkType[row]]).toEqual([5_000, 113]);
      seen.push([table.seconds[row]! - 1_700_000_000, table.wireLength[row]!]);
      expect([...new Uint8Array(memory, offset, table.capturedLength[row])]).toEqual([
        ...frames[seen.length - 1]!.subarray(0, 100),
      ]);
    }
    expect(reader.waiting).toBe(expected === 3);
  }
  expect(seen).toEqual(frames.map(({ length }, i) => [i, length + 1_000]));
  expect(reader.spoiled).toBe(0);
});

it('counts the frames from one on that makes no sense, and goes on with the next that are written', () => {
  const memory = new ArrayBuffer(memoryBytes);
  const reader = new DumpReader(memory, 1, 100, 1);
  const table = new FrameTable(8);
  const bytes = write(memory, frames);
  new DataView(memory).setUint32(recordHeaderBytes + 10 + 8, 5_000, littleEndian); // the second one's length
  reader.refill(frames.length, bytes);
  expect(reader.fill(table)).toBe(1);
  expect([reader.spoiled, reader.waiting]).toEqual([3, false]);
  reader.refill(1, write(memory, [frames[0]!]));
  expect([reader.fill(table), reader.spoiled]).toEqual([1, 3]);
});

it('says of every frame what became of it, whatever stands in the memory, and stays inside', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: memoryBytes, maxLength: memoryBytes }),
      fc.nat(300),
      fc.nat(2 * memoryBytes),
      fc.array(fc.record({ at: fc.nat(15), value: fc.nat(255) }), { maxLength: 8 }),
      (noise, count, bytes, changes) => {
        const memory = noise.slice().buffer;
        write(memory, frames);
        for (const { at, value } of changes) new DataView(memory).setUint8(at, value);
        const reader = new DumpReader(memory, 1, 100, 1);
        const table = new FrameTable(7);
        reader.refill(count, bytes);
        let read = 0;
        while (reader.waiting) {
          read += reader.fill(table);
          for (let row = 0; row < table.count; row += 1)
            expect(table.offset[row]! + table.capturedLength[row]!).toBeLessThanOrEqual(Math.min(bytes, memoryBytes));
        }
        expect(read + reader.spoiled).toBe(count);
      },
    ),
  );
});
