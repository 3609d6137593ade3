/**
 * How a process tells whether it can do its work: a list of what it depends on, each asked with a bounded wait.
 * `/healthz` shows the list and answers 200 as long as the process lives; `/readyz` answers 503 when something it needs is
 * not ok. Whoever restarts processes looks at the first, whoever sends them work or wakes people at the second.
 */

/** What one dependency is doing. */
export interface DependencyStatus {
  readonly name: string;
  readonly ok: boolean;
  /** the process does its work without it, though not as well: not being ok is a warning */
  readonly optional?: boolean;
  /** one line without secrets: what it is doing, or what is wrong and what to do */
  readonly detail: string;
}

/** `error`: something that is needed is not ok; `warn`: something optional is not. */
export type HealthLevel = 'ok' | 'warn' | 'error';

export interface HealthReport {
  readonly status: HealthLevel;
  readonly dependencies: readonly DependencyStatus[];
}

/** One dependency of a process. */
export interface DependencyCheck {
  readonly name: string;
  /**
   * Look. What it throws or rejects with becomes "does not answer": a check that knows more says it in its answer.
   * @param signal aborted when the time is over
   */
  check(signal: AbortSignal): Omit<DependencyStatus, 'name'> | Promise<Omit<DependencyStatus, 'name'>>;
}

/** Longest wait for a check, and how long an answer is used again, milliseconds. */
const checkMilliseconds = 2_000;
const freshMilliseconds = 1_000;
const detailCharactersMax = 300;

/** Share of lost packets from which a process is no longer well, and from which it is ill. */
export const lossShares = { warn: 0.001, error: 0.01 } as const;

/** What a share of lost packets means. @param share 0 to 1, @param span what it is of, such as "of the last minute" */
export function lossStatus(share: number, span: string): Omit<DependencyStatus, 'name'> {
  if (share <= lossShares.warn) return { ok: true, detail: `${percent(share)} of the packets ${span} were lost` };
  return {
    ok: false,
    optional: share <= lossShares.error,
    detail: `${percent(share)} of the packets ${span} were lost`,
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/** The worst of them. */
export function healthLevel(dependencies: readonly DependencyStatus[]): HealthLevel {
  const failed = dependencies.filter(({ ok }) => !ok);
  if (failed.length === 0) return 'ok';
  return failed.every(({ optional }) => optional === true) ? 'warn' : 'error';
}

/** A report of what was found. */
export const healthOf = (dependencies: readonly DependencyStatus[]): HealthReport => ({
  status: healthLevel(dependencies),
  dependencies,
});

/** One line for each dependency, as /readyz answers: `name: ok|warn|failed: detail`. */
export const readyText = (dependencies: readonly DependencyStatus[]): string =>
  dependencies
    .map(({ name, ok, optional, detail }) => {
      const word = ok ? 'ok' : optional === true ? 'warn' : 'failed';
      return `${name}: ${word}: ${oneLine(detail)}\n`;
    })
    .join('');

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, detailCharactersMax);

/** Asks checks, all at once and each with its time; answers of the last second are used again. Never rejects. */
export class HealthChecks {
  private settled: HealthReport | null = null;
  private last: { readonly at: number; readonly report: Promise<HealthReport> } | null = null;

  /**
   * @param checks in the order in which they are shown
   * @param times milliseconds; the defaults are for processes, others for tests
   */
  constructor(
    private readonly checks: readonly DependencyCheck[],
    private readonly times: { readonly check?: number; readonly fresh?: number } = {},
  ) {}

  /** What everything is doing now, or was a moment ago. However many ask at once, each dependency is asked once. */
  report(): Promise<HealthReport> {
    const now = performance.now();
    if (this.last && now - this.last.at < (this.times.fresh ?? freshMilliseconds)) return this.last.report;
    const report = Promise.all(this.checks.map((check) => this.ask(check))).then(
      (found) => (this.settled = healthOf(found)),
    );
    this.last = { at: now, report };
    return report;
  }

  /** What was found last, at once; asks again for the next time. null: nothing yet. */
  latest(): HealthReport | null {
    void this.report();
    return this.settled;
  }

  private async ask({ name, check }: DependencyCheck): Promise<DependencyStatus> {
    const milliseconds = this.times.check ?? checkMilliseconds;
    const over = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Omit<DependencyStatus, 'name'>>((resolve) => {
      timer = setTimeout(() => {
        resolve({ ok: false, detail: `no answer in ${milliseconds / 1000} s` });
        over.abort();
      }, milliseconds);
    });
    try {
      const found = await Promise.race([Promise.resolve().then(() => check(over.signal)), late]);
      return { name, ...found, detail: oneLine(found.detail) };
    } catch {
      return { name, ok: false, detail: 'does not answer' };
    } finally {
      clearTimeout(timer);
    }
  }
}
