/** Health, readiness, metrics and the OpenAPI document. */
import { markRegistry } from '../caching.js';
import { HealthChecks, healthLevel, readyText } from '../../health.js';
import type { DependencyStatus } from '../../health.js';
import { schemaVersion } from '../../storage/index.js';
import { ApiError } from '../problem.js';
import { answers, healthResponseSchema, openApiResponseSchema, textAnswers } from '../schemas/index.js';
import type { App, RouteContext } from './context.js';

const readyAnswers: Record<string, object> = {
  ...textAnswers('Ready', 'text/plain'),
  503: textAnswers('Not ready', 'text/plain')['200'] ?? {},
};

export function operationRoutes(app: App, context: RouteContext): void {
  const { status, metrics, version } = context;
  const checks = new HealthChecks([{ name: 'store', check: (signal) => storeStatus(context, signal) }]);
  app.get(
    '/healthz',
    {
      config: { role: 'public' },
      schema: {
        tags: ['operation'],
        summary: 'Is the process alive, and what is it doing',
        description:
          'Answers 200 as long as the process runs, and does not wait for the store: `dependencies` is what was found ' +
          'last, and `status` how well it works (`warn`, `error`: as /readyz says). Restart by this, alert by /readyz.',
        response: answers('Alive', healthResponseSchema),
      },
    },
    async (_request, reply) => {
      const { dependencies: own, watermarkMs } = status();
      const dependencies = [...(checks.latest()?.dependencies ?? []), ...own];
      return reply.send({
        status: healthLevel(dependencies),
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
        summary: 'Can it answer: one line per dependency, 503 when one that is needed cannot',
        description:
          'Lines are `name: ok|warn|failed: detail`; what it can do without is `warn`. Asks the store, at most once a ' +
          'second and for two seconds; its question does not wait behind those of clients.',
        response: readyAnswers,
      },
    },
    async (_request, reply) => {
      const { dependencies: found } = await checks.report();
      const dependencies: readonly DependencyStatus[] = [...found, ...status().dependencies];
      return reply
        .code(healthLevel(dependencies) === 'error' ? 503 : 200)
        .type('text/plain; charset=utf-8')
        .serializer((text: string) => text)
        .send(readyText(dependencies));
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

/** Does the store answer, and is its schema ours. The server's own question: a client that asks much does not make it wait. */
async function storeStatus({ runner }: RouteContext, aborted: AbortSignal): Promise<Omit<DependencyStatus, 'name'>> {
  const begin = performance.now();
  const { signal, end } = runner.ownWork();
  aborted.addEventListener('abort', end, { once: true });
  try {
    const { columns } = await runner.run(
      'none',
      { sql: 'SELECT max(version) AS newest FROM schema_migrations', params: {} },
      signal,
    );
    const newest = Number(columns.get('newest')[0]);
    const detail = `answers in ${Math.round(performance.now() - begin)} ms, schema ${newest}`;
    if (newest === schemaVersion) return { ok: true, detail };
    return {
      ok: false,
      optional: newest > schemaVersion,
      detail: `${detail}; this process needs ${schemaVersion}: start it anew in the version of the others`,
    };
  } catch (error) {
    return { ok: false, detail: error instanceof ApiError ? error.message : 'does not answer' };
  } finally {
    aborted.removeEventListener('abort', end);
    end();
  }
}
