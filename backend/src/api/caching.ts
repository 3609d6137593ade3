/**
 * What may be kept, and how to ask whether it changed (RFC 9110 section 13, RFC 9111).
 *
 * Every JSON answer of a route with `config: { etag: true }` has a weak ETag over what it says: how long the store took and
 * how much it read are left out, so the same question over the same data has the same tag. `If-None-Match` with that tag is
 * answered by 304 without a body, on POST /query too: it only reads (as QUERY does, draft-ietf-httpbis-safe-method-w-body).
 *
 * An answer whose range ends before the watermark is final and may be kept for a minute: late packets still count, so
 * "for ever" would be wrong. Everything else is `no-store`.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** the route's JSON answers have an ETag */
    etag?: boolean;
  }
}

/** Seconds for which a final answer may be kept. */
export const finalSeconds = 60;
/** Seconds for which lists that change with the program may be kept. */
export const registrySeconds = 300;

const finalControl = `private, max-age=${finalSeconds}`;

/** Let the client keep this answer: its range is over. */
export const markFinal = (reply: FastifyReply, final: boolean): void => {
  if (final) void reply.header('cache-control', finalControl);
};

/** Let the client keep this answer, which changes only with the program. */
export const markRegistry = (reply: FastifyReply): void => {
  void reply.header('cache-control', `private, max-age=${registrySeconds}`);
};

/** An answer's meta without what differs from run to run. */
function steady(part: unknown): unknown {
  if (typeof part !== 'object' || part === null || !('meta' in part)) return part;
  const { meta, ...rest } = part;
  return { ...rest, meta: { ...(meta as object), elapsedMs: 0, rowsRead: 0 } };
}

/** Weak ETag of an answer: equal for answers that say the same. */
export function etagOf(payload: unknown): string {
  const { results } = payload as { results?: Readonly<Record<string, unknown>> };
  const said =
    typeof results === 'object' && results !== null
      ? Object.entries(results).map(([refId, result]) => [refId, steady(result)])
      : steady(payload);
  return `W/"${createHash('sha256').update(JSON.stringify(said)).digest('base64url').slice(0, 22)}"`;
}

/** Whether an If-None-Match header names the tag (weak comparison, RFC 9110 section 8.8.3.2). */
export function matchesTag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const opaque = (tag: string): string => tag.trim().replace(/^W\//, '');
  return header.split(',').some((tag) => opaque(tag) === opaque(etag));
}

/** Give the routes that want one their ETag, and answer 304 where the client has the answer. */
export function addCaching(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    if (request.routeOptions.config.etag === true) void reply.header('vary', 'accept, authorization');
  });
  app.addHook('preSerialization', async (request, reply, payload) => {
    if (request.routeOptions.config.etag === true && reply.statusCode === 200) {
      void reply.header('etag', etagOf(payload));
    }
    return payload;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const etag = reply.getHeader('etag');
    const known = request.headers['if-none-match'];
    if (reply.statusCode !== 200 || typeof etag !== 'string' || !matchesTag(known, etag)) return payload;
    void reply.code(304).removeHeader('content-type').removeHeader('content-length');
    return null;
  });
}
