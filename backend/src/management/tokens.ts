/**
 * Tokens: made, changed and revoked as versions in the store; checked from a copy in memory.
 *
 * Promise: a token that was revoked or changed by any process counts as such here within `freshMsMax` (2 s) while the
 * store answers, and nothing is let in on a copy older than `staleMsMax` (10 s). An unknown token costs no statement, so
 * guessing does not load the store. The embedded store has one process: its copy follows each change at once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { rowsOf } from '../storage/index.js';
import type { Store } from '../storage/index.js';
import { systemActor } from './actor.js';
import type { Actor, GrantedRole } from './actor.js';
import { VersionConflictError } from './errors.js';
import { hashToken, matchesHash, newTokenId, newTokenText, tokenIdOf } from './token-format.js';
import { tsvRow, tsvTime } from './tsv.js';
import { VersionStore } from './version-store.js';
import type { ListPosition, Version } from './version-store.js';

/** What is stored of a token. */
export interface TokenBody {
  readonly name: string;
  readonly role: GrantedRole;
  /** networks it may come from, CIDR; none: from anywhere */
  readonly networks: readonly string[];
  /** ms since 1970; null: never */
  readonly expiresAt: number | null;
  /** it may name the Grafana user for whom it acts */
  readonly onBehalfOf: boolean;
  /** the newest last; those before it are valid until `validUntil` */
  readonly secrets: readonly TokenSecret[];
}

interface TokenSecret {
  /** SHA-256 of the token's text, hex */
  readonly hash: string;
  readonly createdAt: number;
  /** ms since 1970; null while it is the newest */
  readonly validUntil: number | null;
}

export type TokenVersion = Version<TokenBody>;
export type TokenSettings = Omit<TokenBody, 'secrets'>;

/** A token whose text was made just now; the text exists nowhere else. */
export interface MintedToken {
  readonly version: TokenVersion;
  readonly text: string;
}

export type TokenCheck =
  | { readonly ok: true; readonly token: TokenVersion }
  | { readonly ok: false; readonly reason: 'malformed' | 'unknown' | 'expired' };

export interface TokenStoreOptions {
  readonly freshMsMax?: number;
  readonly staleMsMax?: number;
  readonly now?: () => number;
  readonly logger?: Pick<FastifyBaseLogger, 'warn'> | undefined;
}

/** Tokens that may exist; all of them are held in memory. */
const tokensMax = 10_000;
/** A token's use is written at most so often by a process. */
const useWriteMs = 60_000;
/** The first administrator's token has a fixed id, so that of several first starts at once one makes it. */
const firstTokenId = 'firstadmin00';

export class TokenStore {
  private readonly versions: VersionStore<TokenBody>;
  private readonly store: Store;
  private readonly freshMsMax: number;
  private readonly staleMsMax: number;
  private readonly now: () => number;
  private readonly logger: TokenStoreOptions['logger'];
  private copy: ReadonlyMap<string, TokenVersion> = new Map();
  /** performance.now() of the read that made the copy */
  private copiedAt = -Infinity;
  private reading: Promise<void> | null = null;
  private readonly usesWritten = new Map<string, number>();

  constructor(store: Store, options: TokenStoreOptions = {}) {
    this.store = store;
    this.now = options.now ?? Date.now;
    this.versions = new VersionStore<TokenBody>(store, 'tokens', { thingsMax: tokensMax, now: this.now });
    // Nobody else can change an embedded store.
    this.freshMsMax = store.kind === 'embedded' ? Infinity : (options.freshMsMax ?? 2_000);
    this.staleMsMax = store.kind === 'embedded' ? Infinity : (options.staleMsMax ?? 10_000);
    this.logger = options.logger;
  }

  /**
   * Whose token this is. Rejects with the store's UserError when the copy is too old and cannot be renewed.
   * @param text what came in the Authorization header
   */
  async check(text: string): Promise<TokenCheck> {
    const id = tokenIdOf(text);
    if (id === null) return { ok: false, reason: 'malformed' };
    const token = (await this.known()).get(id);
    if (!token) return { ok: false, reason: 'unknown' };
    const now = this.now();
    // All of them are compared, so that the time does not tell which one it was.
    const fits = token.body.secrets.filter((secret) => matchesHash(text, secret.hash));
    if (fits.length === 0) return { ok: false, reason: 'unknown' };
    const valid = fits.some((secret) => secret.validUntil === null || now < secret.validUntil);
    if (!valid || (token.body.expiresAt !== null && now >= token.body.expiresAt)) {
      return { ok: false, reason: 'expired' };
    }
    return { ok: true, token };
  }

  /** Note that a token was used; written once a minute at most, and never waited for. */
  used(id: string, address: string): void {
    const now = this.now();
    if (now - (this.usesWritten.get(id) ?? -Infinity) < useWriteMs) return;
    this.usesWritten.set(id, now);
    const bytes = tsvRow([id, tsvTime(now), address]);
    this.store.insert({ table: 'token_uses', columns: ['token_id', 'used_at', 'address'], bytes }).catch((error) => {
      this.logger?.warn({ err: error as unknown, token: id }, 'the use of a token was not noted');
    });
  }

