/** How well a probe does: what share of the packets of the last minute was lost, and whether it can do its work. */
import type { Probe } from '@netspectra/collector/probe';
import type { BusState } from '@netspectra/collector/bus';

const samplesMax = 60;
/** shares of lost packets from which a probe is no longer well, and from which it is ill */
const warnShare = 0.001;
const errorShare = 0.01;

export interface ProbeHealth {
  readonly status: 'ok' | 'warn' | 'error';
  /** one line for each thing that is not well */
  readonly problems: readonly string[];
  /** of the last minute, 0 to 1 */
  readonly lostShare: number;
}

interface Sample {
  readonly received: number;
  readonly lost: number;
}

/** What of a probe is looked at. */
export type ProbeFigures = Pick<Probe, 'rings' | 'queued'>;

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
    private readonly bus: () => BusState,
  ) {}

  /** Once a second. */
  sample(): void {
    const { received, kernelDropped, publishDropped } = totals(this.probe);
    this.samples.push({ received, lost: kernelDropped + publishDropped });
    if (this.samples.length > samplesMax) this.samples.shift();
  }

  health(): ProbeHealth {
    const problems: string[] = [];
    const first = this.samples[0];
    const last = this.samples.at(-1);
    const packets = first && last ? last.received - first.received : 0;
    const lostShare = packets > 0 ? (last!.lost - first!.lost) / packets : 0;
    if (lostShare > warnShare)
      problems.push(`${(lostShare * 100).toFixed(2)} % of the packets of the last minute were lost`);
    for (const { interface: name, report } of this.probe.rings) {
      if (report && report.state !== 'up') problems.push(`interface ${name} is ${report.state}`);
    }
    const { connected, lastError } = this.bus();
    if (!connected) problems.push(`no connection to the bus${lastError === '' ? '' : `: ${lastError}`}`);
    const ill = lostShare > errorShare || !connected;
    return { status: ill ? 'error' : problems.length > 0 ? 'warn' : 'ok', problems, lostShare };
  }
}
