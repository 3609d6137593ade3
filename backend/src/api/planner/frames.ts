/**
 * Rows of a statement as Grafana data frames: columns, with types, units and labels.
 *
 * A time series answer is one wide frame (time, then a number field per measure and group, told apart by labels). Buckets
 * without rows hold 0 for what counts (sums, rates, distinct) and null for what has no value without samples; buckets
 * that begin at or after the watermark hold null, because nothing is known about them yet.
 */
import type { ErrorBound, FrameField, FrameMeta, FrameValue, Measure } from '@netspectra/query';
import { estimateHistogram, standardError } from '../../sketch-math/index.js';
import { ApiError } from '../problem.js';
import type { Columns } from './columns.js';
import { displayUnit, displayValue, isNumeric, unitConfig } from './display.js';
import { flowFrame } from './flows.js';
import type { Answer, Plan, PlannedDimension, PlannedMeasure } from './types.js';

/** What the rest of the groups is called. */
const otherName = 'other';

interface Bounded {
  readonly value: number | null;
  readonly lower: number | null;
  readonly upper: number | null;
}

/** Two standard errors: the truth lies within with a probability of 95 %. */
const sketchDeviations = 2;
const sketchConfidence = 0.95;

function sketchValue(columns: Columns, column: string, row: number): Bounded {
  const narrowest = columns.number(`${column}_narrowest`, row) ?? 0;
  const widest = columns.number(`${column}_widest`, row) ?? 0;
  if (widest === 0) return { value: 0, lower: 0, upper: 0 };
  if (narrowest !== widest) {
    throw new ApiError('query', 'the range holds sketches of different sizes; ask for a shorter one');
  }
  const counts = columns.get(column)[row];
  if (!Array.isArray(counts)) throw new Error('a sketch is not an array');
  const value = estimateHistogram(counts.map(Number), widest);
  const error = sketchDeviations * standardError(widest);
  return { value: Math.round(value), lower: Math.floor(value / (1 + error)), upper: Math.ceil(value / (1 - error)) };
}

function measureValue(columns: Columns, planned: PlannedMeasure, row: number): Bounded {
  if (planned.sketch) return sketchValue(columns, planned.column, row);
  const value = columns.number(planned.column, row);
  if (!planned.bounded) return { value, lower: null, upper: null };
  return {
    value,
    lower: columns.number(`${planned.column}_lower`, row),
    upper: columns.number(`${planned.column}_upper`, row),
  };
}

/** What a measure is where there are no rows. */
const emptyValue = (measure: Measure): number | null =>
  measure.kind === 'sum' || measure.kind === 'rate' || measure.kind === 'distinct' ? 0 : null;

function groupValue(columns: Columns, { dimension, column, presentColumn }: PlannedDimension, row: number) {
  if (presentColumn !== undefined && Number(columns.get(presentColumn)[row]) === 0) return null;
  return displayValue(dimension, columns.get(column)[row]);
}

const scaled = (value: number | null, factor: number): number | null => (value === null ? null : value * factor);

const frameMeta = (plan: Plan, type: FrameMeta['type'], truncated: boolean): FrameMeta => {
  const notices = [
    ...plan.notices.map((text) => ({ severity: 'info' as const, text })),
    ...(truncated
      ? [{ severity: 'info' as const, text: `only the first ${plan.limit} are shown; raise limit, or set other` }]
      : []),
  ];
  return { ...(type === undefined ? {} : { type }), ...(notices.length > 0 ? { notices } : {}) };
};

/** The rows of a plan's statement as its answer. @param watermarkMs event time up to which all is stored, or null */
export function answerOf(plan: Plan, columns: Columns, watermarkMs: number | null): Answer {
  if (plan.type === 'flows') return flowFrame(plan, columns);
  const answer = plan.intervalMs === null ? tableAnswer(plan, columns) : seriesAnswer(plan, columns, watermarkMs);
  return { ...answer, errorBounds: [...plan.errorBounds, ...sketchBounds(plan, columns)] };
}

function sketchBounds(plan: Plan, columns: Columns): ErrorBound[] {
  return plan.measures.flatMap(({ measure, column, sketch }): ErrorBound[] => {
    if (!sketch || columns.rows === 0) return [];
    const widths = columns.get(`${column}_widest`).map(Number);
    const width = widths.reduce((a, b) => Math.max(a, b), 0);
    if (width === 0) return [];
    const error = sketchDeviations * standardError(width);
    const id = measure.id as ErrorBound['measure'];
    return [{ measure: id, kind: 'relative', error, confidence: sketchConfidence }];
  });
}

