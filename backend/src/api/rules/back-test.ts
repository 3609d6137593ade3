/** Runs a rule's query over a past range, and tells what the rule would have done. */
import { queryLimits } from '@netspectra/query';
import type { Frame, TimeRange } from '@netspectra/query';
import { firingsOf, historyLength, quietThreshold, summaryOf } from '../../alerting/index.js';
import type { BackTestSeries, Firing } from '../../alerting/index.js';
import { answerQuery, checkQuery } from '../planner/index.js';
import type { Asking } from '../planner/index.js';
import { ApiError, invalid } from '../problem.js';
import type { CompiledRule } from './rule.js';

export interface BackTest {
  readonly firings: readonly Firing[];
  readonly groups: number;
  readonly truncated: boolean;
  readonly evaluations: number;
  readonly range: TimeRange;
  readonly summary: ReturnType<typeof summaryOf>;
  readonly quietThreshold: number | null;
}

type Labelled = ReadonlyMap<string, { labels: Readonly<Record<string, string>>; values: readonly (number | null)[] }>;

/** Series of a frame by their group; an earlier period's label is no part of the group. */
function seriesOf(frame: Frame | undefined): Labelled {
  const series = new Map<string, { labels: Record<string, string>; values: readonly (number | null)[] }>();
  frame?.schema.fields.forEach((field, i) => {
    if (field.type !== 'number') return;
    const { period: _, ...labels } = { ...field.labels };
    series.set(JSON.stringify(labels), { labels, values: (frame.data.values[i] ?? []) as (number | null)[] });
  });
  return series;
}

/**
 * Evaluate the rule at the end of each whole interval in the range, with what it needs of the time before.
 * Throws ApiErrors whose pointers start at the request.
 */
export async function backTest(
  rule: CompiledRule,
  range: TimeRange,
  asking: Asking,
  rangeSecondsMax: number,
): Promise<BackTest> {
  const { intervalMs, condition } = rule;
  const history = historyLength(condition, intervalMs);
  const fromMs = Math.ceil(range.fromMs / intervalMs) * intervalMs;
  const toMs = Math.floor(range.toMs / intervalMs) * intervalMs;
  const evaluations = (toMs - fromMs) / intervalMs;
  if (evaluations < 1) throw invalid('#/to', `the range holds no whole interval of ${intervalMs / 1000} s`);
  const points = history + evaluations;
  // A series may have so many points, and all of them together the rows of an answer.
  const groupsMax = Math.floor(asking.limits.rowsMax / points) - 1;
  if (points > queryLimits.dataPointsMax || groupsMax < 1) {
    const most = Math.min(queryLimits.dataPointsMax, Math.floor(asking.limits.rowsMax / 2));
    throw invalid(
      '#/from',
      `${points} intervals, ${history} of them before the range: at most ${most} can be looked at; use a shorter range or a longer interval`,
    );
  }
  const limit = Math.min(rule.query.limit ?? groupsMax, groupsMax);
  const whole = { fromMs: fromMs - history * intervalMs, toMs };
  const query = checkQuery({ ...rule.query, limit }, whole, rangeSecondsMax);
  const answered = await answerQuery(query, asking).catch((error: unknown) => {
    throw error instanceof ApiError ? error.under('#/rule/query') : error;
  });
  if (answered.intervalMs !== intervalMs || answered.range.fromMs !== whole.fromMs) {
    throw invalid('#/rule/interval', `over this range the interval must be ${(answered.intervalMs ?? 0) / 1000} s`);
  }
  const present = seriesOf(answered.frames[0]);
  const earlier = seriesOf(answered.frames[1]);
  const series: BackTestSeries[] = [...present].map(([key, { labels, values }]) => {
    const before = earlier.get(key)?.values;
    return { labels, values, ...(before ? { earlier: before } : {}) };
  });
  const firings = series
    .flatMap((each) => firingsOf(rule, each, fromMs + intervalMs))
    .sort((a, b) => a.start - b.start);
  const judged = series.map((each) => ({ ...each, values: each.values.slice(history) }));
  return {
    firings,
    groups: series.length,
    truncated: answered.truncated,
    evaluations,
    range: { fromMs, toMs },
    summary: summaryOf(judged),
    quietThreshold: condition.type === 'threshold' ? quietThreshold({ ...rule, condition }, judged) : null,
  };
}
