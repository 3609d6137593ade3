/**
 * Thread entry: waits to be told what to work on, runs one PartitionWorker, then, when a report is wanted, trades flows that belong
 * elsewhere and answers with its report. Messages out: 'flush' (rows), 'foreign' (what belongs to other partitions), 'report'.
 * In: 'begin' first, 'enrichment' while it works, which it looks for at each flush, and 'absorb' afterwards.
 */
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type { EnrichmentData } from '../../enrichment/index.js';
import { PartitionWorker } from './partition-worker.js';
import type { Foreign, ProcessorReport } from './packet-processor.js';
import type { FlushMessage, WorkerOptions } from './partition-worker.js';
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
  | { readonly kind: 'report'; readonly report: ProcessorReport };

export interface BeginMessage extends WorkerData {
  readonly kind: 'begin';
}

export interface AbsorbMessage {
  readonly kind: 'absorb';
  readonly foreign: Foreign;
}

/** From now on rows say this about addresses. */
export interface EnrichmentMessage {
  readonly kind: 'enrichment';
  readonly data: EnrichmentData;
}

const port = parentPort;
if (!port) throw new Error('worker-thread.ts runs as a worker thread only');
const post = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

/** The newest data that was sent since the last call. The thread does not come back to its event loop while it works. */
function newEnrichment(): EnrichmentData | undefined {
  let newest: EnrichmentData | undefined;
  for (let found = receiveMessageOnPort(port!); found; found = receiveMessageOnPort(port!)) {
    newest = (found.message as EnrichmentMessage).data;
  }
  return newest;
}

/** All of the work, in one go. */
function work({ buffers, index, options }: WorkerData): PartitionWorker {
  const worker = new PartitionWorker(
    new PipelineShared(buffers),
    index,
    options,
    (flush) =>
      post(
        flush,
        flush.blocks.map((block) => block.bytes.buffer as ArrayBuffer),
      ),
    newEnrichment,
  );
  worker.run();
  post({ kind: 'foreign', foreign: worker.exportForeign() });
  return worker;
}

let worker: PartitionWorker | undefined;
port.on('message', (message: BeginMessage | AbsorbMessage | EnrichmentMessage) => {
  if (message.kind === 'begin') worker = work(message);
  if (message.kind !== 'absorb') return; // data that came too late for this run
  worker!.absorb(message.foreign);
  post({ kind: 'report', report: worker!.report() });
  port.close();
});
