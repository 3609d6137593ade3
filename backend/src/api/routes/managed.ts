/** What the routes of rules, capture rules and tokens share: versions in headers, cursors, and errors of the stores. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { UserError } from '../../errors.js';
import { NotFoundError, OutcomeUnknownError, TooManyError, VersionConflictError } from '../../management/index.js';
import type { Management, Version } from '../../management/index.js';
import { ApiError, invalid } from '../problem.js';
import { managedKeys } from '../schemas/managed.js';
import type { RouteContext } from './context.js';

/** The stores. Throws `unavailable` in a process that was given none. */
export function managementOf(context: RouteContext): Management {
  if (!context.management) throw new ApiError('unavailable', 'this server keeps no rules and tokens');
  return context.management;
}

/** Run what reads or changes a managed thing; its failures become ApiErrors. */
export async function managing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error);
  }
}

function failureOf(error: unknown): unknown {
  if (error instanceof NotFoundError) return new ApiError('not-found', error.message, [], error);
  if (error instanceof VersionConflictError) {
    return new ApiError('precondition-failed', `${error.message}; read it again, then change that`, [], error);
  }
  if (error instanceof TooManyError) return new ApiError('conflict', error.message, [], error);
  if (error instanceof OutcomeUnknownError) {
    return new ApiError('unavailable', `${error.message}; read it before you try again`, [], error);
  }
  if (error instanceof UserError && error.retry) {
    return new ApiError('unavailable', 'the store does not answer; /readyz says more', [], error);
  }
  return error;
}

export const missing = (what: string): ApiError => new ApiError('not-found', `there is no ${what} with this id`);

/**
 * The version that If-Match names (RFC 9110 section 13.1.1, strong comparison); null for `*`.
 * Throws: missing 428 (RFC 6585 section 3), a tag that no version has 412, no tag at all 400.
 */
export function expectedVersion(request: FastifyRequest): number | null {
  const header = request.headers['if-match']?.trim();
  if (header === undefined || header === '') {
    throw new ApiError('precondition-required', 'send If-Match with the ETag of the version that you change, or *');
  }
  if (header === '*') return null;
  const version = /^"([1-9]\d{0,9})"$/.exec(header)?.[1];
  if (version !== undefined) return Number(version);
  if (/^(W\/)?"[^"]*"(\s*,\s*(W\/)?"[^"]*")*$/.test(header)) {
    throw new ApiError('precondition-failed', 'If-Match names no version; send one ETag as it was answered');
  }
  throw new ApiError('malformed', 'If-Match is no ETag; send it as it was answered, in double quotes');
}

/** Name the version in the answer. */
export const sendVersion = (reply: FastifyReply, { version }: Pick<Version<unknown>, 'version'>): FastifyReply =>
  reply.header('etag', `"${version}"`);

/** What is kept about a thing, as it is answered. */
export const keptOf = ({ id, version, createdAt, changedAt, actor }: Version<unknown>) => ({
  id,
  version,
  createdAtMs: createdAt,
  updatedAtMs: changedAt,
  updatedBy: actor,
});

export const historyOf = (versions: readonly Version<object>[], limit: number) => ({
  versions: versions.map(({ version, action, deleted, changedAt, actor, body }) => ({
    version,
    action,
    deleted,
    changedAtMs: changedAt,
    changedBy: actor,
    body,
  })),
  next: versions.length === limit && (versions.at(-1)?.version ?? 1) > 1 ? String(versions.at(-1)?.version) : null,
});

/** The body without what the server keeps itself. */
export function ownKeys<T extends object>(body: T, keys: readonly string[]): T {
  return Object.fromEntries(
    Object.entries(body).filter(([key]) => keys.includes(key) && !managedKeys.includes(key)),
  ) as T;
}

/** A position in a list as the text of a cursor. */
export const cursorOf = (position: readonly (string | number)[] | null): string | null =>
  position === null ? null : Buffer.from(JSON.stringify(position)).toString('base64url');

/**
 * The position that a cursor stands for.
 * @param types of its parts. Throws a validation ApiError for texts that are no cursor of this list.
 */
export function positionOf(cursor: string | undefined, types: readonly ('string' | 'number')[]): unknown[] | undefined {
  if (cursor === undefined) return undefined;
  const wrong = invalid('#/cursor', 'this is no cursor of this list; use `next` of the page before as it came');
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw wrong;
  }
  if (!Array.isArray(parts) || parts.length !== types.length) throw wrong;
  if (!parts.every((part, i) => typeof part === types[i] && (typeof part === 'string' || Number.isSafeInteger(part)))) {
    throw wrong;
  }
  return parts as unknown[];
}
