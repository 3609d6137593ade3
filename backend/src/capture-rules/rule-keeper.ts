/**
 * The capture rules of a probe: hears them, keeps the newest, has them on disk for the next start. What comes is all of
 * them at once; what is older than what is there, not for this probe, or cannot be used is refused and counted.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CapturePlanError } from '@netspectra/collector/probe';
import type { RuleSet } from '@netspectra/collector/probe';
import { encodeControl, parseControl } from './messages.js';
import type { ProbeStatus, RefusedControl } from './messages.js';
import { compareVersions } from './version.js';

/** `stale`: older than what is there; `unusable`: a rule asks for what this probe cannot do. */
export type RefusedRules = RefusedControl | 'stale' | 'unusable';

export interface RuleKeeperDeps {
  readonly probe: string;
  /** where the rules are kept; made with mode 0600, its folder with 0700 */
  readonly file: string;
  /** Use rules from now on. @throws CapturePlanError */
  apply(rules: RuleSet): void;
  /** versions in force, one for each ring */
  versions(): readonly string[];
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

const none: RuleSet = { version: '', rules: [] };
const errorCharactersMax = 500;

export class RuleKeeper {
  /** messages that were not taken, by reason */
  readonly refused: Record<RefusedRules, number> = { too_large: 0, malformed: 0, foreign: 0, stale: 0, unusable: 0 };
  /** messages whose rules were taken */
  taken = 0;
  private current = none;
  private failed: { readonly version: string; readonly error: string } | null = null;
  private diskError = '';

  constructor(private readonly deps: RuleKeeperDeps) {}

  /**
   * The rules of the last run; none when there are none, or what is on disk cannot be used, which is told.
   * @param check throws CapturePlanError when the probe cannot use them now
   */
  load(check: (rules: RuleSet) => void): RuleSet {
    const { file, probe, log } = this.deps;
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        log.warn({ file, reason: reasonOf(error) }, 'the capture rules of the last run cannot be read');
      }
      return none;
    }
    const found = parseControl(probe, bytes);
    if ('refused' in found) {
      log.warn({ file, reason: found.refused }, 'the capture rules of the last run are left out');
      return none;
    }
    try {
      check(found.rules);
    } catch (error) {
      if (!(error instanceof CapturePlanError)) throw error;
      this.failed = { version: found.rules.version, error: oneLine(error.message) };
      log.warn({ file, reason: error.message }, 'the capture rules of the last run are left out');
      return none;
    }
    this.current = found.rules;
    log.info({ version: found.rules.version, rules: found.rules.rules.length }, 'capture rules of the last run');
    return found.rules;
  }

  /** A message from the bus. Never throws. */
  hear(bytes: Uint8Array): void {
    const { probe, apply, log } = this.deps;
    const found = parseControl(probe, bytes);
    if ('refused' in found) return this.refuse(found.refused);
    const { rules } = found;
    const newer = compareVersions(rules.version, this.current.version);
    if (newer < 0) return this.refuse('stale');
    if (newer === 0) return undefined;
    try {
      apply(rules);
    } catch (error) {
      if (!(error instanceof CapturePlanError)) throw error;
      const told = oneLine(error.message);
      if (this.failed?.version !== rules.version)
        log.warn({ version: rules.version, reason: told }, 'capture rules cannot be used; those before stay');
      this.failed = { version: rules.version, error: told };
      this.refused.unusable += 1;
      return undefined;
    }
    this.current = rules;
    this.failed = null;
    this.taken += 1;
    log.info({ version: rules.version, rules: rules.rules.length }, 'other capture rules');
    this.keep();
    return undefined;
  }

  /** For the probe's status: the version that every ring has, and what went wrong. */
  get status(): ProbeStatus['capture_rules'] {
    const { version, rules } = this.current;
    const inForce = this.deps.versions().every((each) => each === version);
    return {
      version: inForce ? version : '',
      rules: rules.length,
      error: this.error,
      failed_version: this.failed?.version ?? '',
      refused: Object.values(this.refused).reduce((sum, each) => sum + each, 0),
    };
  }

  /** What is wrong, one line; '' when nothing is. */
  get error(): string {
    return this.failed?.error ?? this.diskError;
  }

  private refuse(reason: RefusedControl | 'stale'): void {
    this.refused[reason] += 1;
    // Told the first time, then by the metric: who floods the subject must not flood the log.
    if (this.refused[reason] === 1)
      this.deps.log.warn({ reason }, 'a control message was refused; further ones are counted');
  }

  private keep(): void {
    const { file, probe, log } = this.deps;
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.new`, encodeControl(probe, this.current), { mode: 0o600, flush: true });
      renameSync(`${file}.new`, file);
      this.diskError = '';
    } catch (error) {
      this.diskError = oneLine(`the rules are in force but cannot be kept for the next start: ${reasonOf(error)}`);
      log.warn({ file, reason: reasonOf(error) }, 'the capture rules cannot be kept for the next start');
    }
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, errorCharactersMax);
