/**
 * The API's frames as the frames that Grafana's panels, expressions and alert rules expect (Grafana's dataplane contract):
 * time series as `timeseries-multi` (a frame for each series), tables as `table` or `numeric-long`, graphs and flow records
 * as they are. An answer without data is one frame without fields.
 */
import type { Frame, FrameField, QueryType } from '@netspectra/query';
import type { ApiMeta } from './meta.js';
import { executed, trustNotices, trustOf } from './meta.js';
import type { Column, ColumnType, DataFrame, Meta, Notice } from './model.js';
import { numericFrame } from './numeric.js';

export interface ConvertOptions {
  readonly refId: string;
  readonly type: QueryType;
  /** tables: one number for each set of labels */
  readonly numeric: boolean;
  /** tables: how many columns are dimensions */
  readonly dimensions: number;
  readonly bound?: 'lower' | 'upper';
  /** more for the user to know */
  readonly notices: readonly Notice[];
}

/** What is neither a time, a number nor a truth value is shown as text. */
const typeOf = ({ type }: FrameField): ColumnType =>
  type === 'time' || type === 'number' || type === 'boolean' ? type : 'string';

function columnOf(field: FrameField, values: Column['values']): Column {
  const { name, labels, config, typeInfo } = field;
  return {
    name,
    type: typeOf(field),
    // The flag decides what Grafana shows for a null, so a null never goes into a column without it.
    nullable: typeInfo?.nullable === true || values.includes(null),
    ...(labels === undefined ? {} : { labels }),
    ...(config === undefined ? {} : { config }),
    values,
  };
}

/** The columns of one of the API's frames. */
const columnsOf = ({ schema, data }: Frame): Column[] =>
  schema.fields.map((field, i) => columnOf(field, data.values[i] ?? []));

/** A wide frame (time, then a number column for each series) as one frame for each series. */
function seriesFrames(frame: Frame, refId: string): DataFrame[] {
  const [time, ...series] = columnsOf(frame);
  if (!time) return [];
  const several = new Set(series.map(({ name }) => name)).size > 1;
  return series.map((column) => ({
    refId,
    meta: { type: 'timeseries-multi', typeVersion: [0, 1], ...customOf(frame) },
    // Alert rules tell series apart by labels alone: two measures of one host would be one.
    columns: [time, several ? { ...column, labels: { ...column.labels, measure: column.name } } : column],
  }));
}

const customOf = ({ schema }: Frame): { custom?: Readonly<Record<string, unknown>> } =>
  schema.meta?.custom === undefined ? {} : { custom: schema.meta.custom };

function plainFrame(frame: Frame, refId: string): DataFrame {
  const { name, meta } = frame.schema;
  const type = meta?.type;
  return {
    ...(name === undefined ? {} : { name }),
    refId,
    meta: {
      ...(type === undefined ? {} : { type, typeVersion: [0, 1] }),
      ...(meta?.preferredVisualisationType === undefined
        ? {}
        : { preferredVisualisationType: meta.preferredVisualisationType }),
      ...customOf(frame),
    },
    columns: columnsOf(frame),
  };
}

function framesFor(frames: readonly Frame[], { refId, type, numeric, bound, dimensions }: ConvertOptions): DataFrame[] {
  if (type === 'timeseries') return frames.flatMap((frame) => seriesFrames(frame, refId));
  if (numeric && type === 'table') {
    return frames.map((frame) => numericFrame(columnsOf(frame), dimensions, refId, bound));
  }
  return frames.map((frame) => plainFrame(frame, refId));
}

const emptyType = ({ type, numeric }: ConvertOptions): string =>
  type === 'timeseries' ? 'timeseries-multi' : type === 'table' && numeric ? 'numeric-long' : 'table';

/** An answer's frames. What holds for the answer as a whole stands in the first one. */
export function convertAnswer(frames: readonly Frame[], meta: ApiMeta, options: ConvertOptions): DataFrame[] {
  const converted = framesFor(frames, options);
  const first: DataFrame = converted[0] ?? {
    refId: options.refId,
    meta: { type: emptyType(options), typeVersion: [0, 1] },
    columns: [],
  };
  const said = frames.flatMap(({ schema }) => schema.meta?.notices ?? []);
  const notices = distinct([...said, ...trustNotices(meta), ...options.notices]);
  const whole: Meta = {
    ...first.meta,
    custom: { ...first.meta.custom, ...trustOf(meta) },
    ...(notices.length > 0 ? { notices } : {}),
    executedQueryString: executed(meta),
  };
  return [{ ...first, meta: whole }, ...converted.slice(1)];
}

const distinct = (notices: readonly Notice[]): Notice[] =>
  notices.filter(({ text }, i) => notices.findIndex((other) => other.text === text) === i);
