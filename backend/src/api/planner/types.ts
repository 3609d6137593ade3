/** What the parts of the planner hand to each other. */
import type {
  Dimension,
  ErrorBound,
  Frame,
  Measure,
  OrderBy,
  Prefix,
  Query,
  QueryTable,
  QueryType,
  TimeRange,
} from '@netspectra/query';
import type { QueryParameters } from '../query-store.js';
import type { Wanted } from './choose.js';
import type { Columns } from './columns.js';
import type { TableWindows } from './interval.js';
import type { RowMode } from './rows.js';

export interface PlannerLimits {
  /** rows of an answer at most */
  readonly rowsMax: number;
  /** flow records that a query adds up at most, where a rollup could answer in their place */
  readonly flowRowsMax: number;
}

export interface PlannedMeasure {
  readonly measure: Measure;
  /** name of the value's column; `${column}_lower` and `${column}_upper` stand beside it when `bounded` */
  readonly column: string;
  readonly bounded: boolean;
  /** the column holds counts of register values, `${column}_narrowest` and `${column}_widest` the sketches' log2 width */
  readonly sketch: boolean;
}

/** An entry of groupBy, looked up. */
export interface Group {
  /** as it stands in the request: `src_ip/24` */
  readonly key: string;
  readonly dimension: Dimension;
  /** the network that addresses are cut to */
  readonly prefix?: Prefix;
}

export interface PlannedDimension {
  /** entry of groupBy, and name of the field */
  readonly key: string;
  readonly dimension: Dimension;
  /** the network that addresses were cut to */
  readonly prefix?: Prefix;
  readonly column: string;
  /** grouped by as a 64-bit number, read as its text */
  readonly isNumber: boolean;
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
  /** how the table's rows are looked at */
  readonly mode: RowMode;
  /** what is really asked for, after alignment; of an earlier period: the times it is laid over */
  readonly range: TimeRange;
  readonly intervalMs: number | null;
  /** width of the samples of rates, where some are asked for */
  readonly sampleMs?: number;
  /** the rows are those of so long before `range`; 0 for the range itself */
  readonly shiftMs: number;
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
  /** the range of the request; of an explain query the one after the change */
  readonly range: TimeRange;
  readonly orderBy: readonly OrderBy[];
  /** groupBy; `dimensions` are those of the same places */
  readonly groups: readonly Group[];
  /** the range before the change, of explain */
  readonly before?: TimeRange;
  /** how long before the range the period of compareTo lies */
  readonly offsetMs?: number;
}

/** What an answer is made of. */
export interface Answer {
  readonly frames: readonly Frame[];
  /** groups or records were left out by the limit and are not in "other" */
  readonly truncated: boolean;
  readonly errorBounds: readonly ErrorBound[];
}

export interface Statement {
  readonly sql: string;
  readonly params: QueryParameters;
}

/** A statement's rows and what they cost. */
export interface StatementRows {
  readonly columns: Columns;
  readonly rowsRead: number;
  readonly elapsedMs: number;
}

/** What the planner needs to answer a query: someone who runs statements, and the facts about the store. */
export interface Asking {
  /** @param table for metrics. Throws ApiErrors. */
  run(table: string, statement: Statement): Promise<StatementRows>;
  readonly windows: TableWindows;
  readonly limits: PlannerLimits;
  /** event time up to which all is stored, milliseconds; null when unknown */
  readonly watermarkMs: number | null;
}

/** An answer with all that its meta tells. */
export interface Answered extends Answer {
  readonly tables: readonly QueryTable[];
  readonly statements: readonly Statement[];
  /** for people: which table, how and why */
  readonly plan: string;
  readonly range: TimeRange;
  readonly before?: TimeRange;
  readonly intervalMs: number | null;
  readonly sampleMs?: number;
  readonly filter: string | null;
  readonly rowsRead: number;
  readonly elapsedMs: number;
}
