/**
 * Who changed what, and who was refused.
 *
 * A change that was made is audited by the row that made it: the version tables carry actor, address and request in every
 * version, so a change without its audit row cannot exist. The table `audit` holds what was refused. Reading puts both
 * together. Neither ever holds a secret: bodies of tokens have hashes only, and bodies are not part of what is read here.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { rowsOf } from '../storage/index.js';
import type { QueryParam, Store } from '../storage/index.js';
import { actorColumns, actorValues } from './actor.js';
import type { Actor } from './actor.js';
import { tsvRow, tsvTime } from './tsv.js';

export interface AuditEntry {
  /** ms since 1970 */
  readonly time: number;
  readonly id: string;
  /** rule.update, token.create ... */
  readonly action: string;
  readonly result: 'done' | 'refused';
  readonly actor: Omit<Actor, 'address' | 'requestId'>;
  readonly address: string;
  readonly requestId: string;
  /** id of the rule, capture rule or token; '' when there is none yet */
  readonly object: string;
  /** versions before and after; null when it was refused, 0 before the first and after a deletion */
  readonly before: number | null;
  readonly after: number | null;
  /** why it was refused */
  readonly detail: string;
}

export interface AuditFilter {
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** `rule` for all of rule.*, or one action */
  readonly action?: string | undefined;
  /** id of a token, name of a certificate */
  readonly actor?: string | undefined;
  readonly object?: string | undefined;
  readonly result?: AuditEntry['result'] | undefined;
  readonly limit: number;
  readonly after?: AuditPosition | undefined;
}

export interface AuditPosition {
  readonly time: number;
  readonly id: string;
}

interface Row {
  time_ms: number;
  entry: string;
  action: string;
  refused: number;
  actor_kind: Actor['kind'];
  actor_id: string;
  actor_name: string;
  actor_role: Actor['role'];
  on_behalf_of: string;
  address: string;
  request_id: string;
  object: string;
  version: number;
  gone: number;
  detail: string;
}

/** Rows that wait to be stored; more are counted and dropped, so that a flood cannot fill the memory. */
const waitingMax = 1_000;
/** Rows are gathered for so long. */
const gatherMs = 200;

const changes = ['rules', 'capture_rules', 'tokens'].map(
  (table) =>
    `SELECT toUnixTimestamp64Milli(changed_at) AS time_ms, change AS entry, ${actorColumns.join(', ')}, 0 AS refused, ` +
    `id AS object, version, deleted AS gone, '' AS detail FROM ${table}`,
);
const refusals =
  `SELECT toUnixTimestamp64Milli(time) AS time_ms, id AS entry, ${actorColumns.join(', ')}, 1 AS refused, ` +
  'object_id AS object, toUInt32(0) AS version, toUInt8(0) AS gone, detail FROM audit';

export class AuditLog {
  private readonly store: Store;
  private readonly logger: Pick<FastifyBaseLogger, 'error'> | undefined;
  private readonly now: () => number;
  private readonly waiting: Uint8Array[] = [];
  private timer: NodeJS.Timeout | undefined;
  /** refusals that could not be written */
  lost = 0;

  constructor(
    store: Store,
    options: { logger?: Pick<FastifyBaseLogger, 'error'> | undefined; now?: () => number } = {},
  ) {
    this.store = store;
    this.logger = options.logger;
    this.now = options.now ?? Date.now;
  }

  /**
   * Note a change that was refused. Never waited for, never rejects: the answer does not depend on it. Rows are gathered
   * and stored together, because each insert is a part that the engine has to merge.
   */
  refused(actor: Actor, action: string, object: string, detail: string): void {
    if (this.waiting.length >= waitingMax) {
      this.lost += 1;
      return;
    }
    const row = [tsvTime(this.now()), randomUUID(), ...actorValues(actor, action), object, 'refused', detail];
    this.waiting.push(tsvRow(row));
    this.timer ??= setTimeout(() => void this.flush(), gatherMs).unref();
  }

  /** Store what waits. Never rejects: rows that cannot be stored are told in the log, and counted. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const rows = this.waiting.splice(0);
    if (rows.length === 0) return;
    const columns = ['time', 'id', ...actorColumns, 'object_id', 'result', 'detail'];
    try {
      await this.store.insert({ table: 'audit', columns, bytes: Buffer.concat(rows) });
    } catch (error) {
      this.lost += rows.length;
      this.logger?.error({ err: error, rows: rows.length }, 'refused changes were not audited');
    }
  }

  /** A page, newest first. Rejects with the store's UserErrors. */
  async list(filter: AuditFilter): Promise<{ entries: AuditEntry[]; next: AuditPosition | null }> {
    const where: string[] = [];
    const params: Record<string, QueryParam> = { limit: filter.limit + 1 };
    const condition = (sql: string, name: string, value: QueryParam | undefined): void => {
      if (value === undefined) return;
      where.push(sql);
      params[name] = value;
    };
    condition('time_ms >= {from:Int64}', 'from', filter.fromMs);
    condition('time_ms < {to:Int64}', 'to', filter.toMs);
    condition(
      `(action = {action:String} OR startsWith(action, concat({action:String}, '.')))`,
      'action',
      filter.action,
    );
    condition('actor_id = {actor:String}', 'actor', filter.actor);
    condition('object = {object:String}', 'object', filter.object);
    condition('refused = {refused:UInt8}', 'refused', filter.result && (filter.result === 'refused' ? 1 : 0));
    if (filter.after) {
      condition('(time_ms, entry) < ({after_time:Int64}, {after_id:String})', 'after_time', filter.after.time);
      params['after_id'] = filter.after.id;
    }
    const result = await this.store.query(
      `SELECT * FROM (${[...changes, refusals].join(' UNION ALL ')})` +
        (where.length > 0 ? ` WHERE ${where.join(' AND ')}` : '') +
        ' ORDER BY time_ms DESC, entry DESC LIMIT {limit:UInt32}',
      params,
    );
    const rows = rowsOf<Row>(result);
    const page = rows.slice(0, filter.limit);
    const last = page.at(-1);
    return {
      entries: page.map(entryOf),
      next: rows.length > filter.limit && last ? { time: last.time_ms, id: last.entry } : null,
    };
  }
}

const entryOf = (row: Row): AuditEntry => ({
  time: row.time_ms,
  id: row.entry,
  action: row.action,
  result: row.refused === 1 ? 'refused' : 'done',
  actor: {
    kind: row.actor_kind,
    id: row.actor_id,
    name: row.actor_name,
    role: row.actor_role,
    onBehalfOf: row.on_behalf_of,
  },
  address: row.address,
  requestId: row.request_id,
  object: row.object,
  before: row.refused === 1 ? null : row.version - 1,
  after: row.refused === 1 ? null : row.gone === 1 ? 0 : row.version,
  detail: row.detail,
});
