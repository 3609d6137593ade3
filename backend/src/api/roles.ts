/**
 * The one place for access control. Every route declares the role it needs (`config: { role }`); a route without one
 * does not register. Who has which role is decided in `authorize`: as long as there are no tokens, the API listens on
 * loopback only, and everyone who reaches it there has every role.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from './problem.js';

/** `public` needs no proof of identity (health checks); the others include those before them. */
export type Role = 'public' | 'viewer' | 'editor' | 'admin';

const roles: readonly Role[] = ['public', 'viewer', 'editor', 'admin'];

declare module 'fastify' {
  interface FastifyContextConfig {
    role?: Role;
  }
}

/** Decides whether a request may use a route of this role; throws an ApiError when not. */
export type Authorize = (request: FastifyRequest, role: Role) => void | Promise<void>;

/** Host names under which a loopback listener may be addressed; others mean DNS rebinding by a web page. */
const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/**
 * Without tokens the one thing that keeps a web page in the user's browser from reading this API through a DNS name that
 * points at 127.0.0.1 is the Host header, so it must name loopback (RFC 9110 section 7.4: 421 otherwise).
 */
export const authorizeLoopback: Authorize = (request) => {
  if (!loopbackHost.test(request.headers.host ?? '')) {
    throw new ApiError(
      'misdirected',
      'without access control this server answers only to localhost, 127.0.0.1 and [::1]',
    );
  }
};

/** Hold every route to declaring a role, and ask `authorize` before each handler. */
export function requireRoles(app: FastifyInstance, docsPrefix: string, authorize: Authorize): void {
  app.addHook('onRoute', (route) => {
    const config = (route.config ??= {}) as { role?: Role };
    // The documentation pages come from a plugin that knows no roles.
    if (config.role === undefined && (route.url === docsPrefix || route.url.startsWith(`${docsPrefix}/`))) {
      config.role = 'viewer';
    }
    if (config.role === undefined || !roles.includes(config.role)) {
      throw new Error(`the route ${String(route.method)} ${route.url} declares no role (config: { role })`);
    }
  });
  app.addHook('preHandler', async (request: FastifyRequest, _reply: FastifyReply) => {
    const { role } = request.routeOptions.config as { role?: Role };
    await authorize(request, role ?? 'public');
  });
}
