/**
 * The simple way to frame a whole capture in one thread: bytes already in memory, or a stream of pieces of any size.
 * Readers with several threads call CaptureFramer themselves.
 */
import type { CaptureState } from './capture-state.js';
import { CaptureFramer, recordBytesMax } from './framer.js';
import type { FrameTable } from './frame-table.js';

/** Called for each filled table; the table and the bytes its offsets point into are valid until it returns. */
export type FramesHandler = (table: FrameTable, bytes: Uint8Array) => void;

/** Frame a file that is in memory. What is wrong with it stands in the state afterwards. */
export function frameBytes(bytes: Uint8Array, state: CaptureState, table: FrameTable, onFrames: FramesHandler): void {
  const framer = new CaptureFramer(state);
  let at = 0;
  while (!state.ended && !state.fatal) {
    const rest = bytes.subarray(at);
    at += framer.frame(rest, rest.length, at, true, table);
    if (table.count > 0) onFrames(table, rest);
  }
}

/**
 * Frame a stream, carrying cut records over from piece to piece. Memory is one window, which grows only while a single
 * record does not fit (up to recordBytesMax), plus the piece at hand.
 *
 * @param windowBytes first size of the window
 */
export async function frameStream(
  chunks: AsyncIterable<Uint8Array>,
  state: CaptureState,
  table: FrameTable,
  onFrames: FramesHandler,
  windowBytes = 1 << 20,
): Promise<void> {
  const framer = new CaptureFramer(state);
  let window = new Uint8Array(windowBytes);
  let held = 0;

  const drain = (atEnd: boolean): void => {
    let at = 0;
    for (;;) {
      const rest = window.subarray(at, held);
      const consumed = framer.frame(rest, rest.length, state.nextOffset, atEnd, table);
      at += consumed;
      if (table.count > 0) onFrames(table, rest);
      // Only a full table leaves whole records behind.
      if (state.fatal || state.ended || table.count < table.capacity) break;
    }
    window.copyWithin(0, at, held);
    held -= at;
  };

  for await (const chunk of chunks) {
    let from = 0;
    while (from < chunk.length && !state.fatal) {
      if (held === window.length) {
        const grown = new Uint8Array(Math.min(Math.max(window.length * 2, framer.neededBytes), recordBytesMax));
        grown.set(window.subarray(0, held));
        window = grown;
      }
      const part = chunk.subarray(from, from + window.length - held);
      window.set(part, held);
      held += part.length;
      from += part.length;
      drain(false);
    }
    if (state.fatal) return;
  }
  drain(true);
}
