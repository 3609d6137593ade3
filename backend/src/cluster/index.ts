/** Engines on one bus: who processes which partition, and how none of it is lost or counted twice. */
export { EngineWorker } from './engine-worker.js';
export type { CounterName, EngineWorkerOptions, EngineWorkerParts, EngineWorkerState } from './engine-worker.js';
export type { RunnerPoint, RunnerState } from './partition-runner.js';
export type { CutStretch, StoredPart } from './stream-intake.js';
export { Lease, stretchesMax, type FlushStretch, type LeaseEnd } from './lease.js';
export { PartitionLeases, shareOf, type LeaseRound, type PartitionLeasesOptions } from './partition-leases.js';
export { MessageOrder, type MessageOrderOptions, type OrderCounters } from './message-order.js';
