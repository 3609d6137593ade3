/** Capture files as the source of `up`: read one after the other, going on where an earlier run was interrupted. */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { openCaptureFile, openCaptureStream } from '@netspectra/collector';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { EngineStatus } from '../api/index.js';
import type { Config } from '../config/index.js';
import { mergeAccounting } from '../engine/accounting.js';
import type { AccountingReport } from '../engine/accounting.js';
import { Manager } from '../engine/manager.js';
import type { EngineHeld, ResumePoint, RunResult } from '../engine/manager.js';
import { allTasks } from '../engine/tasks/index.js';
import type { EnrichmentSource } from '../enrichment/index.js';
import type { DependencyStatus } from '../health.js';
import { readPosition } from '../storage/index.js';
import type { Store } from '../storage/index.js';
import { damageLines } from './damage.js';
import { engineStatus, limitsMet } from './engine-status.js';
import { fileEpoch } from './file-identity.js';
import { inputName, isNoCapture, noCaptureError } from './inputs.js';
import type { SourceView } from './live-view.js';
import { registerCaptureMetrics, registerEngineMetrics } from './metrics.js';
import { progressLine } from './progress.js';
import { grouped, scaled } from './text.js';
import type { SourceParts, UpSource } from './up-source.js';

export interface FileSourceOptions {
  readonly files: readonly string[];
  /** what stands for `-` among the files */
  readonly standardInput: Readable | null;
  readonly enrichment: EnrichmentSource;
  readonly logger: Logger;
  /** how many times as fast as the packets came; 0 = as fast as it goes */
  readonly replaySpeed: number;
  /** read what is stored already once more */
  readonly again: boolean;
}

/**
 * Small pieces, so that a replay is smooth; the same for every run, because a run that goes on after a crash must cut the
 * capture as the one before did (a flush is named by the chunks it covers).
 */
const chunkShape = { chunkBytes: 128 * 1024, chunkRows: 2048 };

export class FileSource implements UpSource {
  readonly signals = null;
  readonly writerOptions = {};
  /** accounts of the captures that are finished, packets read of them, whether stored or not, and limits met in them */
  private done = mergeAccounting([]);
  private read = 0;
  private limits: Readonly<Record<string, number>> = {};
  private current: Manager | null = null;
  private file = '';
  private finished = false;
  private stopping = false;
  private givingUp: NodeJS.Timeout | undefined;
  private gaveUp = false;
  private store: Store | null = null;

  constructor(
    private readonly config: Config,
    private readonly options: FileSourceOptions,
  ) {}

  get stored(): AccountingReport {
    return mergeAccounting(this.current ? [this.done, this.current.accounting] : [this.done]);
  }

  get flowsLive(): number {
    return this.held.flows;
  }

  get engine(): EngineStatus {
    const { limits, current, file, finished, stopping } = this;
    return engineStatus(this.config, { limits, current, file, finished, stopping }, this.stored);
  }

  get dependencies(): readonly DependencyStatus[] {
    const detail = this.finished ? 'all captures are read' : this.file === '' ? 'starting' : `reading ${this.file}`;
    return [{ name: 'engine', ok: true, detail }];
  }

  get view(): SourceView {
    const { stored } = this;
    const progress = this.current?.progress() ?? null;
    const { file, finished } = this;
    const sums = `${grouped(stored.packets)} packets, ${scaled(stored.bytes, 'B')}`;
    const { first, last } = stored;
    const range = first && last && { fromMs: first.seconds * 1000, toMs: (last.seconds + 1) * 1000 };
    const seconds = range ? Math.max(1, (range.toMs - range.fromMs) / 1000) : 1;
    return {
      heading: (elapsed) =>
        progress
          ? `${file} ${progressLine(progress, elapsed)}`
          : `${finished ? 'all captures are read' : 'starting'}: ${sums}`,
      range: range && {
        ...range,
        text:
          `${new Date(range.fromMs).toISOString()} .. ${new Date(range.toMs).toISOString()}  ` +
          `${scaled(stored.packets / seconds, 'packets/s')}  ${scaled((stored.bytes * 8) / seconds, 'bit/s')}`,
      },
    };
  }

