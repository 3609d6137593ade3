/**
 * Brings capture rules to probes, in an API process: hears the probes' statuses once a second, and sends all rules of a
 * probe when they changed and whenever its status names another version than wanted. So a probe that was started, missed a
 * message or heard another process converges, and any number of API processes over one store may do it at once.
 *
 * Nothing is sent from a store in which no rule ever was: an API that is started over the wrong, empty store takes no
 * rules away.
 */
import type { Bus } from '@netspectra/collector/bus';
import type { Management } from '../management/index.js';
import { controlSubject, encodeControl, everyStatus, parseStatus } from './messages.js';
import type { ProbeStatus, RefusedControl } from './messages.js';
import { compareVersions } from './version.js';
import { wantedRules } from './wanted-rules.js';
import type { StoredRules, WantedRules } from './wanted-rules.js';

export interface RuleDirectorDeps {
  readonly bus: Pick<Bus, 'listen' | 'send'>;
  readonly rules: Pick<Management['captureRules'], 'list' | 'revision'>;
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  /** milliseconds; for tests */
  readonly now?: () => number;
}

/** A probe that was heard. */
export interface LiveProbe {
  readonly status: ProbeStatus;
  /** ms since 1970, by this process's clock */
  readonly heardAt: number;
  /** it was heard in the last seconds */
  readonly live: boolean;
  /** the version of its capture rules that it should have; '' when it is not known yet, or there are none */
  readonly wanted: string;
  /** why its rules are not in force, one line; '' when they are, or will be in a moment */
  readonly error: string;
}

/** What the API needs of it. */
export interface CaptureControl {
  /** A rule was made, changed or deleted here: every live probe is told at once. Never rejects. */
  changed(): Promise<void>;
  /** Every probe that was heard in the last hour, by id. */
  probes(): ReadonlyMap<string, LiveProbe>;
}

export interface DirectorCounters {
  /** control messages sent */
  sent: number;
  /** status messages not taken, by reason; `too_many`: more probes than are kept in mind */
  readonly refused: Record<RefusedControl | 'too_many', number>;
  /** times the rules could not be read from the store */
  readFailures: number;
}

/** with the largest status of each, 64 MiB */
const probesMax = 2_000;
/** a probe tells once a second */
const liveMilliseconds = 5_000;
const forgetMilliseconds = 3_600_000;
/** other API processes change rules too: the store is asked for its revision so often while a probe lives */
const refreshMilliseconds = 1_000;
/** a probe that did not take its rules is told again after so long */
const againMilliseconds = 1_000;
/** one that cannot use them, after so long */
const failedAgainMilliseconds = 30_000;
const pageRows = 1_000;

interface Known {
  status: ProbeStatus;
  heardAt: number;
  sentAt: number;
  sentVersion: string;
}

export class RuleDirector implements CaptureControl {
  readonly counters: DirectorCounters = {
    sent: 0,
    refused: { too_large: 0, malformed: 0, foreign: 0, too_many: 0 },
    readFailures: 0,
  };
  private readonly known = new Map<string, Known>();
  private readonly wanted = new Map<string, WantedRules>();
  private stored: StoredRules | null = null;
  private reading: Promise<void> | null = null;
  private again = false;
  private failing = false;
  private timer: NodeJS.Timeout | undefined;
  private unhear: () => void = () => {};
  private readonly now: () => number;

  constructor(private readonly deps: RuleDirectorDeps) {
    this.now = deps.now ?? Date.now;
  }

  /** Begin to hear and to send. */
  start(): void {
    this.unhear = this.deps.bus.listen(everyStatus, (subject, bytes) => this.hear(subject, bytes));
    this.timer = setInterval(() => this.tick(), refreshMilliseconds);
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.unhear();
    await this.reading;
  }

  changed(): Promise<void> {
    this.again = true;
    return this.refresh();
  }

  probes(): ReadonlyMap<string, LiveProbe> {
    return new Map([...this.known].map(([id, known]) => [id, this.shown(id, known)]));
  }

