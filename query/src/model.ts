/**
 * The query model: what goes into `POST /api/v1/query` and what comes out. The API validates by these types and limits;
 * the answer is Grafana's data frame layout, columns not rows.
 */
import type { GroupKey } from './group-key.js';
import type { MeasureId } from './registry/measures.js';
import type { QueryTable } from './registry/tables.js';

/**
 * - `timeseries`: values over time, a series for each group
 * - `table`: one row for each group
 * - `flows`: flow records
 * - `graph`: nodes and edges (Sankey, topology); groupBy names the levels in order
 * - `explain`: which dimension values account for the change of a measure between two ranges
 */
export const queryTypes = ['timeseries', 'table', 'flows', 'graph', 'explain'] as const;
export type QueryType = (typeof queryTypes)[number];

/**
 * Which traffic counts. 'both': all; 'client': only what clients sent, 'server': only what servers sent; 'in': only what
 * came from addresses outside of the configured local networks to addresses in them, 'out': the reverse. Absent: 'both'.
 */
export const queryDirections = ['both', 'client', 'server', 'in', 'out'] as const;
export type QueryDirection = (typeof queryDirections)[number];

/**
 * 'base' (absent: this): the registry's units (nanoseconds, bytes, shares 0..1). 'display': times in milliseconds and
 * shares in percent, with the unit ids `ms` and `percent` in the answer.
 */
export const queryUnits = ['base', 'display'] as const;
export type QueryUnits = (typeof queryUnits)[number];

export type SortDirection = 'asc' | 'desc';

/** Sort key of a `table` or `flows` answer: a measure or an entry of groupBy. */
export type OrderBy =
  | { readonly measure: MeasureId; readonly direction: SortDirection }
  | { readonly dimension: GroupKey; readonly direction: SortDirection };

/**
 * An earlier period to compare with: so much before the range (`1h`, `1d`, `1w`; `previous` is the range's own length), or
 * a range of its own, as long as the query's.
 */
export type CompareTo = { readonly offset: string } | { readonly from: TimeInput; readonly to: TimeInput };

/**
 * The two ranges of an `explain` query.
 * - `baseline`: before; the range of the request is after. They may differ in length: sums are brought to the length of after.
 * - `at`: the moment when something changed. `width` (a duration, `10m`) before it is compared with as much after it;
 *   without `width` the request's range is split there.
 * Absent, and without compareTo: the range is compared with the equally long one before it.
 */
export type ExplainRanges =
  | { readonly baseline: { readonly from: TimeInput; readonly to: TimeInput } }
  | { readonly at: TimeInput; readonly width?: string };

export interface Query {
  /** names the answer; unique in the request */
  readonly refId: string;
  readonly type: QueryType;
  /** at least one, one for `explain`; `flows` lists flow records and needs none */
  readonly measures: readonly MeasureId[];
  /**
   * Dimensions, addresses also cut to a network (`src_ip/24`, see group-key.ts). graph: the levels, at least two, in their
   * order; explain: where to look, absent: everywhere that makes sense.
   */
  readonly groupBy: readonly GroupKey[];
  /** filter language, docs/query-language.md; absent or empty keeps everything */
  readonly filter?: string;
  /** bucket width of a timeseries; wins over maxDataPoints, rounded up to what the table can give */
  readonly intervalMs?: number;
  /** wanted points of a timeseries; the planner takes the next round width. Absent: queryLimits.maxDataPointsDefault */
  readonly maxDataPoints?: number;
  /** how many groups (timeseries: series) or flow records. Absent: queryLimits.limitDefault */
  readonly limit?: number;
  /** put what falls outside `limit` into one more group, called "other"; absent: false, for graph true */
  readonly other?: boolean;
  /** absent: first measure, descending */
  readonly orderBy?: readonly OrderBy[];
  readonly direction?: QueryDirection;
  readonly units?: QueryUnits;
  /** timeseries, table, explain: an earlier period beside the range */
  readonly compareTo?: CompareTo;
  readonly explain?: ExplainRanges;
  /** graph: a value that stands on several levels is one node (a topology); absent: one on each level (Sankey) */
  readonly mergeNodes?: boolean;
}

/** RFC 3339 text, or milliseconds since the epoch as a number or as decimal text. */
export type TimeInput = string | number;

export interface QueryRequest {
  readonly from: TimeInput;
  readonly to: TimeInput;
  readonly queries: readonly Query[];
}

/** Milliseconds since the epoch, UTC; `from` is in, `to` is out. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Bounds of a request. The API rejects what lies outside and names the field. */
export const queryLimits = {
  queriesMax: 26,
  refIdLengthMax: 64,
  measuresMax: 20,
  groupByMax: 10,
  orderByMax: 10,
  /** a timeseries never has more points than this, whatever intervalMs says: the width is raised */
  dataPointsMax: 11_000,
  maxDataPointsDefault: 500,
  intervalMsMin: 1_000,
  intervalMsMax: 366 * 86_400_000,
  limitDefault: 10,
  limitMax: 10_000,
  /** dimensions that one `explain` query looks at */
  explainDimensionsMax: 12,
  /** series of a timeseries */
  seriesMax: 1_000,
  /** longest range between from and to */
  rangeMsMax: 10 * 366 * 86_400_000,
} as const;

const offsetUnits: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Milliseconds of a whole duration in one unit (`90s`, `10m`, `1h`, `1d`, `1w`; days have 24 hours), or undefined when the
 * text is none or longer than queryLimits.rangeMsMax.
 */
