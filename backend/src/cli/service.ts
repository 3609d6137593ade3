/** What `up` and `api` share: the API over a store. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createApi } from '../api/index.js';
import type { Api, ApiDeps, StatusProvider } from '../api/index.js';
import type { Config } from '../config/index.js';
import type { Store } from '../storage/index.js';
import { guardApi } from './access.js';
import type { ApiGuard } from './access.js';
import { openApiBus, registerApiBusMetrics } from './api-bus.js';
import type { ProbeSignals } from './api-bus.js';
import { version } from './process.js';

/** What differs between the processes that serve the API. */
export type ServiceDeps = Omit<ApiDeps, 'store' | 'management' | 'logger' | 'version' | 'metrics'> & {
  readonly metrics: Registry;
  /** of a probe in this process; without it probes are told over the bus, where the configuration says so */
  readonly signals?: ProbeSignals | null;
};

export interface Service {
  readonly api: Api;
  readonly guard: ApiGuard;
  /** Ends the connection to the bus, where there is one; after the API has stopped. */
  close(): Promise<void>;
}

/** The API over a store, guarded as the configuration says. Nothing listens before `api.start()`. */
export function serviceOf(config: Config, store: Store, logger: Logger, deps: ServiceDeps): Service {
  const { windows } = config.engine;
  const guard = guardApi(config, store, logger);
  const bus = openApiBus(config, guard.management.captureRules, logger, deps.signals ?? null);
  registerApiBusMetrics(deps.metrics, () => bus);
  const status: StatusProvider = () => {
    const told = deps.status();
    const busStatus = bus?.status();
    return busStatus ? { ...told, dependencies: [...told.dependencies, busStatus] } : told;
  };
  const control = bus ? { captureControl: bus.director, heardEngines: () => bus.engines.engines() } : {};
  const api = createApi(
    { ...deps, ...control, status, store, management: guard.management, logger, version },
    {
      listen: config.api.listen,
      access: guard.access,
      limits: {
        rowsMax: config.api.max_rows,
        exportRowsMax: config.api.max_export_rows,
        flowRowsMax: config.api.max_flow_rows,
        rangeSecondsMax: config.api.max_range,
        queryMillisMax: config.api.query_timeout * 1000,
        concurrency: config.api.concurrency,
      },
      windows: {
        counterSeconds: windows.counter_seconds,
        flowSeconds: windows.flow_seconds,
        sketchSeconds: windows.sketch_seconds,
      },
    },
  );
  return { api, guard, close: async () => bus?.close() };
}
