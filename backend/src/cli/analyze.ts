/** `netspectra analyze`: captures in, one answer each on stdout. No database, no network. */
import { openCaptureFile } from '@netspectra/collector';
import { Manager } from '../engine/manager.js';
import type { FlowTaskReport } from '../engine/tasks/flow.js';
import { allTasks } from '../engine/tasks/index.js';
import { toAnalysis } from './analysis.js';
import type { Analysis } from './analysis.js';
import { analyzeThreads } from './analyze-threads.js';
import { analysisText } from './analysis-text.js';
import { damageLines } from './damage.js';
import { checkInputs, inputName, isNoCapture, noCaptureError } from './inputs.js';
import { showProgress } from './progress.js';
import { grouped } from './text.js';

export interface AnalyzeOptions {
  format: 'text' | 'json';
  top: number;
  workers?: number;
  maxFlows?: number;
}

/** Default bound of the flow table: about 800 MB when it is reached. */
const defaultMaxFlows = 4_000_000;

export interface FileAnalysis {
  analysis: Analysis;
  /** one line per damage; empty when the file was whole */
  damage: string[];
  /** flows beyond `maxFlows`, put together as "other": in all sums, but no flows or conversations of their own */
  foldedFlows: number;
}

/** How the work is cut; only tests change these. Results do not depend on them. */
export interface AnalyzeShape {
  chunkBytes?: number;
  chunkRows?: number;
}

/**
 * Analyse one capture.
 * @throws CaptureError when it cannot be opened, UserError NS_INPUT_UNKNOWN_FORMAT when it is no capture file
 */
export async function analyzeFile(
  file: string,
  options: Omit<AnalyzeOptions, 'format'>,
  shape: AnalyzeShape = {},
): Promise<FileAnalysis> {
  const capture = await openCaptureFile(file);
  const manager = new Manager(
    {
      probe: 'analyze',
      ...analyzeThreads(options.workers),
      maxFlows: options.maxFlows ?? defaultMaxFlows,
      idleTimeoutSeconds: 0,
      counterWindowSeconds: 1,
      flowWindowSeconds: 10,
      sketchWindowSeconds: 60,
      report: true,
      reportTop: options.top,
      flushCaptureBytes: 0,
      flushRowBytes: 0,
      flushMilliseconds: 0,
      fragmentsMax: 4096,
      replaySpeed: 0,
      tasks: allTasks(),
      ...shape,
    },
    null,
  );
  const clear = showProgress(file, () => manager.progress());
  const result = await manager.run({ capture, name: file, epoch: 0n }).finally(clear);
  const { capture: state } = result;
  if (isNoCapture(state, result.streamDamage)) throw noCaptureError(file, state);
  return {
    analysis: toAnalysis(file, result, options.top),
    damage: damageLines(file, state, result.streamDamage),
    foldedFlows: (result.tasks.get('flow') as FlowTaskReport).foldedFlows,
  };
}

/** @returns exit code: 0, or 3 when a file was damaged. Throws what `analyzeFile` throws. */
export async function analyze(files: readonly string[], options: AnalyzeOptions): Promise<number> {
  await checkInputs(files);
  let exitCode = 0;
  for (const [i, file] of files.entries()) {
    const { analysis, damage, foldedFlows } = await analyzeFile(file, options);
    for (const line of damage) process.stderr.write(`netspectra: ${line}\n`);
    if (damage.length > 0) exitCode = 3;
    if (foldedFlows > 0) {
      process.stderr.write(
        `netspectra: ${inputName(file)}: ${grouped(foldedFlows)} flows beyond --max-flows were put together: packets and bytes ` +
          'count in all sums, but these are missing from flows and conversations\n',
      );
    }
    if (options.format === 'json') process.stdout.write(`${JSON.stringify(analysis, null, 2)}\n`);
    else process.stdout.write(`${i > 0 ? '\n' : ''}${analysisText(analysis)}`);
  }
  return exitCode;
}
