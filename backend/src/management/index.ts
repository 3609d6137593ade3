/** What people manage, over one store: `createManagement(store)`. */
import type { FastifyBaseLogger } from 'fastify';
import type { Store } from '../storage/index.js';
import { AuditLog } from './audit.js';
import { EventReader } from './events.js';
import type { CaptureRuleBody, RuleBody } from './rules.js';
import { TokenStore } from './tokens.js';
import type { TokenStoreOptions } from './tokens.js';
import { VersionStore } from './version-store.js';

export { grantedRoles, systemActor } from './actor.js';
export type { Actor, GrantedRole } from './actor.js';
export type { AuditEntry } from './audit.js';
export { NotFoundError, OutcomeUnknownError, TooManyError, VersionConflictError } from './errors.js';
export { eventKinds, eventStates, severities } from './events.js';
export type { AlertEvent, Severity } from './events.js';
export type { CaptureAction, CaptureRuleBody, RuleBody, RuleCondition, RuleQuery } from './rules.js';
export { hashToken, matchesHash, tokenIdOf } from './token-format.js';
export type { MintedToken, TokenSettings, TokenVersion } from './tokens.js';
export type { ListOptions, ListPosition, Version, VersionStore } from './version-store.js';

export interface Management {
  readonly rules: VersionStore<RuleBody>;
  readonly captureRules: VersionStore<CaptureRuleBody>;
  readonly tokens: TokenStore;
  readonly audit: AuditLog;
  readonly events: EventReader;
}

export interface ManagementOptions extends Pick<TokenStoreOptions, 'freshMsMax' | 'staleMsMax' | 'now'> {
  readonly logger?: FastifyBaseLogger | undefined;
}

/** Stores for rules, capture rules, tokens, audit and events. Nothing runs before it is called. */
export function createManagement(store: Store, options: ManagementOptions = {}): Management {
  const clock = options.now ? { now: options.now } : {};
  return {
    rules: new VersionStore(store, 'rules', { thingsMax: 5_000, ...clock }),
    captureRules: new VersionStore(store, 'capture_rules', { thingsMax: 1_000, ...clock }),
    tokens: new TokenStore(store, options),
    audit: new AuditLog(store, { logger: options.logger, ...clock }),
    events: new EventReader(store),
  };
}
