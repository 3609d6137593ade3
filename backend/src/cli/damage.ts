/** What is said about a damaged capture. */
import { describeCaptureDamage } from '@netspectra/collector';
import type { CaptureState, StreamDamage } from '@netspectra/collector';
import { grouped } from './text.js';

/** One line per damage whose place is known, and a last one for the rest. Empty when the file was whole. */
export function damageLines(file: string, capture: CaptureState, stream: StreamDamage | null): string[] {
  if (capture.damageTotal === 0) return stream ? [`${file}: ${stream.message}`] : [];
  const places = capture.damagePlaces();
  const lines = places.map(({ reason, offset }) =>
    reason === capture.fatalReason && offset === capture.fatalOffset
      ? `${file}: ${capture.describeFatal()}`
      : `${file}: ${describeCaptureDamage(reason, offset)}`,
  );
  const more = capture.damageTotal - places.length;
  if (more > 0) lines.push(`${file}: and ${grouped(more)} more`);
  if (stream) lines.push(`${file}: ${stream.message}`);
  return [...new Set(lines)];
}
