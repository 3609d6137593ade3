/** /metrics and /healthz of a probe: two fixed answers, so there is no framework behind them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { UserError } from '../errors.js';
import type { ProbeHealth } from './probe-health.js';

export interface ProbeHttp {
  /** where it listens, http://host:port */
  readonly address: string;
  close(): Promise<void>;
}

const connectionsMax = 32;
const requestMilliseconds = 5_000;

/**
 * @param listen host:port
 * @throws UserError NS_PORT_IN_USE, NS_USAGE
 */
export async function serveProbe(listen: string, metrics: Registry, health: () => ProbeHealth): Promise<ProbeHttp> {
  const server = createServer(
    { requestTimeout: requestMilliseconds, headersTimeout: requestMilliseconds },
    (request, response) => {
      const path = (request.url ?? '').split('?')[0];
      const answer = (status: number, type: string, body: string): void => {
        response.writeHead(status, {
          'content-type': type,
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      };
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return answer(405, 'text/plain', 'only GET and HEAD\n');
      if (path === '/healthz') {
        const found = health();
        return answer(found.status === 'error' ? 503 : 200, 'application/json', `${JSON.stringify(found)}\n`);
      }
      if (path === '/metrics') {
        metrics.metrics().then(
          (text) => answer(200, metrics.contentType, text),
          () => answer(500, 'text/plain', 'the metrics cannot be read\n'),
        );
        return undefined;
      }
      return answer(404, 'text/plain', 'there are /metrics and /healthz\n');
    },
  );
  server.maxConnections = connectionsMax;
  const at = listen.lastIndexOf(':');
  const host = listen.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(listen.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port > 65_535) {
    throw new UserError('NS_USAGE', `--listen ${listen}: expected host:port like 127.0.0.1:8081 or [::1]:8081`);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new UserError('NS_PORT_IN_USE', `${listen} is taken; choose another with --listen or probe.listen`, {
              cause,
            })
          : new UserError('NS_USAGE', `cannot listen on ${listen} (${cause.code}); choose another with --listen`, {
              cause,
            }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const { address, port: bound, family } = server.address() as AddressInfo;
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
