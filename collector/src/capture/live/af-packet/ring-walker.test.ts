/** The walker on memory of our own making: what a kernel writes, and what no kernel should. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameTable } from '../../framing/frame-table.js';
import type { LiveCounters } from '../live-source.js';
import { RingWalker } from './ring-walker.js';

const shape = {
  blockBytes: 4096,
  blocks: 4,
  linkType: 1,
  cooked: false,
  ethernet: true,
  snapLength: 200,
  loopbackIndex: 1,
};
const userStatus = 1;

interface Written {
  readonly bytes: Uint8Array;
  readonly wireLength?: number;
  /** taken off by the card: the tag's control information and protocol */
  readonly tag?: { readonly tci: number; readonly protocol?: number };
  readonly packetType?: number;
  readonly interface?: number;
}

/** Write a block as the kernel does. */
function writeBlock(memory: ArrayBuffer, block: number, frames: readonly Written[]): void {
  const start = block * shape.blockBytes;
  const view = new DataView(memory, start, shape.blockBytes);
  let at = 48;
  view.setUint32(12, frames.length, true);
  view.setUint32(16, at, true);
  frames.forEach(({ bytes, wireLength = bytes.length, tag, packetType = 0, interface: index = 7 }, i) => {
    const frameAt = 48 + 20 + 28;
    const size = (frameAt + bytes.length + 15) & ~15;
    view.setUint32(at, i === frames.length - 1 ? 0 : size, true);
    view.setUint32(at + 4, 1_700_000_000, true);
    view.setUint32(at + 8, 1_000 + i, true);
    view.setUint32(at + 12, bytes.length, true);
    view.setUint32(at + 16, wireLength, true);
    view.setUint32(at + 20, userStatus | (tag ? 16 | (tag.protocol === undefined ? 0 : 64) : 0), true);
    view.setUint16(at + 24, frameAt, true);
    if (tag) view.setUint32(at + 32, tag.tci, true);
    view.setUint16(at + 36, tag?.protocol ?? 0, true);
    view.setInt32(at + 52, index, true);
    view.setUint8(at + 58, packetType);
    new Uint8Array(memory, start + at + frameAt, bytes.length).set(bytes);
    at += size;
  });
  view.setUint32(8, userStatus, true);
}

function ringOf(over: Partial<typeof shape> = {}) {
  const memory = new ArrayBuffer(shape.blockBytes * shape.blocks);
  const counters: LiveCounters = { received: 0, delivered: 0, dropped: 0, freezes: 0, badBlocks: 0 };
  return { memory, counters, walker: new RingWalker(memory, { ...shape, ...over }, counters) };
}

const numbered = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
const status = (memory: ArrayBuffer, block: number): number =>
  new DataView(memory).getUint32(block * shape.blockBytes + 8, true);

function rows(walker: RingWalker, table: FrameTable): { bytes: number[]; wire: number }[] {
  return Array.from({ length: table.count }, (_, row) => {
    const offset = table.offset[row]!;
    return {
      bytes: [...walker.bytes.subarray(offset, offset + table.capturedLength[row]!)],
      wire: table.wireLength[row]!,
    };
  });
}

