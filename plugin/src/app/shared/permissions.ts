/**
 * What this user may do, for pages to show. Grafana's roles (RBAC) can take something away here and not add it: the server side
 * of the datasource decides by the role in the organisation, and a button that it refuses is no use.
 */
import { config, hasPermission } from '@grafana/runtime';
import type { GrafanaRole } from '../../../server/src/contract/routes.js';
import { mayUse } from '../../../server/src/contract/routes.js';

/** Actions of `roles` in plugin.json, with the role in the organisation that each stands for. */
export const actions = {
  read: { action: 'netspectra-app.traffic:read', role: 'Viewer' },
  changeCaptureRules: { action: 'netspectra-app.capture-rules:write', role: 'Admin' },
} as const satisfies Record<string, { readonly action: string; readonly role: GrafanaRole }>;

/** Whether a page offers something. Who has none of the actions is of a Grafana that does not know them: the role decides. */
export function may(what: keyof typeof actions): boolean {
  const { action, role } = actions[what];
  const known = Object.values(actions).some((each) => hasPermission(each.action));
  return mayUse(config.bootData.user.orgRole, role) && (!known || hasPermission(action));
}
