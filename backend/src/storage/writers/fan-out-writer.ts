/** One writer that decides, and others beside it that get what it has stored. */
import type { Writer } from '../../tables/index.js';
import type { SideWriter } from './side-writer.js';

/**
 * A flush is written when the first writer has it; the others take it afterwards, at once, and write it when they can. What
 * the first one rejects they never see, so that they hold nothing that the store does not.
 */
export function createFanOutWriter(first: Writer, beside: readonly SideWriter[]): Writer {
  return {
    async write(flush, mayWrite) {
      await first.write(flush, mayWrite);
      for (const writer of beside) await writer.write(flush);
    },
    async close() {
      await first.close();
      await Promise.all(beside.map((writer) => writer.close()));
    },
  };
}
