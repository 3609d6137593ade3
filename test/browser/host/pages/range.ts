/** The time range of the address: `?from=...&to=...` as Grafana writes it, the last hour without. */
import type { TimeRange } from '@grafana/data';
import { dateTime, rangeUtil } from '@grafana/data';

const point = (text: string): TimeRange['raw']['from'] => (/^\d+$/.test(text) ? dateTime(Number(text)) : text);

export function rangeOfAddress(): TimeRange {
  const parameters = new URLSearchParams(window.location.search);
  return rangeUtil.convertRawToRange({
    from: point(parameters.get('from') ?? 'now-1h'),
    to: point(parameters.get('to') ?? 'now'),
  });
}
