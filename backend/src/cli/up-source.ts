/** Where `up` has its packets from: capture files, or interfaces. */
import type { Registry } from 'prom-client';
import type { EngineStatus } from '../api/index.js';
import type { AccountingReport } from '../engine/accounting.js';
import type { DependencyStatus } from '../health.js';
import type { Store, WriterOptions } from '../storage/index.js';
import type { Writer } from '../tables/index.js';
import type { ProbeSignals } from './api-bus.js';
import type { SourceView } from './live-view.js';

/** What a source needs to run. */
export interface SourceParts {
  readonly store: Store;
  readonly writer: Writer;
}

export interface UpSource {
  /** accounts of what is in the store, since the process began */
  readonly stored: AccountingReport;
  readonly flowsLive: number;
  readonly engine: EngineStatus;
  readonly dependencies: readonly DependencyStatus[];
  readonly view: SourceView;
  /** the probe's, where there is one */
  readonly signals: ProbeSignals | null;
  /** how its flushes are to be written */
  readonly writerOptions: WriterOptions;
  registerMetrics(metrics: Registry): void;
  /** Store everything, until there is no more or `stop` is called. @returns exit code */
  run(parts: SourceParts): Promise<number>;
  /** End soon: what was taken is stored, then `run` resolves. */
  stop(): void;
  /** Let go of everything, whether or not it ran. */
  close(): Promise<void>;
}
