/** What alert rules and detectors noticed: reading the `events` table. One occurrence has one id; its highest version is its state. */
import { rowsOf } from '../storage/index.js';
import type { QueryParam, Store } from '../storage/index.js';

export const eventKinds = ['alert', 'detector'] as const;
export const eventStates = ['pending', 'firing', 'resolved'] as const;
export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

export interface AlertEvent {
  readonly id: string;
  readonly kind: (typeof eventKinds)[number];
  /** id of the rule, or the detector's name */
  readonly source: string;
  readonly name: string;
  readonly severity: Severity;
  readonly state: (typeof eventStates)[number];
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | null;
  readonly threshold: number | null;
  /** ms since 1970 */
  readonly startedAt: number;
  /** null while it goes on */
  readonly endedAt: number | null;
  readonly changedAt: number;
  readonly summary: string;
}

export interface EventFilter {
  /** occurrences that overlap this range of time, ms */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly kind?: string | undefined;
  readonly source?: string | undefined;
  readonly state?: string | undefined;
  readonly severity?: string | undefined;
  /** part of name or summary, in any case */
  readonly search?: string | undefined;
  /** labels that must have these values */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly limit: number;
  readonly after?: EventPosition | undefined;
}

export interface EventPosition {
  readonly time: number;
  readonly id: string;
}

type Row = {
  -readonly [Key in 'id' | 'kind' | 'source' | 'name' | 'severity' | 'state' | 'summary']: AlertEvent[Key];
} & {
  labels: Record<string, string>;
  value: number | null;
  threshold: number | null;
  started_ms: number;
  ended_ms: number;
  changed_ms: number;
};

export class EventReader {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** A page, latest beginning first. Rejects with the store's UserErrors. */
  async list(filter: EventFilter): Promise<{ events: AlertEvent[]; next: EventPosition | null }> {
    const where: string[] = [];
    const params: Record<string, QueryParam> = { limit: filter.limit + 1 };
    const condition = (sql: string, name: string, value: QueryParam | undefined): void => {
      if (value === undefined) return;
      where.push(sql);
      params[name] = value;
    };
    condition('(ended_ms = 0 OR ended_ms >= {from:Int64})', 'from', filter.fromMs);
    condition('started_ms < {to:Int64}', 'to', filter.toMs);
    condition('kind = {kind:String}', 'kind', filter.kind);
    condition('source = {source:String}', 'source', filter.source);
    condition('state = {state:String}', 'state', filter.state);
    condition('severity = {severity:String}', 'severity', filter.severity);
    condition(
      `positionCaseInsensitiveUTF8(concat(name, '\\n', summary), {search:String}) > 0`,
      'search',
      filter.search === '' ? undefined : filter.search,
    );
    for (const [i, [name, value]] of Object.entries(filter.labels ?? {}).entries()) {
      condition(`labels[{label_name${i}:String}] = {label_value${i}:String}`, `label_name${i}`, name);
      params[`label_value${i}`] = value;
    }
    if (filter.after) {
      condition('(started_ms, id) < ({after_time:Int64}, {after_id:String})', 'after_time', filter.after.time);
      params['after_id'] = filter.after.id;
    }
    const latest =
      'SELECT id, kind, source, name, severity, state, labels, value, threshold, summary, ' +
      'toUnixTimestamp64Milli(started_at) AS started_ms, toUnixTimestamp64Milli(ended_at) AS ended_ms, ' +
      'toUnixTimestamp64Milli(changed_at) AS changed_ms FROM events ORDER BY version DESC LIMIT 1 BY id';
    const result = await this.store.query(
      `SELECT * FROM (${latest})${where.length > 0 ? ` WHERE ${where.join(' AND ')}` : ''} ` +
        'ORDER BY started_ms DESC, id DESC LIMIT {limit:UInt32}',
      params,
    );
    const rows = rowsOf<Row>(result);
    const page = rows.slice(0, filter.limit);
    const last = page.at(-1);
    return {
      events: page.map(({ started_ms, ended_ms, changed_ms, ...row }) => ({
        ...row,
        startedAt: started_ms,
        endedAt: ended_ms === 0 ? null : ended_ms,
        changedAt: changed_ms,
      })),
      next: rows.length > filter.limit && last ? { time: last.started_ms, id: last.id } : null,
    };
  }
}
