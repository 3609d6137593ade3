import { describe, expect, it } from 'vitest';
import { DistinctCounter, mergeDistinct } from './distinct-counter.js';
import { hashResult, hashWord, hashWords } from '../../sketch-math/index.js';
import { HyperLogLog } from './hyper-log-log.js';

const limit = (p: number) => (2 * 1.04) / Math.sqrt(1 << p);
const words = new Uint32Array(4);
const bytes = new Uint8Array(words.buffer);

/** Keys by number: sequential IPv4, IPv6 hosts in one /64, one a /48, or every 2^k-th address. */
const kinds = {
  'sequential IPv4': (i: number) => {
    words.fill(0);
    bytes[10] = bytes[11] = 255;
    new DataView(words.buffer).setUint32(12, 0x0a000000 + i);
  },
  'IPv4, one a /24': (i: number) => {
    words.fill(0);
    bytes[10] = bytes[11] = 255;
    new DataView(words.buffer).setUint32(12, Math.imul(i, 256) + (i >>> 24));
  },
  'IPv6 hosts of one /64': (i: number) => {
    words.set([0xb80d0120, 0, 0, i]);
  },
  'IPv6, one a network': (i: number) => {
    words.set([0xb80d0120, i, 0, 0x01000000]);
  },
} as const;

function fill(
  sketch: { add(high: number, low: number): void },
  kind: keyof typeof kinds,
  from: number,
  to: number,
): void {
  const make = kinds[kind];
  for (let i = from; i < to; i += 1) {
    make(i);
    hashWords(words, 0, 4);
    sketch.add(hashResult[0]!, hashResult[1]!);
  }
}