describe('RingWalker', () => {
  it('gives a block back only when the fill after its last frame begins', () => {
    const { memory, counters, walker } = ringOf();
    const table = new FrameTable(2);
    expect(walker.ready).toBe(false);
    expect(walker.fill(table)).toBe(0);
    writeBlock(
      memory,
      0,
      [numbered(20), numbered(30), numbered(40)].map((bytes) => ({ bytes })),
    );
    expect(walker.ready).toBe(true);
    expect(walker.fill(table)).toBe(2);
    expect(rows(walker, table)).toEqual([
      { bytes: [...numbered(20)], wire: 20 },
      { bytes: [...numbered(30)], wire: 30 },
    ]);
    expect([table.seconds[1], table.nanoseconds[1], table.linkType[1]]).toEqual([1_700_000_000, 1_001, 1]);
    expect(walker.fill(table)).toBe(1);
    expect(status(memory, 0)).toBe(userStatus);
    expect(walker.ready).toBe(false);
    expect(walker.fill(table)).toBe(0);
    expect(status(memory, 0)).toBe(0);
    expect(counters).toMatchObject({ delivered: 3, dropped: 0, badBlocks: 0 });
  });

  it('goes round the ring', () => {
    const { memory, walker } = ringOf();
    const table = new FrameTable(8);
    for (let turn = 0; turn < 11; turn += 1) {
      writeBlock(memory, turn % shape.blocks, [{ bytes: numbered(16, turn) }]);
      expect(walker.fill(table)).toBe(1);
      expect(rows(walker, table)[0]!.bytes[0]).toBe(turn);
    }
  });

  it.each([
    [{ tci: 0x6123 }, [0x81, 0x00, 0x61, 0x23]],
    [{ tci: 5, protocol: 0x88a8 }, [0x88, 0xa8, 0x00, 0x05]],
  ])('puts the tag %o back behind the addresses', (tag, written) => {
    const { memory, walker } = ringOf();
    const table = new FrameTable(8);
    writeBlock(memory, 0, [
      { bytes: numbered(60), wireLength: 1_000, tag },
      { bytes: numbered(200), tag },
    ]);
    walker.fill(table);
    const [whole, cut] = rows(walker, table);
    expect(whole).toEqual({ bytes: [...numbered(12), ...written, ...numbered(48, 12)], wire: 1_004 });
    expect(cut!.bytes).toEqual([...numbered(12), ...written, ...numbered(184, 12)]); // 200, the snap length
    expect(cut!.wire).toBe(204);
  });

  it('counts a tag that has no place', () => {
    const { memory, walker } = ringOf();
    const table = new FrameTable(8);
    writeBlock(memory, 0, [{ bytes: numbered(8), tag: { tci: 1 } }]);
    walker.fill(table);
    expect(rows(walker, table)).toEqual([{ bytes: [...numbered(8)], wire: 12 }]);
  });

  it('leaves out what the loopback interface sends, because it arrives there, too', () => {
    const { memory, counters, walker } = ringOf();
    const table = new FrameTable(8);
    writeBlock(memory, 0, [
      { bytes: numbered(20), packetType: 4, interface: 1 },
      { bytes: numbered(21), packetType: 0, interface: 1 },
      { bytes: numbered(22), packetType: 4, interface: 2 },
    ]);
    expect(walker.fill(table)).toBe(2);
    expect(rows(walker, table).map(({ wire }) => wire)).toEqual([21, 22]);
    expect(counters.delivered).toBe(2);
  });

  it.each<[string, number, number]>([
    ['the first frame before the block begins', 16, 8],
    ['the first frame behind the block', 16, 5_000],
    ['the next frame behind the block', 48, 0x7fffffff],
    ['the next frame on an odd byte', 48, 129],
    ['the next frame inside this one', 48, 16],
    ['more bytes than the block has', 48 + 12, 0xffffffff],
    ['a frame inside its header', 48 + 24, 4],
    ['a time that is none', 48 + 8, 1_000_000_000],
  ])('gives up a block with %s, counts what was in it, and goes on', (_what, at, value) => {
    const { memory, counters, walker } = ringOf();
    const table = new FrameTable(8);
    writeBlock(memory, 0, [{ bytes: numbered(20) }, { bytes: numbered(20) }, { bytes: numbered(20) }]);
    new DataView(memory).setUint32(at, value, true);
    walker.fill(table);
    expect(counters.badBlocks).toBe(1);
    expect(counters.delivered + counters.dropped).toBe(3);
    expect(counters.delivered).toBe(table.count);
    writeBlock(memory, 1, [{ bytes: numbered(33) }]);
    expect(walker.fill(table)).toBe(1);
    expect(status(memory, 0)).toBe(0);
  });

  it('does not believe a number of packets that cannot be', () => {
    const { memory, counters, walker } = ringOf();
    writeBlock(memory, 0, [{ bytes: numbered(20) }]);
    new DataView(memory).setUint32(12, 0xffffffff, true);
    expect(walker.fill(new FrameTable(8))).toBe(0);
    expect(counters).toMatchObject({ badBlocks: 1, dropped: 0 });
  });

  it('stays inside the block whatever stands in it, and never loses its place', () => {
    const change = fc.record({ at: fc.nat(4_095), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 40 }), fc.boolean(), (changes, cooked) => {
        const { memory, counters, walker } = ringOf({ cooked, ethernet: !cooked });
        writeBlock(
          memory,
          0,
          Array.from({ length: 20 }, () => ({ bytes: numbered(60), tag: { tci: 1 } })),
        );
        const view = new DataView(memory);
        for (const { at, value } of changes) view.setUint8(at, value);
        view.setUint32(8, userStatus, true);
        const table = new FrameTable(7);
        let fills = 0;
        while (walker.ready && fills < 100) {
          fills += 1;
          walker.fill(table);
          for (let row = 0; row < table.count; row += 1) {
            expect(table.offset[row]! + table.capturedLength[row]!).toBeLessThanOrEqual(shape.blockBytes);
            expect(table.offset[row]!).toBeGreaterThanOrEqual(48);
            expect(table.capturedLength[row]!).toBeLessThanOrEqual(shape.snapLength);
          }
        }
        expect(fills).toBeLessThan(100);
        expect(counters.delivered).toBeLessThanOrEqual(4_096 / 48);
        writeBlock(memory, 1, [{ bytes: numbered(33) }]);
        let found = walker.fill(table);
        if (found === 0) found = walker.fill(table);
        expect(found).toBe(1);
      }),
    );
  });
});
