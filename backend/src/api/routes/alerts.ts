/** GET /api/v1/alerts: what alert rules and detectors noticed. */
import type { TimeInput } from '@netspectra/query';
import { answers } from '../schemas/index.js';
import { alertsQuerystring, alertsResponseSchema } from '../schemas/events.js';
import { timeAt } from '../time.js';
import type { App, RouteContext } from './context.js';
import { cursorOf, managementOf, managing, positionOf } from './managed.js';

export function alertsRoute(app: App, context: RouteContext): void {
  app.get(
    '/api/v1/alerts',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['management'],
        summary: 'Alerts, latest beginning first',
        querystring: alertsQuerystring,
        response: answers('A page of alerts', alertsResponseSchema),
      },
    },
    async (request, reply) => {
      const { from, to, label = [], limit = 100, cursor, ...filter } = request.query;
      const position = positionOf(cursor, ['number', 'string']);
      const page = await managing(() =>
        managementOf(context).events.list({
          ...filter,
          fromMs: optionalTime(from, '#/from'),
          toMs: optionalTime(to, '#/to'),
          labels: Object.fromEntries(
            [label].flat().map((each) => [each.split('=', 1)[0], each.slice(each.indexOf('=') + 1)]),
          ),
          limit,
          after: position && { time: Number(position[0]), id: String(position[1]) },
        }),
      );
      const alerts = page.events.map(({ startedAt, endedAt, changedAt, ...event }) => ({
        ...event,
        startedAtMs: startedAt,
        endedAtMs: endedAt,
        changedAtMs: changedAt,
      }));
      return reply.send({ alerts, next: cursorOf(page.next && [page.next.time, page.next.id]) });
    },
  );
}

const optionalTime = (input: TimeInput | undefined, pointer: string): number | undefined =>
  input === undefined ? undefined : timeAt(input, pointer);
