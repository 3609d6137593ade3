/**
 * The query model: what goes into `POST /api/v1/query` and what comes out. The API validates by these types and limits;
 * the answer is Grafana's data frame layout, columns not rows.
 */
import type { DimensionId } from './registry/dimensions.js';
import type { MeasureId } from './registry/measures.js';
import type { QueryTable } from './registry/tables.js';

/** Query types in use; `graph` (Sankey and topology edges) and `explain` (what changed) will join them. */
export const queryTypes = ['timeseries', 'table', 'flows'] as const;
export type QueryType = (typeof queryTypes)[number];

/**
 * Which side's counters count. 'both' adds them; 'client' counts only what clients sent, 'server' only what servers sent.
 * Absent: 'both'.
 */
export const queryDirections = ['both', 'client', 'server'] as const;
export type QueryDirection = (typeof queryDirections)[number];

/**
 * 'base' (absent: this): the registry's units (nanoseconds, bytes, shares 0..1). 'display': times in milliseconds and
 * shares in percent, with the unit ids `ms` and `percent` in the answer.
 */
export const queryUnits = ['base', 'display'] as const;
export type QueryUnits = (typeof queryUnits)[number];

export type SortDirection = 'asc' | 'desc';

/** Sort key of a `table` or `flows` answer: a measure or a dimension of the query. */
export type OrderBy =
  | { readonly measure: MeasureId; readonly direction: SortDirection }
  | { readonly dimension: DimensionId; readonly direction: SortDirection };

export interface Query {
  /** names the answer; unique in the request */
  readonly refId: string;
  readonly type: QueryType;
  /** at least one for timeseries and table; `flows` lists flow records and needs none */
  readonly measures: readonly MeasureId[];
  readonly groupBy: readonly DimensionId[];
  /** filter language, docs/query-language.md; absent or empty keeps everything */
  readonly filter?: string;
  /** bucket width of a timeseries; wins over maxDataPoints, rounded up to what the table can give */
  readonly intervalMs?: number;
  /** wanted points of a timeseries; the planner takes the next round width. Absent: queryLimits.maxDataPointsDefault */
  readonly maxDataPoints?: number;
  /** how many groups (timeseries: series) or flow records. Absent: queryLimits.limitDefault */
  readonly limit?: number;
  /** put what falls outside `limit` into one more group, called "other" */
  readonly other?: boolean;
  /** absent: first measure, descending */
  readonly orderBy?: readonly OrderBy[];
  readonly direction?: QueryDirection;
  readonly units?: QueryUnits;
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
  /** series of a timeseries */
  seriesMax: 1_000,
  /** longest range between from and to */
  rangeMsMax: 10 * 366 * 86_400_000,
} as const;

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
}

export interface FrameField {
  readonly name: string;
  readonly type: FrameFieldType;
  readonly typeInfo?: { readonly frame: string; readonly nullable?: boolean };
  /** of a timeseries' value field: the group, dimension id -> value as text */
  readonly labels?: Readonly<Record<string, string>>;
  readonly config?: FrameFieldConfig;
}

export interface FrameMeta {
  /** Grafana's frame type, e.g. 'timeseries-multi', 'table' */
  readonly type?: string;
  readonly preferredVisualisationType?: 'graph' | 'table';
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
  /** 1 = every packet; n = one of n packets was captured and counters were multiplied by n */
  readonly samplingRate: number;
  readonly drops: DropCounts;
  readonly errorBounds: readonly ErrorBound[];
  /** rows or groups were left out by `limit` (and are not in "other") */
  readonly truncated: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  /** bucket width used; null unless a timeseries */
  readonly intervalMs: number | null;
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
