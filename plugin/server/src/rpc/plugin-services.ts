/** The services of Grafana's plugin protocol, put together from their parts. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { createQueryData } from '../data/query-data.js';
import { createHealthCheck } from '../health/check.js';
import type { InstanceCache } from '../instances/cache.js';
import { createResource } from '../resource/resource.js';
import { LiveFrames } from '../stream/live-frames.js';
import { createStreams } from '../stream/streams.js';
import type { CallDeps } from './calls.js';
import { streaming, unary } from './calls.js';
import type {
  CallResourceRequest,
  CallResourceResponse,
  CheckHealthRequest,
  CheckHealthResponse,
  CollectMetricsResponse,
  QueryDataRequest,
  QueryDataResponse,
  StreamPacket,
  StreamRequest,
  StreamResponse,
} from './messages.js';

/** Implementations by the names of their services. */
export function pluginServices(
  deps: CallDeps,
  instances: InstanceCache,
): Readonly<Record<string, UntypedServiceImplementation>> {
  const { logger, metrics } = deps;
  const live = new LiveFrames();
  const query = createQueryData({ instances, logger, live, count: (outcome) => metrics.query(outcome) });
  const health = createHealthCheck(instances, logger);
  const resource = createResource(instances, logger, (status) => metrics.resource(status));
  const streams = createStreams({ instances, logger, live });
  metrics.gauge('netspectra_plugin_instances', 'Datasources that are in use', () => instances.size);
  metrics.gauge('netspectra_plugin_requests_running', 'Requests to APIs that run now', () => instances.running);
  metrics.gauge('netspectra_plugin_live_streams', 'Live streams that run now', () => streams.running());
  return {
    'pluginv2.Data': { QueryData: unary<QueryDataRequest, QueryDataResponse>('QueryData', deps, query) },
    'pluginv2.Diagnostics': {
      CheckHealth: unary<CheckHealthRequest, CheckHealthResponse>('CheckHealth', deps, health),
      CollectMetrics: unary<unknown, CollectMetricsResponse>('CollectMetrics', deps, () => ({
        metrics: { prometheus: Buffer.from(metrics.text()) },
      })),
    },
    'pluginv2.Resource': {
      CallResource: streaming<CallResourceRequest, CallResourceResponse>('CallResource', deps, resource),
    },
    'pluginv2.Stream': {
      SubscribeStream: unary<StreamRequest, StreamResponse>('SubscribeStream', deps, streams.subscribe),
      PublishStream: unary<StreamRequest, StreamResponse>('PublishStream', deps, streams.publish),
      RunStream: streaming<StreamRequest, StreamPacket>('RunStream', deps, (request, send, signal) =>
        streams.run(request, (packet) => send({ data: Buffer.from(JSON.stringify(packet)) }), signal),
      ),
    },
  };
}
