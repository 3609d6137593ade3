/**
 * From a stored query to the API's: migrate, put macros in, choose the number of points, hold the datasource's limits.
 * Everything a query needs is done here and nothing in the browser, so that alert rules and public dashboards, which have no
 * browser, ask the same.
 */
import type { Query } from '@netspectra/query';
import { parseOffset, queryLimits } from '@netspectra/query';
import { alertSelection } from '../contract/alerts.js';
import type { AlertSelection } from '../contract/alerts.js';
import { expandMacros, leftVariable } from '../contract/macros.js';
import type { MacroValues } from '../contract/macros.js';
import { QueryMistake, migrateQuery } from '../contract/query.js';
import type { DatasourceQuery } from '../contract/query.js';
import type { DatasourceLimits } from '../contract/settings.js';
import { PluginError } from '../errors.js';
import type { Notice } from '../frames/model.js';
import type { DataQuery } from '../rpc/messages.js';

export interface Translated {
  readonly refId: string;
  readonly query: DatasourceQuery;
  /** alerts are asked for, and not traffic */
  readonly alerts?: AlertSelection;
  /** the API's query; its refId is given when it is asked */
  readonly ask: Omit<Query, 'refId'>;
  readonly fromMs: number;
  readonly toMs: number;
  readonly numeric: boolean;
  readonly notices: readonly Notice[];
}

const wrong = (message: string): PluginError => new PluginError('query', message);

function jsonOf({ json }: DataQuery): unknown {
  try {
    return JSON.parse(Buffer.from(json).toString('utf8'));
  } catch {
    throw wrong('the query is not JSON');
  }
}

function migrated(stored: unknown): DatasourceQuery {
  try {
    return migrateQuery(stored);
  } catch (error) {
    if (error instanceof QueryMistake) throw wrong(error.message);
    throw error;
  }
}

/** Put macros into every text of a value. */
function expanded<T>(value: T, macros: MacroValues, path: string): T {
  if (typeof value === 'string') {
    const text = expandMacros(value, macros);
    const left = leftVariable(text);
    if (left !== undefined) {
      throw wrong(
        `${path}: the variable ${left} has no value here: alert rules and other queries without a dashboard know only macros such as $__interval`,
      );
    }
    return text as T;
  }
  if (Array.isArray(value)) return value.map((each: unknown, i) => expanded(each, macros, `${path}[${i}]`)) as T;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, each]: [string, unknown]) => [
      key,
      expanded(each, macros, path === '' ? key : `${path}.${key}`),
    ]);
    return Object.fromEntries(entries) as T;
  }
  return value;
}

function limitOf(text: number | string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = typeof text === 'number' ? text : Number(text.trim() === '' ? Number.NaN : text);
  if (!Number.isInteger(number) || number < 1) throw wrong('limit: a whole number from 1 on is expected');
  return number;
}

/** Width of a bucket from text, or undefined where the panel decides. */
function intervalOf(text: string | undefined): number | undefined {
  if (text === undefined || text === 'auto') return undefined;
  const millis = /^\d+ms$/.test(text) ? Number(text.slice(0, -2)) : parseOffset(text);
  if (millis === undefined || millis < 1) throw wrong('interval: a duration such as 10s, 5m or 1h is expected');
  return Math.min(Math.max(Math.round(millis), queryLimits.intervalMsMin), queryLimits.intervalMsMax);
}

/**
 * How many points to ask for: as many as the panel has room for, none narrower than its interval (which holds the panel's
 * "min interval"), and all series together within the limit of rows.
 */
function pointsOf({ maxDataPoints, intervalMS }: DataQuery, rangeMs: number, series: number, rows: number): number {
  const wanted = maxDataPoints > 0 ? maxDataPoints : queryLimits.maxDataPointsDefault;
  const narrowest = Math.max(intervalMS, queryLimits.intervalMsMin);
  const most = Math.min(wanted, Math.ceil(rangeMs / narrowest), Math.floor(rows / series), queryLimits.dataPointsMax);
  return Math.max(1, most);
}

/** Whether a server of Grafana's asks, that wants numbers with labels, and not a panel. */
const asksForNumbers = (headers: Readonly<Record<string, string>>): boolean =>
  Object.entries(headers).some(
    ([name, value]) => /^(http_)?(fromalert|x-grafana-from-expr)$/i.test(name) && value.toLowerCase() === 'true',
  );

/** Translate one query of a call. Throws PluginErrors for mistakes of the user. */
export function translate(
  asked: DataQuery,
  headers: Readonly<Record<string, string>>,
  limits: Required<DatasourceLimits>,
): Translated {
  const { timeRange } = asked;
  if (!timeRange || timeRange.toEpochMS <= timeRange.fromEpochMS) throw wrong('the time range is empty');
  const [fromMs, toMs] = [timeRange.fromEpochMS, timeRange.toEpochMS];
  if (toMs - fromMs > limits.rangeHours * 3_600_000) {
    throw wrong(`the time range is longer than the ${limits.rangeHours} hours that this datasource allows`);
  }
  const intervalMs = Math.max(asked.intervalMS, queryLimits.intervalMsMin);
  const macros = { fromMs, toMs, intervalMs };
  const stored = jsonOf(asked);
  const alerts = alertSelection(stored);
  // A query for alerts has a limit in common with others, and nothing else.
  const own = alerts === undefined ? stored : { limit: (stored as { limit?: unknown }).limit };
  const query = expanded(migrated(own), macros, '');
  const notices: Notice[] = [];
  const { version: _version, format, bound: _bound, live: _live, interval, limit: limitText, ...same } = query;
  let limit = limitOf(limitText);
  if (limit !== undefined && limit > limits.rows) {
    limit = limits.rows;
    notices.push({ severity: 'warning', text: `limit lowered to ${limits.rows}, the most this datasource allows` });
  }
  const width = intervalOf(interval);
  const series = query.groupBy.length === 0 ? 1 : (limit ?? queryLimits.limitDefault) + (query.other === true ? 1 : 0);
  const ask = {
    ...same,
    ...(limit === undefined ? {} : { limit }),
    ...(query.type !== 'timeseries'
      ? {}
      : width === undefined
        ? { maxDataPoints: pointsOf(asked, toMs - fromMs, series, limits.rows) }
        : { intervalMs: width }),
  } as Omit<Query, 'refId'>;
  const numeric = query.type === 'table' && (format === 'numeric' || (format === undefined && asksForNumbers(headers)));
  return {
    refId: asked.refId,
    query,
    ...(alerts === undefined ? {} : { alerts: expanded(alerts, macros, 'alerts') }),
    ask,
    fromMs,
    toMs,
    numeric,
    notices,
  };
}
