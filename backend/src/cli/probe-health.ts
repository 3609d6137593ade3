/** How well a probe does: what share of the packets of the last minute was lost, and whether it can do its work. */
import type { Probe } from '@netspectra/collector/probe';
import type { BusState, PublisherState, SpoolState } from '@netspectra/collector/bus';

const samplesMax = 60;
/** shares of lost packets from which a probe is no longer well, and from which it is ill */
const warnShare = 0.001;
const errorShare = 0.01;
/** share of the spool from which it is told that it will soon be full */
const spoolShare = 0.8;

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
    const { bus, spool } = this.figures();
    const { connected, lastError } = bus;
    if (!connected) problems.push(`no connection to the bus${lastError === '' ? '' : `: ${lastError}`}`);
    if (spool && spool.records > 0) {
      const full = spool.bytes > spoolShare * spool.bytesMax ? ', it is nearly full' : '';
      problems.push(`${spool.records} messages wait on disk (${spool.bytes} of ${spool.bytesMax} bytes${full})`);
    }
    if (spool && first && last && last.spoolFailed > first.spoolFailed)
      problems.push(`the spool cannot be written (${spool.lastError})`);
    const ill = lostShare > errorShare || !connected;
    return { status: ill ? 'error' : problems.length > 0 ? 'warn' : 'ok', problems, lostShare };
  }
}
