/**
 * What a window held, asked of the store the way users ask, so that an event says what a query for that window says: rates,
 * protocols and applications; and the top talkers of the last whole window of flow rows, which is wider.
 */
import type { DimensionId, Frame, FrameValue, MeasureId, Query, TimeRange } from '@netspectra/query';
import type { TableWindows } from '../planner/index.js';
import type { LiveSource } from './channel.js';

/** Answers one query. Rejects with ApiErrors. */
export type AskLive = (
  query: Query,
  range: TimeRange,
  signal: AbortSignal,
) => Promise<{ readonly frames: readonly Frame[]; readonly range: TimeRange }>;

/** How far everything is stored. Times are milliseconds since 1970. */
export interface LiveFrontier {
  /** packet time below which nothing more is expected */
  readonly closedMs: number;
  /** no capture is under way: the window of the last packet is over too */
  readonly atRest: boolean;
}

export interface LiveWindowsDeps {
  readonly ask: AskLive;
  readonly windows: TableWindows;
  /** null when nothing is stored */
  readonly frontier: (signal: AbortSignal) => Promise<LiveFrontier | null>;
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

/** The windows of one filter. */
export function liveWindows({ ask, windows, frontier }: LiveWindowsDeps, filter: string): LiveSource {
  const counterMs = windows.counterSeconds * 1000;
  const flowMs = windows.flowSeconds * 1000;
  let watermark = 0;
  let talkers: { readonly fromMs: number; readonly part: Promise<object> } | undefined;
  const part = async (groupBy: DimensionId[], range: TimeRange, signal: AbortSignal) => {
    const query: Query = { refId: 'live', type: 'table', measures, groupBy, filter, limit: listed };
    const { frames, range: asked } = await ask(query, range, signal);
    return { from: asked.fromMs, to: asked.toMs, rows: rowsOf(frames[0]) };
  };
  const talkersBefore = (toMs: number, signal: AbortSignal): Promise<object> => {
    const fromMs = Math.floor(toMs / flowMs) * flowMs - flowMs;
    if (talkers?.fromMs !== fromMs) {
      const asked = part(['src_ip'], { fromMs, toMs: fromMs + flowMs }, signal);
      talkers = { fromMs, part: asked };
      asked.catch(() => (talkers = undefined)); // the next one asks again
    }
    return talkers.part;
  };
  return {
    // A filter on what only flow rows have is answered in their windows: the planner says so by the range it took.
    width: async (signal) => {
      const { from, to } = await part([], { fromMs: 0, toMs: counterMs }, signal);
      return Math.max(counterMs, to - from);
    },
    closed: async (widthMs, signal) => {
      const known = await frontier(signal);
      if (!known) return null;
      watermark = known.closedMs;
      return known.atRest ? (Math.floor(known.closedMs / widthMs) + 1) * widthMs : known.closedMs;
    },
    window: async (fromMs, toMs, signal) => {
      const range = { fromMs, toMs };
      const [rates, ofHosts] = await Promise.all([part([], range, signal), talkersBefore(toMs, signal)]);
      const { rows, ...time } = rates;
      const [all] = rows;
      // Where nothing was, there is nothing to list.
      const nothing = { ...time, rows: [] };
      const [protocols, applications] = all?.['packets_per_second']
        ? await Promise.all([part(['protocol'], range, signal), part(['application'], range, signal)])
        : [nothing, nothing];
      return { time: Date.now(), watermark, rates: { ...time, ...all }, protocols, applications, talkers: ofHosts };
    },
  };
}
