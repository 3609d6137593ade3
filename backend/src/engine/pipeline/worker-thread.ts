/**
 * Thread entry: runs one PartitionWorker, then, when a report is wanted, trades flows that belong elsewhere and answers
 * with its report. Messages out: 'flush' (rows), 'foreign' (what belongs to other partitions), 'report'. In: 'absorb'.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { PartitionWorker } from './partition-worker.js';
import type { FlushMessage, Foreign, WorkerOptions, WorkerReport } from './partition-worker.js';
import { PipelineShared } from './shared-state.js';
import type { PipelineBuffers } from './shared-state.js';

export interface WorkerData {
  readonly buffers: PipelineBuffers;
  readonly index: number;
  readonly options: WorkerOptions;
}

export type WorkerMessage =
  | FlushMessage
  | { readonly kind: 'foreign'; readonly foreign: Foreign }
  | { readonly kind: 'report'; readonly report: WorkerReport };

export interface AbsorbMessage {
  readonly kind: 'absorb';
  readonly foreign: Foreign;
}

const port = parentPort;
if (!port) throw new Error('worker-thread.ts runs as a worker thread only');
const { buffers, index, options } = workerData as WorkerData;
const post = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const worker = new PartitionWorker(new PipelineShared(buffers), index, options, (flush) =>
  post(
    flush,
    flush.blocks.map((block) => block.bytes.buffer as ArrayBuffer),
  ),
);
worker.run();
post({ kind: 'foreign', foreign: worker.exportForeign() });
port.once('message', (message: AbsorbMessage) => {
  worker.absorb(message.foreign);
  post({ kind: 'report', report: worker.report() });
});
