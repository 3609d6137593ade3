/** How many threads `analyze` works with, and a start for them before its own modules are loaded. */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { warmThreads } from '../engine/pipeline/worker-threads.js';

/** Below this one thread is done before a second one has started. */
const inlineBytes = 24 * 1024 * 1024;

export interface AnalyzeThreads {
  /** threads, the caller's included */
  readonly workers: number;
  /** files up to this size are read in the caller's thread */
  readonly inlineBytes: number;
}

/** @param workers what the user asked for */
export function analyzeThreads(workers?: number): AnalyzeThreads {
  return {
    workers: workers ?? availableParallelism(),
    inlineBytes: workers === undefined || workers === 1 ? inlineBytes : 0,
  };
}

/** Start the threads that the first file will want. */
export function warmAnalyzeThreads([file]: readonly string[], wanted?: number): void {
  const { workers, inlineBytes: few } = analyzeThreads(wanted);
  if (file !== undefined && fileBytes(file) > few) warmThreads(workers - 1);
}

/** 0 for what is no file; what cannot be opened, or is no capture, is found out later. */
function fileBytes(path: string): number {
  try {
    const found = statSync(path);
    return found.isFile() ? found.size : 0;
  } catch {
    return 0;
  }
}
