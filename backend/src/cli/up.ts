/**
 * `netspectra up`: everything in one process. Opens the store, serves the API, reads the captures into it, and goes on
 * serving until it is told to stop. SIGINT or SIGTERM ends it: what was read is stored, then exit code 0.
 */
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { openCaptureFile, openCaptureStream } from '@netspectra/collector';
import pino from 'pino';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Api } from '../api/index.js';
import { loadConfig } from '../config/index.js';
import type { Config } from '../config/index.js';
import { mergeAccounting } from '../engine/accounting.js';
import type { AccountingReport } from '../engine/accounting.js';
import { Manager } from '../engine/manager.js';
import type { EngineHeld, ResumePoint, RunResult } from '../engine/manager.js';
import { allTasks, taskSchemas } from '../engine/tasks/index.js';
import { observingWriter } from '../realtime/index.js';
import type { Realtime } from '../realtime/index.js';
import { readPosition } from '../storage/index.js';
import type { Store } from '../storage/index.js';
import type { Writer } from '../tables/index.js';
import { accessConfig } from './access.js';
import { damageLines } from './damage.js';
import { openConfiguredEnrichment } from './enrichment.js';
import type { ConfiguredEnrichment } from './enrichment.js';
import { fileEpoch } from './file-identity.js';
import { engineBeat, engineStatus, limitsMet } from './engine-status.js';
import { checkInputs, inputName, isNoCapture, noCaptureError } from './inputs.js';
import { LiveView } from './live-view.js';
import type { ViewState } from './live-view.js';
import {
  registerCaptureMetrics,
  registerEngineMetrics,
  registerEnrichmentMetrics,
  registerProcessMetrics,
} from './metrics.js';
import { stopSignals, version } from './process.js';
import { beatRegularly, openConfiguredRealtime, registerRealtimeMetrics } from './realtime.js';
import { openConfiguredStore, serviceOf } from './service.js';
import { takeStandardInput } from './standard-input.js';
import { openWriters } from './writers.js';

export interface UpOptions {
  read?: string[];
  data?: string;
  config?: string;
  listen?: string;
  replay?: number;
  once?: boolean;
  again?: boolean;
}

/** The options, what stands for `-` among the files, what is known about addresses, and what happens now. */
type RunOptions = UpOptions & {
  readonly standardInput: Readable | null;
  readonly enrichment: ConfiguredEnrichment;
  readonly realtime: Realtime;
};

/**
 * Small pieces, so that a replay is smooth; the same for every run, because a run that goes on after a crash must cut the
 * capture as the one before did (a flush is named by the chunks it covers).
 */
const chunkShape = { chunkBytes: 128 * 1024, chunkRows: 2048 };

const sampleCapture = fileURLToPath(new URL('../../../test/fixtures/sample.pcap', import.meta.url));

/** @returns exit code */
export async function up(options: UpOptions): Promise<number> {
  const config = withFlags(loadConfig({ path: options.config, env: process.env, taskSchemas: taskSchemas() }), options);
  const files = options.read ?? (config.capture.files.length > 0 ? config.capture.files : [sampleCapture]);
  // What the user can have wrong is looked at before anything is made or read.
  accessConfig(config);
  await checkInputs(files);
  const standardInput = takeStandardInput(files.includes('-'));
  const view = new LiveView(process.stderr.isTTY);
  const logger = pino(
    { name: 'netspectra', level: view.active && config.log.level === 'info' ? 'warn' : config.log.level },
    pino.destination({ dest: 2, sync: true }),
  );
  const enrichment = await openConfiguredEnrichment(config, logger);
  const realtime = await openConfiguredRealtime(config, logger, true);
  const store = await openConfiguredStore(config, logger, true).catch((error: unknown) => {
    realtime.close();
    throw error;
  });
  try {
    return await serve(config, files, { ...options, standardInput, enrichment, realtime }, store, view, logger);
  } finally {
    enrichment.close();
    standardInput?.destroy();
    view.close();
    realtime.close();
    await store.close();
  }
}

