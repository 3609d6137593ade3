/**
 * gzip (RFC 1952), any number of members, through node:zlib.
 *
 * zlib gives no output for a step that fails. So that a damaged stream still yields nearly all that stands before the
 * damage, the same for a file and for a pipe, the input goes in steps that depend on nothing but the offset: a sixteenth
 * of what came before, from 64 bytes to 16 KiB, and the last eight bytes (checksum and length) on their own.
 */
import { createGunzip } from 'node:zlib';
import type { PullReader } from './pull-reader.js';
import { TransformSteps, type StreamFault } from './transform-steps.js';

const stepBytesMin = 64;
const stepBytesMax = 16 * 1024;
const trailerBytes = 8;

function stepAt(offset: number): number {
  return Math.min(stepBytesMax, Math.max(stepBytesMin, offset >>> 4));
}

/**
 * Decompress. Ends early, after telling `fault`, when the stream is damaged or cut; zero bytes after a member are
 * padding, other bytes after one are damage.
 */
export async function* gunzipChunks(reader: PullReader, fault: StreamFault): AsyncGenerator<Uint8Array> {
  const steps = new TransformSteps(createGunzip({ chunkSize: 64 * 1024 }));
  try {
    for (;;) {
      const wanted = stepAt(reader.taken);
      // Eight bytes stay behind until the end is known: they are the last member's trailer.
      const more = await reader.fill(wanted + trailerBytes);
      const rest = reader.available;
      const step = more ? wanted : rest > trailerBytes ? rest - trailerBytes : rest;
      if (step === 0) break;
      yield* await steps.step(reader.take(step));
      if (steps.failure) return fault(`gzip: ${steps.failure.message}`);
    }
    yield* await steps.end();
    if (steps.failure && reader.failure === undefined) fault(`gzip: ${steps.failure.message}`);
  } finally {
    steps.close();
  }
}
