/**
 * Where a partition's worker runs: in a thread of its own, or in the caller's between its other work. Both tell the same
 * story: they work, hand out what belongs to others, take what belongs to them, and report.
 */
import type { EnrichmentData } from '../../enrichment/index.js';
import { PartitionWorker } from './partition-worker.js';
import type { Foreign, ProcessorReport } from './packet-processor.js';
import type { FlushMessage, WorkerOptions } from './partition-worker.js';
import type { PipelineShared } from './shared-state.js';
import type { AbsorbMessage, BeginMessage, EnrichmentMessage, WorkerData, WorkerMessage } from './worker-thread.js';
import { takeThread } from './worker-threads.js';

export interface WorkerHost {
  /** Resolves when the work is done, with what of other partitions was met. Rejects when the worker fails. */
  readonly foreign: Promise<Foreign>;
  /** Give it what of its own ended up elsewhere; resolves with its report. */
  absorb(foreign: Foreign): Promise<ProcessorReport>;
  /** From its next flush on, rows say this about addresses. */
  enrich(data: EnrichmentData): void;
  /** End it, whatever it is doing. */
  terminate(): Promise<void>;
}

/** A worker in a thread of its own. */
export function startThread(data: WorkerData, onFlush: (flush: FlushMessage) => void): WorkerHost {
  const thread = takeThread();
  let fail: (reason: unknown) => void = () => {};
  let report: (value: ProcessorReport) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  const reported = new Promise<ProcessorReport>((resolve) => (report = resolve));
  failed.catch(() => {}); // whoever awaits `foreign` or `absorb` hears of it
  const foreign = new Promise<Foreign>((resolve) => {
    thread.on('message', (message: WorkerMessage) => {
      if (message.kind === 'flush') onFlush(message);
      else if (message.kind === 'foreign') resolve(message.foreign);
      else report(message.report);
    });
  });
  thread.on('error', fail);
  thread.on('exit', (code) => fail(new Error(`engine worker ${data.index} ended early (exit code ${code})`)));
  thread.postMessage({ kind: 'begin', ...data } satisfies BeginMessage);
  return {
    foreign: Promise.race([foreign, failed]),
    absorb(mine) {
      thread.postMessage({ kind: 'absorb', foreign: mine } satisfies AbsorbMessage);
      return Promise.race([reported, failed]);
    },
    enrich(data) {
      thread.postMessage({ kind: 'enrichment', data } satisfies EnrichmentMessage);
    },
    async terminate() {
      await thread.terminate();
    },
  };
}

/** The event loop (progress, signals, messages of the threads) gets a turn this often, milliseconds. */
const sliceMilliseconds = 40;
const blockMilliseconds = 10;

/** A worker in the caller's thread, which goes on serving its event loop in between. */
export function startHere(shared: PipelineShared, index: number, options: WorkerOptions): WorkerHost {
  let ended = false;
  const worker = new PartitionWorker(shared, index, options);
  const work = async (): Promise<Foreign> => {
    let sliceEnd = performance.now() + sliceMilliseconds;
    for (;;) {
      const version = shared.version();
      const state = ended ? 'done' : worker.step();
      if (state === 'done') break;
      // Blocking for a moment wakes at once when there is work; Atomics.waitAsync takes a trip through the event loop.
      if (state === 'waiting') shared.wait(version, Math.min(blockMilliseconds, worker.waitMilliseconds));
      if (performance.now() > sliceEnd) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEnd = performance.now() + sliceMilliseconds;
      }
    }
    worker.finish();
    return worker.exportForeign();
  };
  return {
    foreign: work(),
    async absorb(mine) {
      worker.absorb(mine);
      return worker.report();
    },
    enrich() {
      // A worker in the caller's thread writes no rows.
    },
    async terminate() {
      ended = true;
    },
  };
}
