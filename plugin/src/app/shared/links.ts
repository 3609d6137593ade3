/** Addresses of the explorer, made in one place: its pages, panels of dashboards, alerts. */
import type { DataQuery } from '@grafana/schema';
import { pages } from './ids.js';

export const explorerViews = ['overview', 'host', 'flows', 'graph', 'changes'] as const;
export type ExplorerView = (typeof explorerViews)[number];

export interface ExplorerPlace {
  readonly view?: ExplorerView;
  /** an address, of the view `host` */
  readonly host?: string;
  readonly filter?: string;
  /** `now-1h`, RFC 3339, or milliseconds since 1970 */
  readonly from?: string | number;
  readonly to?: string | number;
}

/** The address of a place in the explorer. */
export function explorerUrl(place: ExplorerPlace): string {
  const parameters = new URLSearchParams();
  for (const key of ['view', 'host', 'filter', 'from', 'to'] as const) {
    const value = place[key];
    if (value !== undefined && value !== '') parameters.set(key, String(value));
  }
  const text = parameters.toString();
  return text === '' ? pages.explorer : `${pages.explorer}?${text}`;
}

/** The filter that all of a panel's queries have in common, or undefined: one query, or several with the same filter. */
export function filterOfTargets(targets: readonly DataQuery[]): string | undefined {
  const filters = new Set(
    targets
      .filter(({ hide }) => hide !== true)
      .map((target) => ('filter' in target && typeof target.filter === 'string' ? target.filter : '')),
  );
  return filters.size === 1 ? [...filters][0] : undefined;
}
