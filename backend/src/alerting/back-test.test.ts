import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firingsOf, historyLength, judge, quietThreshold, summaryOf } from './index.js';
import type { BackTestRule, Condition, Operator } from './index.js';

const minute = 60_000;
const above = (value: number, operator: Operator = '>'): Condition => ({ type: 'threshold', operator, value });
const ruleOf = (condition: Condition, more: Partial<BackTestRule> = {}): BackTestRule => ({
  condition,
  intervalMs: minute,
  forMs: 0,
  keepFiringMs: 0,
  noData: 'normal',
  ...more,
});
/** Firings as [start, end, peak], in minutes. */
const run = (rule: BackTestRule, values: (number | null)[], earlier?: (number | null)[]) =>
  firingsOf(rule, { labels: { a: 'b' }, values, ...(earlier && { earlier }) }, 0).map((firing) => [
    firing.start / minute,
    firing.end === null ? null : firing.end / minute,
    firing.peak,
  ]);

describe('a static threshold', () => {
  test('fires while it holds', () => {
    expect(run(ruleOf(above(5)), [1, 6, 9, 7, 5, 1, 8])).toEqual([
      [1, 4, 9],
      [6, null, 8],
    ]);
  });

  test.each<[Operator, number[]]>([
    ['>', [2]],
    ['>=', [1, 2]],
    ['<', [0]],
    ['<=', [0, 1]],
    ['=', [1]],
    ['!=', [0, 2]],
  ])('%s', (operator, expected) => {
    const fires = judge(above(5, operator), [4, 5, 6], 0).flatMap(({ fires }, i) => (fires === true ? [i] : []));
    expect(fires).toEqual(expected);
  });

  test('with `for`: only what lasts', () => {
    const rule = ruleOf(above(5), { forMs: 2 * minute });
    expect(run(rule, [6, 6, 1, 6, 7, 8, 6, 1])).toEqual([[5, 7, 8]]);
    expect(firingsOf(rule, { labels: {}, values: [1, 6, 6, 6, 6] }, 0)).toMatchObject([
      { pendingSince: minute, start: 3 * minute, end: null },
    ]);
  });

  test('with `keepFiringFor`: short dips do not end it', () => {
    const rule = ruleOf(above(5), { keepFiringMs: 2 * minute });
    expect(run(rule, [6, 1, 6, 1, 1, 1, 1])).toEqual([[0, 4, 6]]);
    expect(run(rule, [6, 1, 1, 6, 1])).toEqual([
      [0, 2, 6],
      [3, null, 6],
    ]);
  });

  test('the peak is the furthest below for <', () => {
    expect(run(ruleOf(above(5, '<')), [4, 1, 3, 9])).toEqual([[0, 3, 1]]);
  });

  test('moments without data', () => {
    const values = [6, null, null, 6, 1];
    expect(run(ruleOf(above(5)), values)).toEqual([
      [0, 1, 6],
      [3, 4, 6],
    ]);
    expect(run(ruleOf(above(5), { noData: 'keep' }), values)).toEqual([[0, 4, 6]]);
    expect(run(ruleOf(above(5), { noData: 'fire' }), [1, null, 1])).toEqual([[1, 2, null]]);
  });

  test('firings say where they came from and by which bound', () => {
    expect(firingsOf(ruleOf(above(5)), { labels: { src_ip: '10.0.0.1' }, values: [6] }, 1000)).toEqual([
      {
        labels: { src_ip: '10.0.0.1' },
        pendingSince: 1000,
        start: 1000,
        end: null,
        peak: 6,
        peakAt: 1000,
        lower: null,
        upper: 5,
      },
    ]);
  });
});

