import { describe, expect, it } from 'vitest';
import { SketchWindows } from './sketch-windows.js';

function windows() {
  const closed: [number, number][] = [];
  const kept: SketchWindows = new SketchWindows(10, (slot) => closed.push([kept.starts[slot]!, kept.ends[slot]!]));
  return { kept, closed };
}

describe('SketchWindows', () => {
  it('keeps two windows open, so that disorder at a border closes nothing', () => {
    const { kept, closed } = windows();
    const first = kept.slot(109);
    const second = kept.slot(110);
    for (let i = 0; i < 1000; i += 1) expect([kept.slot(109), kept.slot(110)]).toEqual([first, second]);
    expect(closed).toEqual([]);
    kept.slot(120);
    expect(closed).toEqual([[100, 110]]);
    kept.flush();
    expect(closed).toEqual([
      [100, 110],
      [110, 120],
      [120, 130],
    ]);
    kept.flush();
    expect(closed).toHaveLength(3);
  });

  it('makes another row for late packets and goes on with the newest window', () => {
    const { kept, closed } = windows();
    for (const seconds of [100, 110, 120]) kept.slot(seconds);
    const newest = kept.slot(120);
    const late = kept.slot(55);
    expect(late).not.toBe(newest);
    expect(kept.slot(121)).toBe(newest);
    kept.slot(130);
    kept.flush();
    expect(closed).toEqual([
      [100, 110],
      [110, 120],
      [50, 60],
      [120, 130],
      [130, 140],
    ]);
  });

  it('bounds the rows that sparse packets can make: windows widen, and say so', () => {
    const { kept, closed } = windows();
    for (let i = 0; i < 100_000; i += 1) {
      kept.earn(1);
      const slot = kept.slot(i * 10);
      expect(kept.starts[slot]! <= i * 10 && i * 10 < kept.ends[slot]!).toBe(true);
    }
    kept.flush();
    expect(closed.length).toBeLessThan(256 + 100_000 / 1024 + 3);
    expect(Math.max(...closed.map(([start, end]) => end - start))).toBeLessThanOrEqual(1025 * 10);
    expect(kept.misplaced).toBe(0);
  });

  it('bounds the rows that hostile times can make, and counts what it misplaced', () => {
    const { kept, closed } = windows();
    for (let i = 0; i < 50_000; i += 1) {
      kept.earn(1);
      kept.slot((i % 7) * 500_000_000);
    }
    expect(closed.length).toBeLessThan(256 + 50_000 / 1024 + 1);
    expect(kept.misplaced).toBeGreaterThan(0);
  });
});
