/**
 * The query API: an HTTP server over a store that someone else opened.
 *
 * `createApi(deps, config)` wires Fastify, the routes, the planner and the limits, and returns `{ start, stop }`. It
 * promises: requests are checked against the schemas that the OpenAPI document shows; every error is RFC 9457 problem
 * JSON; no query runs longer, reads further or returns more than the limits; a client that goes away stops its queries.
 */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { Ajv } from 'ajv';
import type { Server as HttpServer } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import fastify from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Registry } from 'prom-client';
import type { CaptureControl } from '../capture-rules/index.js';
import type { HostLookup } from '../enrichment/index.js';
import { UserError } from '../errors.js';
import type { EngineBeat, Realtime } from '../realtime/index.js';
import { addCaching } from './caching.js';
import { answerClientError } from './client-errors.js';
import { watchConnections } from './connections.js';
import { openApiOptions } from './openapi.js';
import { problemOf } from './problem.js';
import { addHttpSurface, nameAnswer } from './http-surface.js';
import { sharedFrontier } from './live/frontier.js';
import { defaultLiveLimits } from './live/hub.js';
import type { LiveLimits } from './live/hub.js';
import { requestIdOf } from './request-id.js';
import { Access, clientKey, parseListen, readTls, requireRoles, watchTls } from './access/index.js';
import type { AccessConfig } from './access/index.js';
import type { Management } from '../management/index.js';
import { QueryRunner } from './runner.js';
import type { ClientOf } from './runner.js';
import type { QueryStore } from './query-store.js';
import type { StatusProvider } from './status.js';
import { registerRoutes } from './routes/index.js';
import { defaultTableWindows } from './planner/index.js';
import type { TableWindows } from './planner/index.js';

/** What the API may use at most. */
export interface ApiLimits {
  /** rows in one answer frame, and groups of one query; 1 .. 1,000,000 */
  readonly rowsMax: number;
  /** flow records that one query adds up, where a rollup could answer in their place */
  readonly flowRowsMax: number;
  /** flows of one export */
  readonly exportRowsMax: number;
  /** length of a time range, seconds */
  readonly rangeSecondsMax: number;
  /** bytes of a request body */
  readonly bodyBytesMax: number;
  /** queries that the store runs at once; see fair-queue.ts for how many of them may be of one client, and wait */
  readonly concurrency: number;
  /** after this the store gives a query up, milliseconds */
  readonly queryMillisMax: number;
}

export const defaultApiLimits: ApiLimits = {
  rowsMax: 50_000,
  flowRowsMax: 50_000_000,
  exportRowsMax: 1_000_000,
  rangeSecondsMax: 400 * 86_400,
  bodyBytesMax: 256 * 1024,
  concurrency: 4,
  queryMillisMax: 30_000,
};

export interface ApiConfig {
  /** host:port; port 0 takes a free one */
  readonly listen: string;
  readonly limits?: Partial<ApiLimits>;
  /** widths of the engine's windows, seconds; the planner rounds intervals up to them */
  readonly windows?: Partial<TableWindows>;
  /** bounds and timing of the live view */
  readonly live?: Partial<LiveLimits>;
  /** tokens, TLS; the default lets everyone in who comes over loopback */
  readonly access?: AccessConfig;
}

export interface ApiDeps {
  readonly store: QueryStore;
  /** the process's metrics; the API adds its own to it and serves all of them */
  readonly metrics: Registry;
  /** what the rest of the process is doing, for /healthz, /readyz and the meta of answers */
  readonly status: StatusProvider;
  /** a pino logger; nothing is logged without one */
  readonly logger?: FastifyBaseLogger;
  /** shown in the OpenAPI document and /healthz */
  readonly version?: string;
  /** rules, tokens and the audit; without it their routes answer 503, and no token but the configured one is known */
  readonly management?: Management;
  /** what is known about addresses; without it GET /hosts/{address} answers 503 */
  readonly hosts?: HostLookup;
  /** what happens now, by the engines of this process or by Redis; without it the store answers */
  readonly realtime?: Realtime;
  /** engines of other processes, as they are heard over the bus; absent without a bus */
  readonly heardEngines?: () => readonly EngineBeat[];
  /** brings capture rules to probes, and hears how they are; without it probes are known from the store only */
  readonly captureControl?: CaptureControl;
  /** names the client of a request, for fair turns; the default is its token, certificate or address */
  readonly clientOf?: ClientOf;
}

