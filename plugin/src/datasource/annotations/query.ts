/** Queries for alerts: of annotations and of panels that list events. The server side asks them (contract/alerts.ts). */
import type { ScopedVars } from '@grafana/data';
import type { AlertSelection } from '../../../server/src/contract/alerts.js';
import { alertSelection, alertsQueryType } from '../../../server/src/contract/alerts.js';
import type { Replace } from '../template/variable.js';
import type { NetSpectraQuery } from '../types.js';

export const alertKinds = ['alert', 'detector'] as const;
export const alertSeverities = ['info', 'warning', 'critical'] as const;
export const alertStates = ['pending', 'firing', 'resolved'] as const;

/** refId that Grafana gives every annotation's query, whatever is stored. */
export const annotationRefId = 'Anno';
/** More regions than these say nothing on a panel. */
const annotationsMax = 1_000;

export interface AlertsQuery extends NetSpectraQuery {
  readonly queryType: typeof alertsQueryType;
  readonly alerts: AlertSelection;
}

/** True for a query that asks for alerts. */
export const isAlertsQuery = (query: NetSpectraQuery): query is AlertsQuery => alertSelection(query) !== undefined;

/** A target of any origin as a query for alerts: keys that are none of ours are left out. */
export function alertsQuery(target: unknown, base: NetSpectraQuery): AlertsQuery {
  const given = typeof target === 'object' && target !== null && 'alerts' in target ? target.alerts : {};
  const alerts = alertSelection({ queryType: alertsQueryType, alerts: given }) ?? {};
  return { ...base, queryType: alertsQueryType, alerts };
}

/** The query of an annotation, stored in whatever shape. */
export const annotationTarget = (target: unknown, base: NetSpectraQuery): AlertsQuery => ({
  ...alertsQuery(target, base),
  limit: annotationsMax,
});

/** The query with values in place of variables. */
export const fillAlerts = (query: AlertsQuery, scoped: ScopedVars, replace: Replace): AlertsQuery => ({
  ...query,
  alerts: Object.fromEntries(
    Object.entries(alertSelection(query) ?? {}).map(([key, value]) => [key, replace(value, scoped)]),
  ),
});
