/** What tables and time series are made from: values of measures with their bounds, notices, and bounds of estimates. */
import type { ErrorBound, FrameMeta, Measure } from '@netspectra/query';
import { estimateHistogram, standardError } from '../../sketch-math/index.js';
import { ApiError } from '../problem.js';
import type { Columns } from './columns.js';
import type { Plan, PlannedMeasure } from './types.js';

/** What the rest of the groups is called. */
export const otherName = 'other';

export interface Bounded {
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

export function measureValue(columns: Columns, planned: PlannedMeasure, row: number): Bounded {
  if (planned.sketch) return sketchValue(columns, planned.column, row);
  const value = columns.number(planned.column, row);
  if (!planned.bounded) return { value, lower: null, upper: null };
  return {
    value,
    lower: columns.number(`${planned.column}_lower`, row),
    upper: columns.number(`${planned.column}_upper`, row),
  };
}

const zeroWhenEmpty: ReadonlySet<Measure['kind']> = new Set(['sum', 'rate', 'rate_quantile', 'share', 'distinct']);

/** What a measure is where there are no rows. */
export const emptyValue = (measure: Measure): number | null => (zeroWhenEmpty.has(measure.kind) ? 0 : null);

export const scaled = (value: number | null, factor: number): number | null => (value === null ? null : value * factor);

export const isRest = (plan: Plan, columns: Columns, row: number): boolean =>
  plan.hasRest && Number(columns.get('ns_top')[row]) === 0;

export function frameMeta(plan: Plan, type: FrameMeta['type'], truncated: boolean): FrameMeta {
  const notices = [
    ...plan.notices.map((text) => ({ severity: 'info' as const, text })),
    ...(truncated
      ? [{ severity: 'info' as const, text: `only the first ${plan.limit} are shown; raise limit, or set other` }]
      : []),
  ];
  return { ...(type === undefined ? {} : { type }), ...(notices.length > 0 ? { notices } : {}) };
}

/** Bounds of all estimates of a plan, of which some are known only when the sketches were read. */
export function boundsOf(plan: Plan, columns: Columns): ErrorBound[] {
  const sketches = plan.measures.flatMap(({ measure, column, sketch }): ErrorBound[] => {
    if (!sketch || columns.rows === 0) return [];
    const widths = columns.get(`${column}_widest`).map(Number);
    const width = widths.reduce((a, b) => Math.max(a, b), 0);
    if (width === 0) return [];
    const error = sketchDeviations * standardError(width);
    const id = measure.id as ErrorBound['measure'];
    return [{ measure: id, kind: 'relative', error, confidence: sketchConfidence }];
  });
  return [...plan.errorBounds, ...sketches];
}