describe('against earlier values', () => {
  const change = (unit: 'absolute' | 'percent', value: number): Condition => ({
    type: 'rate_of_change',
    overMs: 2 * minute,
    unit,
    operator: '>',
    value,
  });

  test('rate of change, absolute and in percent', () => {
    expect(historyLength(change('absolute', 0), minute)).toBe(2);
    expect(run(ruleOf(change('absolute', 10)), [100, 100, 105, 120, 121, 121])).toEqual([[1, 3, 20]]);
    expect(run(ruleOf(change('percent', 50)), [10, 10, 10, 16, 14, 16])).toEqual([[1, 2, 60]]);
  });

  test('nothing is said where there is nothing to compare with', () => {
    const fires = judge(change('percent', 50), [0, null, 5, 5, null], 2).map((each) => each.fires);
    expect(fires).toEqual([null, null, null]);
  });

  test('the same time last week', () => {
    const condition: Condition = {
      type: 'seasonal',
      periodMs: 7 * 86_400_000,
      unit: 'percent',
      operator: '<',
      value: -50,
    };
    expect(historyLength(condition, minute)).toBe(0);
    expect(run(ruleOf(condition), [100, 40, 100, 10], [100, 100, 400, null])).toEqual([[1, 3, -75]]);
  });
});

describe('a learned band', () => {
  const band = (more = {}): Condition => ({
    type: 'band',
    learnMs: 40 * minute,
    sensitivity: 3,
    side: 'both',
    minimumWidth: 1,
    ...more,
  });
  const calm = Array.from({ length: 40 }, (_, i) => 100 + (i % 5));

  test('tells a peak and a drop, and does not learn them at once', () => {
    expect(run(ruleOf(band()), [...calm, 102, 150, 151, 101, 20, 103])).toEqual([
      [1, 3, 151],
      [4, 5, 20],
    ]);
  });

  test('one side only', () => {
    expect(run(ruleOf(band({ side: 'above' })), [...calm, 20, 150])).toEqual([[1, null, 150]]);
    expect(run(ruleOf(band({ side: 'below' })), [...calm, 20, 150])).toEqual([[0, 1, 20]]);
  });

  test('says nothing before it has learned, and is never narrower than its minimum', () => {
    expect(judge(band(), [...Array<null>(30).fill(null), ...calm.slice(0, 10), 900], 40)[0]?.fires).toBeNull();
    const flat = Array<number>(40).fill(7);
    expect(judge(band({ minimumWidth: 2 }), [...flat, 9, 10], 40).map((each) => each.fires)).toEqual([false, true]);
  });

  test('the moving window equals one sorted anew at each moment', () => {
    const value = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null, freq: 8 });
    fc.assert(
      fc.property(fc.array(value, { minLength: 45, maxLength: 90 }), (values) => {
        const judgements = judge(band(), values, 40);
        judgements.forEach((judgement, i) => {
          const learned = values.slice(i, i + 40).filter((each) => each !== null);
          if (values[i + 40] === null || learned.length < 20) {
            expect(judgement.fires).toBeNull();
            return;
          }
          learned.sort((a, b) => a - b);
          const at = (q: number): number => {
            const position = (learned.length - 1) * q;
            const low = learned[Math.floor(position)]!;
            return low + (learned[Math.ceil(position)]! - low) * (position - Math.floor(position));
          };
          const width = Math.max(1, (3 * (at(0.75) - at(0.25))) / 1.349);
          expect(judgement.upper).toBeCloseTo(at(0.5) + width, 9);
          expect(judgement.lower).toBeCloseTo(at(0.5) - width, 9);
        });
      }),
      { numRuns: 100 },
    );
  });
});

test('from the quiet threshold on nothing fires, and below it something does', () => {
  const values = fc.array(fc.option(fc.integer({ min: 0, max: 30 }), { nil: null, freq: 10 }), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(values, { maxLength: 4 }), fc.integer({ min: 0, max: 4 }), (all, minutes) => {
      const series = all.map((each) => ({ labels: {}, values: each }));
      const rule = { ...ruleOf(above(0)), forMs: minutes * minute, condition: above(0) } as const;
      const quiet = quietThreshold(rule as Parameters<typeof quietThreshold>[0], series);
      const fired = (value: number): number =>
        series.flatMap((each) => firingsOf({ ...rule, condition: above(value) }, each, 0)).length;
      if (quiet === null) {
        expect(fired(-1)).toBe(0);
        return;
      }
      expect(fired(quiet)).toBe(0);
      expect(fired(quiet - 1)).toBeGreaterThan(0);
    }),
  );
});

test('the summary of values', () => {
  expect(summaryOf([{ labels: {}, values: [null] }])).toBeNull();
  const values = Array.from({ length: 100 }, (_, i) => i);
  expect(summaryOf([{ labels: {}, values }])).toEqual({ min: 0, median: 50, p95: 95, p99: 99, max: 99 });
});
