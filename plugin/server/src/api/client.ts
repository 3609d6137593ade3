/**
 * One datasource's connections to its NetSpectra API. Every request goes to the one origin of the settings: paths are
 * joined to it as they are, and redirects are not followed, so nothing that a user or the other side sends leads to
 * another host.
 */
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import { PluginError } from '../errors.js';
import type { InstanceSettings } from '../instances/settings.js';
import { deadlineOf } from './deadline.js';
import type { Deadline } from './deadline.js';
import { failureOf, refusalOf } from './failure.js';
import { Gate } from './gate.js';

export interface ApiRequest {
  readonly method: string;
  /** begins with `/api/v1/`, or is one of the paths of operation; with the query string */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal: AbortSignal;
  /** shorter than the settings' */
  readonly timeoutMs?: number;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** A longer answer would hold more memory than a panel is worth; 1M points of a time series are some 40 MiB. */
const answerBytesMax = 128 * 1024 * 1024;
/** Between two pieces of a body; a live stream says something each 15 s. */
const silenceMs = 60_000;
/** Long enough for what a proxy in front of the API needs. */
const connectTimeoutMs = 10_000;

/** The whole body. Throws a PluginError when it is longer than `bytesMax`. */
export async function bodyOf(body: AsyncIterable<Uint8Array>, bytesMax = answerBytesMax): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) {
      throw new PluginError(
        'too-large',
        `the answer is longer than ${Math.floor(bytesMax / 1024 / 1024)} MiB; ask for less`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

export class ApiClient {
  readonly #settings: InstanceSettings;
  readonly #pool: Pool;
  readonly #gate: Gate;
  /** host and port, for texts */
  readonly where: string;

  constructor(settings: InstanceSettings) {
    this.#settings = settings;
    this.where = new URL(settings.origin).host;
    const { ca, cert, key, skipVerify, serverName } = settings.tls;
    this.#pool = new Pool(settings.origin, {
      // Live streams and exports hold a connection each, outside of the gate.
      connections: settings.limits.requests + 64,
      pipelining: 1,
      headersTimeout: 0, // `timeoutMs` bounds the whole request
      bodyTimeout: silenceMs,
      connect: {
        timeout: connectTimeoutMs,
        rejectUnauthorized: !skipVerify,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert, key }),
        ...(serverName === undefined ? {} : { servername: serverName }),
      },
    });
    this.#gate = new Gate(settings.limits.requests);
  }

  get limits(): InstanceSettings['limits'] {
    return this.#settings.limits;
  }

  get oauthPassThru(): boolean {
    return this.#settings.oauthPassThru;
  }

  get running(): number {
    return this.#gate.running;
  }

  /**
   * Send a request and resolve with the answer's beginning, whatever its status. Rejects with a PluginError when there is
   * none. The body must be read to its end or the signal aborted. The time covers only the beginning for streams.
   */
  async open(request: ApiRequest): Promise<ApiAnswer> {
    const { signal } = request;
    const timeoutMs = Math.min(request.timeoutMs ?? Infinity, this.#settings.timeoutMs);
    const deadline = deadlineOf(signal, timeoutMs);
    try {
      const answer = await this.#send(request, deadline.signal);
      deadline.stopClock();
      return { ...answer, body: this.#told(answer.body, deadline, timeoutMs) };
    } catch (error) {
      deadline.end();
      throw failureOf(error, this.where, deadline.signal, timeoutMs);
    }
  }

  /** A body whose errors are PluginErrors. */
  async *#told(body: AsyncIterable<Uint8Array>, deadline: Deadline, timeoutMs: number): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw failureOf(error, this.where, deadline.signal, timeoutMs);
    } finally {
      deadline.end();
    }
  }

  async #send({ method, path, headers, body }: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
    const {
      statusCode,
      headers: answered,
      body: stream,
    } = await this.#pool.request({
      method: method as Dispatcher.HttpMethod,
      path: this.#settings.basePath + path,
      headers: { accept: 'application/json', ...this.#settings.headers, ...headers },
      ...(body === undefined ? {} : { body }),
      signal,
    });
    if (statusCode >= 300 && statusCode < 400 && statusCode !== 304) {
      stream.on('error', () => undefined).destroy();
      const host = hostOf(answered['location']);
      throw new PluginError('unreachable', `${this.where} redirects${host}; set the URL to where the API is`);
    }
    return { status: statusCode, headers: answered, body: stream };
  }

  /**
   * Ask for JSON, within the limit of requests at once. Rejects with a PluginError for answers other than 2xx.
   */
  async json(request: ApiRequest): Promise<unknown> {
    const { timeoutMs } = this.#settings;
    const deadline = deadlineOf(request.signal, timeoutMs);
    const { signal } = deadline;
    let leave: (() => void) | undefined;
    try {
      leave = await this.#gate.enter(signal);
      const { status, body } = await this.#send(request, signal);
      const text = (await bodyOf(body)).toString('utf8');
      const ok = status >= 200 && status < 300;
      const document = parsed(text);
      if (!ok) throw Object.assign(refusalOf(status, document, this.where), { document });
      if (document === undefined) {
        throw new PluginError('unreachable', `${this.where} answered something that is no JSON; is the URL right?`);
      }
      return document;
    } catch (error) {
      throw failureOf(error, this.where, signal, timeoutMs);
    } finally {
      deadline.end();
      leave?.();
    }
  }

  /** Wait in the line of requests at once, for answers that are streamed. */
  enter(signal: AbortSignal): Promise<() => void> {
    return this.#gate.enter(signal);
  }

  /** Let running requests end, then close all connections; what runs after `graceMs` is cut. */
  async close(graceMs = 30_000): Promise<void> {
    const late = setTimeout(() => void this.#pool.destroy(), graceMs);
    late.unref();
    await this.#pool.close().catch(() => undefined);
    clearTimeout(late);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Where a redirect leads, for people: another address may be long, and is not ours. */
function hostOf(location: string | string[] | undefined): string {
  try {
    return ` to ${new URL(String(location)).host.slice(0, 100)}`;
  } catch {
    return '';
  }
}