export function parseOffset(text: string): number | undefined {
  const match = /^([1-9]\d{0,8})([smhdw])$/.exec(text);
  const unit = offsetUnits[match?.[2] ?? ''];
  if (!match || unit === undefined) return undefined;
  const millis = Number(match[1]) * unit;
  return millis <= queryLimits.rangeMsMax ? millis : undefined;
}

/** Milliseconds since the epoch, or undefined when the text is no time (RFC 3339 with offset, or a whole number). */
export function parseTime(input: TimeInput): number | undefined {
  if (typeof input === 'number') return Number.isFinite(input) && Math.abs(input) <= timeMsMax ? input : undefined;
  if (/^-?\d{1,16}$/.test(input)) return parseTime(Number(input));
  const match = rfc3339.exec(input);
  if (!match) return undefined;
  // Date accepts 30 February and turns it into March: refuse what does not come back the same.
  const [, date, hour, minute, second] = match;
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== date) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const time = Date.parse(input.toUpperCase().replace(' ', 'T'));
  return Number.isNaN(time) ? undefined : time;
}

/** Limit of JavaScript's Date: 100 million days around the epoch (ECMA-262, 21.4.1.1). */
const timeMsMax = 8.64e15;
const rfc3339 =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** Grafana's field types; a time value is milliseconds since the epoch. */
export type FrameFieldType = 'time' | 'number' | 'string' | 'boolean' | 'other';
export type FrameValue = number | string | boolean | null;

export interface FrameFieldConfig {
  readonly displayName?: string;
  readonly displayNameFromDS?: string;
  readonly description?: string;
  /** Grafana unit id */
  readonly unit?: string;
  /** bucket width of a time field, milliseconds */
  readonly interval?: number;
  readonly custom?: Readonly<Record<string, unknown>>;
}

export interface FrameField {
  readonly name: string;
  readonly type: FrameFieldType;
  readonly typeInfo?: { readonly frame: string; readonly nullable?: boolean };
  /** of a timeseries' value field: the group, entry of groupBy -> value as text; `period` on those of an earlier period */
  readonly labels?: Readonly<Record<string, string>>;
  readonly config?: FrameFieldConfig;
}

export interface FrameMeta {
  /** Grafana's frame type, e.g. 'timeseries-multi', 'table' */
  readonly type?: string;
  readonly preferredVisualisationType?: 'graph' | 'table' | 'nodeGraph';
  readonly notices?: readonly { readonly severity: 'info' | 'warning' | 'error'; readonly text: string }[];
  readonly custom?: Readonly<Record<string, unknown>>;
}

export interface FrameSchema {
  readonly name?: string;
  readonly refId: string;
  readonly meta?: FrameMeta;
  readonly fields: readonly FrameField[];
}

/** `values[i]` are the values of `schema.fields[i]`, all of one length. */
export interface Frame {
  readonly schema: FrameSchema;
  readonly data: { readonly values: readonly (readonly FrameValue[])[] };
}

/** How an estimated value relates to the truth. */
export interface ErrorBound {
  readonly measure: MeasureId;
  /** 'exact': no error; 'relative': truth within value * (1 ± error) with `confidence`; 'absolute': in value's unit */
  readonly kind: 'exact' | 'relative' | 'absolute';
  readonly error: number;
  /** 0..1 */
  readonly confidence: number;
}

/** Packets that the answer does not hold, in its time range. */
export interface DropCounts {
  readonly kernelDropped: number;
  readonly undecodable: number;
  /** flows folded into "other" because a flow table was full */
  readonly flowsFolded: number;
  readonly latePackets: number;
}

/** What is known about an answer, in every answer. */
export interface AnswerMeta {
  /** the tables the planner chose, first the one the measures came from */
  readonly tables: readonly QueryTable[];
  /** event time up to which all is stored, milliseconds; null when nothing is */
  readonly watermarkMs: number | null;
  /** the stored data may still grow in this range (to lies after the watermark) */
  readonly partial: boolean;
  /** one sentence for people: which table answered, how it was read and why */
  readonly plan: string;
  /** 1 = every packet; n = one of n packets was captured and counters were multiplied by n (the highest n in the range) */
  readonly samplingRate: number;
  readonly drops: DropCounts;
  readonly errorBounds: readonly ErrorBound[];
  /** rows or groups were left out by `limit` (and are not in "other") */
  readonly truncated: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  /** the earlier range of compareTo and explain, after rounding */
  readonly before?: TimeRange;
  /** bucket width used; null unless a timeseries */
  readonly intervalMs: number | null;
  /** width over which the peaks and 95th percentiles of rates were taken; absent without such measures */
  readonly sampleMs?: number;
  /** the filter in canonical form; null without one */
  readonly filter: string | null;
  readonly rowsRead?: number;
  readonly elapsedMs?: number;
  /** ask for the next page of `flows` with it; null at the end */
  readonly nextCursor?: string | null;
}

export interface QuerySuccess {
  readonly frames: readonly Frame[];
  readonly meta: AnswerMeta;
}

export interface QueryFailure {
  /** one line for people */
  readonly error: string;
  /** HTTP status this query alone would have got */
  readonly status: number;
}

export type QueryResult = QuerySuccess | QueryFailure;

export interface QueryResponse {
  readonly results: Readonly<Record<string, QueryResult>>;
}

/** Tells a failed result from a good one. */
export function isFailure(result: QueryResult): result is QueryFailure {
  return 'error' in result;
}
