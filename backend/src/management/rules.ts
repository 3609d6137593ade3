/** What people write in alert rules and capture rules, as it is stored. */
import type { Operator, NoData, ChangeUnit } from '../alerting/index.js';
import type { Severity } from './events.js';

/** What a rule asks: a time series query without its range and interval. */
export interface RuleQuery {
  /** one measure is judged */
  readonly measure: string;
  readonly groupBy?: readonly string[];
  readonly filter?: string;
  readonly direction?: string;
  /** groups that are judged: those with the most */
  readonly limit?: number;
}

/** A condition as people write it; durations are texts such as `5m`. */
export type RuleCondition =
  | { readonly type: 'threshold'; readonly operator: Operator; readonly value: number }
  | {
      readonly type: 'rate_of_change';
      readonly over: string;
      readonly unit?: ChangeUnit;
      readonly operator: Operator;
      readonly value: number;
    }
  | {
      readonly type: 'seasonal';
      readonly period?: string;
      readonly unit?: ChangeUnit;
      readonly operator: Operator;
      readonly value: number;
    }
  | {
      readonly type: 'band';
      readonly learn?: string;
      readonly sensitivity?: number;
      readonly side?: 'above' | 'below' | 'both';
      readonly minimumWidth?: number;
    };

export interface RuleBody {
  readonly name: string;
  readonly description?: string;
  readonly enabled?: boolean;
  readonly query: RuleQuery;
  readonly condition: RuleCondition;
  /** how often it is evaluated, and over how long a time */
  readonly interval: string;
  readonly for?: string;
  readonly keepFiringFor?: string;
  readonly noData?: NoData;
  readonly severity: Severity;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly recoveryMessage?: string;
  /** a filter: what it keeps is left out */
  readonly exclusions?: string;
  readonly silence?: { readonly until: string; readonly reason: string } | null;
}

/** What a probe does with packets that a rule's filter keeps. */
export type CaptureAction =
  | { readonly type: 'capture' }
  | { readonly type: 'drop' }
  | { readonly type: 'sample'; readonly rate: number }
  | { readonly type: 'payload'; readonly snapLength: number };

export interface CaptureRuleBody {
  readonly name: string;
  readonly description?: string;
  readonly enabled?: boolean;
  /** patterns over probe ids; `*` is any run of characters */
  readonly probes: readonly string[];
  /** '' keeps every packet */
  readonly filter: string;
  readonly action: CaptureAction;
  /** of the rules that keep a packet the one with the highest priority decides */
  readonly priority: number;
}
