/**
 * Conditions of alert rules: when is a value of a measure worth an alert. All kinds become, for each moment, a value that
 * is judged and the bounds it is judged by; so one state machine serves all of them (back-test.ts).
 */

export const operators = ['>', '>=', '<', '<=', '=', '!='] as const;
export type Operator = (typeof operators)[number];

/** How a value is compared with an earlier one: their difference, or the difference in percent of the earlier one. */
export const changeUnits = ['absolute', 'percent'] as const;
export type ChangeUnit = (typeof changeUnits)[number];

/** The value itself against a number. */
export interface ThresholdCondition {
  readonly type: 'threshold';
  readonly operator: Operator;
  readonly value: number;
}

/** The change since `overMs` ago against a number. */
export interface RateOfChangeCondition {
  readonly type: 'rate_of_change';
  readonly overMs: number;
  readonly unit: ChangeUnit;
  readonly operator: Operator;
  readonly value: number;
}

/** The change against the same time one period (a week) earlier. */
export interface SeasonalCondition {
  readonly type: 'seasonal';
  readonly periodMs: number;
  readonly unit: ChangeUnit;
  readonly operator: Operator;
  readonly value: number;
}

export const bandSides = ['above', 'below', 'both'] as const;

/**
 * Outside a band learned from the `learnMs` before: median ± sensitivity * spread, where the spread is the interquartile
 * range / 1.349, which is the standard deviation of a normal distribution and is not moved by a quarter of outliers
 * (Tukey, Exploratory Data Analysis, 1977). The band is never narrower than `minimumWidth` on each side.
 */
export interface BandCondition {
  readonly type: 'band';
  readonly learnMs: number;
  readonly sensitivity: number;
  readonly side: (typeof bandSides)[number];
  readonly minimumWidth: number;
}

export type Condition = ThresholdCondition | RateOfChangeCondition | SeasonalCondition | BandCondition;

/** What a condition says of one moment. */
export interface Judgement {
  /** null: nothing can be said (no data, nothing to compare with, too little learned) */
  readonly fires: boolean | null;
  /** what was judged: the value, or its change */
  readonly judged: number | null;
  /** bounds that it must stay within not to fire; null where there is none */
  readonly lower: number | null;
  readonly upper: number | null;
}

/** A band needs so many values before it says anything. */
export const bandValuesMin = 20;

const nothing: Judgement = { fires: null, judged: null, lower: null, upper: null };

const compare: Readonly<Record<Operator, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

function judgeOperator(judged: number | null, operator: Operator, value: number): Judgement {
  if (judged === null || !Number.isFinite(judged)) return nothing;
  const above = operator === '>' || operator === '>=';
  const below = operator === '<' || operator === '<=';
  return {
    fires: compare[operator](judged, value),
    judged,
    lower: below || operator === '!=' ? value : null,
    upper: above || operator === '!=' ? value : null,
  };
}

/** The change from an earlier value; null when there is none. From zero, any growth is infinitely many percent. */
function changeOf(value: number | null, earlier: number | null | undefined, unit: ChangeUnit): number | null {
  if (value === null || earlier === null || earlier === undefined) return null;
  if (unit === 'absolute') return value - earlier;
  if (earlier === 0) return value === 0 ? 0 : null;
  return ((value - earlier) / Math.abs(earlier)) * 100;
}

/** Values in order, for medians and quartiles of a moving window: insertion and removal by binary search. */
class SortedWindow {
  private values: Float64Array;
  length = 0;

  constructor(capacity: number) {
    this.values = new Float64Array(Math.max(1, capacity));
  }

  private place(value: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.values[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(value: number): void {
    const at = this.place(value);
    this.values.copyWithin(at + 1, at, this.length);
    this.values[at] = value;
    this.length += 1;
  }

  remove(value: number): void {
    const at = this.place(value);
    this.values.copyWithin(at, at + 1, this.length);
    this.length -= 1;
  }

  /** Linear interpolation between the two nearest (Hyndman and Fan's type 7). */
  quantile(q: number): number {
    const position = (this.length - 1) * q;
    const below = Math.floor(position);
    const low = this.values[below]!;
    return low + (this.values[Math.min(below + 1, this.length - 1)]! - low) * (position - below);
  }
}

/** The standard deviation of a normal distribution is its interquartile range divided by this. */
const quartilesToDeviation = 1.349;

/** How many moments before the first judged one a condition looks at. @param intervalMs between moments */
export function historyLength(condition: Condition, intervalMs: number): number {
  if (condition.type === 'rate_of_change') return Math.round(condition.overMs / intervalMs);
  if (condition.type === 'band') return Math.round(condition.learnMs / intervalMs);
  return 0;
}

/**
 * Judge every moment of a series.
 * @param values one for each interval, without gaps; null: no data. The first `history` are only looked back at.
 * @param earlier seasonal only: the values of the moments one period before, from the first judged one on
 * @returns one judgement for each value after the history
 */
export function judge(
  condition: Condition,
  values: readonly (number | null)[],
  history: number,
  earlier: readonly (number | null)[] = [],
): Judgement[] {
  const moments = values.slice(history);
  switch (condition.type) {
    case 'threshold':
      return moments.map((value) => judgeOperator(value, condition.operator, condition.value));
    case 'rate_of_change':
      return moments.map((value, i) =>
        judgeOperator(changeOf(value, values[i], condition.unit), condition.operator, condition.value),
      );
    case 'seasonal':
      return moments.map((value, i) =>
        judgeOperator(changeOf(value, earlier[i], condition.unit), condition.operator, condition.value),
      );
    case 'band':
      return judgeBand(condition, values, history);
  }
}

function judgeBand(condition: BandCondition, values: readonly (number | null)[], history: number): Judgement[] {
  const window = new SortedWindow(history + 1);
  for (const value of values.slice(0, history)) if (value !== null) window.add(value);
  return values.slice(history).map((value, i) => {
    let judgement = nothing;
    if (value !== null && window.length >= bandValuesMin) {
      const median = window.quantile(0.5);
      const spread = (window.quantile(0.75) - window.quantile(0.25)) / quartilesToDeviation;
      const width = Math.max(condition.sensitivity * spread, condition.minimumWidth);
      const lower = condition.side === 'above' ? null : median - width;
      const upper = condition.side === 'below' ? null : median + width;
      const fires = (lower !== null && value < lower) || (upper !== null && value > upper);
      judgement = { fires, judged: value, lower, upper };
    }
    // The moment itself is learned from afterwards: it must not widen the band that judges it.
    if (value !== null) window.add(value);
    const leaving = values[i];
    if (leaving !== null && leaving !== undefined) window.remove(leaving);
    return judgement;
  });
}
