/**
 * Live queries: their history by QueryData, and the channel on which it goes on. History and stream have the same columns, so
 * that a panel shows them as one.
 *
 * - `rates`: time, bits_per_second, packets_per_second
 * - others: labels (`protocol=udp`), time and the same two; Grafana makes a series of each different `labels`
 */
import type { FrameValue, MeasureId } from '@netspectra/query';
import type { LiveView } from '../contract/query.js';
import type { Translated } from '../data/translate.js';
import type { Column, DataFrame } from '../frames/model.js';
import type { PluginContext } from '../rpc/messages.js';
import { Joints, keyOf } from './joints.js';
import type { LiveQuery } from './path.js';
import { livePath } from './path.js';

export const liveMeasures = ['bits_per_second', 'packets_per_second'] as const satisfies readonly MeasureId[];
export const liveUnits = { bits_per_second: 'bps', packets_per_second: 'pps' } as const;

/** The dimension that a view lists; rates have none. */
export const viewDimensions: Readonly<Record<LiveView, string | undefined>> = {
  rates: undefined,
  protocols: 'protocol',
  applications: 'application',
  talkers: 'src_ip',
};

/** Grafana reads `labels` as name=value pairs between commas: values must not look like more of them. */
export const labelsText = (dimension: string, value: FrameValue | undefined): string => {
  const text = value === null || value === undefined || value === '' ? '(none)' : String(value);
  return `${dimension}=${text.replace(/[,=]/g, '_')}`;
};

/** Live queries whose path is only a hash of them, and which were asked for lately. */
const rememberedMax = 1_000;

export class LiveFrames {
  readonly joints = new Joints();
  readonly #remembered = new Map<string, LiveQuery>();

  /** A live query as the query of its history. */
  history(translated: Translated): Translated {
    const { live, filter } = translated.query;
    if (live === undefined) return translated;
    const dimension = viewDimensions[live];
    const { maxDataPoints, intervalMs } = translated.ask;
    const ask = {
      type: 'timeseries',
      measures: [...liveMeasures],
      groupBy: dimension === undefined ? [] : [dimension],
      ...(filter === undefined ? {} : { filter }),
      ...(intervalMs === undefined ? {} : { intervalMs }),
      ...(maxDataPoints === undefined ? {} : { maxDataPoints }),
      limit: 10,
    } as Translated['ask'];
    return { ...translated, query: { ...translated.query, type: 'timeseries' }, ask };
  }

  /** The history's frames as one that the stream goes on; others stay as they are. */
  joined(translated: Translated, frames: readonly DataFrame[], context: PluginContext | null): readonly DataFrame[] {
    const { live, filter = '' } = translated.query;
    const uid = context?.dataSourceInstanceSettings?.uid;
    const [first] = frames;
    if (live === undefined || uid === undefined || !first) return frames;
    const query = { view: live, filter };
    const path = livePath(query);
    this.remember(context, path, query);
    const closed = closedBy(first);
    const untilMs = closed && this.joints.historyEnd(context, path, closed.atMs, closed.bucketMs);
    if (!closed) this.joints.historyEnds(context, path);
    const { type: _type, typeVersion: _version, ...meta } = first.meta;
    const dimension = viewDimensions[live];
    const past = untilMs === undefined ? frames : frames.map((frame) => before(frame, untilMs));
    const columns = dimension === undefined ? rateColumns(past) : listColumns(past, dimension);
    return [{ refId: first.refId, meta: { ...meta, channel: `ds/${uid}/${path}` }, columns }];
  }

  remember(context: PluginContext | null, path: string, query: LiveQuery): void {
    const key = keyOf(context, path);
    this.#remembered.delete(key);
    this.#remembered.set(key, query);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > rememberedMax && oldest !== undefined) this.#remembered.delete(oldest);
  }

  /** The query remembered for a path of a datasource. */
  recall(context: PluginContext | null, path: string): LiveQuery | undefined {
    return this.#remembered.get(keyOf(context, path));
  }
}

/**
 * Where the last bucket of a history ends that is whole, ms, and how wide its buckets are: what is stored of later ones is not
 * all yet, and the stream brings it. Undefined when the history ends before that, in the past.
 */
function closedBy({ meta }: DataFrame): { readonly atMs: number; readonly bucketMs: number } | undefined {
  const { netspectra } = (meta.custom ?? {}) as { readonly netspectra?: Readonly<Record<string, unknown>> };
  const { watermarkMs, intervalMs, toMs } = netspectra ?? {};
  if (typeof watermarkMs !== 'number' || typeof intervalMs !== 'number' || typeof toMs !== 'number') return undefined;
  if (!(intervalMs > 0)) return undefined;
  const atMs = Math.floor(watermarkMs / intervalMs) * intervalMs;
  return atMs > toMs ? undefined : { atMs, bucketMs: intervalMs };
}

/** A frame without the rows from this time on. */
function before(frame: DataFrame, untilMs: number): DataFrame {
  const times = frame.columns[0]?.values ?? [];
  const rows = times.findIndex((at) => Number(at) >= untilMs);
  if (rows < 0) return frame;
  return { ...frame, columns: frame.columns.map((column) => ({ ...column, values: column.values.slice(0, rows) })) };
}

const number = (name: (typeof liveMeasures)[number], values: FrameValue[]): Column => ({
  name,
  type: 'number',
  nullable: true,
  config: { unit: liveUnits[name] },
  values,
});
const time = (values: readonly FrameValue[]): Column => ({ name: 'time', type: 'time', nullable: false, values });

const measureOf = ({ columns }: DataFrame): string | undefined => columns[1]?.name;

function rateColumns(frames: readonly DataFrame[]): Column[] {
  const times = frames[0]?.columns[0]?.values ?? [];
  const of = (measure: string): FrameValue[] => [
    ...(frames.find((frame) => measureOf(frame) === measure)?.columns[1]?.values ?? times.map(() => null)),
  ];
  return [time(times), ...liveMeasures.map((measure) => number(measure, of(measure)))];
}

function listColumns(frames: readonly DataFrame[], dimension: string): Column[] {
  const times = frames[0]?.columns[0]?.values ?? [];
  const series = new Map<string, Partial<Record<string, readonly FrameValue[]>>>();
  for (const frame of frames) {
    const column = frame.columns[1];
    if (!column) continue;
    const label = labelsText(dimension, column.labels?.[dimension]);
    series.set(label, { ...series.get(label), [column.name]: column.values });
  }
  const rows = times.flatMap((at, i) => [...series].map(([label, values]) => ({ at, label, i, values })));
  return [
    { name: 'labels', type: 'string', nullable: false, values: rows.map(({ label }) => label) },
    time(rows.map(({ at }) => at)),
    ...liveMeasures.map((measure) =>
      number(
        measure,
        rows.map(({ values, i }) => values[measure]?.[i] ?? null),
      ),
    ),
  ];
}