  registerMetrics(metrics: Registry): void {
    registerEngineMetrics(metrics, {
      stored: () => this.stored,
      limits: () => this.limitsSoFar,
      flows: () => this.flowsLive,
    });
    registerCaptureMetrics(metrics, {
      packetsRead: () => this.read + (this.current?.progress().packets ?? 0),
      captureBytesRead: () => this.current?.progress().read ?? 0,
      captureBytes: () => this.current?.progress().size ?? 0,
      held: () => this.held,
    });
  }

  /** @returns exit code 0, or 3 when a capture was damaged */
  async run(parts: SourceParts): Promise<number> {
    let exitCode = 0;
    this.store = parts.store;
    try {
      for (const file of this.options.files) {
        if (this.stopping) break;
        if (await this.readOne(file, parts)) exitCode = 3;
      }
    } catch (error) {
      if (!this.gaveUp) throw error;
      this.tellUnstored();
      exitCode = 1;
    } finally {
      clearTimeout(this.givingUp);
    }
    this.finished = true;
    return exitCode;
  }

  stop(): void {
    this.stopping = true;
    if (!this.finished) this.givingUp = setTimeout(() => this.giveUp(), this.config.engine.drain_timeout * 1000);
    if (this.current) this.current.stop();
    else this.options.standardInput?.destroy(); // its first bytes may be waited for
  }

  async close(): Promise<void> {
    clearTimeout(this.givingUp);
    this.options.standardInput?.destroy();
  }

  /** The store had its time. The embedded one is waited for: it answers, however long it takes. */
  private giveUp(): void {
    if (this.store?.kind !== 'server') return;
    this.gaveUp = true;
    void this.store.abandon();
  }

  private tellUnstored(): void {
    const read = this.read + (this.current?.progress().packets ?? 0);
    const packets = read - this.stored.packets;
    const { drain_timeout: seconds } = this.config.engine;
    process.stderr.write(
      `netspectra: the store did not answer within engine.drain_timeout (${seconds} s): ${packets} packets that were read of ` +
        `${this.file} are not known to be stored; ` +
        (this.options.files.includes('-') ? 'they are lost\n' : 'start again with the same files to go on\n'),
    );
  }

  private get limitsSoFar(): Record<string, number> {
    return limitsMet({ limits: this.limits, current: this.current });
  }

  private get held(): EngineHeld {
    return this.current?.held ?? { flows: 0, flushes: 0, chunks: 0 };
  }

  /** @returns whether it was damaged */
  private async readOne(file: string, { store, writer }: SourceParts): Promise<boolean> {
    const { standardInput, again, enrichment, logger } = this.options;
    this.file = basename(file);
    const capture =
      file === '-' && standardInput
        ? await openCaptureStream(standardInput, inputName(file))
        : await openCaptureFile(file);
    if (this.stopping) return false;
    const epoch = again || file === '-' ? randomBytes(8).readBigUInt64BE(0) : await fileEpoch(file);
    const planned = await planRun(this.config, store, epoch);
    if (planned === 'stored') {
      logger.info({ file }, 'this capture is in the store already; --again reads it once more');
      process.stderr.write(`netspectra: ${file} is in the store already; --again reads it once more\n`);
      return false;
    }
    const manager = new Manager(this.managerOptions(planned.partitions), writer);
    const forget = enrichment.onChange((data) => manager.enrich(data));
    this.current = manager;
    if (this.stopping) manager.stop();
    const started = process.hrtime.bigint();
    const result = await manager.run({ capture, name: basename(file), epoch, resume: planned.resume }).finally(forget);
    this.done = mergeAccounting([this.done, manager.accounting]);
    this.read += manager.progress().packets;
    this.limits = this.limitsSoFar;
    this.current = null;
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const { packets, bytes } = manager.accounting;
    logger.info({ file, packets, bytes, seconds, complete: result.complete }, 'capture read');
    return reportDamage(file, result);
  }

  private managerOptions(workers: number) {
    const { engine, probe } = this.config;
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
      replaySpeed: this.options.replaySpeed,
      enrichment: this.options.enrichment.data,
      tasks: engine.tasks.length > 0 ? engine.tasks.map(({ type, ...task }) => ({ type, options: task })) : allTasks(),
      ...chunkShape,
    };
  }
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
