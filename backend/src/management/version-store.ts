/**
 * Things that people manage (rules, capture rules, tokens), shared by several processes over one store.
 *
 * Every change is a new row (id, version); nothing is overwritten, so all versions are the history, and a deletion is a
 * last version that says so. What is promised (docs/decisions/007-optimistic-concurrency.md says how far):
 *
 * - Of all who write the same version of the same thing at the same time, exactly one succeeds; the others get a
 *   VersionConflictError. It does not rest on clocks.
 * - A change whose insert failed half-way is either found to be stored, tried again without effect, or reported as
 *   unknown (OutcomeUnknownError): never reported wrong.
 *
 * How: the insert carries a deduplication token made of table, id and version, so the engine itself (under its own lock,
 * or Keeper's) takes the first row and drops the others; each row carries a random change id, and reading back which one
 * is there tells the writer whether it was the first.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { rowsOf } from '../storage/index.js';
import type { QueryParam, Store } from '../storage/index.js';
import { actorColumns, actorValues } from './actor.js';
import type { Actor } from './actor.js';
import { NotFoundError, OutcomeUnknownError, TooManyError, VersionConflictError } from './errors.js';
import { tsvRow, tsvTime } from './tsv.js';

/** One version of a thing. */
export interface Version<Body> {
  readonly id: string;
  /** 1, 2, 3 ... */
  readonly version: number;
  readonly deleted: boolean;
  readonly body: Body;
  /** ms since 1970, by the clock of the process that wrote it; for people, nothing is decided by it */
  readonly createdAt: number;
  readonly changedAt: number;
  readonly actor: Pick<Actor, 'kind' | 'id' | 'name' | 'onBehalfOf'>;
  readonly action: string;
}

export interface VersionStoreOptions {
  /** things that exist at once */
  readonly thingsMax?: number;
  /** how long to wait for a row that must be there to become visible, milliseconds */
  readonly visibleMsMax?: number;
  readonly now?: () => number;
}

export interface ListOptions {
  /** part of the name, in any case */
  readonly search?: string;
  /** further conditions over id, name and body with their parameters; ours, never a user's text */
  readonly where?: readonly string[];
  readonly params?: Readonly<Record<string, QueryParam>>;
  readonly limit: number;
  /** `next` of the page before */
  readonly after?: ListPosition | undefined;
}

/** The list is ordered by name, then id. */
export interface ListPosition {
  readonly name: string;
  readonly id: string;
}

export type VersionTable = 'rules' | 'capture_rules' | 'tokens';

const columns = ['id', 'version', 'change', 'deleted', 'name', 'body', 'created_at', 'changed_at', ...actorColumns];
const selected =
  'id, version, change, deleted, name, body, toUnixTimestamp64Milli(created_at) AS created_ms, ' +
  'toUnixTimestamp64Milli(changed_at) AS changed_ms, actor_kind, actor_id, actor_name, on_behalf_of, action';
/**
 * Of two rows of one version the older is the version. There is one row as long as the engine remembers the token (for
 * 10,000 later changes); this decides for a writer that slept through all of them.
 */
const oneRowAVersion = 'ORDER BY id, version DESC, stored_at, change LIMIT 1 BY id, version';

interface Row {
  id: string;
  version: number;
  change: string;
  deleted: number;
  name: string;
  body: string;
  created_ms: number;
  changed_ms: number;
  actor_kind: Actor['kind'];
  actor_id: string;
  actor_name: string;
  on_behalf_of: string;
  action: string;
}

const insertTries = 4;
const pollMs = 25;

export class VersionStore<Body extends { readonly name: string }> {
  readonly table: VersionTable;
  private readonly store: Store;
  private readonly thingsMax: number;
  private readonly visibleMsMax: number;
  private readonly now: () => number;

  constructor(store: Store, table: VersionTable, options: VersionStoreOptions = {}) {
    this.store = store;
    this.table = table;
    this.thingsMax = options.thingsMax ?? 10_000;
    this.visibleMsMax = options.visibleMsMax ?? 5_000;
    this.now = options.now ?? Date.now;
  }

  /** The thing as it is now; null when there is none or it was deleted. Rejects with the store's UserErrors. */
  async get(id: string): Promise<Version<Body> | null> {
    const version = await this.latest(id);
    return version === null || version.deleted ? null : version;
  }

