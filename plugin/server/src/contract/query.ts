/**
 * A query as panels, alert rules and annotations store it, shared by the query editor and the server side. It is the API's
 * query (`@netspectra/query`) with what Grafana needs besides; names that Grafana itself writes into queries (`intervalMs`,
 * `maxDataPoints`, `queryType`) are left to Grafana. Runs in a browser.
 *
 * `migrateQuery` reads every version ever stored: alert rules keep the query of the day they were made.
 */
import type { CompareTo, ExplainRanges, OrderBy, QueryDirection, QueryType, QueryUnits } from '@netspectra/query';
import { queryTypes } from '@netspectra/query';

export const queryVersion = 1;

/** What a live query shows: rates of all, or the ten leading of a kind. */
export const liveViews = ['rates', 'protocols', 'applications', 'talkers'] as const;
export type LiveView = (typeof liveViews)[number];

export interface DatasourceQuery {
  readonly version: typeof queryVersion;
  readonly type: QueryType;
  readonly measures: readonly string[];
  readonly groupBy: readonly string[];
  /** filter language; macros and variables are put in before it is asked */
  readonly filter?: string;
  /** width of a time bucket, `10s`, `5m` or `$__interval`; absent or `auto`: as the panel is wide */
  readonly interval?: string;
  /** groups or flows; text where a variable stood */
  readonly limit?: number | string;
  readonly other?: boolean;
  readonly orderBy?: readonly OrderBy[];
  readonly direction?: QueryDirection;
  readonly units?: QueryUnits;
  readonly compareTo?: CompareTo;
  readonly explain?: ExplainRanges;
  readonly mergeNodes?: boolean;
  /**
   * `table` answers: `table` keeps the columns, `numeric` makes one number for each set of labels, as alert rules and
   * expressions want it. Absent: `numeric` for those, `table` for panels.
   */
  readonly format?: 'table' | 'numeric';
  /** numeric answers: take the bound of an estimate in place of the estimate */
  readonly bound?: 'lower' | 'upper';
  /** go on with what happens now */
  readonly live?: LiveView;
}

/** What a new panel asks: traffic by application, so that it shows something at once. */
export const newQuery: DatasourceQuery = {
  version: queryVersion,
  type: 'timeseries',
  measures: ['bits_per_second'],
  groupBy: ['application'],
  limit: 10,
  other: true,
};

/** A mistake in a stored query, as one line for the user. */
export class QueryMistake extends Error {}

type Raw = Readonly<Record<string, unknown>>;

/**
 * Step i makes version i+1 of version i. Version 0 has no `version`: queries written by hand (provisioning, the API of
 * Grafana), which may leave out what has a default.
 */
const steps: readonly ((raw: Raw) => Raw)[] = [
  (raw) => {
    const type = raw['type'] ?? 'timeseries';
    return {
      ...raw,
      type,
      measures: raw['measures'] ?? (type === 'flows' ? [] : ['bits_per_second']),
    };
  },
];

/**
 * A stored query in the present version. Keys that are none of ours are left out.
 * Throws a QueryMistake for one that a newer version made, or that has the wrong shape.
 */
export function migrateQuery(stored: unknown): DatasourceQuery {
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) {
    throw new QueryMistake('the query is not a JSON object');
  }
  let raw = stored as Raw;
  const version = raw['version'] ?? 0;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 0) {
    throw new QueryMistake('version: a whole number is expected');
  }
  if (version > queryVersion) {
    throw new QueryMistake(
      `the query was made by a newer version of the datasource (${version}, this one knows ${queryVersion})`,
    );
  }
  for (const step of steps.slice(version)) raw = step(raw);
  return checked(raw);
}

const words = (raw: Raw, key: string): readonly string[] => {
  const value = raw[key] ?? [];
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw new QueryMistake(`${key}: a list of ids is expected`);
  }
  return value as string[];
};

function optional<T>(raw: Raw, key: string, expected: string, is: (value: unknown) => boolean): Record<string, T> {
  const value = raw[key];
  if (value === undefined || value === null || value === '') return {};
  if (!is(value)) throw new QueryMistake(`${key}: ${expected} is expected`);
  return { [key]: value as T };
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const oneOf =
  (...values: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === 'string' && values.includes(value);

function checked(raw: Raw): DatasourceQuery {
  const { type } = raw;
  if (!oneOf(...queryTypes)(type)) throw new QueryMistake(`type: one of ${queryTypes.join(', ')} is expected`);
  return {
    version: queryVersion,
    type: type as QueryType,
    measures: words(raw, 'measures'),
    groupBy: words(raw, 'groupBy'),
    ...optional<string>(raw, 'filter', 'text', isText),
    ...optional<string>(raw, 'interval', 'text such as 10s', isText),
    ...optional<number | string>(raw, 'limit', 'a number', (value) => isText(value) || typeof value === 'number'),
    ...optional<boolean>(raw, 'other', 'true or false', isFlag),
    ...optional<OrderBy[]>(raw, 'orderBy', 'a list', Array.isArray),
    ...optional<QueryDirection>(raw, 'direction', 'text', isText),
    ...optional<QueryUnits>(raw, 'units', 'base or display', isText),
    ...optional<CompareTo>(raw, 'compareTo', 'an object', isObject),
    ...optional<ExplainRanges>(raw, 'explain', 'an object', isObject),
    ...optional<boolean>(raw, 'mergeNodes', 'true or false', isFlag),
    ...optional<'table' | 'numeric'>(raw, 'format', 'table or numeric', oneOf('table', 'numeric')),
    ...optional<'lower' | 'upper'>(raw, 'bound', 'lower or upper', oneOf('lower', 'upper')),
    ...optional<LiveView>(raw, 'live', `one of ${liveViews.join(', ')}`, oneOf(...liveViews)),
  };
}
