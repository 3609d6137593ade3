/**
 * The text of a token: `nst_<id>_<secret><check>`.
 *
 * - `id` (12 characters) is public: it is what lists and audit rows show, and what finds the stored hash.
 * - `secret` (43 characters) is 256 random bits. Only its SHA-256 is stored: a fast hash is right for a secret of full
 *   entropy, because there is nothing to guess; slow hashes are for passwords (OWASP Password Storage Cheat Sheet).
 * - `check` (6 characters) is the CRC-32 of what stands before, so that scanners of repositories and logs can tell a token
 *   from text that looks like one, and a typing mistake is told without a look-up.
 *
 * All in base 62. A scanner's pattern: nst_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}
 */
import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const idLength = 12;
const secretLength = 43;
const checkLength = 6;
const pattern = /^nst_([0-9A-Za-z]{12})_([0-9A-Za-z]{49})$/;

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = alphabet[Number(rest % 62n)] + text;
  return text;
}

const checkOf = (text: string): string => base62(BigInt(crc32(text)), checkLength);

/** A new public id. */
export const newTokenId = (): string => Array.from({ length: idLength }, () => alphabet[randomInt(62)]).join('');

/** A token's text with a new secret. It is shown once and never stored. */
export function newTokenText(id: string): string {
  const secret = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), secretLength);
  const body = `nst_${id}_${secret}`;
  return body + checkOf(body);
}

/** The public id of a token's text, or null when the text is none (wrong shape or check). */
export function tokenIdOf(text: string): string | null {
  const match = pattern.exec(text);
  if (!match) return null;
  const body = text.slice(0, -checkLength);
  return text.endsWith(checkOf(body)) ? match[1]! : null;
}

/** What is stored of a secret: SHA-256 of the whole text, hex. */
export const hashToken = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Whether a text has this hash (hex), in a time that does not depend on where they differ. */
export function matchesHash(text: string, hash: string): boolean {
  const wanted = Buffer.from(hash, 'hex');
  const given = createHash('sha256').update(text).digest();
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
