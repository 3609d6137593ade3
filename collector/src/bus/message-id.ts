/** Names of messages as text: the deduplication id of the bus, and subjects. */
import type { MessageId } from './bus.js';

/** longest probe id, characters */
export const probeIdLengthMax = 255;
const epochMax = 2n ** 64n - 1n;

/** A probe id that can be published under: 1 to 255 printable characters. */
export const isProbeId = (probe: string): boolean =>
  probe.length > 0 && probe.length <= probeIdLengthMax && !/[\p{Control}\p{Surrogate}]/u.test(probe);

/**
 * A probe id as one token of a subject: what has a meaning there (dots, stars, spaces) and what is not ASCII is written
 * with %, the rest stays readable.
 */
export const subjectToken = (probe: string): string =>
  encodeURIComponent(probe).replace(
    /[.*!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** `probe:epoch:sequence`, the probe as in the subject. */
export const idText = ({ probe, epoch, sequence }: Pick<MessageId, 'probe' | 'epoch' | 'sequence'>): string =>
  `${subjectToken(probe)}:${epoch}:${sequence}`;

/** The reverse of idText; null for anything that it does not make. */
export function parseId(text: string): Pick<MessageId, 'probe' | 'epoch' | 'sequence'> | null {
  const found = /^([^:]{1,2300}):(0|[1-9]\d{0,19}):(0|[1-9]\d{0,15})$/.exec(text);
  if (!found) return null;
  const probe = decoded(found[1]!);
  const epoch = BigInt(found[2]!);
  const sequence = Number(found[3]);
  if (probe === null || !isProbeId(probe) || epoch > epochMax || !Number.isSafeInteger(sequence)) return null;
  const id = { probe, epoch, sequence };
  return idText(id) === text ? id : null; // one message, one name
}

function decoded(token: string): string | null {
  try {
    return decodeURIComponent(token);
  } catch {
    return null;
  }
}
