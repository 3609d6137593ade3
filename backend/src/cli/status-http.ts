/**
 * /metrics, /healthz and /readyz of a process that has no API: three fixed answers, so there is no framework behind them.
 * What they say about: the metrics of a registry, and the dependencies of backend/src/health.ts.
 */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { UserError } from '../errors.js';
import { readyText } from '../health.js';
import type { HealthReport } from '../health.js';
import { version } from './process.js';

export interface StatusHttp {
  /** where it listens, http://host:port */
  readonly address: string;
  close(): Promise<void>;
}

export interface StatusHttpOptions {
  /** host:port; port 0 takes a free one */
  readonly listen: string;
  /** the configuration key it came from, for messages */
  readonly setting: string;
  readonly metrics: Pick<Registry, 'contentType' | 'metrics'>;
  /** cheap, or cached (HealthChecks); never rejects */
  health(): HealthReport | Promise<HealthReport>;
}

const connectionsMax = 32;
const requestMilliseconds = 5_000;

/**
 * Listen, and answer until `close`.
 * @throws UserError NS_PORT_IN_USE, NS_USAGE
 */
export async function serveStatus({ listen, setting, metrics, health }: StatusHttpOptions): Promise<StatusHttp> {
  const routes: Readonly<Record<string, (response: Answer) => Promise<void>>> = {
    '/healthz': async (answer) => {
      const { status, dependencies } = await health();
      const uptime = Math.round(process.uptime());
      answer(200, 'application/json', `${JSON.stringify({ status, version, uptime_seconds: uptime, dependencies })}\n`);
    },
    '/readyz': async (answer) => {
      const { status, dependencies } = await health();
      answer(status === 'error' ? 503 : 200, plainText, readyText(dependencies));
    },
    '/metrics': async (answer) => answer(200, metrics.contentType, await metrics.metrics()),
  };
  const server = createServer(
    { requestTimeout: requestMilliseconds, headersTimeout: requestMilliseconds },
    (request, response) => {
      const answer = answerOf(response, request.method === 'HEAD');
      if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, plainText, 'only GET and HEAD\n');
      const path = (request.url ?? '').split('?')[0]!;
      const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
      if (!route) return answer(404, plainText, 'there are /metrics, /healthz and /readyz\n');
      route(answer).catch(() => answer(500, plainText, 'this cannot be read now\n'));
      return undefined;
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
          ? new UserError('NS_PORT_IN_USE', `${listen} is taken; choose another with --listen or ${setting}`, { cause })
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

type Answer = (status: number, type: string, body: string) => void;

const plainText = 'text/plain; charset=utf-8';

function answerOf(response: ServerResponse, headOnly: boolean): Answer {
  return (status, type, body) => {
    response.writeHead(status, {
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    response.end(headOnly ? undefined : body);
  };
}
