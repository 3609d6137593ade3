/** GET /api/v1/hosts/{address}: what is known about an address. */
import { parseAddress } from '@netspectra/query';
import { ApiError, invalid } from '../problem.js';
import { answers } from '../schemas/index.js';
import { hostParams, hostResponseSchema } from '../schemas/host.js';
import type { App, RouteContext } from './context.js';

export function hostRoute(app: App, { hosts }: RouteContext): void {
  app.get(
    '/api/v1/hosts/:address',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['registry'],
        summary: 'What is known about an address',
        description:
          'Country, autonomous system and network as the files and the configuration say now, and the name by reverse DNS when ' +
          'that is on. The answer never waits for DNS longer than `enrichment.reverse_dns.budget`: ask again for a name that was late.',
        params: hostParams,
        response: answers('The host', hostResponseSchema),
      },
    },
    async (request, reply) => {
      const { address } = request.params;
      if (!parseAddress(address)) throw invalid('#/address', `"${address}" is no IPv4 or IPv6 address`);
      if (!hosts) throw new ApiError('unavailable', 'this process knows nothing about addresses');
      const [host] = await hosts.lookupHosts([address]);
      return reply.send(host!);
    },
  );
}
