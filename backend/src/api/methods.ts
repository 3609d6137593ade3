/** Which methods an address knows, for 405 and its `Allow` header (RFC 9110, sections 10.2.1 and 15.5.6). */
import type { FastifyInstance } from 'fastify';

/** Watch the routes as they register; call before the first one. The result names the methods of a path, sorted. */
export function watchMethods(app: FastifyInstance): (path: string) => string[] {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const parts = url.split('/').map((part) => {
      if (part.startsWith(':')) return '[^/]+';
      return part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    });
    routes.push({ pattern: new RegExp(`^${parts.join('/')}$`), methods: [method].flat() });
  });
  return (path) => {
    const known = routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? methods : []));
    return [...new Set(known)].sort();
  };
}
