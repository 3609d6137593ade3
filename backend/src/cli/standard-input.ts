/**
 * Keeps standard input away from the embedded database.
 *
 * Measured with chDB 26.7: when file descriptor 0 is no terminal, the engine reads it to its end for every INSERT and takes what
 * it finds for rows ("data for INSERT was parsed from stdin"). A capture on standard input would be stored as rows of
 * whatever table came first, and an idle pipe would hold the first insert for ever. No setting turns this off. So
 * descriptor 0 becomes /dev/null before the engine is opened; a capture on it is passed on by `cat`, since Node can
 * duplicate a descriptor only by giving it to a child.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Readable } from 'node:stream';

/**
 * Put /dev/null in the place of standard input. To be called before anything touches `process.stdin`.
 *
 * @param wanted somebody will read what comes on it
 * @returns its bytes, if they are wanted
 */
export function takeStandardInput(wanted: boolean): Readable | null {
  const bytes = wanted ? passedOn() : null;
  if (process.platform === 'win32' || (isatty(0) && !wanted)) return bytes;
  closeSync(0);
  const descriptor = openSync('/dev/null', 'r');
  // POSIX: open gives the lowest free number.
  if (descriptor !== 0) throw new Error(`standard input became descriptor ${descriptor}`);
  return bytes;
}

function passedOn(): Readable {
  // In a group of its own: Ctrl-C is for us, and what was read until then is still to be stored.
  const child = spawn('cat', [], { stdio: [0, 'pipe', 'inherit'], detached: true });
  const { stdout } = child;
  if (!stdout) throw new Error('a pipe was asked for and none was made');
  child.unref();
  child.on('error', (error) => stdout.destroy(error));
  stdout.on('close', () => child.kill());
  return stdout;
}