  /** Things as they are now, by name. `next` is null at the end. */
  async list(options: ListOptions): Promise<{ versions: Version<Body>[]; next: ListPosition | null }> {
    const where = ['deleted = 0', ...(options.where ?? [])];
    const params: Record<string, QueryParam> = { ...options.params, list_limit: options.limit + 1 };
    if (options.search !== undefined && options.search !== '') {
      where.push('positionCaseInsensitiveUTF8(name, {list_search:String}) > 0');
      params['list_search'] = options.search;
    }
    if (options.after) {
      where.push('(name, id) > ({list_name:String}, {list_id:String})');
      params['list_name'] = options.after.name;
      params['list_id'] = options.after.id;
    }
    const rows = await this.read(
      `SELECT * FROM (SELECT * FROM (SELECT ${selected} FROM ${this.table} ${oneRowAVersion}) ORDER BY version DESC LIMIT 1 BY id) ` +
        `WHERE ${where.join(' AND ')} ORDER BY name, id LIMIT {list_limit:UInt32}`,
      params,
    );
    const page = rows.slice(0, options.limit);
    const last = page.at(-1);
    return {
      versions: page.map(versionOf<Body>),
      next: rows.length > options.limit && last ? { name: last.name, id: last.id } : null,
    };
  }

  /** Every version of a thing, newest first, also of one that was deleted. Empty when there never was one. */
  async history(id: string, limit: number, before = 0xffffffff): Promise<Version<Body>[]> {
    const rows = await this.read(
      `SELECT ${selected} FROM ${this.table} WHERE id = {id:String} AND version < {before:UInt32} ${oneRowAVersion} LIMIT {limit:UInt32}`,
      { id, before, limit },
    );
    return rows.map(versionOf<Body>);
  }

  /**
   * How far the table has come: when its first thing was made (ms since 1970, 0: never) and how many versions there are.
   * Nothing is ever taken out, so both together only rise; a table that was made anew begins later.
   */
  async revision(): Promise<{ readonly since: number; readonly changes: number }> {
    const [row] = rowsOf<{ since: number; changes: number }>(
      await this.store.query(
        `SELECT if(count() = 0, 0, toUnixTimestamp64Milli(min(created_at))) AS since, ` +
          `uniqExact(id, version) AS changes FROM ${this.table}`,
      ),
    );
    return { since: Number(row?.since ?? 0), changes: Number(row?.changes ?? 0) };
  }

  /** Whether any thing ever was, also deleted ones. */
  async everUsed(): Promise<boolean> {
    const result = await this.store.query(`SELECT 1 AS one FROM ${this.table} LIMIT 1`);
    return result.rows > 0;
  }

  /**
   * Make a thing. @param id chosen by the caller; one that exists (or existed) is a VersionConflictError
   * @throws TooManyError, VersionConflictError, OutcomeUnknownError, UserErrors of the store
   */
  async create(id: string, body: Body, actor: Actor, action: string): Promise<Version<Body>> {
    const count = await this.store.query(
      `SELECT countIf(gone = 0) AS things FROM (SELECT argMax(deleted, version) AS gone FROM ${this.table} GROUP BY id)`,
    );
    if (Number(count.columns[0]?.values[0]) >= this.thingsMax) {
      throw new TooManyError(`there are ${this.thingsMax} already; delete some first`);
    }
    const now = this.now();
    return this.write({ id, version: 1, deleted: false, body, createdAt: now, changedAt: now, actor, action });
  }

  /**
   * Replace the body.
   * @param expected the version the caller saw; null: whichever it is now (If-Match: *)
   * @throws NotFoundError, VersionConflictError, OutcomeUnknownError, UserErrors of the store
   */
  update(id: string, expected: number | null, body: Body, actor: Actor, action: string): Promise<Version<Body>> {
    return this.change(id, expected, actor, action, () => ({ body, deleted: false }));
  }

  /** Replace the body by one made of the present one. Throws as `update` does, and what `make` throws. */
  modify(
    id: string,
    expected: number | null,
    make: (body: Body) => Body,
    actor: Actor,
    action: string,
  ): Promise<Version<Body>> {
    return this.change(id, expected, actor, action, (current) => ({ body: make(current.body), deleted: false }));
  }

  /** Delete; its history stays. Throws as `update` does. @returns the last version, which says that it is deleted */
  remove(id: string, expected: number | null, actor: Actor, action: string): Promise<Version<Body>> {
    return this.change(id, expected, actor, action, (current) => ({ body: current.body, deleted: true }));
  }

