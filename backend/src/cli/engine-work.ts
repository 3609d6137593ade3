/** What engines that take packets from a bus are made of, from the configuration: `engine` and `up --interface`. */
import type { EngineWorkerOptions } from '../cluster/index.js';
import type { Config } from '../config/index.js';
import type { ProcessorOptions } from '../engine/pipeline/packet-processor.js';
import { allTasks } from '../engine/tasks/index.js';
import type { EnrichmentData } from '../enrichment/index.js';
import type { WriterOptions } from '../storage/index.js';

/** A flush is written early when it may have so many rows. */
const flushPacketsMax = 500_000;
/** There is a flow table for each stream (probe, start of a probe, partition), so it begins small. */
const initialFlowsOfStream = 1024;
/** Packets older than this were not captured now. */
const oldMs = 3_600_000;

/**
 * An insert is one block of one flush, whatever its size, so that it is stored whole or not at all. Tries are few: the
 * runner begins anew, so that a lost lease is noticed.
 */
export const flushWriterOptions: WriterOptions = { rowsMax: 8_000_000, bytesMax: 1024 ** 3, triesMax: 2 };

/** Of one stream of a probe. */
export function processorOptions({ engine }: Config, probe: string, enrichment: EnrichmentData): ProcessorOptions {
  return {
    probe,
    maxFlows: engine.flow_table.max_flows,
    initialFlows: initialFlowsOfStream,
    fragmentsMax: engine.max_fragments,
    idleTimeoutSeconds: engine.flow_table.idle_timeout,
    counterWindowSeconds: engine.windows.counter_seconds,
    flowWindowSeconds: engine.windows.flow_seconds,
    sketchWindowSeconds: engine.windows.sketch_seconds,
    windows: true,
    report: false,
    reportTop: 0,
    tasks: engine.tasks.length > 0 ? engine.tasks.map(({ type, ...options }) => ({ type, options })) : allTasks(),
    enrichment,
  };
}

/** Bounds of an engine's thread. */
export const workerLimits = ({ engine }: Config): Omit<EngineWorkerOptions, 'id' | 'leaseMs' | 'messageBytesMax'> => ({
  maxFlows: Math.max(1, Math.floor(engine.flow_table.max_flows)),
  flushMs: engine.flush.interval * 1000,
  rowBytesMax: engine.flush.max_bytes,
  packetsMax: flushPacketsMax,
  holeMs: engine.hole_timeout * 1000,
  streamsMax: engine.max_streams,
});

/** Of an engine that has several probes: their copies of a packet count once, where that is asked for. */
export const duplicateLimits = ({ engine: { duplicates } }: Config): Pick<EngineWorkerOptions, 'duplicates'> =>
  duplicates.window > 0
    ? { duplicates: { windowMs: duplicates.window * 1000, maxPackets: duplicates.max_packets } }
    : {};

/** Milliseconds since a packet's time; null for old captures that are published now, whose age says nothing. */
export function liveLatencyMs(packetMs: number): number | null {
  const latencyMs = Date.now() - packetMs;
  return latencyMs < oldMs ? latencyMs : null;
}
