/** GET /api/v1/flows: flow records, page by page, or all of them as CSV or NDJSON. */
import { markFinal } from '../caching.js';
import { ExportSlots, exportPageRows, sendFlows } from '../export/flow-export.js';
import { negotiate } from '../export/negotiate.js';
import { compileFilter, describePlan, flowColumns, flowPage, planFlowPage, windowMillis } from '../planner/index.js';
import { invalid } from '../problem.js';
import { exportAnswers, flowPageMax, flowsQuerystring, flowsResponseSchema } from '../schemas/index.js';
import { parseRange } from '../time.js';
import type { App, RouteContext } from './context.js';
import { askTrust, metaOf } from './meta.js';

const pageDefault = 100;
/** Exports that run at once. */
const exportsMax = 4;

export function flowsRoute(app: App, context: RouteContext): void {
  const { runner, windows, limits } = context;
  const slots = new ExportSlots(exportsMax);
  app.get(
    '/api/v1/flows',
    {
      config: { role: 'viewer', etag: true },
      schema: {
        tags: ['query'],
        summary: 'Flow records, page by page, or all of them as CSV or NDJSON',
        description:
          'Ordered by first packet. `next` of a page, given as `cursor` with the other parameters unchanged, is the next page. ' +
          'With `Accept: text/csv` or `application/x-ndjson` all pages come in one stream.',
        querystring: flowsQuerystring,
        response: exportAnswers('A page of flows', flowsResponseSchema),
      },
    },
    async (request, reply) => {
      const form = negotiate(request.headers.accept);
      const { from, to, filter: text = '', limit, order = 'desc', cursor } = request.query;
      const range = parseRange(from, to, limits.rangeSecondsMax);
      const filter = compileFilter(text, '#/filter');
      const signal = runner.signalOf(reply);
      const ask = async (size: number, at: string | undefined) => {
        const page = { range, filter, limit: Math.min(size, limits.rowsMax - 1), order };
        const plan = planFlowPage(at === undefined ? page : { ...page, cursor: at }, windows);
        const result = await runner.run('flows', plan, signal);
        return { plan, result };
      };
      if (form !== 'json') {
        return sendFlows(reply, slots, {
          form,
          limit: Math.min(limit ?? limits.exportRowsMax, limits.exportRowsMax),
          page: async (at, size) => {
            const { plan, result } = await ask(Math.min(size, exportPageRows), at ?? cursor);
            return flowColumns(plan, result.columns);
          },
        });
      }
      if (limit !== undefined && limit > flowPageMax) {
        throw invalid(
          '#/limit',
          `a page has at most ${flowPageMax} flows; accept text/csv or application/x-ndjson for more`,
        );
      }
      const trust = await askTrust(context, range, signal);
      const { plan, result } = await ask(limit ?? pageDefault, cursor);
      const { flows, next } = flowPage(plan, result.columns);
      const facts = {
        range: plan.range,
        tables: ['flows'] as const,
        statements: [plan],
        plan: describePlan([{ table: 'flows', mode: 'plain', windowMs: windowMillis('flows', context.windows) }]),
        intervalMs: null,
        filter: filter?.canonical ?? null,
        errorBounds: [],
        truncated: next !== null,
        nextCursor: next,
        rowsRead: result.rowsRead,
        elapsedMs: result.elapsedMs,
      };
      const meta = metaOf(facts, trust);
      markFinal(reply, !meta.partial);
      return reply.send({ flows, next, meta });
    },
  );
}