  private shown(id: string, { status, heardAt }: Known): LiveProbe {
    const wanted = this.wantedOf(id);
    return {
      status,
      heardAt,
      live: this.now() - heardAt < liveMilliseconds,
      wanted: wanted?.version ?? '',
      error: errorOf(status, wanted),
    };
  }

  /** What the probe should have; undefined while that is not known, and where no rule ever was. */
  private wantedOf(id: string): WantedRules | undefined {
    if (!this.stored || this.stored.revision.changes === 0) return undefined;
    let wanted = this.wanted.get(id);
    if (!wanted) {
      wanted = wantedRules(this.stored, id);
      this.wanted.set(id, wanted);
    }
    return wanted;
  }

  private hear(subject: string, bytes: Uint8Array): void {
    const found = parseStatus(subject, bytes);
    if ('refused' in found) {
      this.counters.refused[found.refused] += 1;
      return;
    }
    const { status } = found;
    const known = this.known.get(status.probe);
    if (known) {
      known.status = status;
      known.heardAt = this.now();
    } else if (this.known.size >= probesMax) {
      this.counters.refused.too_many += 1;
      return;
    } else {
      this.known.set(status.probe, { status, heardAt: this.now(), sentAt: 0, sentVersion: '' });
    }
    if (!this.stored) void this.refresh();
    else this.direct(status.probe);
  }

  /** Tell a probe its rules, if it has others. */
  private direct(id: string): void {
    const known = this.known.get(id);
    const wanted = this.wantedOf(id);
    if (!known || !wanted || wanted.rules === null) return;
    const { version, failed_version: failed } = known.status.capture_rules;
    // A newer one than ours comes from a process that sees more of the store, or from another store: shown, not fought.
    if (compareVersions(version, wanted.version) >= 0) return;
    const wait = failed === wanted.version ? failedAgainMilliseconds : againMilliseconds;
    if (known.sentVersion === wanted.version && this.now() - known.sentAt < wait) return;
    known.sentAt = this.now();
    known.sentVersion = wanted.version;
    this.deps.bus.send(controlSubject(id), encodeControl(id, wanted));
    this.counters.sent += 1;
  }

  private tick(): void {
    const now = this.now();
    let live = false;
    for (const [id, { heardAt }] of this.known) {
      live ||= now - heardAt < liveMilliseconds;
      if (now - heardAt < forgetMilliseconds) continue;
      this.known.delete(id);
      this.wanted.delete(id);
    }
    if (live) void this.refresh();
  }

  /** Read the rules if they changed, then tell every probe. One at a time; what comes meanwhile is read after it. */
  private refresh(): Promise<void> {
    this.reading ??= this.read().finally(() => (this.reading = null));
    return this.reading;
  }

  private async read(): Promise<void> {
    do {
      this.again = false;
      try {
        const { rules } = this.deps;
        const revision = await rules.revision();
        const { stored } = this;
        if (stored && stored.revision.since === revision.since && stored.revision.changes === revision.changes)
          continue;
        const found: { id: string; body: StoredRules['rules'][number]['body'] }[] = [];
        for (let page = await rules.list({ limit: pageRows }); ;) {
          found.push(...page.versions.map(({ id, body }) => ({ id, body })));
          if (!page.next) break;
          page = await rules.list({ limit: pageRows, after: page.next });
        }
        this.stored = { revision, rules: found };
        this.wanted.clear();
        if (this.failing) this.deps.log.info({}, 'the capture rules can be read again');
        this.failing = false;
      } catch (error) {
        this.counters.readFailures += 1;
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.failing)
          this.deps.log.warn({ reason }, 'the capture rules cannot be read; probes keep those they have');
        this.failing = true;
        return;
      }
      for (const id of this.known.keys()) this.direct(id);
    } while (this.again);
  }
}

function errorOf({ capture_rules: has }: ProbeStatus, wanted: WantedRules | undefined): string {
  if (wanted === undefined) return has.error;
  if (wanted.error !== '') return wanted.error;
  if (has.failed_version === wanted.version) return has.error;
  if (compareVersions(has.version, wanted.version) > 0) {
    return `it has newer rules (${has.version}) than this store (${wanted.version}): an API over another store sent them; stop that, or delete capture-rules.json of the probe and start it anew`;
  }
  return has.error;
}
