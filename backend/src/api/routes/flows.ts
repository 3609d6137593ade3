/** GET /api/v1/flows: flow records, page by page. */
import { compileFilter, flowPage, planFlowPage } from '../planner/index.js';
import { answers, flowsQuerystring, flowsResponseSchema } from '../schemas/index.js';
import { parseRange } from '../time.js';
import type { App, RouteContext } from './context.js';
import { askTrust, metaOf } from './meta.js';

export function flowsRoute(app: App, context: RouteContext): void {
  const { runner, windows, limits } = context;
  app.get(
    '/api/v1/flows',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['query'],
        summary: 'Flow records, page by page',
        description:
          'Ordered by first packet. `next` of a page, given as `cursor` with the other parameters unchanged, is the next page.',
        querystring: flowsQuerystring,
        response: answers('A page of flows', flowsResponseSchema),
      },
    },
    async (request, reply) => {
      const { from, to, filter: text = '', limit = 100, order = 'desc', cursor } = request.query;
      const range = parseRange(from, to, limits.rangeSecondsMax);
      const filter = compileFilter(text, '#/filter');
      const page = { range, filter, limit: Math.min(limit, limits.rowsMax - 1), order };
      const plan = planFlowPage(cursor === undefined ? page : { ...page, cursor }, windows);
      const signal = runner.signalOf(reply);
      const trust = await askTrust(context, range, signal);
      const result = await runner.run('flows', plan, signal);
      const { flows, next } = flowPage(plan, result.columns);
      const facts = {
        ...plan,
        table: 'flows' as const,
        intervalMs: null,
        filter: filter?.canonical ?? null,
        errorBounds: [],
        truncated: next !== null,
        nextCursor: next,
        result,
      };
      return reply.send({ flows, next, meta: metaOf(facts, trust) });
    },
  );
}
