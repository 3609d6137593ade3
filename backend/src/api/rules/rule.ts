/**
 * An alert rule as it is written becomes what is evaluated: a query of the model, and a condition with its times in
 * milliseconds. Everything that can be wrong is found here, with the place in the rule.
 */
import { filterLimits, measures, parseOffset, parseTime } from '@netspectra/query';
import type { Measure, Query, QueryTable, TimeRange } from '@netspectra/query';
import type { BackTestRule, Condition } from '../../alerting/index.js';
import type { RuleBody } from '../../management/index.js';
import { checkQuery, compileFilter, planQuery, windowMillis } from '../planner/index.js';
import type { Asking, TableWindows } from '../planner/index.js';
import { ApiError, invalid } from '../problem.js';
import { checkLength } from '../runner.js';
import { checkPlaceholders } from './placeholders.js';

/** What bears on when a rule fires. */
export type RuleEvaluation = Pick<
  RuleBody,
  'query' | 'condition' | 'interval' | 'for' | 'keepFiringFor' | 'noData' | 'exclusions'
>;

export interface CompiledRule extends BackTestRule {
  /** a time series query with buckets of the rule's interval */
  readonly query: Query;
  readonly measure: Measure;
}

export interface RuleSurroundings {
  readonly windows: TableWindows;
  readonly limits: Asking['limits'] & { readonly rangeSecondsMax: number };
}

const second = 1_000;
const day = 86_400_000;
const intervalMsMax = day;
const waitMsMax = 366 * day;
/** A band is learned from at most so many intervals. */
const learnedMax = 10_000;
const groupsDefault = 50;

/** Milliseconds of a duration that the schema has seen; `0s` is none. */
function durationOf(text: string | undefined, pointer: string, most = waitMsMax): number {
  if (text === undefined || /^0[smhdw]$/.test(text)) return 0;
  const millis = parseOffset(text);
  if (millis === undefined || millis > most) throw invalid(pointer, `at most ${most / day} days`);
  return millis;
}

function multipleOf(millis: number, intervalMs: number, pointer: string): number {
  if (millis >= intervalMs && millis % intervalMs === 0) return millis;
  throw invalid(pointer, `must be a multiple of the interval (${intervalMs / second} s)`);
}

function conditionOf({ condition }: RuleEvaluation, intervalMs: number): Condition {
  switch (condition.type) {
    case 'threshold':
      return condition;
    case 'rate_of_change': {
      const { over, unit = 'percent', ...rest } = condition;
      return {
        ...rest,
        unit,
        overMs: multipleOf(durationOf(over, '#/condition/over'), intervalMs, '#/condition/over'),
      };
    }
    case 'seasonal': {
      const { period = '1w', unit = 'percent', ...rest } = condition;
      const periodMs = multipleOf(durationOf(period, '#/condition/period'), intervalMs, '#/condition/period');
      return { ...rest, unit, periodMs };
    }
    case 'band': {
      const { learn = '1d', sensitivity = 4, side = 'both', minimumWidth = 0 } = condition;
      const learnMs = multipleOf(durationOf(learn, '#/condition/learn'), intervalMs, '#/condition/learn');
      const intervals = learnMs / intervalMs;
      if (intervals < 20 || intervals > learnedMax) {
        throw invalid('#/condition/learn', `must be from 20 to ${learnedMax} intervals, this is ${intervals}`);
      }
      return { type: 'band', learnMs, sensitivity, side, minimumWidth };
    }
  }
}

/** The filter less the exclusions. */
function filterOf({ query: { filter = '' }, exclusions = '' }: RuleEvaluation): string {
  compileFilter(filter, '#/query/filter');
  if (compileFilter(exclusions, '#/exclusions') === undefined || exclusions.trim() === '') return filter;
  const both = filter.trim() === '' ? `not (${exclusions})` : `(${filter}) and not (${exclusions})`;
  if (both.length > filterLimits.lengthMax) {
    throw invalid('#/exclusions', `filter and exclusions together may have ${filterLimits.lengthMax} characters`);
  }
  return both;
}

