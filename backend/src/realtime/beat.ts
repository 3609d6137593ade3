/** The word of an engine that it is alive, as it lies in Redis and goes over the bus. Who can write there may write anything. */
import type { EngineBeat } from './state.js';

export const formatBeat = (beat: EngineBeat): string => JSON.stringify(beat);

/** The reverse of formatBeat; null for anything else. */
export function parseBeat(text: string): EngineBeat | null {
  try {
    const found: unknown = JSON.parse(text);
    return isBeat(found) ? found : null;
  } catch {
    return null;
  }
}

const isBeat = (value: unknown): value is EngineBeat => {
  const beat = value as Partial<Record<keyof EngineBeat, unknown>> | null;
  const numbers = [
    beat?.workers,
    beat?.packetsRead,
    beat?.packetsStored,
    beat?.bytesStored,
    beat?.flowsLive,
    beat?.memoryBytes,
  ];
  return (
    typeof beat?.id === 'string' &&
    ['starting', 'reading', 'idle', 'stopping'].includes(beat.state as string) &&
    (beat.source === null || typeof beat.source === 'string') &&
    numbers.every((value) => typeof value === 'number') &&
    (beat.watermarkMs === null || typeof beat.watermarkMs === 'number') &&
    typeof beat.limits === 'object' &&
    beat.limits !== null &&
    Object.values(beat.limits).every((value) => typeof value === 'number')
  );
};
