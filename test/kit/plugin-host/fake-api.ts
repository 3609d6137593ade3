/** A small HTTP(S) server in place of the API, for what a real one does not do: redirects, huge answers, silence. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface FakeRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** resolves when the other side went away before the answer was complete */
  readonly closed: Promise<void>;
}

export interface FakeApi {
  readonly url: string;
  readonly port: number;
  readonly requests: FakeRequest[];
  stop(): Promise<void>;
}

export interface FakeTls {
  readonly cert: string;
  readonly key: string;
  /** ask for client certificates of this authority */
  readonly clientCa?: string;
}

type Handle = (request: FakeRequest, response: ServerResponse) => void | Promise<void>;

/** Listen on a free port of loopback. @param tls paths of PEM files */
export async function fakeApi(handle: Handle, tls?: FakeTls): Promise<FakeApi> {
  const requests: FakeRequest[] = [];
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (text: string) => (body += text));
    const closed = new Promise<void>((resolve) => {
      response.on('close', () => {
        if (!response.writableEnded) resolve();
      });
    });
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      const request = { method, url, headers, body, closed };
      requests.push(request);
      void Promise.resolve(handle(request, response)).catch(() => response.destroy());
    });
  };
  const options: ServerOptions = tls
    ? {
        cert: readFileSync(tls.cert),
        key: readFileSync(tls.key),
        ...(tls.clientCa ? { ca: readFileSync(tls.clientCa), requestCert: true, rejectUnauthorized: true } : {}),
      }
    : {};
  const server = tls ? createTlsServer(options, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    requests,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Answer with JSON. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
  response.end(JSON.stringify(value));
}

/** What a good API says of itself, for health checks; undefined for other paths. */
export function healthyAnswer({ url }: FakeRequest, version = '0.1.0'): unknown {
  if (url === '/healthz') return { status: 'ok', version, uptime_seconds: 1, dependencies: [], watermarkMs: null };
  if (url === '/api/v1/measures') return { measures: [] };
  if (url.startsWith('/api/v1/audit')) return { entries: [], next: null };
  return undefined;
}

/** The meta of an answer about nothing in particular. */
export const plainMeta = {
  tables: ['traffic'],
  plan: 'a fake',
  watermarkMs: null,
  partial: false,
  samplingRate: 1,
  drops: { kernelDropped: 0, undecodable: 0, flowsFolded: 0, latePackets: 0 },
  errorBounds: [],
  truncated: false,
  fromMs: 0,
  toMs: 1,
  intervalMs: 1_000,
  filter: null,
  sql: 'SELECT 1',
  params: {},
};
