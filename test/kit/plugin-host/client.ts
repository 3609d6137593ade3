/** Every call of the plugin protocol, with types, as Grafana makes them. */
import type { CallOptions, Client, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { decodeFrame } from './frames.js';
import type { DecodedFrame } from './frames.js';

export interface DatasourceOptions {
  readonly url: string;
  readonly orgId?: number;
  readonly uid?: string;
  readonly updatedMs?: number;
  readonly jsonData?: object;
  readonly secure?: Readonly<Record<string, string>>;
  readonly basicAuthUser?: string;
  /** absent: an administrator; null: nobody, as for alert rules */
  readonly user?: { readonly login: string; readonly role: string } | null;
}

/** What Grafana says about datasource and user with every call. */
export function pluginContext(options: DatasourceOptions): object {
  const {
    url,
    orgId = 1,
    uid = 'netspectra',
    updatedMs = 1,
    jsonData = {},
    secure = {},
    basicAuthUser,
    user,
  } = options;
  const who = user === undefined ? { login: 'admin', role: 'Admin' } : user;
  return {
    orgId,
    pluginId: 'netspectra-datasource',
    ...(who === null ? {} : { user: { ...who, name: who.login, email: `${who.login}@localhost` } }),
    dataSourceInstanceSettings: {
      id: 1,
      uid,
      name: 'NetSpectra',
      url,
      jsonData: Buffer.from(JSON.stringify(jsonData)),
      decryptedSecureJsonData: secure,
      lastUpdatedMS: updatedMs,
      ...(basicAuthUser === undefined ? {} : { basicAuthEnabled: true, basicAuthUser }),
    },
    pluginVersion: '0.1.0',
    userAgent: 'Grafana/12.3.0 (linux; amd64)',
  };
}

export interface AskedQuery {
  readonly refId?: string;
  readonly from: number;
  readonly to: number;
  readonly query: object | string;
  readonly maxDataPoints?: number;
  readonly intervalMs?: number;
}

export interface QueryAnswer {
  readonly frames: readonly DecodedFrame[];
  readonly error: string;
  readonly status: number;
  readonly errorSource: string;
}

export interface ResourceAnswer {
  readonly code: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: Buffer;
  readonly messages: number;
  json(): unknown;
}

type Unary = (
  request: object,
  options: CallOptions,
  done: (error: ServiceError | null, value: never) => void,
) => { cancel(): void };
type Streaming = (request: object) => ClientReadableStream<Record<string, unknown>>;

interface CallControl {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export class PluginClient {
  readonly #connect: (service: string) => Client;
  readonly #clients = new Map<string, Client>();

  constructor(connect: (service: string) => Client) {
    this.#connect = connect;
  }

  #client(service: string): Client {
    const client = this.#clients.get(service) ?? this.#connect(service);
    this.#clients.set(service, client);
    return client;
  }

  #unary<Answer>(
    service: string,
    method: string,
    request: object,
    { deadlineMs = 60_000, signal }: CallControl = {},
  ): Promise<Answer> {
    const client = this.#client(service);
    const call = (client as unknown as Record<string, Unary>)[method]!;
    return new Promise((resolve, reject) => {
      const running = call.call(client, request, { deadline: Date.now() + deadlineMs }, (error, value) =>
        error ? reject(error) : resolve(value as Answer),
      );
      signal?.addEventListener('abort', () => running.cancel());
    });
  }

  #stream(service: string, method: string, request: object): ClientReadableStream<Record<string, unknown>> {
    const client = this.#client(service);
    return (client as unknown as Record<string, Streaming>)[method]!.call(client, request);
  }

  /** The two streams that the host opens at the start; their end is not an error. */
  holdHostStreams(broker: Client, stdio: Client): void {
    const started = (broker as unknown as Record<string, () => ClientReadableStream<unknown>>)['StartStream']!.call(
      broker,
    );
    const output = (stdio as unknown as Record<string, Streaming>)['StreamStdio']!.call(stdio, {});
    for (const stream of [started, output]) stream.on('error', () => undefined).on('data', () => undefined);
  }

  async ping(service = 'plugin'): Promise<void> {
    const { status } = await this.#unary<{ status: number }>('grpc.health.v1.Health', 'Check', { service });
    if (status !== 1) throw new Error(`the plugin is not serving: ${status}`);
  }

  async health(datasource: DatasourceOptions, headers: Record<string, string> = {}) {
    const request = { pluginContext: pluginContext(datasource), headers };
    const { status, message, jsonDetails } = await this.#unary<{
      status: number;
      message: string;
      jsonDetails: Buffer;
    }>('pluginv2.Diagnostics', 'CheckHealth', request);
    const details = JSON.parse(jsonDetails.toString('utf8')) as Record<string, unknown>;
    return { ok: status === 1, status, message, details };
  }

  async metrics(): Promise<string> {
    const answer = await this.#unary<{ metrics: { prometheus: Buffer } }>('pluginv2.Diagnostics', 'CollectMetrics', {});
    return answer.metrics.prometheus.toString('utf8');
  }

  /** QueryData with its bytes; `query` decodes them. */
  async queryRaw(
    datasource: DatasourceOptions,
    queries: readonly AskedQuery[],
    control: CallControl & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    const request = {
      pluginContext: pluginContext(datasource),
      headers: control.headers ?? {},
      queries: queries.map(({ refId = 'A', from, to, query, maxDataPoints = 500, intervalMs = 1_000 }) => ({
        refId,
        maxDataPoints,
        intervalMS: intervalMs,
        timeRange: { fromEpochMS: from, toEpochMS: to },
        json: Buffer.from(typeof query === 'string' ? query : JSON.stringify({ refId, ...query })),
      })),
    };
    const { responses } = await this.#unary<{
      responses: Record<string, { frames: Buffer[]; error: string; status: number; errorSource: string }>;
    }>('pluginv2.Data', 'QueryData', request, control);
    return responses;
  }

  async query(...args: Parameters<PluginClient['queryRaw']>): Promise<Record<string, QueryAnswer>> {
    const responses = await this.queryRaw(...args);
    return Object.fromEntries(
      Object.entries(responses).map(([refId, { frames, ...more }]) => [
        refId,
        { ...more, frames: frames.map(decodeFrame) },
      ]),
    );
  }

  /** As alert rules ask: nobody asks, nothing was done in a browser. */
  alertQuery(datasource: DatasourceOptions, queries: readonly AskedQuery[]): Promise<Record<string, QueryAnswer>> {
    const headers = { FromAlert: 'true', 'X-Cache-Skip': 'true', 'http_X-Rule-Uid': 'rule', 'X-Grafana-Org-Id': '1' };
    return this.query({ ...datasource, user: null }, queries, { headers });
  }

  resource(
    datasource: DatasourceOptions,
    method: string,
    path: string,
    options: {
      readonly body?: unknown;
      readonly raw?: Uint8Array;
      readonly headers?: Readonly<Record<string, string>>;
      readonly url?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<ResourceAnswer> {
    const { body, raw, headers, url = path, signal } = options;
    const given = { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers };
    const stream = this.#stream('pluginv2.Resource', 'CallResource', {
      pluginContext: pluginContext(datasource),
      path: path.split('?', 1)[0],
      method,
      url,
      headers: Object.fromEntries(Object.entries(given).map(([name, value]) => [name, { values: [value] }])),
      body: raw ?? (body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body))),
    });
    signal?.addEventListener('abort', () => stream.cancel());
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let first: { code: number; headers: Record<string, { values: string[] }> } | undefined;
      let messages = 0;
      stream.on('data', (message: { code: number; headers: Record<string, { values: string[] }>; body: Buffer }) => {
        messages += 1;
        first ??= message;
        chunks.push(message.body);
      });
      stream.on('error', reject);
      stream.on('end', () => {
        if (!first) return reject(new Error('an answer without a message'));
        const all = Buffer.concat(chunks);
        const lists = Object.entries(first.headers).map(([name, { values }]) => [name, values] as const);
        resolve({
          code: first.code,
          headers: Object.fromEntries(lists),
          body: all,
          messages,
          json: () => JSON.parse(all.toString('utf8')) as unknown,
        });
      });
    });
  }

  async subscribe(datasource: DatasourceOptions, path: string, data: object | undefined = undefined): Promise<number> {
    return (await this.subscription(datasource, path, data)).status;
  }

  /** SubscribeStream, and the packet that comes with it. */
  async subscription(datasource: DatasourceOptions, path: string, data: object | undefined = undefined) {
    const { status, data: initial } = await this.#unary<{ status: number; data: Buffer }>(
      'pluginv2.Stream',
      'SubscribeStream',
      streamRequest(datasource, path, data),
    );
    const packet = initial?.length > 0 ? (JSON.parse(initial.toString('utf8')) as Record<string, unknown>) : undefined;
    return { status, packet };
  }

  async publish(datasource: DatasourceOptions, path: string, data: object): Promise<number> {
    const { status } = await this.#unary<{ status: number }>(
      'pluginv2.Stream',
      'PublishStream',
      streamRequest(datasource, path, data),
    );
    return status;
  }

  /** RunStream: `packets` fills as they come; `ended` resolves with the error's code, 0 for a good end. */
  run(datasource: DatasourceOptions, path: string, data: object | undefined = undefined) {
    const stream = this.#stream('pluginv2.Stream', 'RunStream', streamRequest(datasource, path, data));
    const packets: Record<string, unknown>[] = [];
    stream.on('data', (message: { data: Buffer }) =>
      packets.push(JSON.parse(message.data.toString('utf8')) as Record<string, unknown>),
    );
    const ended = new Promise<{ code: number; details: string }>((resolve) => {
      stream.on('error', (error: ServiceError) => resolve({ code: error.code, details: error.details }));
      stream.on('end', () => resolve({ code: 0, details: '' }));
    });
    return { packets, ended, cancel: () => stream.cancel() };
  }
}

const streamRequest = (datasource: DatasourceOptions, path: string, data: object | undefined): object => ({
  pluginContext: pluginContext(datasource),
  path,
  data: data === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(data)),
});
