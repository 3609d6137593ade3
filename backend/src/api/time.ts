/** Time ranges of requests. */
import { parseTime } from '@netspectra/query';
import type { TimeInput, TimeRange } from '@netspectra/query';
import { invalid } from './problem.js';

/** Last second that a DateTime column holds (ClickHouse: UInt32 seconds, year 2106), less a year for alignment. */
const millisMax = (0xffffffff - 366 * 86_400) * 1000;

/** A moment that stores can hold, milliseconds since 1970; throws a validation ApiError at `pointer`. */
export function timeAt(input: TimeInput, pointer: string): number {
  const millis = parseTime(input);
  if (millis === undefined || millis < 0 || millis > millisMax) {
    throw invalid(
      pointer,
      'must be a time from 1970 to 2105: RFC 3339 with an offset (2026-01-31T12:00:00Z), or milliseconds since 1970',
    );
  }
  return Math.floor(millis);
}

/**
 * A range of event time, `from` included, `to` not.
 * Throws a validation ApiError when it is empty, reversed or longer than `rangeSecondsMax`.
 * @param pointer where `from` and `to` stand in the request
 */
export function parseRange(from: TimeInput, to: TimeInput, rangeSecondsMax: number, pointer = '#'): TimeRange {
  const fromMs = timeAt(from, `${pointer}/from`);
  const toMs = timeAt(to, `${pointer}/to`);
  if (toMs <= fromMs) throw invalid(`${pointer}/to`, '`to` must be later than `from`');
  if (toMs - fromMs > rangeSecondsMax * 1000) {
    throw invalid(`${pointer}/from`, `the range may span at most ${rangeSecondsMax} seconds (api.max_range)`);
  }
  return { fromMs, toMs };
}
