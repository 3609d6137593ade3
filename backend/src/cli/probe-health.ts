/** How well a probe does: what share of the packets of the last minute was lost, and whether it can do its work. */
import type { Probe } from '@netspectra/collector/probe';
import type { BusState, PublisherState, SpoolState } from '@netspectra/collector/bus';
import type { RuleKeeper } from '../capture-rules/index.js';
import { healthOf, lossStatus } from '../health.js';
import type { DependencyStatus, HealthReport } from '../health.js';

const samplesMax = 60;
/** share of the spool from which it is told that it will soon be full */
const spoolShare = 0.8;

export interface ProbeHealth extends HealthReport {
  /** of the packets of the last minute, 0 to 1 */
  readonly lostShare: number;
}

interface Sample {
  readonly received: number;
  readonly lost: number;
  /** records that the disk did not take */
  readonly spoolFailed: number;
}

/** What of a probe is looked at. */
export type ProbeFigures = Pick<Probe, 'rings' | 'queued'>;

/** What the probe's way to the bus tells. */
export interface ProbeBusFigures {
  readonly bus: BusState;
  readonly publisher: PublisherState;
  /** null: it has none */
  readonly spool: (SpoolState & { readonly bytesMax: number }) | null;
}

/** The counters of all rings together. */
export function totals(probe: ProbeFigures) {
  const sum = {
    received: 0,
    kernelDropped: 0,
    filtered: 0,
    decoded: 0,
    undecodable: 0,
    bytes: 0,
    publishDropped: 0,
    held: 0,
  };
  for (const { report } of probe.rings) {
    if (!report) continue;
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += report.counters[name];
  }
  return sum;
}

export class HealthWatch {
  private readonly samples: Sample[] = [];

  constructor(
    private readonly probe: ProbeFigures,
    private readonly figures: () => ProbeBusFigures,
    private readonly rules: Pick<RuleKeeper, 'status'>,
  ) {}

  /** Once a second. */
  sample(): void {
    const { received, kernelDropped, publishDropped } = totals(this.probe);
    this.samples.push({
      received,
      lost: kernelDropped + publishDropped,
      spoolFailed: this.figures().spool?.failed ?? 0,
    });
    if (this.samples.length > samplesMax) this.samples.shift();
  }

  health(): ProbeHealth {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    const packets = first && last ? last.received - first.received : 0;
    const lostShare = packets > 0 ? (last!.lost - first!.lost) / packets : 0;
    const dependencies: DependencyStatus[] = [
      { name: 'loss', ...lossStatus(lostShare, 'of the last minute') },
      interfacesOf(this.probe),
    ];
    const { bus, spool } = this.figures();
    dependencies.push(busStatus(bus));
    if (spool) {
      const failing = first && last ? last.spoolFailed > first.spoolFailed : false;
      dependencies.push(spoolStatus(spool, failing));
    }
    dependencies.push(rulesStatus(this.rules.status));
    return { ...healthOf(dependencies), lostShare };
  }
}

function interfacesOf({ rings }: ProbeFigures): DependencyStatus {
  const states = rings.map(({ interface: name, report }) => ({ name, state: report?.state ?? 'up' }));
  const notUp = states.filter(({ state }) => state !== 'up');
  const told = (notUp.length > 0 ? notUp : states).map(({ name, state }) => `${name} is ${state}`);
  return { name: 'interfaces', ok: notUp.length === 0, optional: true, detail: [...new Set(told)].join(', ') };
}

/** A connection to the bus, for whoever needs one. */
export const busStatus = ({ connected, lastError }: BusState): DependencyStatus => ({
  name: 'bus',
  ok: connected,
  detail: connected ? 'connected' : `no connection to the bus${lastError === '' ? '' : `: ${lastError}`}`,
});

function rulesStatus({ rules, error }: RuleKeeper['status']): DependencyStatus {
  const status = { name: 'capture_rules', optional: true };
  if (error !== '') return { ...status, ok: false, detail: error };
  return { ...status, ok: true, detail: rules === 1 ? '1 rule' : `${rules} rules` };
}

function spoolStatus(spool: NonNullable<ProbeBusFigures['spool']>, failing: boolean): DependencyStatus {
  const status = { name: 'spool', optional: true };
  if (failing) return { ...status, ok: false, detail: `the spool cannot be written (${spool.lastError})` };
  if (spool.records === 0) return { ...status, ok: true, detail: 'empty' };
  const full = spool.bytes > spoolShare * spool.bytesMax ? ', it is nearly full' : '';
  const detail = `${spool.records} messages wait on disk (${spool.bytes} of ${spool.bytesMax} bytes${full})`;
  return { ...status, ok: false, detail };
}
