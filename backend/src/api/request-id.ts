/**
 * The name of a request: in the answer's `x-request-id`, in problems and in the log. A caller may bring its own, so that
 * one name follows a request through several programs; anything but a short plain word is replaced, because the name is
 * written into logs and headers.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const plainWord = /^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$/;

/** The caller's `x-request-id` when it is 8 to 64 letters, digits, `.`, `_` or `-`; else a new UUID. */
export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && plainWord.test(given) ? given : randomUUID();
}
