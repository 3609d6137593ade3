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
import type { ServerEvent } from './events.js';
import { keep, keyOf } from './joints.js';
import type { LiveFrames } from './live-frames.js';
import { PacketMaker } from './packets.js';
import type { Packet } from './packets.js';
import { liveQueryAt } from './path.js';
import type { LiveQuery } from './path.js';
import { SendGate } from './send-gate.js';

export interface StreamDeps {
  readonly instances: InstanceCache;
  readonly logger: Logger;
  readonly live: LiveFrames;
}

/** Between the end of a stream and the next one. */
const againMs = 500;
/** Streams of one process: the API allows fewer of one client. */
const streamsMax = 100;
/** Paths that were subscribed to lately. */
const gatesMax = 1_000;
/** A subscription does not wait longer for what its viewer missed. */
const betweenMsMax = 2_000;

export function createStreams({ instances, logger, live }: StreamDeps) {
  let running = 0;
  /** of streams that run, or will because somebody subscribed */
  const gates = new Map<string, SendGate>();
  /** the run of each path that is the latest: Grafana may begin one before it has ended the one before */
  const runs = new Map<string, object>();

  const gateOf = (key: string): SendGate => {
    const gate = gates.get(key) ?? new SendGate();
    keep(gates, key, gate, gatesMax);
    return gate;
  };

  const queryOf = ({ path, data, pluginContext }: StreamRequest): LiveQuery | undefined =>
    liveQueryAt(path, data, live.recall(pluginContext, path));

  const subscribe = async (request: StreamRequest, signal: AbortSignal): Promise<StreamResponse> => {
    const query = queryOf(request);
    if (!query) return { status: StreamStatus.NotFound };
    live.remember(request.pluginContext, request.path, query);
    const packet = await gateOf(keyOf(request.pluginContext, request.path)).hold(() => between(request, query, signal));
    return { status: StreamStatus.Ok, ...(packet && { data: Buffer.from(JSON.stringify(packet)) }) };
  };

  /** What a viewer that joins a stream is given with its subscription: see joints.ts. Without an answer in time: nothing. */
  const between = async (
    { pluginContext, path }: StreamRequest,
    query: LiveQuery,
    signal: AbortSignal,
  ): Promise<Packet | undefined> => {
    const missing = live.joints.between(pluginContext, path);
    if (!missing) return undefined;
    const { fromMs, toMs } = missing;
    const maker = new PacketMaker(query.view, fromMs);
    const enough = new AbortController();
    const packets: Packet[] = [];
    try {
      const client = instances.get(pluginContext);
      const ended = AbortSignal.any([signal, enough.signal, AbortSignal.timeout(betweenMsMax)]);
      for await (const { type, data } of await eventsSince(client, query, '', fromMs, ended)) {
        const packet = type === 'traffic' ? maker.traffic(JSON.parse(data) as Record<string, unknown>) : undefined;
        if (maker.untilMs !== undefined && maker.untilMs > toMs) break;
        if (packet) packets.push(packet);
        if (maker.untilMs === toMs) break;
      }
    } catch (error) {
      logger.debug('what a viewer missed is not known', { path, error });
    } finally {
      enough.abort();
    }
    return packets.length > 0 ? oneOf(packets) : undefined;
  };

  /** Nobody publishes into what the network does. */
  const publish = (): StreamResponse => ({ status: StreamStatus.PermissionDenied });

  /** The API's events of a query. */
  const eventsSince = async (
    client: ApiClient,
    query: LiveQuery,
    lastId: string,
    sinceMs: number | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<ServerEvent>> => {
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
    return eventsOf(body);
  };

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
    let last = lastId;
    for await (const { type, id, data } of await eventsSince(client, query, lastId, sinceMs, signal)) {
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
    const key = keyOf(request.pluginContext, request.path);
    const thisRun = {};
    runs.set(key, thisRun);
    try {
      const client = instances.get(request.pluginContext);
      const gate = gateOf(key);
      const sinceMs = live.joints.streamBegins(key);
      const maker = new PacketMaker(query.view, sinceMs);
      const sendOne = (packet: object): Promise<void> =>
        gate.send(() => {
          if (maker.untilMs !== undefined) live.joints.streamSent(key, maker.untilMs);
          return send(packet);
        }, signal);
      let last = '';
      while (!signal.aborted) {
        last = await follow(client, query, maker, last, sendOne, signal, sinceMs);
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
      if (runs.get(key) === thisRun) {
        runs.delete(key);
        live.joints.streamEnded(key);
      }
    }
  };

  return { subscribe, publish, run, running: () => running };
}

/** Packets of one stream as one. */
function oneOf(packets: readonly Packet[]): Packet {
  const [first] = packets;
  const columns = first!.data.values.map((_, column) => packets.flatMap(({ data }) => data.values[column] ?? []));
  return { ...first, data: { values: columns } };
}
