/**
 * QueryData: every refId of a call gets frames or an error of its own. A gRPC error would fail all queries of the call, so
 * none is thrown for a bad query, a bad datasource or an API that is down.
 */
import { isFailure } from '@netspectra/query';
import { callerHeaders } from '../api/caller.js';
import type { ApiClient } from '../api/client.js';
import { PluginError, pluginErrorOf } from '../errors.js';
import { encodeFrames } from '../frames/arrow.js';
import { convertAnswer } from '../frames/convert.js';
import type { ApiMeta } from '../frames/meta.js';
import type { DataFrame } from '../frames/model.js';
import type { InstanceCache } from '../instances/cache.js';
import type { Logger } from '../process/logger.js';
import type { DataQuery, DataResponse, QueryDataRequest, QueryDataResponse } from '../rpc/messages.js';
import type { LiveFrames } from '../stream/live-frames.js';
import { alertsFrame } from './alerts.js';
import { askBatch, batches } from './batch.js';
import type { Reply } from './batch.js';
import { translate } from './translate.js';
import type { Translated } from './translate.js';

export interface QueryDataDeps {
  readonly instances: InstanceCache;
  readonly logger: Logger;
  readonly live: LiveFrames;
  /** called once for each query */
  readonly count: (outcome: string) => void;
}

/** More queries in one call than any dashboard has are a mistake or an attack. */
const queriesMax = 200;

const responseOf = (error: PluginError): DataResponse => ({
  error: error.message,
  status: error.status,
  errorSource: error.source,
});

function rowsWithin(frames: readonly DataFrame[], rows: number): void {
  const all = frames.reduce((sum, { columns }) => sum + (columns[0]?.values.length ?? 0), 0);
  if (all > rows) {
    throw new PluginError('query', `the answer has ${all} rows, and this datasource allows ${rows}; ask for less`, {
      status: 422,
    });
  }
}

function framesOf(translated: Translated, reply: Reply, limits: ApiClient['limits']): DataFrame[] {
  if (reply instanceof PluginError) throw reply;
  if (isFailure(reply)) {
    throw new PluginError(reply.status >= 500 ? 'unreachable' : 'query', reply.error, { status: reply.status });
  }
  const { refId, query, ask, numeric, notices } = translated;
  const frames = convertAnswer(reply.frames, reply.meta as ApiMeta, {
    refId,
    type: ask.type,
    numeric,
    dimensions: query.groupBy.length,
    notices,
    ...(query.bound === undefined ? {} : { bound: query.bound }),
  });
  rowsWithin(frames, limits.rows);
  return frames;
}

/** What the process does for QueryData calls. */
export function createQueryData(deps: QueryDataDeps) {
  const { instances, logger, live, count } = deps;

  const fail = (refId: string, thrown: unknown): DataResponse => {
    const error = pluginErrorOf(thrown);
    count(error.kind);
    if (error.kind === 'internal') logger.error('a query failed', { refId, error: error.cause });
    return responseOf(error);
  };

  const answer = async (
    client: ApiClient,
    queries: readonly DataQuery[],
    request: QueryDataRequest,
    signal: AbortSignal,
  ): Promise<(readonly [string, DataResponse])[]> => {
    const responses: (readonly [string, DataResponse])[] = [];
    const asked: Translated[] = [];
    const noticed: Translated[] = [];
    for (const query of queries) {
      try {
        const translated = translate(query, request.headers, client.limits);
        if (translated.alerts !== undefined) noticed.push(translated);
        else asked.push(translated.query.live === undefined ? translated : live.history(translated));
      } catch (error) {
        responses.push([query.refId, fail(query.refId, error)]);
      }
    }
    const headers = callerHeaders(client, request.pluginContext, request.headers);
    const alerts = noticed.map(async (translated) => {
      const { refId } = translated;
      try {
        const frame = await alertsFrame(client, translated, headers, signal);
        responses.push([refId, { frames: encodeFrames([frame]), status: 200 }]);
        count('ok');
      } catch (error) {
        responses.push([refId, fail(refId, error)]);
      }
    });
    await Promise.all([
      ...alerts,
      ...batches(asked).map(async (batch) => {
        const replies = await askBatch(client, batch, headers, signal);
        for (const [i, translated] of batch.entries()) {
          const { refId } = translated;
          try {
            const reply = replies[i] ?? new PluginError('internal', 'a query has no answer');
            const frames = framesOf(translated, reply, client.limits);
            const shown = live.joined(translated, frames, request.pluginContext);
            responses.push([refId, { frames: encodeFrames(shown), status: 200 }]);
            count('ok');
          } catch (error) {
            responses.push([refId, fail(refId, error)]);
          }
          // Between answers others may have their turn: encoding a large one takes a while.
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    ]);
    return responses;
  };

  return async (request: QueryDataRequest, signal: AbortSignal): Promise<QueryDataResponse> => {
    const queries = request.queries.slice(0, queriesMax);
    const more = request.queries.slice(queriesMax);
    const refused = more.map(
      ({ refId }) =>
        [refId, fail(refId, new PluginError('too-large', `more than ${queriesMax} queries in one call`))] as const,
    );
    let answered: (readonly [string, DataResponse])[];
    try {
      answered = await answer(instances.get(request.pluginContext), queries, request, signal);
    } catch (error) {
      answered = queries.map(({ refId }) => [refId, fail(refId, error)]);
    }
    // A null prototype: a refId may be called __proto__.
    const responses = Object.create(null) as Record<string, DataResponse>;
    for (const [refId, response] of [...refused, ...answered]) responses[refId] = response;
    return { responses };
  };
}
