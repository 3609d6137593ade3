import { CaptureError } from '@netspectra/collector';
import { UserError } from '../errors.js';

/**
 * Tell people what went wrong: one line for what they can mend, the stack for a mistake of ours.
 * @returns the exit code
 */
export function fail(error: unknown): number {
  if (error instanceof UserError) {
    process.stderr.write(`netspectra: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof CaptureError) {
    process.stderr.write(`netspectra: ${error.message}\n`);
    return 2;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`netspectra: internal error, please report it: ${text}\n`);
  return 1;
}
