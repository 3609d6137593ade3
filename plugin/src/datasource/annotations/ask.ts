/** Alerts of a time range, all pages of them up to a limit. */
import type { TimeRange } from '@grafana/data';
import type { AlertEvent, AlertsPage } from '../resources/alerts.js';
import type { ResourceCaller } from '../resources/values.js';
import type { AlertsFilter } from './query.js';

/** More regions than these say nothing on a panel. */
export const annotationsMax = 1_000;
const pageSize = 250;

/** The latest alerts first. Rejects as the resource call does. */
export async function askAlerts(
  caller: Pick<ResourceCaller, 'getResource'>,
  filter: AlertsFilter,
  range: Pick<TimeRange, 'from' | 'to'>,
): Promise<AlertEvent[]> {
  const alerts: AlertEvent[] = [];
  let cursor: string | null = null;
  do {
    const page: AlertsPage = await caller.getResource<AlertsPage>('alerts', {
      from: range.from.valueOf(),
      to: range.to.valueOf(),
      ...filter,
      limit: pageSize,
      ...(cursor === null ? {} : { cursor }),
    });
    alerts.push(...page.alerts);
    cursor = page.next;
  } while (cursor !== null && alerts.length < annotationsMax);
  return alerts.slice(0, annotationsMax);
}
