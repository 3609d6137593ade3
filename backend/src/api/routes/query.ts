/** POST /api/v1/query: up to 26 queries over one time range, each answered or refused for itself. */
import type { Query, TimeRange } from '@netspectra/query';
import { answerQuery, checkQuery } from '../planner/index.js';
import { ApiError, invalid, problemOf } from '../problem.js';
import { exportAnswers, queryRequestSchema, queryResponseSchema } from '../schemas/index.js';
import type { QueryBody } from '../schemas/index.js';
import { parseRange } from '../time.js';
import type { App, RouteContext } from './context.js';
import { askTrust, metaOf, trustOfBoth } from './meta.js';
import type { Trust } from './meta.js';

/** A query with its defaults; ids are checked by the planner, which can say what was meant. */
function queryOf(body: QueryBody): Query {
  const { measures = [], groupBy = [], orderBy, ...rest } = body;
  (orderBy ?? []).forEach((key, i) => {
    if ('measure' in key === 'dimension' in key) {
      throw invalid(`#/orderBy/${i}`, 'name either a measure or a dimension to order by');
    }
  });
  const order = orderBy?.map((key) => ({ direction: 'desc', ...key }));
  return { ...rest, measures, groupBy, ...(order ? { orderBy: order } : {}) } as Query;
}

/** Answer one query of a request. Throws ApiErrors whose pointers start at the query. */
export async function answer(
  context: RouteContext,
  body: QueryBody,
  range: TimeRange,
  trust: Trust,
  signal: AbortSignal,
) {
  const { runner, windows, limits } = context;
  const checked = checkQuery(queryOf(body), range, limits.rangeSecondsMax);
  const answered = await answerQuery(checked, {
    run: (table, statement) => runner.run(table, statement, signal),
    windows,
    limits,
    watermarkMs: trust.watermarkMs,
  });
  // An answer about two ranges is to be trusted as far as the drops of both allow.
  const { before, range: after } = answered;
  const trusted = before ? await trustOfBoth(context, [after, before], signal) : trust;
  return { frames: answered.frames, meta: metaOf(answered, trusted) };
}

export function queryRoute(app: App, context: RouteContext): void {
  app.post(
    '/api/v1/query',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['query'],
        summary: 'Ask about traffic',
        description:
          'Runs every query over the range. A query that fails gives `error` and `status` under its refId and leaves the others alone.',
        body: queryRequestSchema,
        response: exportAnswers('An answer or an error for each refId', queryResponseSchema),
      },
    },
    async (request, reply) => {
      const { from, to, queries } = request.body;
      const range = parseRange(from, to, context.limits.rangeSecondsMax);
      queries.forEach(({ refId }, i) => {
        if (queries.findIndex((query) => query.refId === refId) !== i) {
          throw invalid(`#/queries/${i}/refId`, `refId ${refId} is there twice`);
        }
      });
      const signal = context.runner.signalOf(reply);
      const trust = await askTrust(context, range, signal);
      const results = await Promise.all(
        queries.map(async (query, i) => {
          try {
            return [query.refId, await answer(context, query, range, trust, signal)] as const;
          } catch (error) {
            if (signal.aborted) throw new ApiError('cancelled', 'the request was cancelled', [], error);
            const located = error instanceof ApiError ? error.under(`#/queries/${i}`) : error;
            const { problem, unexpected } = problemOf(located, request.id);
            if (unexpected) request.log.error({ err: error, refId: query.refId }, 'a query failed');
            const { detail, status, errors } = problem;
            return [query.refId, { error: detail, status, ...(errors ? { errors } : {}) }] as const;
          }
        }),
      );
      // A null prototype: a refId may be called __proto__.
      const byRefId = Object.assign(Object.create(null) as Record<string, unknown>, Object.fromEntries(results));
      return reply.send({ results: byRefId });
    },
  );
}
