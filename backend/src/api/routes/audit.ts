/** GET /api/v1/audit: who changed what, and who was refused. */
import { answers } from '../schemas/index.js';
import { auditQuerystring, auditResponseSchema } from '../schemas/events.js';
import { timeAt } from '../time.js';
import type { App, RouteContext } from './context.js';
import { cursorOf, managementOf, managing, positionOf } from './managed.js';

export function auditRoute(app: App, context: RouteContext): void {
  app.get(
    '/api/v1/audit',
    {
      config: { role: 'admin' },
      schema: {
        tags: ['management'],
        summary: 'Changes, and changes that were refused, newest first',
        querystring: auditQuerystring,
        response: answers('A page of the audit', auditResponseSchema),
      },
    },
    async (request, reply) => {
      const { from, to, action, actor, object, result, limit = 100, cursor } = request.query;
      const position = positionOf(cursor, ['number', 'string']);
      const page = await managing(() =>
        managementOf(context).audit.list({
          fromMs: from === undefined ? undefined : timeAt(from, '#/from'),
          toMs: to === undefined ? undefined : timeAt(to, '#/to'),
          action,
          actor,
          object,
          result,
          limit,
          after: position && { time: Number(position[0]), id: String(position[1]) },
        }),
      );
      const entries = page.entries.map(({ time, before, after, ...entry }) => ({
        ...entry,
        timeMs: time,
        versionBefore: before,
        versionAfter: after,
      }));
      return reply.send({ entries, next: cursorOf(page.next && [page.next.time, page.next.id]) });
    },
  );
}
