/**
 * What happens now, asked of the store the way users ask: rates, top talkers, protocols and applications of the newest whole
 * window below the watermark. Counters have windows of a second, flows of ten, so each part says which time it is about.
 * While the watermark stands still the store is not asked again.
 */
import type { DimensionId, Frame, FrameValue, MeasureId, Query, TimeRange } from '@netspectra/query';
import type { TableWindows } from '../planner/index.js';
import type { Snapshot } from './channel.js';

/** Answers one query. Rejects with ApiErrors. */
export type AskLive = (
  query: Query,
  range: TimeRange,
  signal: AbortSignal,
) => Promise<{ readonly frames: readonly Frame[]; readonly range: TimeRange }>;

export interface SnapshotDeps {
  readonly ask: AskLive;
  readonly windows: TableWindows;
  /** event time up to which all is stored, ms; null when nothing is */
  readonly watermark: (signal: AbortSignal) => Promise<number | null>;
}

const listed = 10;
const measures: MeasureId[] = ['bits_per_second', 'packets_per_second'];

function rowsOf(frame: Frame | undefined): Record<string, FrameValue>[] {
  const { fields } = frame?.schema ?? { fields: [] };
  const { values } = frame?.data ?? { values: [] };
  return (values[0] ?? []).map((_, row) =>
    Object.fromEntries(fields.map(({ name }, i) => [name, values[i]?.[row] ?? null])),
  );
}

/** The last whole window that ends at or before the watermark. */
const lastWindow = (watermarkMs: number, seconds: number): TimeRange => {
  const width = seconds * 1000;
  const toMs = Math.floor(watermarkMs / width) * width;
  return { fromMs: toMs - width, toMs };
};

/** Live snapshots of one filter. */
export function liveSnapshot({ ask, windows, watermark }: SnapshotDeps, filter: string): Snapshot {
  let known: { readonly watermarkMs: number; readonly parts: object } | undefined;
  const part = async (groupBy: DimensionId[], range: TimeRange, signal: AbortSignal) => {
    const query: Query = { refId: 'live', type: 'table', measures, groupBy, filter, limit: listed };
    const { frames, range: asked } = await ask(query, range, signal);
    return { from: asked.fromMs, to: asked.toMs, rows: rowsOf(frames[0]) };
  };
  return async (signal) => {
    const watermarkMs = await watermark(signal);
    if (watermarkMs === null) return { time: Date.now(), watermark: null };
    if (known?.watermarkMs !== watermarkMs) {
      const counters = lastWindow(watermarkMs, windows.counterSeconds);
      const flows = lastWindow(watermarkMs, windows.flowSeconds);
      const [rates, protocols, applications, talkers] = await Promise.all([
        part([], counters, signal),
        part(['protocol'], counters, signal),
        part(['application'], counters, signal),
        part(['src_ip'], flows, signal),
      ]);
      const { rows, ...time } = rates;
      known = { watermarkMs, parts: { rates: { ...time, ...rows[0] }, protocols, applications, talkers } };
    }
    return { time: Date.now(), watermark: watermarkMs, ...known.parts };
  };
}
