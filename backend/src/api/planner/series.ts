/**
 * Time series: one wide frame for each period (time, then a number field for each measure and group, told apart by labels).
 * Buckets without rows hold 0 for what counts (sums, rates, distinct) and null for what has no value without samples;
 * buckets that begin at or after the watermark hold null, because nothing is known about them yet. The buckets of an earlier
 * period have the times of the present ones, and its fields the label `period`.
 */
import type { Frame, FrameField, FrameValue } from '@netspectra/query';
import type { Columns } from './columns.js';
import { displayUnit, unitConfig } from './display.js';
import { boundsOf, emptyValue, frameMeta, isRest, measureValue, otherName, scaled } from './frames.js';
import { groupValue } from './keys.js';
import { periodName } from './period.js';
import type { Answer, Plan } from './types.js';

interface Series {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: (number | null)[][];
  readonly rest: boolean;
  total: number;
}

interface Read {
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly truncated: boolean;
}

function read(plan: Plan, columns: Columns, watermarkMs: number | null): Read {
  const intervalMs = plan.intervalMs ?? 1;
  const firstBucket = plan.range.fromMs / intervalMs;
  const buckets = (plan.range.toMs - plan.range.fromMs) / intervalMs;
  const times = Array.from({ length: buckets }, (_, i) => plan.range.fromMs + i * intervalMs);
  const known = times.map((time) => watermarkMs === null || time - plan.shiftMs < watermarkMs);
  const series = new Map<string, Series>();
  const seriesFor = (key: string, labels: () => Record<string, string>, rest: boolean): Series => {
    let found = series.get(key);
    if (!found) {
      const values = plan.measures.map(({ measure }) => {
        const empty = emptyValue(measure);
        return known.map((is) => (is ? empty : null));
      });
      found = { key, labels: labels(), values, rest, total: 0 };
      series.set(key, found);
    }
    return found;
  };
  if (plan.dimensions.length === 0) seriesFor('', () => ({}), false);

  let truncated = false;
  const bucketOf = columns.rows > 0 ? columns.get('t') : [];
  for (let row = 0; row < columns.rows; row += 1) {
    const rest = isRest(plan, columns, row);
    if (rest && !plan.other) {
      truncated = true;
      continue;
    }
    const group = plan.dimensions.map((planned) => (rest ? null : groupValue(columns, planned, row)));
    const key = plan.dimensions.length === 0 ? '' : rest ? 'rest' : JSON.stringify(group);
    const labelsOf = (): Record<string, string> =>
      Object.fromEntries(plan.dimensions.map((planned, i) => [planned.key, rest ? otherName : String(group[i] ?? '')]));
    const one = seriesFor(key, labelsOf, rest);
    const bucket = Number(bucketOf[row]) - firstBucket;
    if (!(bucket >= 0 && bucket < buckets)) throw new Error('a row outside of the range that was asked for');
    plan.measures.forEach((planned, i) => {
      const { factor } = displayUnit(planned.measure.unit, plan.displayUnits);
      const value = scaled(measureValue(columns, planned, row).value, factor);
      const column = one.values[i];
      if (column) column[bucket] = value;
      if (i === 0) one.total += value ?? 0;
    });
  }
  return { times, series: [...series.values()], truncated };
}

/** Largest first, as a legend wants it; the rest stands last. */
const inOrder = (series: readonly Series[]): Series[] =>
  [...series].sort((a, b) => Number(a.rest) - Number(b.rest) || b.total - a.total);

/** @param period what the earlier period is called; absent for the present */
function frameOf(plan: Plan, { times, truncated }: Read, series: readonly Series[], period?: string): Frame {
  const taken = new Set<string>();
  const fields: FrameField[] = [
    { name: 'time', type: 'time', typeInfo: { frame: 'time.Time' }, config: { interval: plan.intervalMs ?? 1 } },
  ];
  const values: FrameValue[][] = [[...times]];
  for (const one of series) {
    // Names must be unique for Grafana's alerting: a group may itself be called "other".
    const text = JSON.stringify(one.labels);
    const labels = taken.has(text)
      ? Object.fromEntries(Object.keys(one.labels).map((id) => [id, `${one.labels[id] ?? ''} (rest)`]))
      : one.labels;
    taken.add(text);
    plan.measures.forEach(({ measure }, i) => {
      const names = Object.values(labels).map((label) => (label === '' ? '(none)' : label));
      const parts = [
        ...(plan.measures.length > 1 || names.length === 0 ? [measure.label] : []),
        names.join(', '),
        ...(period === undefined ? [] : [`(${period})`]),
      ];
      const all = period === undefined ? labels : { ...labels, period };
      fields.push({
        name: measure.id,
        type: 'number',
        typeInfo: { frame: 'float64', nullable: true },
        ...(Object.keys(all).length > 0 ? { labels: all } : {}),
        config: {
          displayNameFromDS: parts.filter((part) => part !== '').join(' '),
          ...unitConfig(displayUnit(measure.unit, plan.displayUnits).unit),
        },
      });
      values.push(one.values[i] ?? []);
    });
  }
  const meta = frameMeta(plan, 'timeseries-wide', truncated);
  const custom = period === undefined ? {} : { custom: { period, shiftMs: plan.shiftMs } };
  return { schema: { refId: plan.refId, meta: { ...meta, ...custom }, fields }, data: { values } };
}

/**
 * The rows of a plan's statement as frames.
 * @param watermarkMs event time up to which all is stored, or null
 * @param earlier plan and rows of an earlier period over the same groups; its frame comes second, its series in the
 * order of the present ones
 */
export function seriesAnswer(
  plan: Plan,
  columns: Columns,
  watermarkMs: number | null,
  earlier?: { readonly plan: Plan; readonly columns: Columns },
): Answer {
  const now = read(plan, columns, watermarkMs);
  const shown = inOrder(now.series);
  const frames = [frameOf(plan, now, shown)];
  if (earlier) {
    const old = read(earlier.plan, earlier.columns, watermarkMs);
    const place = new Map(shown.map(({ key }, i) => [key, i]));
    const ordered = inOrder(old.series).sort(
      (a, b) => (place.get(a.key) ?? shown.length) - (place.get(b.key) ?? shown.length),
    );
    frames.push(frameOf({ ...earlier.plan, notices: [] }, old, ordered, periodName(earlier.plan.shiftMs)));
  }
  return { frames, truncated: now.truncated, errorBounds: boundsOf(plan, columns) };
}
