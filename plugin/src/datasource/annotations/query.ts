/** Queries of annotations: which alerts and detector events are drawn. */
import { alertKinds, alertSeverities, alertStates } from '../resources/alerts.js';
import type { AlertKind, AlertSeverity, AlertState } from '../resources/alerts.js';
import type { NetSpectraQuery } from '../types.js';

/** `queryType` of an annotation's target; the server side never sees one. */
export const alertsQueryType = 'alerts';

export interface AlertsFilter {
  readonly kind?: AlertKind;
  readonly severity?: AlertSeverity;
  readonly state?: AlertState;
  /** part of name or summary */
  readonly search?: string;
  /** id of a rule, or name of a detector */
  readonly source?: string;
}

export interface AnnotationTarget extends NetSpectraQuery {
  readonly queryType: typeof alertsQueryType;
  readonly alerts: AlertsFilter;
}

/** A target of any origin as an annotation's: keys that are none of ours are left out. */
export function annotationTarget(target: unknown, base: NetSpectraQuery): AnnotationTarget {
  const given = (typeof target === 'object' && target !== null && 'alerts' in target ? target.alerts : {}) as Record<
    string,
    unknown
  >;
  const { kind, severity, state, search, source } = given;
  const one = <T extends string>(values: readonly T[], value: unknown): T | undefined =>
    values.find((each) => each === value);
  const alerts = {
    kind: one(alertKinds, kind),
    severity: one(alertSeverities, severity),
    state: one(alertStates, state),
    search: text(search),
    source: text(source),
  };
  return {
    ...base,
    queryType: alertsQueryType,
    alerts: Object.fromEntries(Object.entries(alerts).filter(([, value]) => value !== undefined)),
  };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** True for a query that asks for alerts. */
export function isAnnotationTarget(query: NetSpectraQuery): query is AnnotationTarget {
  return query.queryType === alertsQueryType && 'alerts' in query;
}
