/** GET /api/v1/hosts/active: who sent or received something lately. */
import { hostSeconds } from '../../realtime/index.js';
import type { RealtimeHost } from '../../realtime/index.js';
import { activeHostsOf, planActiveHosts } from '../live/active-hosts.js';
import { compileFilter } from '../planner/index.js';
import { activeHostsQuerystring, activeHostsResponseSchema, answers } from '../schemas/index.js';
import type { App, RouteContext } from './context.js';
import { askTrust } from './meta.js';

/** A host of real-time state, which does not keep single flows. */
const hostOf = (host: RealtimeHost) => ({
  address: host.address,
  bytes: host.bytesSent + host.bytesReceived,
  packets: host.packetsSent + host.packetsReceived,
  bytes_sent: host.bytesSent,
  bytes_received: host.bytesReceived,
  packets_sent: host.packetsSent,
  packets_received: host.packetsReceived,
  flows: null,
  as_client: null,
  first: null,
  last: host.lastMs,
});

export function hostsRoutes(app: App, context: RouteContext): void {
  const { runner, windows, limits } = context;
  app.get(
    '/api/v1/hosts/active',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['live'],
        summary: 'Hosts that sent or received something lately, the heaviest first',
        description:
          'Over the last seconds before the latest stored packet, in whole windows of flow rows. With a filter: over the flows of ' +
          'which at least one direction fits. Without a filter and for at most 60 seconds real-time state answers, where there is ' +
          'one (`source` says who did): at once, the heaviest hosts only, and without what it takes single flows to know (null).',
        querystring: activeHostsQuerystring,
        response: answers('Hosts', activeHostsResponseSchema),
      },
    },
    async (request, reply) => {
      const { seconds = 300, filter: text = '', limit: asked = 100 } = request.query;
      const filter = compileFilter(text, '#/filter');
      const limit = Math.min(asked, limits.rowsMax - 1);
      if (!filter && seconds <= hostSeconds) {
        const told = await context.realtime?.ask((view) => view.hosts(limit));
        if (told && told.value.toMs !== null) {
          const { hosts, fromMs, toMs, truncated } = told.value;
          return reply.send({ hosts: hosts.map(hostOf), from: fromMs, to: toMs, truncated, source: told.source });
        }
      }
      const signal = runner.signalOf(reply);
      const { watermarkMs } = await askTrust(context, { fromMs: 0, toMs: 1 }, signal);
      if (watermarkMs === null) {
        return reply.send({ hosts: [], from: null, to: null, truncated: false, source: 'store' });
      }
      const windowMs = windows.flowSeconds * 1000;
      // A packet of the watermark itself lies in the window that begins at or before it.
      const toMs = (Math.floor(watermarkMs / windowMs) + 1) * windowMs;
      const fromMs = Math.max(0, Math.floor((watermarkMs - seconds * 1000) / windowMs) * windowMs);
      const { columns } = await runner.run('flows', planActiveHosts({ fromMs, toMs }, filter, limit), signal);
      const hosts = activeHostsOf(columns, limit);
      return reply.send({ hosts, from: fromMs, to: toMs, truncated: columns.rows > limit, source: 'store' });
    },
  );
}
