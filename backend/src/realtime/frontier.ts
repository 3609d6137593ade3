/** Up to which packet time everything is stored, from what each stream of packets tells of itself. */

/** A stream, (probe, epoch), as its accounts tell. Times are milliseconds since 1970. */
export interface StreamProgress {
  /** into how many partitions it is cut */
  readonly partitions: number;
  /** partitions of which something is stored */
  readonly seen: number;
  /** it ended, and all of it is stored */
  readonly complete: boolean;
  /** packet time up to which the partition that is furthest behind is stored */
  readonly untilMs: number;
  /** the same of the one that is furthest ahead */
  readonly newestMs: number;
  /** clock time since something of it was stored last, milliseconds */
  readonly silentMs: number;
}

export interface Frontier {
  /** packet time below which nothing more is expected; null when that is not known now */
  readonly closedMs: number | null;
  /** no stream is under way, and none was a moment ago: also the window of the very last packet is over */
  readonly atRest: boolean;
}

/** A stream that stores nothing for so long is not waited for; longer than an engine's lease, so that a take-over is. */
export const stallMs = 30_000;
/** A stream so far behind another one reads the past: it is not what happens now. */
const pastMs = 5 * 60_000;
/** A probe that ended may be started again at once, and capture in the same second. */
const restMs = 5_000;

/** The frontier of several streams: the one that is furthest behind decides, of those that are under way. */
export function frontierOf(streams: readonly StreamProgress[]): Frontier {
  if (streams.length === 0) return { closedMs: null, atRest: true };
  const underWay = streams.filter(({ complete, silentMs }) => !complete && silentMs < stallMs);
  const newest = (of: readonly StreamProgress[]): number =>
    of.reduce((max, { newestMs }) => Math.max(max, newestMs), 0);
  if (underWay.length === 0) {
    return { closedMs: newest(streams), atRest: streams.every(({ silentMs }) => silentMs >= restMs) };
  }
  const now = newest(underWay) - pastMs;
  const live = underWay.filter(({ newestMs }) => newestMs >= now);
  const known = live.every(({ seen, partitions }) => seen >= partitions);
  return { closedMs: known ? Math.min(...live.map(({ untilMs }) => untilMs)) : null, atRest: false };
}