function tableAnswer(plan: Plan, columns: Columns): Omit<Answer, 'errorBounds'> {
  const top = plan.hasRest ? columns.get('ns_top') : undefined;
  const isRest = (row: number): boolean => top !== undefined && Number(top[row]) === 0;
  const truncated = !plan.hasRest && plan.dimensions.length > 0 && columns.rows > plan.limit;
  const rows = truncated ? plan.limit : columns.rows;
  const fields: FrameField[] = [];
  const values: FrameValue[][] = [];
  const add = (field: FrameField, valueOf: (row: number) => FrameValue): void => {
    fields.push(field);
    values.push(Array.from({ length: rows }, (_, row) => valueOf(row)));
  };
  for (const planned of plan.dimensions) {
    const { dimension } = planned;
    // With an "other" row the column is text throughout, so that the type does not depend on the data.
    const numeric = isNumeric(dimension) && !plan.other;
    add(
      {
        name: dimension.id,
        type: numeric ? 'number' : 'string',
        typeInfo: { frame: numeric ? 'float64' : 'string', nullable: true },
        config: { displayName: dimension.label },
      },
      (row) => {
        if (isRest(row)) return otherName;
        const value = groupValue(columns, planned, row);
        return value === null || numeric ? value : String(value);
      },
    );
  }
  for (const planned of plan.measures) {
    const { measure } = planned;
    const { unit, factor } = displayUnit(measure.unit, plan.displayUnits);
    const all = Array.from({ length: rows }, (_, row) => measureValue(columns, planned, row));
    const field = (suffix: string, label: string): FrameField => ({
      name: measure.id + suffix,
      type: 'number',
      typeInfo: { frame: 'float64', nullable: true },
      config: { displayName: measure.label + label, ...unitConfig(unit) },
    });
    add(field('', ''), (row) => scaled(all[row]?.value ?? null, factor));
    if (planned.bounded || planned.sketch) {
      add(field('_lower', ', at least'), (row) => scaled(all[row]?.lower ?? null, factor));
      add(field('_upper', ', at most'), (row) => scaled(all[row]?.upper ?? null, factor));
    }
  }
  const meta = frameMeta(plan, 'table', truncated);
  return { frames: [{ schema: { refId: plan.refId, meta, fields }, data: { values } }], truncated };
}

interface Series {
  readonly labels: Record<string, string>;
  readonly values: (number | null)[][];
  readonly rest: boolean;
  total: number;
}

function seriesAnswer(plan: Plan, columns: Columns, watermarkMs: number | null): Omit<Answer, 'errorBounds'> {
  const intervalMs = plan.intervalMs ?? 1;
  const firstBucket = plan.range.fromMs / intervalMs;
  const buckets = (plan.range.toMs - plan.range.fromMs) / intervalMs;
  const times = Array.from({ length: buckets }, (_, i) => plan.range.fromMs + i * intervalMs);
  const known = times.map((time) => watermarkMs === null || time < watermarkMs);
  const series = new Map<string, Series>();
  const seriesFor = (key: string, labels: () => Record<string, string>, rest: boolean): Series => {
    let found = series.get(key);
    if (!found) {
      const values = plan.measures.map(({ measure }) => {
        const empty = emptyValue(measure);
        return known.map((is) => (is ? empty : null));
      });
      found = { labels: labels(), values, rest, total: 0 };
      series.set(key, found);
    }
    return found;
  };
  if (plan.dimensions.length === 0) seriesFor('', () => ({}), false);

  let truncated = false;
  const bucketOf = columns.rows > 0 ? columns.get('t') : [];
  const top = plan.hasRest && columns.rows > 0 ? columns.get('ns_top') : undefined;
  for (let row = 0; row < columns.rows; row += 1) {
    const rest = top !== undefined && Number(top[row]) === 0;
    if (rest && !plan.other) {
      truncated = true;
      continue;
    }
    const group = plan.dimensions.map((dimension) => (rest ? null : groupValue(columns, dimension, row)));
    const key = plan.dimensions.length === 0 ? '' : rest ? 'rest' : JSON.stringify(group);
    const labelsOf = (): Record<string, string> =>
      Object.fromEntries(
        plan.dimensions.map(({ dimension }, i) => [dimension.id, rest ? otherName : String(group[i] ?? '')]),
      );
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

  // Largest first, as a legend wants it; the rest stands last. Names must be unique for Grafana's alerting.
  const ordered = [...series.values()].sort((a, b) => Number(a.rest) - Number(b.rest) || b.total - a.total);
  const taken = new Set<string>();
  const fields: FrameField[] = [
    { name: 'time', type: 'time', typeInfo: { frame: 'time.Time' }, config: { interval: intervalMs } },
  ];
  const values: FrameValue[][] = [times];
  for (const one of ordered) {
    const text = JSON.stringify(one.labels);
    const labels = taken.has(text)
      ? Object.fromEntries(Object.keys(one.labels).map((id) => [id, `${one.labels[id] ?? ''} (rest)`]))
      : one.labels;
    taken.add(text);
    plan.measures.forEach(({ measure }, i) => {
      const names = Object.values(labels).map((label) => (label === '' ? '(none)' : label));
      const parts = [...(plan.measures.length > 1 || names.length === 0 ? [measure.label] : []), names.join(', ')];
      fields.push({
        name: measure.id,
        type: 'number',
        typeInfo: { frame: 'float64', nullable: true },
        ...(plan.dimensions.length > 0 ? { labels } : {}),
        config: {
          displayNameFromDS: parts.filter((part) => part !== '').join(' '),
          ...unitConfig(displayUnit(measure.unit, plan.displayUnits).unit),
        },
      });
      values.push(one.values[i] ?? []);
    });
  }
  const meta = frameMeta(plan, 'timeseries-wide', truncated);
  return { frames: [{ schema: { refId: plan.refId, meta, fields }, data: { values } }], truncated };
}
