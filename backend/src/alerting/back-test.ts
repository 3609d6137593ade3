/**
 * What a rule would have done: judgements of one group over time become firings, with `for` and `keepFiringFor` meaning
 * what they mean in Prometheus. A condition that holds makes the alert pending; when it has held for `forMs` it fires; when
 * it no longer holds the alert goes on for `keepFiringMs` since it last held, then it ends. A moment is the interval that ends at it.
 */
import { historyLength, judge } from './condition.js';
import type { Condition, Judgement, ThresholdCondition } from './condition.js';

/** What a moment without data means: the condition does not hold, holds, or is as it was before. */
export const noDataMeanings = ['normal', 'fire', 'keep'] as const;
export type NoData = (typeof noDataMeanings)[number];

export interface BackTestRule {
  readonly condition: Condition;
  readonly intervalMs: number;
  readonly forMs: number;
  readonly keepFiringMs: number;
  readonly noData: NoData;
}

/** One group over time. */
export interface BackTestSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** for each interval from the first: see `judge` */
  readonly values: readonly (number | null)[];
  readonly earlier?: readonly (number | null)[];
}

export interface Firing {
  readonly labels: Readonly<Record<string, string>>;
  /** ms since 1970: when the condition began to hold, when the alert fired, and when it ended (null: it still fires) */
  readonly pendingSince: number;
  readonly start: number;
  readonly end: number | null;
  /** the value judged that was furthest beyond its bound while the condition held, and when; null: it fired without data */
  readonly peak: number | null;
  readonly peakAt: number;
  /** the bounds at the peak */
  readonly lower: number | null;
  readonly upper: number | null;
}

/** How far a value is beyond its bounds; what decides which moment is the peak. */
function excess({ judged, lower, upper }: Judgement): number {
  if (judged === null) return -Infinity;
  const over = upper === null ? -Infinity : judged - upper;
  const under = lower === null ? -Infinity : lower - judged;
  return Math.max(over, under, lower === null && upper === null ? 0 : -Infinity);
}

/**
 * Firings of one group, in order.
 * @param firstMs the moment of the first judged value: the end of its interval, ms since 1970
 */
export function firingsOf(rule: BackTestRule, series: BackTestSeries, firstMs: number): Firing[] {
  const history = historyLength(rule.condition, rule.intervalMs);
  const judgements = judge(rule.condition, series.values, history, series.earlier);
  const firings: Firing[] = [];
  let holds = false;
  let pendingSince = 0;
  let lastHeld = 0;
  let start: number | null = null;
  let pending = false;
  let peak: { judgement: Judgement; at: number } | null = null;
  const end = (at: number | null): void => {
    if (start !== null && peak !== null) {
      const { judgement } = peak;
      const { judged, lower, upper } = judgement;
      firings.push({
        labels: series.labels,
        pendingSince,
        start,
        end: at,
        peak: judged,
        peakAt: peak.at,
        lower,
        upper,
      });
    }
    start = null;
    pending = false;
    peak = null;
  };
  judgements.forEach((judgement, i) => {
    const at = firstMs + i * rule.intervalMs;
    if (judgement.fires !== null) holds = judgement.fires;
    else if (rule.noData !== 'keep') holds = rule.noData === 'fire';
    if (holds) {
      if (!pending) {
        pending = true;
        pendingSince = at;
      }
      lastHeld = at;
      if (peak === null || excess(judgement) > excess(peak.judgement)) peak = { judgement, at };
      if (start === null && at - pendingSince >= rule.forMs) start = at;
    } else if (start === null) {
      end(null);
    } else if (at - lastHeld >= rule.keepFiringMs) {
      end(at);
    }
  });
  end(null);
  return firings;
}

/**
 * The threshold from which on (upwards for > and >=, downwards for < and <=) nothing would have fired: for each group the
 * level that it kept for as long as `for` asks, and of these the most extreme. Null when there were no values.
 */
export function quietThreshold(
  rule: Omit<BackTestRule, 'condition'> & { readonly condition: ThresholdCondition },
  all: readonly BackTestSeries[],
): number | null {
  const { operator } = rule.condition;
  if (operator === '=' || operator === '!=') return null;
  const up = operator === '>' || operator === '>=';
  const length = Math.ceil(rule.forMs / rule.intervalMs) + 1;
  let best: number | null = null;
  for (const { values } of all) {
    const level = keptLevel(
      values.map((value) => (value === null || up ? value : -value)),
      length,
    );
    if (level !== null && (best === null || level > best)) best = level;
  }
  return best === null || up ? best : -best;
}

/** The largest value that `length` moments in a row reached: the maximum over windows of the window's minimum. */
function keptLevel(values: readonly (number | null)[], length: number): number | null {
  let best: number | null = null;
  // Positions whose values rise from front to back: the front is the window's minimum.
  let rising: number[] = [];
  let begin = 0;
  values.forEach((value, i) => {
    if (value === null) {
      rising = [];
      begin = i + 1;
      return;
    }
    while (rising.length > 0 && values[rising.at(-1)!]! >= value) rising.pop();
    rising.push(i);
    if (rising[0]! <= i - length) rising.shift();
    if (i - begin + 1 < length) return;
    const minimum = values[rising[0]!]!;
    if (best === null || minimum > best) best = minimum;
  });
  return best;
}

/** How the values of all groups are spread; null without values. */
export function summaryOf(
  all: readonly BackTestSeries[],
): { min: number; median: number; p95: number; p99: number; max: number } | null {
  const values = Float64Array.from(all.flatMap((series) => series.values.filter((value) => value !== null))).sort();
  if (values.length === 0) return null;
  const at = (q: number): number => values[Math.min(values.length - 1, Math.floor(values.length * q))]!;
  return { min: at(0), median: at(0.5), p95: at(0.95), p99: at(0.99), max: values[values.length - 1]! };
}
