import { describe, expect, it } from 'vitest';
import { SketchWindows } from './sketch-windows.js';

function windows() {
  const closed: [number, number][] = [];
  const kept: SketchWindows = new SketchWindows(10, (slot) => closed.push([kept.starts[slot]!, kept.ends[slot]!]));
  return { kept, closed };
}

describe('SketchWindows', () => {
  it('keeps four windows open, so that flows heard of late close nothing', () => {
    const { kept, closed } = windows();
    const slots = [109, 110, 125, 139].map((seconds) => kept.slot(seconds));
    expect(new Set(slots).size).toBe(4);
    for (let i = 0; i < 1000; i += 1) {
      expect([109, 110, 125, 139].map((seconds) => kept.slot(seconds))).toEqual(slots);
    }
    expect(closed).toEqual([]);
    kept.slot(140);
    expect(closed).toEqual([[100, 110]]);
    kept.flush();
    expect(closed).toEqual([
      [100, 110],
      [110, 120],
      [120, 130],
      [130, 140],
      [140, 150],
    ]);
    kept.flush();
    expect(closed).toHaveLength(5);
  });

  it('makes another row for late packets and goes on with the newer windows', () => {
    const { kept, closed } = windows();
    for (const seconds of [100, 110, 120, 130]) kept.slot(seconds);
    const newest = kept.slot(130);
    const late = kept.slot(55);
    expect(late).not.toBe(newest);
    expect(kept.slot(131)).toBe(newest);
    kept.slot(140);
    kept.flush();
    expect(closed).toEqual([
      [100, 110],
      [50, 60],
      [110, 120],
      [120, 130],
      [130, 140],
      [140, 150],
    ]);
  });

  it('is as wide as asked for, in whole units', () => {
    for (const [width, unit, wide] of [
      [60, 10, 60],
      [15, 10, 20],
      [4, 10, 10],
      [7, 1, 7],
    ] as const) {
      const kept: SketchWindows = new SketchWindows(width, () => undefined, unit);
      const slot = kept.slot(1000);
      expect([kept.width, kept.ends[slot]! - kept.starts[slot]!]).toEqual([wide, wide]);
      expect(kept.holds(slot, 1000)).toBe(true);
    }
  });

  it('bounds the rows that sparse packets can make: windows widen, and say so', () => {
    const { kept, closed } = windows();
    for (let i = 0; i < 100_000; i += 1) {
      kept.earn(1);
      const slot = kept.slot(i * 10);
      expect(kept.starts[slot]! <= i * 10 && i * 10 < kept.ends[slot]!).toBe(true);
    }
    kept.flush();
    expect(closed.length).toBeLessThan(256 + 100_000 / 1024 + 5);
    expect(Math.max(...closed.map(([start, end]) => end - start))).toBeLessThanOrEqual(1025 * 10);
    expect(kept.misplaced).toBe(0);
  });

  it('bounds the rows that hostile times can make, and counts what it misplaced', () => {
    const { kept, closed } = windows();
    for (let i = 0; i < 50_000; i += 1) {
      kept.earn(1);
      kept.slot((i % 7) * 500_000_000, 3);
    }
    expect(closed.length).toBeLessThan(256 + 50_000 / 1024 + 1);
    expect(kept.misplaced).toBeGreaterThan(0);
    expect(kept.misplaced % 3).toBe(0);
  });
});
