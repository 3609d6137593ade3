/** How well an engine does: its bus, its store, the writers beside it, and what share of the last minute's messages is missing. */
import type { EngineWorkerState } from '../cluster/index.js';
import type { Config } from '../config/index.js';
import { healthOf, lossStatus } from '../health.js';
import type { DependencyStatus, HealthReport } from '../health.js';
import type { EngineThreadState } from './engine-threads.js';

const samplesMax = 60;

export class EngineHealth {
  private readonly samples: { readonly messages: number; readonly missing: number }[] = [];

  /** @param states what the threads told last; null: nothing yet */
  constructor(
    private readonly states: () => readonly (EngineThreadState | null)[],
    private readonly config: Pick<Config, 'bus'>,
  ) {}

  /** Once a second. */
  sample(): void {
    const sum = { messages: 0, missing: 0 };
    for (const { state } of this.told()) {
      for (const { messages, gaps, late } of [state.before, ...state.partitions.map((one) => one.state)]) {
        sum.messages += messages;
        sum.missing += gaps - late;
      }
    }
    this.samples.push(sum);
    if (this.samples.length > samplesMax) this.samples.shift();
  }

  report(): HealthReport {
    const told = this.told();
    return healthOf([this.bus(), storeOf(told), ...sideWriters(told), this.loss()]);
  }

  private told(): EngineThreadState[] {
    return this.states().filter((state) => state !== null);
  }

  private bus(): DependencyStatus {
    const known = this.told().map(({ state }) => state);
    const starting = known.length < this.states().length;
    const away = known.filter(({ busConnected }) => !busConnected).length;
    const leaseError = known.find((state) => state.leaseError !== '')?.leaseError;
    const ok = !starting && away === 0 && leaseError === undefined;
    if (starting) return { name: 'bus', ok, detail: 'starting' };
    if (away > 0) return { name: 'bus', ok, detail: `${away} of ${known.length} threads are not connected` };
    const runners = known.flatMap(({ partitions }) => partitions);
    const lag = runners.reduce((all, { state }) => all + state.lag, 0);
    const held = `${runners.length} of ${this.config.bus.partitions} partitions, ${lag} messages wait`;
    return { name: 'bus', ok, detail: leaseError ?? held };
  }

  /** A message that came late after all is not missing; when it came after more than a minute the share is 0, not less. */
  private loss(): DependencyStatus {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    const missing = first && last ? Math.max(0, last.missing - first.missing) : 0;
    const messages = first && last ? last.messages - first.messages : 0;
    const share = missing === 0 ? 0 : missing / (messages + missing);
    return { name: 'loss', ...lossStatus(share, 'in messages of the last minute') };
  }
}

function storeOf(told: readonly EngineThreadState[]): DependencyStatus {
  const runners = told.flatMap(({ state }: { state: EngineWorkerState }) => state.partitions);
  const storeError = runners.find(({ state }) => state.storeError !== '')?.state.storeError;
  return { name: 'store', ok: storeError === undefined, detail: storeError ?? 'takes rows' };
}

/** What is written to beside the store: of each, the state of the thread that is worst off. */
function sideWriters(told: readonly EngineThreadState[]): DependencyStatus[] {
  const worst = new Map<string, DependencyStatus>();
  for (const status of told.flatMap(({ writers }) => writers)) {
    if (!status.ok || !worst.has(status.name)) worst.set(status.name, status);
  }
  return [...worst.values()];
}
