/**
 * The routes of the API that Grafana's front end may reach through the datasource, and the Grafana role that each needs.
 * What is not listed does not exist: a new route of the API is out of reach until a line stands here. Runs in a browser,
 * where pages hide what the user may not do; the server side decides.
 *
 * Reading is for everybody whom Grafana lets query the datasource; Grafana has checked that before it calls.
 */

export const grafanaRoles = ['Viewer', 'Editor', 'Admin'] as const;
export type GrafanaRole = (typeof grafanaRoles)[number];

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** below /api/v1/ of the API; a segment that begins with `:` stands for any value */
  readonly path: string;
  /** least role in the organisation; absent: everybody who may query */
  readonly role?: 'Editor' | 'Admin';
}

const read = (...paths: string[]): Route[] => paths.map((path) => ({ method: 'GET', path }));

/** A list, its objects, their history, and changes of them. */
const managed = (path: string, change: 'Editor' | 'Admin'): Route[] => [
  ...read(path, `${path}/:id`, `${path}/:id/history`),
  { method: 'POST', path, role: change },
  { method: 'PUT', path: `${path}/:id`, role: change },
  { method: 'DELETE', path: `${path}/:id`, role: change },
];

export const routes: readonly Route[] = [
  ...read('dimensions', 'measures', 'values', 'flows', 'hosts/active', 'hosts/:address', 'probes', 'engines', 'alerts'),
  // Questions that need a body.
  { method: 'POST', path: 'query' },
  { method: 'POST', path: 'filter/validate' },
  { method: 'POST', path: 'filter/complete' },
  { method: 'POST', path: 'rules/test' },
  ...managed('rules', 'Editor'),
  ...managed('capture-rules', 'Admin'),
  { method: 'GET', path: 'tokens', role: 'Admin' },
  { method: 'POST', path: 'tokens', role: 'Admin' },
  { method: 'GET', path: 'tokens/:id', role: 'Admin' },
  { method: 'PUT', path: 'tokens/:id', role: 'Admin' },
  { method: 'POST', path: 'tokens/:id/rotate', role: 'Admin' },
  { method: 'DELETE', path: 'tokens/:id', role: 'Admin' },
  { method: 'GET', path: 'audit', role: 'Admin' },
];

/** The datasource's own answer: is the API ready, what are the limits, what may this user do. */
export const statusPath = 'status';

/** Whether a user with `role` may do what needs `needed`. */
export const mayUse = (role: string, needed: GrafanaRole | undefined): boolean =>
  needed === undefined || grafanaRoles.indexOf(role as GrafanaRole) >= grafanaRoles.indexOf(needed);