/** Flags win over the configuration. */
function withFlags(config: Config, options: UpOptions): Config {
  return {
    ...config,
    storage: { ...config.storage, data_dir: options.data ?? config.storage.data_dir },
    api: { ...config.api, listen: options.listen ?? config.api.listen },
  };
}

/** What the process is doing; the API and the view read it. */
interface Progress {
  /** accounts of the captures that are finished */
  done: AccountingReport;
  /** packets read of them, whether stored or not */
  read: number;
  /** limits met in them */
  limits: Readonly<Record<string, number>>;
  current: Manager | null;
  file: string;
  finished: boolean;
  stopping: boolean;
}

async function serve(
  config: Config,
  files: readonly string[],
  options: RunOptions,
  store: Store,
  view: LiveView,
  logger: Logger,
): Promise<number> {
  const progress: Progress = {
    done: mergeAccounting([]),
    read: 0,
    limits: {},
    current: null,
    file: '',
    finished: false,
    stopping: false,
  };
  const stored = (): AccountingReport =>
    mergeAccounting(progress.current ? [progress.done, progress.current.accounting] : [progress.done]);
  const metrics = new Registry();
  registerProcessMetrics(metrics, version);
  registerEnrichmentMetrics(metrics, options.enrichment);
  const held = (): EngineHeld => progress.current?.held ?? { flows: 0, flushes: 0, chunks: 0 };
  registerEngineMetrics(metrics, { stored, limits: () => limitsMet(progress), flows: () => held().flows });
  registerCaptureMetrics(metrics, {
    packetsRead: () => progress.read + (progress.current?.progress().packets ?? 0),
    captureBytesRead: () => progress.current?.progress().read ?? 0,
    captureBytes: () => progress.current?.progress().size ?? 0,
    held,
  });
  const { realtime } = options;
  registerRealtimeMetrics(metrics, realtime);
  const writers = await openWriters(config, store, metrics, logger);
  const writer = observingWriter(writers, (flush) => realtime.observeFlush(flush));
  const { api, guard, close } = serviceOf(config, store, logger, {
    metrics,
    hosts: options.enrichment.hosts,
    realtime,
    status: () => {
      const { closedMs, atRest } = realtime.watermark.frontier;
      return {
        dependencies: [
          {
            name: 'engine',
            ok: true,
            detail: progress.finished
              ? 'all captures are read'
              : progress.file === ''
                ? 'starting'
                : `reading ${progress.file}`,
          },
          ...writers.status(),
        ],
        watermarkMs: closedMs,
        atRest,
        engines: [engineStatus(config, progress, stored())],
      };
    },
  });
  const begin = async (): Promise<string> => {
    if (!options.once) await guard.announceFirstToken();
    return (await api.start()).address;
  };
  const address = await begin().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  logger.info({ address }, 'API listens');
  const stopBeating = beatRegularly(realtime, () =>
    engineBeat(engineStatus(config, progress, stored()), held().flows, realtime.watermark.frontier.closedMs),
  );

  const stop = stopSignals(() => {
    progress.stopping = true;
    if (progress.current) progress.current.stop();
    else options.standardInput?.destroy(); // its first bytes may be waited for
  });
  const timer = view.active
    ? setInterval(() => void drawView(view, api, progress, stored(), { address, headers: guard.ownHeaders }), 1000)
    : null;
  try {
    const exitCode = await readAll(config, files, options, store, writer, progress, logger);
    progress.finished = true;
    if (view.active) await drawView(view, api, progress, stored(), { address, headers: guard.ownHeaders });
    if (!options.once && !progress.stopping) {
      if (!view.active)
        process.stderr.write(`netspectra: serving ${address} (API reference: ${address}/docs); Ctrl-C ends\n`);
      await stop.asked;
    }
    return exitCode;
  } finally {
    if (timer) clearInterval(timer);
    stopBeating();
    stop.release();
    await api.stop();
    await close();
    await writers.close();
  }
}

async function drawView(
  view: LiveView,
  api: Api,
  progress: Progress,
  stored: AccountingReport,
  self: Pick<ViewState, 'address' | 'headers'>,
): Promise<void> {
  await view.draw(api.app, {
    ...self,
    file: progress.file,
    finished: progress.finished,
    progress: progress.current?.progress() ?? null,
    stored,
  });
}

