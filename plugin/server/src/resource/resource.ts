/**
 * CallResource: the way of the editors and the app's pages to the API. Only listed routes, only with the Grafana role that
 * they need, only to the datasource's own API, with the user's login for the audit. Answers are streamed.
 */
import { callerHeaders } from '../api/caller.js';
import { bodyOf } from '../api/client.js';
import type { ApiAnswer, ApiClient } from '../api/client.js';
import { refusalOf } from '../api/failure.js';
import { statusPath } from '../contract/routes.js';
import { PluginError, pluginErrorOf } from '../errors.js';
import type { InstanceCache } from '../instances/cache.js';
import type { Logger } from '../process/logger.js';
import type { CallResourceRequest, CallResourceResponse, StringList } from '../rpc/messages.js';
import { holdLimits } from './limits.js';
import { statusOf } from './status.js';
import { segmentsOf, targetOf } from './target.js';

/** As the API's own limit. */
const bodyBytesMax = 256 * 1024;
/** An export of flows may be long; a browser that saves it reads it in pieces. */
const answerBytesMax = 512 * 1024 * 1024;
const messageBytes = 64 * 1024;

/** Headers of a call that the API gets. */
const passedOn = ['accept', 'if-match', 'if-none-match', 'x-request-id'];
/** Headers of the API's answer that the browser gets. */
const passedBack = [
  'content-type',
  'content-disposition',
  'etag',
  'last-modified',
  'cache-control',
  'retry-after',
  'x-request-id',
  'location',
];
/** Grafana serves resources under its own name: nothing that a browser would show as a page comes from here. */
const dataTypes = /^(application\/(problem\+)?json|application\/x-ndjson|text\/csv|text\/plain)\b/i;

type Send = (message: CallResourceResponse) => Promise<void>;

const plainHeader = /^[\t\x20-\x7e]{0,4096}$/;

/** The first value of each header, names in lower case. */
function headersOf(given: Readonly<Record<string, StringList>>): Record<string, string> {
  const entries = Object.entries(given).map(([name, { values }]) => [name.toLowerCase(), values[0] ?? '']);
  return Object.fromEntries(entries.filter(([, value]) => plainHeader.test(value ?? ''))) as Record<string, string>;
}

function bodyOfCall({ body, method }: CallResourceRequest, headers: Readonly<Record<string, string>>): unknown {
  if (method.toUpperCase() === 'GET' || body.length === 0) return undefined;
  if (body.length > bodyBytesMax) throw new PluginError('too-large', 'the request body is longer than 256 KiB');
  // A page of another site can send a form, but not JSON, without asking first.
  if (!/^application\/json\b/i.test(headers['content-type'] ?? '')) {
    throw new PluginError('query', 'the body must be JSON (content-type: application/json)', { status: 415 });
  }
  try {
    return JSON.parse(Buffer.from(body).toString('utf8')) as unknown;
  } catch {
    throw new PluginError('query', 'the body is not JSON');
  }
}

const lists = (headers: Readonly<Record<string, string>>): Record<string, StringList> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, { values: [value] }]));

const safe = { 'x-content-type-options': 'nosniff' };

const jsonAnswer = (code: number, value: object, type = 'application/json'): CallResourceResponse => ({
  code,
  headers: lists({ ...safe, 'content-type': type, 'cache-control': 'no-store' }),
  body: Buffer.from(JSON.stringify(value)),
});

const problemAnswer = ({ status, kind, message }: PluginError): CallResourceResponse =>
  jsonAnswer(
    status,
    { type: `urn:netspectra:problem:${kind}`, title: 'The request failed', status, detail: message },
    'application/problem+json',
  );

function answeredHeaders(answer: ApiAnswer): Record<string, StringList> {
  const headers: Record<string, string> = { ...safe };
  for (const name of passedBack) {
    const value = answer.headers[name];
    if (typeof value === 'string' && plainHeader.test(value)) headers[name] = value;
  }
  const type = headers['content-type'];
  if (type !== undefined && !dataTypes.test(type)) headers['content-type'] = 'application/octet-stream';
  // An address of the API is of no use to a browser; the end of it names what was made.
  if (headers['location'] !== undefined) headers['location'] = headers['location'].replace(/^.*\/api\/v1\//, '');
  return lists(headers);
}

async function passBack(answer: ApiAnswer, send: Send): Promise<void> {
  await send({ code: answer.status, headers: answeredHeaders(answer) });
  let length = 0;
  for await (const chunk of answer.body) {
    length += chunk.length;
    if (length > answerBytesMax) throw new PluginError('too-large', 'the answer is too long');
    for (let at = 0; at < chunk.length; at += messageBytes) {
      await send({ body: chunk.subarray(at, at + messageBytes) });
    }
  }
}

/** A refusal of the datasource's own token is not the browser's: Grafana would take 401 for the end of its session. */
async function refusedToken(answer: ApiAnswer, client: ApiClient): Promise<PluginError> {
  const text = (await bodyOf(answer.body, messageBytes)).toString('utf8');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    document = undefined;
  }
  return refusalOf(answer.status, document, client.where);
}

export function createResource(instances: InstanceCache, logger: Logger, count: (status: number) => void) {
  const call = async (request: CallResourceRequest, send: Send, signal: AbortSignal): Promise<number> => {
    const { pluginContext, method, path, url } = request;
    const client = instances.get(pluginContext);
    const headers = headersOf(request.headers);
    const caller = callerHeaders(client, pluginContext, headers);
    const role = pluginContext?.user?.role ?? '';
    if (method.toUpperCase() === 'GET' && segmentsOf(path)?.join('/') === statusPath) {
      await send(jsonAnswer(200, await statusOf(client, caller, role, signal)));
      return 200;
    }
    const target = targetOf(method, path, url, role);
    const body = bodyOfCall(request, headers);
    holdLimits(target.parameters, body, client.limits);
    const leave = await client.enter(signal);
    try {
      const answer = await client.open({
        method: target.route.method,
        path: target.path,
        headers: {
          ...Object.fromEntries(
            passedOn.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
          ),
          ...caller,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal,
      });
      if (answer.status === 401) throw await refusedToken(answer, client);
      await passBack(answer, send);
      return answer.status;
    } finally {
      leave();
    }
  };

  /** Answers every call that it can; rejects only when the answer broke off in the middle. */
  return async (request: CallResourceRequest, send: Send, signal: AbortSignal): Promise<void> => {
    let begun = false;
    const sendOnce: Send = (message) => {
      begun = true;
      return send(message);
    };
    try {
      count(await call(request, sendOnce, signal));
    } catch (thrown) {
      const error = pluginErrorOf(thrown);
      count(error.status);
      if (error.kind === 'internal') logger.error('a resource call failed', { path: request.path, error: error.cause });
      if (begun || signal.aborted) throw error;
      await send(problemAnswer(error));
    }
  };
}
