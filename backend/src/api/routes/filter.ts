/** POST /api/v1/filter/…: is this a filter, what does it mean, where is it wrong, and how can it go on. */
import { captureFilter, completeFilter, validateFilter } from '@netspectra/query';
import { filterErrors } from '../planner/index.js';
import {
  answers,
  filterCompleteResponseSchema,
  filterCompleteSchema,
  filterValidateResponseSchema,
  filterValidateSchema,
} from '../schemas/index.js';
import type { App } from './context.js';

const pointer = '#/filter';

function captureOf(filter: string) {
  const result = captureFilter(filter);
  return result.ok ? result : { ok: false as const, reasons: filterErrors(result.reasons, pointer) };
}

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
      const { filter } = request.body;
      const result = validateFilter(filter);
      if (result.ok) return reply.send({ ...result, capture: captureOf(filter) });
      return reply.send({ ...result, errors: filterErrors(result.errors, pointer) });
    },
  );

  app.post(
    '/api/v1/filter/complete',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['query'],
        summary: 'What could be typed next in a filter',
        description:
          'Fields, operators, values and keywords that fit at the cursor, best first, also in wrong and unfinished texts.',
        body: filterCompleteSchema,
        response: answers('What could stand at the cursor', filterCompleteResponseSchema),
      },
    },
    async (request, reply) => {
      const { filter, offset = filter.length, values = [] } = request.body;
      return reply.send(completeFilter(filter, offset, { values }));
    },
  );
}