describe('HyperLogLog', () => {
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    it(`has the error it promises over 40 sets of 1k, 10k and 50k keys: ${kind}`, () => {
      for (const count of [1_000, 10_000, 50_000]) {
        let within = 0;
        let outside = 0;
        let squares = 0;
        for (let set = 0; set < 40; set += 1) {
          const sketch = new HyperLogLog(12);
          fill(sketch, kind, set * count, (set + 1) * count);
          const error = sketch.estimate() / count - 1;
          squares += error * error;
          if (Math.abs(error) < limit(12)) within += 1;
          const bounds = sketch.bounds();
          if (count < bounds.lower || count > bounds.upper) outside += 1;
        }
        // Two standard errors hold 95 % of sets, three 99.7 %; the limits here are what chance exceeds once in thousands.
        expect(within, `${count} keys`).toBeGreaterThanOrEqual(33);
        expect(outside, `${count} keys`).toBeLessThanOrEqual(2);
        expect(Math.sqrt(squares / 40), `${count} keys`).toBeLessThan((1.04 / Math.sqrt(4096)) * 1.25);
      }
    });
  }

  it('stays within 2 x 1.04 / sqrt(m) from 1k to 1M sequential keys in one growing sketch', () => {
    const sketch = new HyperLogLog(12);
    let at = 0;
    for (const count of [1_000, 3_000, 10_000, 20_000, 100_000, 1_000_000]) {
      fill(sketch, 'sequential IPv4', at, count);
      at = count;
      expect(Math.abs(sketch.estimate() / count - 1), `${count} keys`).toBeLessThan(limit(12));
    }
  });

  it('stays within it at 10M keys, merged from four overlapping parts', () => {
    const parts = [0, 1, 2, 3].map(() => new HyperLogLog(12));
    parts.forEach((part, i) => fill(part, 'sequential IPv4', i * 2_400_000, i * 2_400_000 + 2_800_000));
    const merged = new HyperLogLog(12);
    for (const part of parts) merged.merge(part);
    expect(Math.abs(merged.estimate() / 10_000_000 - 1)).toBeLessThan(limit(12));
  });

  it('is without bias: the mean error of 200 sketches is near zero, and their spread is 1.04 / sqrt(m)', () => {
    for (const count of [300, 2_500, 12_000]) {
      let sum = 0;
      let squares = 0;
      for (let run = 0; run < 200; run += 1) {
        const sketch = new HyperLogLog(10);
        for (let i = 0; i < count; i += 1) {
          hashWord(run * 1_000_003 + i);
          sketch.add(hashResult[0]!, hashResult[1]!);
        }
        const error = sketch.estimate() / count - 1;
        sum += error;
        squares += error * error;
      }
      expect(Math.abs(sum / 200), `${count} keys`).toBeLessThan(0.01);
      expect(Math.sqrt(squares / 200), `${count} keys`).toBeLessThan((1.04 / Math.sqrt(1024)) * 1.25);
    }
  });

  it('merges to exactly the registers of the union, whatever the cut', () => {
    const whole = new HyperLogLog(8);
    const parts = [new HyperLogLog(8), new HyperLogLog(8), new HyperLogLog(8)];
    for (let i = 0; i < 5000; i += 1) {
      hashWord(i);
      whole.add(hashResult[0]!, hashResult[1]!);
      parts[i % 3]!.add(hashResult[0]!, hashResult[1]!);
      parts[(i * 7) % 3]!.add(hashResult[0]!, hashResult[1]!);
    }
    const merged = new HyperLogLog(8);
    for (const part of parts) merged.merge(part);
    expect(merged.registers).toEqual(whole.registers);
    expect(() => merged.merge(new HyperLogLog(9))).toThrow(/precision/);
  });

  it('forgets everything at a reset', () => {
    // Go2NetSpectra's sketch forgot part: 225 before, 2,950 after, truth 200
    const sketch = new HyperLogLog(12);
    const counter = new DistinctCounter(12, 100);
    fill(sketch, 'sequential IPv4', 0, 100_000);
    fill(counter, 'sequential IPv4', 0, 100_000);
    sketch.reset();
    counter.reset();
    expect(sketch.estimate()).toBe(0);
    expect([counter.bounds(), sketch.bounds()]).toEqual(new Array(2).fill({ estimate: 0, lower: 0, upper: 0 }));
    fill(sketch, 'IPv4, one a /24', 0, 200);
    fill(counter, 'IPv4, one a /24', 0, 60);
    expect(Math.abs(sketch.estimate() - 200)).toBeLessThan(200 * limit(12));
    expect(counter.bounds()).toEqual({ estimate: 60, lower: 60, upper: 60 });
  });

  it('holds hashes of every rank, and damaged registers give a number', () => {
    const sketch = new HyperLogLog(4);
    sketch.add(0, 0); // rank 61, the greatest
    expect(sketch.registers[0]).toBe(61);
    sketch.add(0, 1);
    sketch.add(0x0fffffff, 0);
    expect([sketch.registers[0], sketch.bounds().estimate]).toEqual([61, 1]);
    const full = new HyperLogLog(4, new Uint8Array(16).fill(255));
    expect(full.estimate()).toBeGreaterThan(1e15);
    expect(() => new HyperLogLog(3)).toThrow(RangeError);
    expect(() => new HyperLogLog(12, new Uint8Array(10))).toThrow(RangeError);
  });
});

describe('DistinctCounter', () => {
  it('is exact up to its limit, also merged, and a sketch after it', () => {
    const part = (from: number, to: number) => {
      const counter = new DistinctCounter(12, 1000);
      fill(counter, 'sequential IPv4', from, to);
      fill(counter, 'sequential IPv4', from, to);
      return counter;
    };
    expect(part(0, 1000).bounds()).toEqual({ estimate: 1000, lower: 1000, upper: 1000 });
    expect(mergeDistinct([part(0, 600).state(), part(400, 900).state()]).bounds().estimate).toBe(900);
    const over = part(0, 1001).bounds();
    expect(over.lower).toBeLessThan(1001);
    expect(over.upper).toBeGreaterThan(1001);
    for (const states of [
      [part(0, 900), part(500, 1400)],
      [part(0, 1200), part(500, 1400)],
      [part(500, 1400), part(0, 1200)],
    ]) {
      const merged = mergeDistinct(states.map((counter) => counter.state()));
      const whole = new HyperLogLog(12);
      fill(whole, 'sequential IPv4', 0, 1400);
      expect(merged.bounds()).toEqual(whole.bounds());
    }
  });
});
