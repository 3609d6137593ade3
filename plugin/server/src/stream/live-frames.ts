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
/** A stream begins right after the history that names it; one that begins later is a new one of an old panel. */
const joinMsMax = 30_000;

interface Remembered {
  readonly query: LiveQuery;
  /** where the latest history ended, and when that was asked */
  readonly join?: { readonly sinceMs: number; readonly atMs: number };
}

export class LiveFrames {
  readonly #remembered = new Map<string, Remembered>();

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
    const untilMs = closedUntil(first);
    this.remember(context, path, query, untilMs);
    const { type: _type, typeVersion: _version, ...meta } = first.meta;
    const dimension = viewDimensions[live];
    const past = untilMs === undefined ? frames : frames.map((frame) => before(frame, untilMs));
    const columns = dimension === undefined ? rateColumns(past) : listColumns(past, dimension);
    return [{ refId: first.refId, meta: { ...meta, channel: `ds/${uid}/${path}` }, columns }];
  }

  #key = (context: PluginContext | null, path: string): string =>
    `${context?.orgId}/${context?.dataSourceInstanceSettings?.uid}/${path}`;

  /** @param sinceMs where its history ends and the stream is to begin */
  remember(context: PluginContext | null, path: string, query: LiveQuery, sinceMs?: number): void {
    const key = this.#key(context, path);
    const join = sinceMs === undefined ? this.#remembered.get(key)?.join : { sinceMs, atMs: performance.now() };
    this.#remembered.delete(key);
    this.#remembered.set(key, { query, ...(join && { join }) });
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > rememberedMax && oldest !== undefined) this.#remembered.delete(oldest);
  }

  /** The query remembered for a path of a datasource. */
  recall(context: PluginContext | null, path: string): LiveQuery | undefined {
    return this.#remembered.get(this.#key(context, path))?.query;
  }

  /** Where a stream that begins now goes on, ms; undefined when no history just ended. Once: a later stream begins anew. */
  takeJoin(context: PluginContext | null, path: string): number | undefined {
    const key = this.#key(context, path);
    const known = this.#remembered.get(key);
    if (!known?.join) return undefined;
    this.#remembered.set(key, { query: known.query });
    return performance.now() - known.join.atMs < joinMsMax ? known.join.sinceMs : undefined;
  }
}

/**
 * Where the last bucket of a history ends that is whole, ms: what is stored of later ones is not all yet, and the stream brings
 * it. Undefined when the history ends before that, in the past.
 */
function closedUntil({ meta }: DataFrame): number | undefined {
  const { netspectra } = (meta.custom ?? {}) as { readonly netspectra?: Readonly<Record<string, unknown>> };
  const { watermarkMs, intervalMs, toMs } = netspectra ?? {};
  if (typeof watermarkMs !== 'number' || typeof intervalMs !== 'number' || typeof toMs !== 'number') return undefined;
  const untilMs = intervalMs > 0 ? Math.floor(watermarkMs / intervalMs) * intervalMs : undefined;
  return untilMs === undefined || untilMs > toMs ? undefined : untilMs;
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
