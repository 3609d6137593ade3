/** Names on the NATS side: streams and subjects. */
import { parseId, subjectToken } from './message-id.js';
import type { MessageId, RejectReason } from './bus.js';

const prefix = 'netspectra.packets';

/** A partition's stream. */
export const streamName = (partition: number): string => `NETSPECTRA_PACKETS_${partition}`;

/** Everything that goes into a partition's stream. */
export const partitionSubject = (partition: number): string => `${prefix}.${partition}.*`;

/** Where a probe publishes: permissions can be given for one probe. */
export const messageSubject = ({ partition, probe }: Pick<MessageId, 'partition' | 'probe'>): string =>
  `${prefix}.${partition}.${subjectToken(probe)}`;

/** Subjects that are told and not kept. */
export const isSignalSubject = (subject: string): boolean =>
  /^netspectra\.(live|control)(\.[^\s.*>]+)*(\.>)?$/.test(subject);

/** What the deduplication id and the subject of a stored message say together. */
export function identify(
  partition: number,
  subject: string,
  idHeader: string,
): { readonly id: MessageId } | { readonly reason: RejectReason } {
  const parsed = parseId(idHeader);
  if (!parsed) return { reason: 'no_id' };
  if (!subject.startsWith(`${prefix}.${partition}.`)) return { reason: 'foreign_subject' };
  if (subject !== messageSubject({ partition, probe: parsed.probe })) return { reason: 'foreign_probe' };
  return { id: { partition, ...parsed } };
}
