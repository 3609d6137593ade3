/**
 * `netspectra up`: everything in one process. Opens the store, serves the API, stores what its source brings (capture files or
 * interfaces), and serves until it is told to stop. SIGINT or SIGTERM ends it: what was read or captured is stored, then
 * exit code 0.
 */
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Api } from '../api/index.js';
import { loadConfig } from '../config/index.js';
import type { Config } from '../config/index.js';
import { taskSchemas } from '../engine/tasks/index.js';
import { UserError } from '../errors.js';
import { observingWriter } from '../realtime/index.js';
import type { Realtime } from '../realtime/index.js';
import type { Store } from '../storage/index.js';
import { accessConfig } from './access.js';
import { openConfiguredEnrichment } from './enrichment.js';
import type { ConfiguredEnrichment } from './enrichment.js';
import { engineBeat } from './engine-status.js';
import { checkInputs } from './inputs.js';
import { LiveView } from './live-view.js';
import type { ViewState } from './live-view.js';
import { registerEnrichmentMetrics, registerProcessMetrics } from './metrics.js';
import { stopSignals, version } from './process.js';
import { beatRegularly, openConfiguredRealtime, registerRealtimeMetrics } from './realtime.js';
import { serviceOf } from './service.js';
import { takeStandardInput } from './standard-input.js';
import { openConfiguredStore, storeEndMilliseconds } from './store.js';
import { FileSource } from './up-files.js';
import { LiveSource } from './up-live.js';
import type { UpSource } from './up-source.js';
import { openWriters } from './writers.js';

export interface UpOptions {
  read?: string[];
  interface?: string[];
  data?: string;
  config?: string;
  listen?: string;
  replay?: number;
  once?: boolean;
  again?: boolean;
}

const sampleCapture = fileURLToPath(new URL('../../../test/fixtures/sample.pcap', import.meta.url));

/** @returns exit code */
export async function up(options: UpOptions): Promise<number> {
  const config = withFlags(loadConfig({ path: options.config, env: process.env, taskSchemas: taskSchemas() }), options);
  const files = filesOf(config, options);
  // What the user can have wrong is looked at before anything is made or read.
  accessConfig(config);
  if (files) await checkInputs(files);
  else checkLiveOptions(options);
  const view = new LiveView(process.stderr.isTTY);
  const logger = pino(
    { name: 'netspectra', level: view.active && config.log.level === 'info' ? 'warn' : config.log.level },
    pino.destination({ dest: 2, sync: true }),
  );
  const enrichment = await openConfiguredEnrichment(config, logger);
  try {
    const source = files
      ? new FileSource(config, {
          files,
          standardInput: takeStandardInput(files.includes('-')),
          enrichment: enrichment.source,
          logger,
          replaySpeed: options.replay ?? 0,
          again: options.again === true,
        })
      : await LiveSource.open(config, enrichment.source, logger);
    try {
      return await runSource(config, options, source, enrichment, view, logger);
    } finally {
      await source.close();
    }
  } finally {
    view.close();
    enrichment.close();
  }
}

/** Flags win over the configuration. */
function withFlags(config: Config, options: UpOptions): Config {
  return {
    ...config,
    storage: { ...config.storage, data_dir: options.data ?? config.storage.data_dir },
    api: { ...config.api, listen: options.listen ?? config.api.listen },
    capture: { ...config.capture, interfaces: [...new Set(options.interface ?? config.capture.interfaces)] },
  };
}

/** The captures to read; null: interfaces are captured. */
function filesOf({ capture }: Config, options: UpOptions): readonly string[] | null {
  if (options.read && options.interface) {
    throw new UserError(
      'NS_USAGE',
      '--interface and --read exclude each other: capture, or read files in another process with another --data',
    );
  }
  if (options.read) return options.read;
  if (options.interface) return null;
  if (capture.files.length > 0) return capture.files;
  return capture.interfaces.length > 0 ? null : [sampleCapture];
}

