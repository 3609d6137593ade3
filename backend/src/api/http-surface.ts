/**
 * What holds for every route: the name of the request, compressed answers, problems for whatever goes wrong before or beside
 * a handler, and the metric of durations.
 */
import compress from '@fastify/compress';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { watchMethods } from './methods.js';
import { ApiError, problem, problemOf } from './problem.js';

/** Answers from this size on are worth compressing, bytes. */
const compressBytesMin = 1_024;
/** Everything but SSE, whose events must not wait in a compressor. */
const compressible =
  /^(text\/(csv|plain|html|css|javascript)|application\/(problem\+json|json|x-ndjson|javascript)|image\/svg\+xml)(;|$)/;

/** Headers of every answer. */
export const nameAnswer = (reply: FastifyReply, requestId: string): FastifyReply =>
  reply.header('x-request-id', requestId).header('x-content-type-options', 'nosniff');

/** Set all of it up; call before the first route registers. */
export function addHttpSurface(app: FastifyInstance, metrics: Registry): void {
  app.addHook('onRequest', async (request, reply) => {
    void nameAnswer(reply, request.id);
  });
  // JSON only: no route takes text, and a page of another origin can send that without asking (CORS simple requests).
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new ApiError('media-type', 'send the body as it is, without content-encoding');
    }
  });
  void app.register(compress, {
    encodings: ['gzip', 'identity'],
    threshold: compressBytesMin,
    customTypes: compressible,
    // Bodies are small, and one that inflates is an attack.
    globalDecompression: false,
  });
  addProblems(app);
  addDurations(app, metrics);
}

function addProblems(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const { problem: document, unexpected } = problemOf(error, request.id);
    if (unexpected) request.log.error({ err: error }, 'a request failed');
    if (document.status === 503) void reply.header('retry-after', '1');
    void reply.code(document.status).type('application/problem+json').send(document);
  });
  const methodsOf = watchMethods(app);
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsOf(request.url.split('?', 1)[0] ?? '');
    // A route that knows the method and still has nothing is a folder without this file.
    const wrongMethod = allowed.length > 0 && !allowed.includes(request.method);
    const document = wrongMethod
      ? problem('method-not-allowed', `use ${allowed.join(' or ')} here`, request.id)
      : problem('not-found', 'there is nothing at this address; /docs lists what there is', request.id);
    if (wrongMethod) void reply.header('allow', allowed.join(', '));
    void reply.code(document.status).type('application/problem+json').send(document);
  });
}

function addDurations(app: FastifyInstance, metrics: Registry): void {
  const seconds = new Histogram({
    name: 'netspectra_api_request_duration_seconds',
    help: 'Time from the request line to the end of the answer, by route and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.02, 0.1, 0.3, 1, 3, 10, 30],
    registers: [metrics],
  });
  app.addHook('onResponse', async (request, reply) => {
    // Unknown addresses share one label: a scanner must not make a time series per path it tries.
    const route = request.routeOptions.url ?? 'unknown';
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    seconds.observe(labels, reply.elapsedTime / 1000);
  });
}
