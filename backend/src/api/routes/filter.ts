/** POST /api/v1/filter/validate: is this a filter, what does it mean, and where is it wrong. */
import { validateFilter } from '@netspectra/query';
import { filterErrors } from '../planner/index.js';
import { answers, filterValidateResponseSchema, filterValidateSchema } from '../schemas/index.js';
import type { App } from './context.js';

export function filterRoute(app: App): void {
  app.post(
    '/api/v1/filter/validate',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['query'],
        summary: 'Check a filter while it is typed',
        description: 'A wrong filter is a good answer here: 200 with `ok: false` and the mistakes.',
        body: filterValidateSchema,
        response: answers('What the filter means, or its mistakes', filterValidateResponseSchema),
      },
    },
    async (request, reply) => {
      const result = validateFilter(request.body.filter);
      if (result.ok) return reply.send(result);
      return reply.send({ ...result, errors: filterErrors(result.errors, '#/filter') });
    },
  );
}
