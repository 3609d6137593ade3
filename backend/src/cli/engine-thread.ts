/**
 * Thread entry of `netspectra engine`: one EngineWorker with a connection to the bus and one to the store of its own.
 * Messages in: 'stop', 'enrichment', 'metrics' (answered by 'metrics'). Out besides: 'state', once a second.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { createNatsRecords } from '@netspectra/collector/bus';
import { freeMemory } from '@netspectra/collector/memory';
import { shrinkHeap } from '@netspectra/collector/probe';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import { EngineWorker } from '../cluster/index.js';
import type { CounterName, EngineWorkerState } from '../cluster/index.js';
import type { Config } from '../config/index.js';
import { PacketProcessor } from '../engine/pipeline/packet-processor.js';
import { recycleRows } from '../engine/row-sink.js';
import type { EnrichmentData } from '../enrichment/index.js';
import type { DependencyStatus } from '../health.js';
import { observingWriter, sendBeat } from '../realtime/index.js';
import type { EngineBeat } from '../realtime/index.js';
import { UserError } from '../errors.js';
import { readStretches } from '../storage/index.js';
import type { Store } from '../storage/index.js';
import { openConfiguredBus } from './bus.js';
import { registerBusEngineMetrics } from './engine-metrics.js';
import { duplicateLimits, flushWriterOptions, liveLatencyMs, processorOptions, workerLimits } from './engine-work.js';
import { beatRegularly, openConfiguredRealtime, registerRealtimeMetrics } from './realtime.js';
import { openMigratedStore } from './store.js';
import { openWriters } from './writers.js';

export interface EngineThreadData {
  readonly config: Config;
  /** unique among all engines' threads */
  readonly id: string;
  /** number of the thread within its engine */
  readonly index: number;
  /** threads of this engine, which share its limits */
  readonly threads: number;
  readonly enrichment: EnrichmentData;
}

export type EngineThreadRequest =
  | { readonly kind: 'stop' }
  | { readonly kind: 'metrics'; readonly number: number }
  | { readonly kind: 'enrichment'; readonly data: EnrichmentData };

export type EngineThreadMessage =
  | {
      readonly kind: 'state';
      readonly state: EngineWorkerState;
      /** what is written to beside the store */
      readonly writers: readonly DependencyStatus[];
    }
  | { readonly kind: 'ended'; readonly stored: boolean }
  | {
      readonly kind: 'metrics';
      readonly number: number;
      readonly metrics: readonly MetricObjectWithValues<MetricValue<string>>[];
    };

const leasesBucket = 'netspectra-engines';
const stateMs = 1_000;
const storeRetryMs = 500;
/** Messages fetched ahead, in bytes, of all threads of the process. */
const fetchBytesMax = 32 * 1024 ** 2;

const port = parentPort;
if (!port) throw new Error('engine-thread.ts runs as a worker thread only');
const { config, id, index, threads, enrichment } = workerData as EngineThreadData;
const post = (message: EngineThreadMessage): void => port.postMessage(message);

const { engine } = config;
const logger = pino({ name: 'netspectra', level: config.log.level }, pino.destination({ dest: 2, sync: true }));
const metrics = new Registry();
const bus = openConfiguredBus(config, `netspectra engine ${id}`, logger);
const store = await openStoreWhenItIsThere();
const writers = await openWriters(config, store, metrics, logger, {
  subfolder: `${engine.id || 'engine'}-${index}`,
  store: flushWriterOptions,
});
const realtime = await openConfiguredRealtime(config, logger, false);
registerRealtimeMetrics(metrics, realtime);
// Without Redis nobody outside could ask what this process knows.
const writer = realtime.redis ? observingWriter(writers, (flush) => realtime.observeFlush(flush)) : writers;
let newestEnrichment = enrichment;
let ending = false;
await shrinkHeap(); // before there is anybody to tell it to end
// Arrays will be freed by hand. The first time costs a thread all code that was compiled by then: now there is none yet.
freeMemory(new ArrayBuffer(1 << 20));

const worker = new EngineWorker(
  {
    bus,
    writer,
    records: createNatsRecords(bus, leasesBucket, config.bus.replicas),
    log: logger,
    readStored: (probe, epoch, partition) => readStretches(store, probe, epoch, partition),
    newProcessor: (probe) => new PacketProcessor(processorOptions(config, probe, newestEnrichment)),
    onStored: ({ content, lastPacketMs }) => {
      const { accounting } = content;
      told.stored(accounting, accounting.packets > 0 ? liveLatencyMs(lastPacketMs) : null);
    },
    ...(!writers.readsLater && { recycleRows }),
  },
  {
    ...workerLimits(config),
    ...duplicateLimits(config),
    id,
    leaseMs: engine.lease * 1000,
    messageBytesMax: Math.floor(fetchBytesMax / threads),
  },
);
const told = registerBusEngineMetrics(metrics, () => worker.state);

const telling = setInterval(() => {
  post({ kind: 'state', state: worker.state, writers: writers.status() });
  sendBeat(bus, beat());
}, stateMs);
port.on('message', (request: EngineThreadRequest) => {
  switch (request.kind) {
    case 'enrichment':
      newestEnrichment = request.data;
      worker.enrich(request.data);
      break;
    case 'metrics':
      void metrics
        .getMetricsAsJSON()
        .then((found) => post({ kind: 'metrics', number: request.number, metrics: found }));
      break;
    case 'stop':
      void end();
  }
});
worker.start();
const stopBeating = realtime.redis ? beatRegularly(realtime, beat) : () => {};

/** What others see of this thread in Redis. */
function beat(): EngineBeat {
  const { partitions, before, flowsLive } = worker.state;
  const sum = (name: CounterName): number => partitions.reduce((all, { state }) => all + state[name], before[name]);
  return {
    id,
    state: ending ? 'stopping' : partitions.length === 0 ? 'idle' : 'reading',
    source: partitions.length === 0 ? null : `partitions ${partitions.map(({ partition }) => partition).join(', ')}`,
    workers: 1,
    packetsRead: sum('packets'),
    packetsStored: told.accounts.packets,
    bytesStored: told.accounts.bytes,
    flowsLive,
    watermarkMs: realtime.watermark.frontier.closedMs,
    memoryBytes: process.memoryUsage.rss(),
    limits: {},
  };
}

/**
 * The process has had an answer of the store a moment ago; one that went away since is waited for, as any later one is. A request
 * to end that comes meanwhile ends the thread, which has taken nothing.
 */
async function openStoreWhenItIsThere(): Promise<Store> {
  for (let told = false; ; told = true) {
    try {
      return await openMigratedStore(config);
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'NS_STORE_UNAVAILABLE') throw error;
      if (!told) logger.warn({ reason: error.message }, 'the store went away at the start; trying again');
    }
    await delay(storeRetryMs);
    for (let found = receiveMessageOnPort(port!); found; found = receiveMessageOnPort(port!)) {
      if ((found.message as EngineThreadRequest).kind !== 'stop') continue;
      post({ kind: 'ended', stored: true });
      await bus.close();
      process.exit(0);
    }
  }
}

async function end(): Promise<void> {
  ending = true;
  const stored = await worker.stop(engine.drain_timeout * 1000);
  clearInterval(telling);
  stopBeating();
  await writers.close();
  realtime.close();
  await store.close();
  await bus.close();
  post({ kind: 'ended', stored });
  port?.close();
}
