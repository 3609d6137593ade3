/**
 * Time buckets. A bucket is an aligned multiple of the epoch, as Grafana's other time series sources have it, and a
 * multiple of the table's own windows, because a row cannot be cut.
 */
import { isRollup, queryLimits, queryTables, rollupSeconds } from '@netspectra/query';
import type { QueryTable, TimeRange } from '@netspectra/query';

/** Widths of the engine's windows, seconds. */
export interface TableWindows {
  /** traffic and tcp_health */
  readonly counterSeconds: number;
  /** flows */
  readonly flowSeconds: number;
  /** sketches and top_keys */
  readonly sketchSeconds: number;
}

export const defaultTableWindows: TableWindows = { counterSeconds: 1, flowSeconds: 10, sketchSeconds: 10 };

/** Width of a table's rows, milliseconds; 1 where a row is a moment. */
export function windowMillis(table: QueryTable, windows: TableWindows): number {
  const { rows } = queryTables[table];
  if (isRollup(table)) return rollupSeconds[table] * second;
  if (rows === 'flow') return windows.flowSeconds * 1000;
  if (rows === 'counter') return windows.counterSeconds * 1000;
  if (rows === 'sketch') return windows.sketchSeconds * 1000;
  return 1;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Widths that divide each other's clock faces, so that buckets begin at round times. */
const roundWidths: readonly number[] = [
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * minute),
  ...[1, 2, 3, 4, 6, 8, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 28, 56, 112, 224, 366].map((n) => n * day),
];

const nextRound = (millis: number): number =>
  roundWidths.find((width) => width >= millis) ?? Math.ceil(millis / day) * day;

const raise = (millis: number, step: number): number => Math.ceil(millis / step) * step;

/** The range grown to whole steps on both sides. */
export const alignRange = ({ fromMs, toMs }: TimeRange, step: number): TimeRange => ({
  fromMs: Math.floor(fromMs / step) * step,
  toMs: raise(toMs, step),
});

/** Says so when whole steps make a range a tenth longer, or more, than it was asked for: short ranges show too much then. */
export function widenedNotice(asked: TimeRange, aligned: TimeRange, step: number): string | undefined {
  const seconds = ({ fromMs, toMs }: TimeRange): number => (toMs - fromMs) / 1000;
  if (seconds(aligned) < 1.1 * seconds(asked)) return undefined;
  return `the range was widened from ${seconds(asked)} s to ${seconds(aligned)} s: rows are counted in steps of ${step / 1000} s`;
}

export const bucketCount = ({ fromMs, toMs }: TimeRange, intervalMs: number): number => {
  const aligned = alignRange({ fromMs, toMs }, intervalMs);
  return (aligned.toMs - aligned.fromMs) / intervalMs;
};

export interface ChosenInterval {
  readonly intervalMs: number;
  /** why it is not what was asked for */
  readonly notice?: string;
}

/**
 * Width of the buckets of a time series.
 * @param asked intervalMs and maxDataPoints of the query
 * @param windowMs width of the table's rows; the interval becomes a multiple of it
 * @param bucketsMax most buckets that the limits leave
 */
export function chooseInterval(
  asked: { readonly intervalMs?: number; readonly maxDataPoints?: number },
  range: TimeRange,
  windowMs: number,
  bucketsMax: number,
): ChosenInterval {
  const points = Math.min(asked.maxDataPoints ?? queryLimits.maxDataPointsDefault, bucketsMax);
  const wanted = asked.intervalMs ?? nextRound((range.toMs - range.fromMs) / points);
  const step = Math.max(windowMs, windowMs === 1 ? 1 : second);
  let intervalMs = raise(wanted, step);
  const notices: string[] = [];
  if (asked.intervalMs !== undefined && intervalMs !== asked.intervalMs) {
    notices.push(`rows here are ${windowMs / 1000} s wide, so the interval is ${intervalMs / 1000} s`);
  }
  if (bucketCount(range, intervalMs) > bucketsMax + 1) {
    // One bucket more than asked is the price of alignment.
    intervalMs = raise(nextRound((range.toMs - range.fromMs) / bucketsMax), step);
    notices.length = 0;
    notices.push(
      `the interval was raised to ${intervalMs / 1000} s: more than ${bucketsMax} points a series are too many`,
    );
  }
  return notices[0] === undefined ? { intervalMs } : { intervalMs, notice: notices[0] };
}