/** Pointers into the query of the model, as pointers into the rule. */
function inRule(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  const errors = error.errors.map((each) => {
    if (each.pointer.startsWith('#/measures')) return { ...each, pointer: '#/query/measure' };
    if (each.pointer.startsWith('#/intervalMs')) return { ...each, pointer: '#/interval' };
    // Both parts of the filter are right for themselves: they do not fit together, or not with the measure.
    if (each.pointer === '#/filter') return { pointer: '#/query/filter', detail: each.detail };
    return { ...each, pointer: `#/query${each.pointer.slice(1)}` };
  });
  // What no table can answer has no place of its own: it is the query as a whole.
  const located = errors.length > 0 ? errors : [{ pointer: '#/query', detail: error.message }];
  return new ApiError(error.kind, error.message, located, error.cause);
}

/** Plan the query without running it. @returns the table that would answer */
function planned(query: Query, range: TimeRange, { windows, limits }: RuleSurroundings): QueryTable {
  try {
    const checked = checkQuery(query, range, limits.rangeSecondsMax);
    const { offsetMs } = checked;
    const period = offsetMs === undefined ? undefined : ({ period: 'now', offsetMs } as const);
    // Without sketches, and of the rows themselves: whether there are others depends on when it is asked.
    const plan = planQuery(checked, windows, limits, undefined, period);
    checkLength(plan);
    return plan.table;
  } catch (error) {
    throw inRule(error);
  }
}

/**
 * What is evaluated.
 * Throws ApiErrors with pointers into the rule: unknown names, filters, times that do not fit, what no table can answer.
 */
export function compileRule(rule: RuleEvaluation, around: RuleSurroundings): CompiledRule {
  const intervalMs = durationOf(rule.interval, '#/interval', intervalMsMax);
  if (intervalMs < second) throw invalid('#/interval', 'at least 1s');
  const condition = conditionOf(rule, intervalMs);
  const { measure, groupBy = [], direction, limit = groupsDefault } = rule.query;
  const filter = filterOf(rule);
  const query = {
    refId: 'A',
    type: 'timeseries',
    measures: [measure],
    groupBy,
    intervalMs,
    limit,
    ...(filter.trim() === '' ? {} : { filter }),
    ...(direction === undefined ? {} : { direction }),
    ...(condition.type === 'seasonal' ? { compareTo: { offset: offsetText(condition.periodMs) } } : {}),
  } as Query;
  const from = Math.floor(Date.UTC(2026, 0, 5) / intervalMs) * intervalMs;
  const table = planned(query, { fromMs: from, toMs: from + intervalMs }, around);
  const rowMs = windowMillis(table, around.windows);
  if (intervalMs % rowMs !== 0) {
    throw invalid('#/interval', `what answers this has rows of ${rowMs / second} s: use a multiple of that`);
  }
  return {
    query,
    measure: measures.find(({ id }) => id === measure)!,
    condition,
    intervalMs,
    forMs: durationOf(rule.for, '#/for'),
    keepFiringMs: durationOf(rule.keepFiringFor, '#/keepFiringFor'),
    noData: rule.noData ?? 'normal',
  };
}

const offsetText = (millis: number): string => `${millis / second}s`;

/** Check a whole rule. Throws ApiErrors with pointers into it. */
export function checkRule(rule: RuleBody, around: RuleSurroundings): void {
  compileRule(rule, around);
  const labels = [...(rule.query.groupBy ?? []), ...Object.keys(rule.labels ?? {})];
  for (const [name, text] of Object.entries(rule.annotations ?? {})) {
    checkPlaceholders(text, labels, `#/annotations/${name}`);
  }
  checkPlaceholders(rule.recoveryMessage ?? '', labels, '#/recoveryMessage');
  if (rule.silence && (parseTime(rule.silence.until) === undefined || /^-?\d+$/.test(rule.silence.until))) {
    throw invalid('#/silence/until', 'must be a time with an offset: 2026-01-31T12:00:00Z');
  }
}
