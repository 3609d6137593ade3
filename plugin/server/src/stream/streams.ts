/**
 * Live streams: SubscribeStream says whether a path is one, RunStream follows the API's server-sent events until Grafana
 * has no more viewers. A stream that ends (the API ends each after 15 minutes) is taken up again where it was; one that
 * fails is reported, and Grafana runs it again after a pause.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient } from '../api/client.js';
import { bodyOf } from '../api/client.js';
import { refusalOf } from '../api/failure.js';
import { PluginError } from '../errors.js';
import type { InstanceCache } from '../instances/cache.js';
import type { Logger } from '../process/logger.js';
import { StreamStatus } from '../rpc/messages.js';
import type { StreamRequest, StreamResponse } from '../rpc/messages.js';
import { eventsOf } from './events.js';
import type { LiveFrames } from './live-frames.js';
import { PacketMaker } from './packets.js';
import { liveQueryAt } from './path.js';
import type { LiveQuery } from './path.js';

export interface StreamDeps {
  readonly instances: InstanceCache;
  readonly logger: Logger;
  readonly live: LiveFrames;
}

/** Between the end of a stream and the next one. */
const againMs = 500;
/** Streams of one process: the API allows fewer of one client. */
const streamsMax = 100;

export function createStreams({ instances, logger, live }: StreamDeps) {
  let running = 0;

  const queryOf = ({ path, data, pluginContext }: StreamRequest): LiveQuery | undefined =>
    liveQueryAt(path, data, live.recall(pluginContext, path));

  const subscribe = (request: StreamRequest): StreamResponse => {
    const query = queryOf(request);
    if (!query) return { status: StreamStatus.NotFound };
    live.remember(request.pluginContext, request.path, query);
    return { status: StreamStatus.Ok };
  };

  /** Nobody publishes into what the network does. */
  const publish = (): StreamResponse => ({ status: StreamStatus.PermissionDenied });

  /** One connection to the API. Resolves with the id of the last event when it ended well. */
  const follow = async (
    client: ApiClient,
    query: LiveQuery,
    maker: PacketMaker,
    lastId: string,
    send: (packet: object) => Promise<void>,
    signal: AbortSignal,
    sinceMs: number | undefined,
  ): Promise<string> => {
    const asked = new URLSearchParams();
    if (query.filter !== '') asked.set('filter', query.filter);
    if (sinceMs !== undefined) asked.set('since', String(sinceMs));
    const search = asked.size === 0 ? '' : `?${asked.toString()}`;
    const headers = { accept: 'text/event-stream', ...(lastId === '' ? {} : { 'last-event-id': lastId }) };
    const { status, body } = await client.open({ method: 'GET', path: `/api/v1/live${search}`, headers, signal });
    if (status !== 200) {
      const text = (await bodyOf(body, 64 * 1024)).toString('utf8');
      let document: unknown;
      try {
        document = JSON.parse(text);
      } catch {
        document = undefined;
      }
      throw refusalOf(status, document, client.where);
    }
    let last = lastId;
    for await (const { type, id, data } of eventsOf(body)) {
      if (id !== '') last = id; // a problem has none
      const value = JSON.parse(data) as Record<string, unknown>;
      const packet =
        type === 'traffic'
          ? maker.traffic(value)
          : type === 'problem'
            ? maker.problem(String(value['detail'] ?? value['title'] ?? 'the API cannot answer').slice(0, 500))
            : undefined;
      if (packet) await send(packet);
    }
    return last;
  };

  /**
   * Send packets until `signal` aborts. Rejects with a PluginError when the stream cannot go on.
   * @param send resolves when the packet was taken
   */
  const run = async (
    request: StreamRequest,
    send: (packet: object) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> => {
    const query = queryOf(request);
    if (!query) throw new PluginError('not-found', 'there is no such live stream');
    if (running >= streamsMax) throw new PluginError('overloaded', `${streamsMax} live streams run already`);
    running += 1;
    try {
      const client = instances.get(request.pluginContext);
      const sinceMs = live.takeJoin(request.pluginContext, request.path);
      const maker = new PacketMaker(query.view, sinceMs);
      let last = '';
      while (!signal.aborted) {
        last = await follow(client, query, maker, last, send, signal, sinceMs);
        await pause(againMs, undefined, { signal });
      }
    } catch (error) {
      if (!signal.aborted) {
        logger.debug('a live stream failed', { path: request.path, error });
        throw error instanceof PluginError
          ? error
          : new PluginError('unreachable', 'the live stream broke off', { cause: error });
      }
    } finally {
      running -= 1;
    }
  };

  return { subscribe, publish, run, running: () => running };
}
