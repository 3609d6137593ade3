/** Data frames on their way from the API to Grafana: columns with what Grafana's data package keeps beside them. */
import type { FrameFieldConfig, FrameValue } from '@netspectra/query';

/** What a column is in Arrow: time in nanoseconds, float64, Utf8 or Bool. */
export type ColumnType = 'time' | 'number' | 'string' | 'boolean';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly config?: FrameFieldConfig;
  /** time: milliseconds since 1970, fractions allowed */
  readonly values: readonly FrameValue[];
}

export interface Notice {
  readonly severity: 'info' | 'warning' | 'error';
  readonly text: string;
}

/** The part of Grafana's FrameMeta that is used here; its decoder is strict about types. */
export interface Meta {
  readonly type?: string;
  readonly typeVersion?: readonly [number, number];
  readonly custom?: Readonly<Record<string, unknown>>;
  readonly notices?: readonly Notice[];
  readonly channel?: string;
  readonly preferredVisualisationType?: string;
  readonly executedQueryString?: string;
}

export interface DataFrame {
  readonly name?: string;
  readonly refId: string;
  readonly meta: Meta;
  readonly columns: readonly Column[];
}
