/** Alerts and detector events as the API lists them (GET /api/v1/alerts). */

export const alertKinds = ['alert', 'detector'] as const;
export type AlertKind = (typeof alertKinds)[number];
export const alertSeverities = ['info', 'warning', 'critical'] as const;
export type AlertSeverity = (typeof alertSeverities)[number];
export const alertStates = ['pending', 'firing', 'resolved'] as const;
export type AlertState = (typeof alertStates)[number];

export interface AlertEvent {
  readonly id: string;
  readonly kind: AlertKind;
  readonly source: string;
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly state: AlertState;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly startedAtMs: number;
  /** null while it goes on */
  readonly endedAtMs: number | null;
  readonly summary: string;
}

export interface AlertsPage {
  readonly alerts: readonly AlertEvent[];
  readonly next: string | null;
}
