/**
 * Queries with `queryType: "alerts"`: what alert rules and detectors noticed in the range, for annotations and for tables of
 * events. Runs in a browser.
 */

export const alertsQueryType = 'alerts';

/** Which alerts; absent: all. What values there are, the API says. */
export interface AlertSelection {
  /** alert (of a rule) or detector */
  readonly kind?: string;
  readonly severity?: string;
  readonly state?: string;
  /** id of a rule, or name of a detector */
  readonly source?: string;
  /** part of the name or summary */
  readonly search?: string;
}

const keys = ['kind', 'severity', 'state', 'source', 'search'] as const satisfies readonly (keyof AlertSelection)[];

/** The selection of a stored query, or undefined when it asks for something else. Keys that are none of ours are left out. */
export function alertSelection(stored: unknown): AlertSelection | undefined {
  const { queryType, alerts } = (stored ?? {}) as Record<string, unknown>;
  if (queryType !== alertsQueryType) return undefined;
  const given = (typeof alerts === 'object' && alerts !== null ? alerts : {}) as Record<string, unknown>;
  return Object.fromEntries(
    keys.flatMap((key) => (typeof given[key] === 'string' && given[key] !== '' ? [[key, given[key]]] : [])),
  );
}