  /** A page of tokens, by name. */
  list(limit: number, after?: ListPosition): ReturnType<VersionStore<TokenBody>['list']> {
    return this.versions.list({ limit, after });
  }

  get(id: string): Promise<TokenVersion | null> {
    return this.versions.get(id);
  }

  /** When each of these was last used (ms since 1970) and from where; those never used are absent. */
  async uses(ids: readonly string[]): Promise<Map<string, { usedAt: number; address: string }>> {
    const result = await this.store.query(
      'SELECT token_id, toUnixTimestamp64Milli(max(used_at)) AS used_ms, argMax(address, used_at) AS used_from ' +
        'FROM token_uses WHERE token_id IN {ids:Array(String)} GROUP BY token_id',
      { ids },
    );
    const rows = rowsOf<{ token_id: string; used_ms: number; used_from: string }>(result);
    return new Map(rows.map((row) => [row.token_id, { usedAt: row.used_ms, address: row.used_from }]));
  }

  /** Throws as VersionStore.create does. */
  create(settings: TokenSettings, actor: Actor): Promise<MintedToken> {
    return this.mint(newTokenId(), settings, actor);
  }

  /** Change everything but the secret. Throws as VersionStore.update does. */
  async update(id: string, expected: number | null, settings: TokenSettings, actor: Actor): Promise<TokenVersion> {
    const make = (body: TokenBody): TokenBody => ({ ...settings, secrets: body.secrets });
    return this.remember(await this.versions.modify(id, expected, make, actor, 'token.update'));
  }

  /** A new secret; the one before it stays valid for `graceMs` (0: not at all). Throws as VersionStore.update does. */
  async rotate(id: string, expected: number | null, graceMs: number, actor: Actor): Promise<MintedToken> {
    const now = this.now();
    const text = newTokenText(id);
    const make = (body: TokenBody): TokenBody => {
      const latest = body.secrets.at(-1);
      // Of those already replaced none lives on: two valid secrets at a time are enough to change over.
      const kept = latest && graceMs > 0 ? [{ ...latest, validUntil: now + graceMs }] : [];
      return { ...body, secrets: [...kept, { hash: hashToken(text), createdAt: now, validUntil: null }] };
    };
    return { version: this.remember(await this.versions.modify(id, expected, make, actor, 'token.rotate')), text };
  }

  /** Throws as VersionStore.update does. */
  async revoke(id: string, expected: number | null, actor: Actor): Promise<TokenVersion> {
    return this.remember(await this.versions.remove(id, expected, actor, 'token.revoke'));
  }

  /**
   * The first administrator's token, when there never was a token; null when there was one, also when another process
   * makes it at the same moment.
   */
  async createFirst(): Promise<MintedToken | null> {
    if (await this.versions.everUsed()) return null;
    const settings: TokenSettings = {
      name: 'first administrator',
      role: 'admin',
      networks: [],
      expiresAt: null,
      onBehalfOf: false,
    };
    try {
      return await this.mint(firstTokenId, settings, systemActor);
    } catch (error) {
      if (error instanceof VersionConflictError) return null;
      throw error;
    }
  }

  private async mint(id: string, settings: TokenSettings, actor: Actor): Promise<MintedToken> {
    const text = newTokenText(id);
    const secrets = [{ hash: hashToken(text), createdAt: this.now(), validUntil: null }];
    return {
      version: this.remember(await this.versions.create(id, { ...settings, secrets }, actor, 'token.create')),
      text,
    };
  }

  /** Our own change counts here at once. */
  private remember(version: TokenVersion): TokenVersion {
    const copy = new Map(this.copy);
    if (version.deleted) copy.delete(version.id);
    else copy.set(version.id, version);
    this.copy = copy;
    return version;
  }

  private async known(): Promise<ReadonlyMap<string, TokenVersion>> {
    const age = performance.now() - this.copiedAt;
    if (age > this.staleMsMax || this.copiedAt === -Infinity) await this.read();
    else if (age > this.freshMsMax) {
      // A store that is slow must not make every request wait, as long as the copy is young enough.
      await Promise.race([this.read(), briefly()]).catch(() => undefined);
    }
    return this.copy;
  }

  private read(): Promise<void> {
    this.reading ??= (async () => {
      try {
        const begun = performance.now();
        const before = this.copy;
        const { versions } = await this.versions.list({ limit: tokensMax });
        const read = new Map(versions.map((version) => [version.id, version]));
        // What we changed ourselves while this was read is newer than it.
        if (this.copy !== before) {
          for (const [id, version] of this.copy) {
            if (version.version > (read.get(id)?.version ?? 0) && before.get(id) !== version) read.set(id, version);
          }
          for (const id of before.keys()) if (!this.copy.has(id)) read.delete(id);
        }
        this.copy = read;
        this.copiedAt = begun;
      } finally {
        this.reading = null;
      }
    })();
    return this.reading;
  }
}

/** Requests wait so long for a newer copy of the tokens, then go on with the one there is. */
const briefly = (): Promise<void> => delay(250, undefined, { ref: false });
