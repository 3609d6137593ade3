/**
 * Looks at capture files before any work begins: a wrong name, or a file that is no capture, should cost neither a minute
 * of reading the others nor a mark in the store that it was read.
 */
import { open, stat } from 'node:fs/promises';
import { CaptureDamage, CaptureFramer, CaptureState, FrameTable, openCaptureFile } from '@netspectra/collector';
import type { CaptureInput, StreamDamage } from '@netspectra/collector';
import { UserError } from '../errors.js';

/** More than the file header of every format. */
const headBytes = 64;

/** What a user calls an input. */
export const inputName = (file: string): string => (file === '-' ? 'standard input' : file);

/** Whether reading stopped because this is no capture file at all, rather than a damaged one. */
export function isNoCapture(state: CaptureState, stream: StreamDamage | null): boolean {
  const reason = state.fatalReason;
  if (reason === CaptureDamage.UnknownFormat || reason === CaptureDamage.UnsupportedVersion) return true;
  // A packed file whose packing is damaged from the start gives no bytes either: that is damage.
  return reason === CaptureDamage.EmptyFile && stream === null;
}

/** The error for such a file. */
export const noCaptureError = (file: string, state: CaptureState): UserError =>
  new UserError('NS_INPUT_UNKNOWN_FORMAT', `${inputName(file)}: ${state.describeFatal()}`);

/**
 * Check that every file can be opened and begins like a capture. Standard input and pipes can be read only once, so they
 * are looked at when their turn comes.
 * @throws CaptureError when one cannot be opened, UserError NS_INPUT_UNKNOWN_FORMAT when one is no capture file, NS_USAGE
 */
export async function checkInputs(files: readonly string[]): Promise<void> {
  if (files.filter((file) => file === '-').length > 1) {
    throw new UserError('NS_USAGE', 'standard input (-) can be read only once: name it once');
  }
  for (const file of files) {
    if (file === '-' || (await isPipe(file))) continue;
    const capture = await openCaptureFile(file);
    const head = await firstBytes(capture);
    const state = new CaptureState();
    new CaptureFramer(state).frame(head, head.length, 0, head.length < headBytes, new FrameTable(1));
    const damage = capture.kind === 'stream' ? (capture.damage() ?? null) : null;
    if (isNoCapture(state, damage)) throw noCaptureError(file, state);
  }
}

/** Neither a regular file nor a folder; false when it cannot be told, then opening says why. */
const isPipe = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => !found.isFile() && !found.isDirectory(),
    () => false,
  );

/** Up to `headBytes` of the unpacked capture; fewer only when it has no more. */
async function firstBytes(capture: CaptureInput): Promise<Uint8Array> {
  const head = new Uint8Array(headBytes);
  let length = 0;
  if (capture.kind === 'stream') {
    for await (const piece of capture.chunks()) {
      const part = piece.subarray(0, headBytes - length);
      head.set(part, length);
      length += part.length;
      if (length === headBytes) break;
    }
    return head.subarray(0, length);
  }
  const handle = await open(capture.path, 'r');
  try {
    while (length < headBytes) {
      const { bytesRead } = await handle.read(head, length, headBytes - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return head.subarray(0, length);
}
