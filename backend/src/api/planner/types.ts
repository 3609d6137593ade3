/** What the parts of the planner hand to each other. */
import type {
  Dimension,
  ErrorBound,
  Frame,
  Measure,
  OrderBy,
  Query,
  QueryTable,
  QueryType,
  TimeRange,
} from '@netspectra/query';
import type { QueryParameters } from '../query-store.js';
import type { Wanted } from './choose.js';

export interface PlannerLimits {
  /** rows of an answer at most */
  readonly rowsMax: number;
}

export interface PlannedMeasure {
  readonly measure: Measure;
  /** name of the value's column; `${column}_lower` and `${column}_upper` stand beside it when `bounded` */
  readonly column: string;
  readonly bounded: boolean;
  /** the column holds counts of register values, `${column}_narrowest` and `${column}_widest` the sketches' log2 width */
  readonly sketch: boolean;
}

export interface PlannedDimension {
  readonly dimension: Dimension;
  readonly column: string;
  /** column that is 0 where the row has no such value */
  readonly presentColumn: string | undefined;
}

/** One statement and how to read its rows. */
export interface Plan {
  readonly type: QueryType;
  readonly refId: string;
  readonly table: QueryTable;
  readonly sql: string;
  readonly params: QueryParameters;
  /** rows the statement may return at most */
  readonly rowsMax: number;
  /** what is really asked for, after alignment */
  readonly range: TimeRange;
  readonly intervalMs: number | null;
  readonly measures: readonly PlannedMeasure[];
  readonly dimensions: readonly PlannedDimension[];
  readonly limit: number;
  /** the statement marks rows by `ns_top`: 1 a group, 0 the rest */
  readonly hasRest: boolean;
  readonly other: boolean;
  readonly displayUnits: boolean;
  /** canonical text of the filter */
  readonly filter: string | null;
  readonly errorBounds: readonly ErrorBound[];
  readonly notices: readonly string[];
}

/** What a query asks for, its names looked up and its filter parsed; what remains to be known is which sketches exist. */
export interface CheckedQuery extends Omit<Wanted, 'sketchSubjects'> {
  readonly query: Query;
  readonly range: TimeRange;
  readonly orderBy: readonly OrderBy[];
}

/** What an answer is made of. */
export interface Answer {
  readonly frames: readonly Frame[];
  /** groups or records were left out by the limit and are not in "other" */
  readonly truncated: boolean;
  readonly errorBounds: readonly ErrorBound[];
}
