/** Health, readiness, metrics and the OpenAPI document. */
import { markRegistry } from '../caching.js';
import { whenClosed } from '../connections.js';
import { ApiError } from '../problem.js';
import { answers, healthResponseSchema, openApiResponseSchema, textAnswers } from '../schemas/index.js';
import type { App, RouteContext } from './context.js';

const readyAnswers: Record<string, object> = {
  ...textAnswers('Ready', 'text/plain'),
  503: textAnswers('Not ready', 'text/plain')['200'] ?? {},
};

export function operationRoutes(app: App, context: RouteContext): void {
  const { runner, status, metrics, version } = context;
  app.get(
    '/healthz',
    {
      config: { role: 'public' },
      schema: {
        tags: ['operation'],
        summary: 'Is the process alive, and what is it doing',
        description: 'Answers as long as the process runs, without asking the store.',
        response: answers('Alive', healthResponseSchema),
      },
    },
    async (_request, reply) => {
      const { dependencies, watermarkMs } = status();
      return reply.send({
        status: 'ok',
        version,
        uptime_seconds: Math.round(process.uptime()),
        dependencies,
        watermarkMs,
      });
    },
  );
  app.get(
    '/readyz',
    {
      config: { role: 'public' },
      schema: {
        tags: ['operation'],
        summary: 'Can it answer: one line per dependency, 503 when one of them cannot',
        description: 'Asks the store. Its question does not wait behind those of clients.',
        response: readyAnswers,
      },
    },
    async (_request, reply) => {
      const begin = performance.now();
      // The server's own question: a client that asks much must not make the process look unready.
      const { signal, end } = runner.ownWork();
      whenClosed(reply, end);
      const store = await runner.run('none', { sql: 'SELECT 1 AS one', params: {} }, signal).then(
        () => ({ name: 'store', ok: true, detail: `answers in ${Math.round(performance.now() - begin)} ms` }),
        (error: unknown) => ({
          name: 'store',
          ok: false,
          detail: error instanceof ApiError ? error.message : 'does not answer',
        }),
      );
      const all = [store, ...status().dependencies];
      const lines = all.map(
        ({ name, ok, detail }) => `${name}: ${ok ? 'ok' : 'failed'}: ${detail.replace(/\s+/g, ' ')}`,
      );
      return reply
        .code(all.every(({ ok }) => ok) ? 200 : 503)
        .type('text/plain; charset=utf-8')
        .serializer((text: string) => text)
        .send(`${lines.join('\n')}\n`);
    },
  );
  app.get(
    '/metrics',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['operation'],
        summary: 'Metrics of the process in the Prometheus text format',
        description: 'The page of metrics in the documentation lists them.',
        response: textAnswers('Metrics', 'text/plain'),
      },
    },
    async (_request, reply) =>
      reply
        .type(metrics.contentType)
        .serializer((text: string) => text)
        .send(await metrics.metrics()),
  );
  app.get(
    '/openapi.json',
    {
      config: { role: 'public', etag: true },
      schema: {
        tags: ['operation'],
        summary: 'This document',
        description: 'Made from the schemas that check requests.',
        response: answers('An OpenAPI 3.1 document', openApiResponseSchema),
      },
    },
    async (_request, reply) => {
      markRegistry(reply);
      return reply.send(app.swagger());
    },
  );
}