/** Read the captures one after the other. @returns exit code 0, or 3 when one was damaged */
async function readAll(
  config: Config,
  files: readonly string[],
  options: RunOptions,
  store: Store,
  writer: Writer,
  progress: Progress,
  logger: Logger,
): Promise<number> {
  let exitCode = 0;
  for (const file of files) {
    if (progress.stopping) break;
    progress.file = basename(file);
    const capture =
      file === '-' && options.standardInput
        ? await openCaptureStream(options.standardInput, inputName(file))
        : await openCaptureFile(file);
    if (progress.stopping) break;
    const seed = options.again === true || file === '-' ? randomBytes(8).readBigUInt64BE(0) : await fileEpoch(file);
    const run = await planRun(config, store, seed);
    if (run === 'stored') {
      logger.info({ file }, 'this capture is in the store already; --again reads it once more');
      process.stderr.write(`netspectra: ${file} is in the store already; --again reads it once more\n`);
      continue;
    }
    const manager = new Manager(managerOptions(config, options, run.partitions), writer);
    const forget = options.enrichment.source.onChange((data) => manager.enrich(data));
    progress.current = manager;
    if (progress.stopping) manager.stop();
    const started = process.hrtime.bigint();
    const result = await manager
      .run({ capture, name: basename(file), epoch: seed, resume: run.resume })
      .finally(forget);
    progress.done = mergeAccounting([progress.done, manager.accounting]);
    progress.read += manager.progress().packets;
    progress.limits = limitsMet(progress);
    progress.current = null;
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    logger.info(
      {
        file,
        packets: manager.accounting.packets,
        bytes: manager.accounting.bytes,
        seconds,
        complete: result.complete,
      },
      'capture read',
    );
    if (reportDamage(file, result)) exitCode = 3;
  }
  return exitCode;
}

function reportDamage(file: string, result: RunResult): boolean {
  if (isNoCapture(result.capture, result.streamDamage)) throw noCaptureError(file, result.capture);
  const lines = damageLines(file, result.capture, result.streamDamage);
  for (const line of lines) process.stderr.write(`netspectra: ${line}\n`);
  return lines.length > 0;
}

/** What of a source is stored already, and where to go on. */
async function planRun(
  config: Config,
  store: Store,
  epoch: bigint,
): Promise<'stored' | { partitions: number; resume: ResumePoint }> {
  const cores = config.engine.workers || availableParallelism();
  const fresh = { lastSeq: -1, position: 0, flushAt: [] };
  const position = await readPosition(store, config.probe.id, epoch);
  if (!position) return { partitions: cores, resume: fresh };
  if (position.complete) return 'stored';
  const { lastSeq, aheadSeq } = position;
  return {
    // The rows' partition is part of their name, so an interrupted capture goes on with as many as it began with.
    partitions: position.partitions || cores,
    resume: { lastSeq, position: lastSeq < 0 ? 0 : position.position, flushAt: aheadSeq > lastSeq ? [aheadSeq] : [] },
  };
}

function managerOptions(config: Config, options: RunOptions, workers: number) {
  const { engine, probe } = config;
  return {
    probe: probe.id,
    workers,
    maxFlows: engine.flow_table.max_flows * workers,
    idleTimeoutSeconds: engine.flow_table.idle_timeout,
    counterWindowSeconds: engine.windows.counter_seconds,
    flowWindowSeconds: engine.windows.flow_seconds,
    sketchWindowSeconds: engine.windows.sketch_seconds,
    report: false,
    reportTop: 0,
    flushCaptureBytes: 64 * 1024 * 1024,
    flushRowBytes: engine.flush.max_bytes,
    flushMilliseconds: engine.flush.interval * 1000,
    fragmentsMax: engine.max_fragments * workers,
    replaySpeed: options.replay ?? 0,
    enrichment: options.enrichment.source.data,
    tasks: engine.tasks.length > 0 ? engine.tasks.map(({ type, ...task }) => ({ type, options: task })) : allTasks(),
    ...chunkShape,
  };
}