  private async change(
    id: string,
    expected: number | null,
    actor: Actor,
    action: string,
    make: (current: Version<Body>) => { body: Body; deleted: boolean },
  ): Promise<Version<Body>> {
    // Without a version to match the caller wants the change whatever is there: a lost race is tried again.
    for (let tries = expected === null ? 5 : 1; ; tries -= 1) {
      const current = await this.currentFor(id, expected);
      const next = {
        ...make(current),
        id,
        version: current.version + 1,
        createdAt: current.createdAt,
        changedAt: this.now(),
        actor,
        action,
      };
      try {
        return await this.write(next);
      } catch (error) {
        if (!(error instanceof VersionConflictError) || tries <= 1) throw error;
      }
    }
  }

  /** The version to build on. A caller may know a newer one than this replica shows yet: it is waited for. */
  private async currentFor(id: string, expected: number | null): Promise<Version<Body>> {
    const deadline = performance.now() + Math.min(this.visibleMsMax, 2_000);
    for (;;) {
      const current = await this.latest(id);
      if (current !== null && (expected === null || current.version === expected)) {
        if (current.deleted) throw new NotFoundError('it was deleted');
        return current;
      }
      const behind = expected !== null && (current === null || current.version < expected);
      if (!behind || this.store.kind === 'embedded' || performance.now() > deadline) {
        if (current === null) throw new NotFoundError('there is nothing with this id');
        if (current.deleted) throw new NotFoundError('it was deleted');
        throw new VersionConflictError(current.version);
      }
      await delay(pollMs);
    }
  }

  private async write(next: {
    readonly id: string;
    readonly version: number;
    readonly deleted: boolean;
    readonly body: Body;
    readonly createdAt: number;
    readonly changedAt: number;
    readonly actor: Actor;
    readonly action: string;
  }): Promise<Version<Body>> {
    const { id, version, deleted, body, createdAt, changedAt, actor, action } = next;
    const change = randomUUID();
    const times = [tsvTime(createdAt), tsvTime(changedAt)];
    const bytes = tsvRow([
      id,
      version,
      change,
      deleted ? 1 : 0,
      body.name,
      JSON.stringify(body),
      ...times,
      ...actorValues(actor, action),
    ]);
    let failure: unknown;
    for (let tries = 1; tries <= insertTries; tries += 1) {
      try {
        await this.store.insert({ table: this.table, columns, bytes, token: `${this.table}:${id}:${version}` });
        failure = undefined;
        break;
      } catch (error) {
        // The same bytes under the same token: if the store took them after all, the next try changes nothing.
        failure = error;
        if (!(error instanceof UserError && error.retry)) throw error;
        if (tries < insertTries) await delay(pollMs * 2 ** tries);
      }
    }
    const winner = await this.rowOf(id, version, failure);
    if (winner.change !== change) throw new VersionConflictError(winner.version);
    return versionOf<Body>(winner);
  }

  /** The row of a version that somebody has inserted; waits until this replica shows it. */
  private async rowOf(id: string, version: number, failure: unknown): Promise<Row> {
    const deadline = performance.now() + this.visibleMsMax;
    let cause = failure;
    for (;;) {
      try {
        const [row] = await this.read(
          `SELECT ${selected} FROM ${this.table} WHERE id = {id:String} AND version = {version:UInt32} ${oneRowAVersion}`,
          { id, version },
        );
        if (row) return row;
      } catch (error) {
        if (!(error instanceof UserError && error.retry)) throw error;
        cause = error;
      }
      if (performance.now() > deadline) {
        throw new OutcomeUnknownError('the store did not say whether it took the change', { cause });
      }
      await delay(pollMs);
    }
  }

  private async latest(id: string): Promise<Version<Body> | null> {
    const [row] = await this.read(
      `SELECT ${selected} FROM ${this.table} WHERE id = {id:String} ORDER BY version DESC, stored_at, change LIMIT 1`,
      { id },
    );
    return row ? versionOf<Body>(row) : null;
  }

  private async read(sql: string, params: Readonly<Record<string, QueryParam>>): Promise<Row[]> {
    return rowsOf<Row>(await this.store.query(sql, params, { maxRows: 100_000 }));
  }
}

const versionOf = <Body>(row: Row): Version<Body> => ({
  id: row.id,
  version: row.version,
  deleted: row.deleted === 1,
  body: JSON.parse(row.body) as Body,
  createdAt: row.created_ms,
  changedAt: row.changed_ms,
  actor: { kind: row.actor_kind, id: row.actor_id, name: row.actor_name, onBehalfOf: row.on_behalf_of },
  action: row.action,
});
