/** What the engine of `netspectra up` does, as the API shows it (GET /api/v1/engines). */
import { availableParallelism } from 'node:os';
import type { EngineStatus } from '../api/index.js';
import type { EngineBeat } from '../realtime/index.js';
import type { Config } from '../config/index.js';
import { addCounts } from '../engine/accounting.js';
import type { AccountingReport } from '../engine/accounting.js';
import type { Manager } from '../engine/manager.js';

export interface EngineProgress {
  readonly current: Manager | null;
  /** limits met in the captures that are finished */
  readonly limits: Readonly<Record<string, number>>;
  /** the capture at hand; empty before the first one */
  readonly file: string;
  readonly finished: boolean;
  readonly stopping: boolean;
}

const stateOf = ({ stopping, finished, file }: EngineProgress): EngineStatus['state'] => {
  if (stopping) return 'stopping';
  if (finished) return 'idle';
  return file === '' ? 'starting' : 'reading';
};

/** How often limits were met, in the captures that are finished and the one at hand. */
export function limitsMet({ limits, current }: Pick<EngineProgress, 'limits' | 'current'>): Record<string, number> {
  const sum = { ...limits };
  if (current) addCounts(sum, current.limits);
  return sum;
}

/** @param stored account of what is in the store since the process began */
export function engineStatus(config: Config, progress: EngineProgress, stored: AccountingReport): EngineStatus {
  const { current } = progress;
  return {
    id: config.probe.id,
    state: stateOf(progress),
    source: current ? progress.file : null,
    workers: config.engine.workers || availableParallelism(),
    packetsRead: current?.progress().packets ?? 0,
    packetsStored: stored.packets,
    bytesStored: stored.bytes,
    limits: limitsMet(progress),
  };
}

/** What an engine tells real-time state of itself. */
export const engineBeat = (status: EngineStatus, flowsLive: number, watermarkMs: number | null): EngineBeat => ({
  ...status,
  flowsLive,
  watermarkMs,
  memoryBytes: process.memoryUsage.rss(),
});