function checkLiveOptions({ replay, once, again }: UpOptions): void {
  const flag = replay !== undefined ? '--replay' : once ? '--once' : again ? '--again' : null;
  if (flag) throw new UserError('NS_USAGE', `${flag} is for capture files (--read), not for interfaces: leave it out`);
}

async function runSource(
  config: Config,
  options: UpOptions,
  source: UpSource,
  enrichment: ConfiguredEnrichment,
  view: LiveView,
  logger: Logger,
): Promise<number> {
  const realtime = await openConfiguredRealtime(config, logger, true);
  try {
    const store = await openConfiguredStore(config, logger, true);
    try {
      return await serve(config, options, { source, enrichment, realtime, store }, view, logger);
    } finally {
      await store.close();
    }
  } finally {
    realtime.close();
  }
}

interface Parts {
  readonly source: UpSource;
  readonly enrichment: ConfiguredEnrichment;
  readonly realtime: Realtime;
  readonly store: Store;
}

async function serve(
  config: Config,
  options: UpOptions,
  { source, enrichment, realtime, store }: Parts,
  view: LiveView,
  logger: Logger,
): Promise<number> {
  const metrics = new Registry();
  registerProcessMetrics(metrics, version);
  registerEnrichmentMetrics(metrics, enrichment);
  source.registerMetrics(metrics);
  registerRealtimeMetrics(metrics, realtime);
  const writers = await openWriters(config, store, metrics, logger, { store: source.writerOptions });
  const writer = observingWriter(writers, (flush) => realtime.observeFlush(flush));
  const { api, guard, close } = serviceOf(config, store, logger, {
    metrics,
    hosts: enrichment.hosts,
    realtime,
    signals: source.signals,
    status: () => {
      const { closedMs, atRest } = realtime.watermark.frontier;
      return {
        dependencies: [...source.dependencies, ...writers.status()],
        watermarkMs: closedMs,
        atRest,
        engines: [source.engine],
      };
    },
  });
  // Before anybody can know that we are there, and ask us to end.
  let stopping = false;
  const stop = stopSignals(() => {
    stopping = true;
    source.stop();
  });
  const begin = async (): Promise<string> => {
    if (!options.once) await guard.announceFirstToken();
    return (await api.start()).address;
  };
  const address = await begin().catch(async (error: unknown) => {
    stop.release();
    await close();
    throw error;
  });
  logger.info({ address }, 'API listens');
  const stopBeating = beatRegularly(realtime, () =>
    engineBeat(source.engine, source.flowsLive, realtime.watermark.frontier.closedMs),
  );

  let givingUp: NodeJS.Timeout | undefined;
  /** What is under way may end; a store that does not answer holds nothing up. */
  const giveUpLater = (): void => void (givingUp ??= setTimeout(() => void store.abandon(), storeEndMilliseconds));
  const self = { address, headers: guard.ownHeaders };
  const timer = view.active ? setInterval(() => void drawView(view, api, source, self), 1000) : null;
  const serving = `serving ${address} (API reference: ${address}/docs); Ctrl-C ends`;
  if (source.signals && !view.active)
    process.stderr.write(`netspectra: capturing ${config.capture.interfaces.join(', ')}, ${serving}\n`);
  try {
    const exitCode = await source.run({ store, writer });
    if (stopping) giveUpLater();
    if (view.active) await drawView(view, api, source, self);
    if (!options.once && !stopping) {
      if (!view.active) process.stderr.write(`netspectra: ${serving}\n`);
      await stop.asked;
    }
    return exitCode;
  } finally {
    if (timer) clearInterval(timer);
    stopBeating();
    stop.release();
    giveUpLater();
    await api.stop();
    await close();
    await writers.close();
    await store.close();
    clearTimeout(givingUp);
  }
}

const drawView = (
  view: LiveView,
  api: Api,
  source: UpSource,
  self: Pick<ViewState, 'address' | 'headers'>,
): Promise<void> => view.draw(api.app, { ...self, ...source.view });
