/** GET /api/v1/live: what happens now, as server-sent events. */
import { Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import { LiveHub, defaultLiveLimits } from '../live/hub.js';
import type { Reader } from '../live/hub.js';
import { timeOfEventId } from '../live/channel.js';
import { liveWindows } from '../live/windows.js';
import type { AskLive } from '../live/windows.js';
import { answerQuery, checkQuery, compileFilter } from '../planner/index.js';
import { liveEventSchema, liveQuerystring, streamAnswers } from '../schemas/index.js';
import type { App, RouteContext } from './context.js';

/** Begin the stream on the bare response; Fastify is done with it. */
function begin(reply: FastifyReply): Reader {
  const { raw } = reply.hijack();
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // The connection ends with the stream, so that a server that stops need not wait for it to be idle.
    connection: 'close',
    // Proxies of the nginx kind gather answers otherwise.
    'x-accel-buffering': 'no',
  });
  raw.write('retry: 2000\n\n');
  return {
    write: (text) => void raw.write(text),
    buffered: () => raw.writableLength,
    // A reader that does not read would never see the end.
    end: () => (raw.writableLength > 0 ? raw.destroy() : raw.end()),
  };
}

export function liveRoute(app: App, context: RouteContext): void {
  const { runner, windows, live, frontier } = context;
  const limits = { ...defaultLiveLimits, ...live };
  const hub = new LiveHub(context.metrics, limits);
  app.addHook('preClose', async () => hub.stop());
  app.get(
    '/api/v1/live',
    {
      config: { role: 'viewer' },
      exposeHeadRoute: false,
      schema: {
        tags: ['live'],
        summary: 'What happens now, second by second, as server-sent events',
        description:
          'One event of type `traffic` for each second once all of it is stored, in order: rates, protocols, applications and top ' +
          'talkers, as a query for that second answers; of type `skipped` for seconds that have none, of type `problem` when the ' +
          'store fails. A stream ends after 15 minutes and a client that connects again with `Last-Event-ID` gets what it missed.',
        querystring: liveQuerystring,
        headers: Type.Object({
          'last-event-id': Type.Optional(Type.String({ maxLength: 64, description: '`id` of the last event seen' })),
        }),
        response: streamAnswers('A stream of events', liveEventSchema),
      },
    },
    async (request, reply) => {
      const filter = compileFilter(request.query.filter ?? '', '#/filter')?.canonical ?? '';
      const ask: AskLive = (query, range, signal) =>
        answerQuery(checkQuery(query, range, context.limits.rangeSecondsMax), {
          run: (table, statement) => runner.run(table, statement, signal),
          windows,
          limits: context.limits,
          watermarkMs: range.toMs,
        });
      const deps = { ask, windows, frontier };
      const view = await hub.open(
        filter,
        () => liveWindows(deps, filter),
        () => runner.ownWork(),
        timeOfEventId(request.headers['last-event-id']) ?? request.query.since,
      );
      if (reply.raw.destroyed) return view.leave();
      const detach = view.attach(begin(reply));
      reply.raw.once('close', detach);
    },
  );
}
