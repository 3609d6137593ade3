/**
 * Every route declares the role it needs (`config: { role }`); a route without one does not register. `authorize` decides
 * before the body is read, so that nobody who may not enter makes the server parse anything.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { grantedRoles } from '../../management/index.js';
import type { GrantedRole } from '../../management/index.js';

/** `public` needs no proof of identity (health checks); the others include those before them. */
export type Role = 'public' | GrantedRole;

const roles: readonly Role[] = ['public', ...grantedRoles];

declare module 'fastify' {
  interface FastifyContextConfig {
    role?: Role;
    /** the route changes something: the audit's name of the change (`rule.update`), noted when it is refused */
    change?: string;
  }
}

/** Decides whether a request may use a route of this role; throws an ApiError when not. */
export type Authorize = (request: FastifyRequest, reply: FastifyReply, role: Role) => void | Promise<void>;

/** Whether a role includes another. */
export const includesRole = (has: Role, needs: Role): boolean => roles.indexOf(has) >= roles.indexOf(needs);

/** Hold every route to declaring a role, and ask `authorize` before each handler. */
export function requireRoles(app: FastifyInstance, docsPrefix: string, authorize: Authorize): void {
  app.addHook('onRoute', (route) => {
    const config = (route.config ??= {}) as { role?: Role };
    // The documentation pages come from a plugin that knows no roles, and hold what /openapi.json tells everybody.
    if (config.role === undefined && (route.url === docsPrefix || route.url.startsWith(`${docsPrefix}/`))) {
      config.role = 'public';
    }
    if (config.role === undefined || !roles.includes(config.role)) {
      throw new Error(`the route ${String(route.method)} ${route.url} declares no role (config: { role })`);
    }
  });
  app.decorateRequest('identity', null);
  app.decorateRequest('clientAddress', '');
  app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    const { role } = request.routeOptions.config as { role?: Role };
    await authorize(request, reply, role ?? 'public');
  });
}
