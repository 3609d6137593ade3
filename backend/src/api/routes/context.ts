/** What the routes share. */
import type { FastifyInstance, FastifyBaseLogger, RawServerDefault } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Registry } from 'prom-client';
import type { CaptureControl } from '../../capture-rules/index.js';
import type { HostLookup } from '../../enrichment/index.js';
import type { Management } from '../../management/index.js';
import type { AskFrontier } from '../live/frontier.js';
import type { EngineBeat, Realtime } from '../../realtime/index.js';
import type { LiveLimits } from '../live/hub.js';
import type { TableWindows } from '../planner/index.js';
import type { QueryRunner } from '../runner.js';
import type { StatusProvider } from '../status.js';

export interface RouteLimits {
  readonly rowsMax: number;
  /** flow records that one query adds up, where a rollup could answer */
  readonly flowRowsMax: number;
  readonly exportRowsMax: number;
  readonly rangeSecondsMax: number;
}

export interface RouteContext {
  readonly runner: QueryRunner;
  readonly limits: RouteLimits;
  readonly windows: TableWindows;
  readonly metrics: Registry;
  readonly status: StatusProvider;
  readonly frontier: AskFrontier;
  readonly version: string;
  readonly management?: Management;
  readonly hosts?: HostLookup;
  /** what happens now; without it the store answers */
  readonly realtime?: Realtime;
  /** engines of other processes, as they are heard over the bus; absent without a bus */
  readonly heardEngines?: () => readonly EngineBeat[];
  /** brings capture rules to probes, and hears them; absent without a bus */
  readonly captureControl?: CaptureControl;
  readonly live?: Partial<LiveLimits>;
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;