export interface Api {
  /** Listen. Rejects with a UserError when the address is not free. */
  start(): Promise<{ readonly address: string }>;
  /** Stop listening, let running requests end (their queries are cancelled), and resolve. */
  stop(): Promise<void>;
  /** The Fastify instance, ready for `inject`; for tests and for wiring further routes before `start`. */
  readonly app: FastifyInstance;
}

/** A request must be there in this time, milliseconds; its headers in the shorter one. */
const requestMillisMax = 30_000;
const headersMillisMax = 10_000;
const headerBytesMax = 16 * 1024;
const connectionsMax = 1_000;
const docsPrefix = '/docs';

/** Bodies are taken as they are; texts of query strings become numbers and booleans where the schema wants them. */
const bodyAjv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
const textAjv = new Ajv({
  allErrors: true,
  strict: false,
  validateFormats: false,
  coerceTypes: true,
  useDefaults: true,
});

/**
 * Make the API. Nothing listens before `start`.
 * @throws UserError when it may not listen there as it is guarded, or when its TLS files cannot be used
 */
export function createApi(deps: ApiDeps, config: ApiConfig): Api {
  const { access: guard = {} } = config;
  const listen = parseListen(config.listen, guard);
  const http = { headersTimeout: headersMillisMax, connectionsCheckingInterval: 2_000, maxHeaderSize: headerBytesMax };
  const limits: ApiLimits = { ...defaultApiLimits, ...config.limits };
  const app = fastify({
    ...(deps.logger ? { loggerInstance: deps.logger } : { logger: false }),
    bodyLimit: limits.bodyBytesMax,
    genReqId: requestIdOf,
    requestIdHeader: false,
    forceCloseConnections: 'idle',
    // Headers or a body that trickle in must not hold a connection for ever (slowloris).
    requestTimeout: requestMillisMax,
    ...(guard.tls ? { https: { ...http, handshakeTimeout: headersMillisMax, ...readTls(guard.tls) } } : { http }),
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      const { problem: document } = problemOf(error, String(request.id));
      const answer = nameAnswer(reply as unknown as FastifyReply, String(request.id));
      void answer.code(document.status).type('application/problem+json').send(JSON.stringify(document));
    },
  });

  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? bodyAjv : textAjv).compile(schema as object),
  );
  // Schemas of answers are documentation that the tests check; JSON.stringify is exact and quick enough for frames.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));

  addHttpSurface(app, deps.metrics);
  addCaching(app);
  const access = new Access({ management: deps.management, metrics: deps.metrics }, guard);
  requireRoles(app, docsPrefix, access.authorize);
  void app.register(swagger, openApiOptions(deps.version ?? '0.1.0'));
  void app.register(swaggerUi, { routePrefix: docsPrefix, uiConfig: { docExpansion: 'list', deepLinking: true } });

  const runner = new QueryRunner(
    { store: deps.store, metrics: deps.metrics, log: app.log, clientOf: deps.clientOf ?? clientKey },
    limits,
  );
  const windows = { ...defaultTableWindows, ...config.windows };
  const live = config.live ?? {};
  const frontier = sharedFrontier({ runner, status: deps.status }, live.intervalMs ?? defaultLiveLimits.intervalMs);
  const context = { ...deps, version: deps.version ?? '0.1.0', runner, limits, windows, live, frontier };
  // In a plugin of its own, so that the documentation plugin's hook is there before the first route.
  void app.register(async (scope) => registerRoutes(scope.withTypeProvider<TypeBoxTypeProvider>(), context));

  const closeIdle = watchConnections(app.server as HttpServer);
  app.addHook('preClose', async () => closeIdle());
  let stopWatching = (): void => {};
  return {
    app,
    start: async () => {
      try {
        app.server.maxConnections = connectionsMax;
        const address = await app.listen({ host: listen.host, port: listen.port });
        if (guard.tls) stopWatching = watchTls(app.server as unknown as TlsServer, guard.tls, app.log);
        return { address };
      } catch (error) {
        const code = (error as { code?: unknown }).code;
        if (code === 'EADDRINUSE') {
          throw new UserError(
            'NS_PORT_IN_USE',
            `api.listen: port ${listen.port} of ${listen.host} is in use; stop what listens there or choose another (NETSPECTRA_API_LISTEN=127.0.0.1:8081)`,
          );
        }
        if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
          throw new UserError('NS_CONFIG_INVALID', `api.listen: cannot listen on ${config.listen} (${code})`);
        }
        throw error;
      }
    },
    stop: async () => {
      stopWatching();
      runner.stop();
      await app.close();
      await deps.management?.audit.flush();
    },
  };
}
