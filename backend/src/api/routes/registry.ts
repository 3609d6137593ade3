/** GET /api/v1/dimensions, /measures and /values: what can be asked, and which values there are. */
import { dimensions, measureTables, measures, queryTableNames } from '@netspectra/query';
import type { Dimension, Measure } from '@netspectra/query';
import { dimensionOf, planValues, valuesOf } from '../planner/index.js';
import {
  answers,
  dimensionsResponseSchema,
  measuresResponseSchema,
  valuesQuerystring,
  valuesResponseSchema,
} from '../schemas/index.js';
import { parseRange } from '../time.js';
import { markFinal, markRegistry } from '../caching.js';
import type { App, RouteContext } from './context.js';
import { askTrust } from './meta.js';

const describeDimension = (dimension: Dimension) => ({
  id: dimension.id,
  label: dimension.label,
  description: dimension.description,
  type: dimension.type,
  scope: dimension.scope,
  tables: queryTableNames.filter((table) => table in dimension.sources),
  aliases: dimension.aliases ?? [],
  high_cardinality: dimension.highCardinality ?? false,
});

const describeMeasure = (measure: Measure) => ({
  id: measure.id,
  label: measure.label,
  description: measure.description,
  unit: measure.unit,
  kind: measure.kind,
  tables: measureTables(measure),
});

export function registryRoutes(app: App, context: RouteContext): void {
  const { runner, windows, limits } = context;
  app.get(
    '/api/v1/dimensions',
    {
      config: { role: 'viewer', etag: true },
      schema: {
        tags: ['registry'],
        summary: 'What queries can group by and filters can test',
        description:
          'Each with the tables that have it, other words for it in filters, and whether the two directions of a flow differ in it.',
        response: answers('All dimensions', dimensionsResponseSchema),
      },
    },
    async (_request, reply) => {
      markRegistry(reply);
      return reply.send({ dimensions: dimensions.map(describeDimension) });
    },
  );
  app.get(
    '/api/v1/measures',
    {
      config: { role: 'viewer', etag: true },
      schema: {
        tags: ['registry'],
        summary: 'What queries can compute',
        description: 'Each with its unit, and the tables that can answer it.',
        response: answers('All measures', measuresResponseSchema),
      },
    },
    async (_request, reply) => {
      markRegistry(reply);
      return reply.send({ measures: measures.map(describeMeasure) });
    },
  );
  app.get(
    '/api/v1/values',
    {
      config: { role: 'viewer', etag: true },
      schema: {
        tags: ['registry'],
        summary: 'Values of a dimension that begin with what was typed, heaviest first',
        description: 'For typeahead. Protocols and ports are found by name, too.',
        querystring: valuesQuerystring,
        response: answers('Values and their weight', valuesResponseSchema),
      },
    },
    async (request, reply) => {
      const { dimension: id, prefix = '', from, to, limit = 20 } = request.query;
      const dimension = dimensionOf(id, '#/dimension');
      const range = parseRange(from, to, limits.rangeSecondsMax);
      const plan = planValues({ dimension, prefix, range, limit }, windows);
      const signal = runner.signalOf(reply);
      const { columns } = await runner.run(plan.table, plan, signal);
      const watermarkMs = context.status().watermarkMs ?? (await askTrust(context, range, signal)).watermarkMs;
      markFinal(reply, watermarkMs !== null && range.toMs <= watermarkMs);
      return reply.send({ dimension: id, values: valuesOf(plan, columns) });
    },
  );
}
