/** All routes. A new one is a file here and a line below; each declares the role it needs. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { exportAnswers } from '../export/query-export.js';
import { alertsRoute } from './alerts.js';
import { auditRoute } from './audit.js';
import { captureRulesRoutes } from './capture-rules.js';
import type { App, RouteContext } from './context.js';
import { filterRoute } from './filter.js';
import { flowsRoute } from './flows.js';
import { hostRoute } from './host.js';
import { hostsRoutes } from './hosts.js';
import { liveRoute } from './live.js';
import { operationRoutes } from './operation.js';
import { probesRoutes } from './probes.js';
import { queryRoute } from './query.js';
import { registryRoutes } from './registry.js';
import { rulesRoutes } from './rules.js';
import { tokensRoutes } from './tokens.js';

export type { RouteContext } from './context.js';

export function registerRoutes(app: App, context: RouteContext): void {
  // In a scope of its own: its answers also come as CSV and NDJSON.
  void app.register(async (scope) => {
    exportAnswers(scope);
    queryRoute(scope.withTypeProvider<TypeBoxTypeProvider>(), context);
  });
  flowsRoute(app, context);
  registryRoutes(app, context);
  filterRoute(app);
  hostsRoutes(app, context);
  hostRoute(app, context);
  liveRoute(app, context);
  probesRoutes(app, context);
  rulesRoutes(app, context);
  captureRulesRoutes(app, context);
  alertsRoute(app, context);
  tokensRoutes(app, context);
  auditRoute(app, context);
  operationRoutes(app, context);
}
