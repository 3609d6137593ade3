/** All routes. A new one is a file here and a line below; each declares the role it needs. */
import type { App, RouteContext } from './context.js';
import { filterRoute } from './filter.js';
import { flowsRoute } from './flows.js';
import { operationRoutes } from './operation.js';
import { queryRoute } from './query.js';
import { registryRoutes } from './registry.js';

export type { RouteContext } from './context.js';

export function registerRoutes(app: App, context: RouteContext): void {
  queryRoute(app, context);
  flowsRoute(app, context);
  registryRoutes(app, context);
  filterRoute(app);
  operationRoutes(app, context);
}
