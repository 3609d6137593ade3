/** What is said about a damaged capture. */
import { CaptureDamage, describeCaptureDamage } from '@netspectra/collector';
import type { CaptureState, StreamDamage } from '@netspectra/collector';
import { inputName } from './inputs.js';
import { grouped } from './text.js';

/** One line per damage whose place is known, and a last one for the rest. Empty when the file was whole. */
export function damageLines(file: string, capture: CaptureState, stream: StreamDamage | null): string[] {
  // A stream's own message begins with its name.
  if (capture.damageTotal === 0) return stream ? [stream.message] : [];
  const name = inputName(file);
  // Of packed bytes that give nothing the packing is what is wrong, not an empty file.
  const places = capture.damagePlaces().filter(({ reason }) => stream === null || reason !== CaptureDamage.EmptyFile);
  const lines = places.map(({ reason, offset }) =>
    reason === capture.fatalReason && offset === capture.fatalOffset
      ? `${name}: ${capture.describeFatal()}`
      : `${name}: ${describeCaptureDamage(reason, offset)}`,
  );
  const more = capture.damageTotal - capture.damagePlaces().length;
  if (more > 0) lines.push(`${name}: and ${grouped(more)} more`);
  if (stream) lines.push(stream.message);
  return [...new Set(lines)];
}
