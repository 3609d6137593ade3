/** A writer that tells real-time state of each flush once it is stored. */
import type { Flush, Writer } from '../tables/index.js';
import { summariseFlush } from './summary.js';
import type { FlushSummary } from './summary.js';

/**
 * @param writer the one whose word counts for whether a flush is stored
 * @param observe is called after it; must not throw
 */
export function observingWriter(writer: Writer, observe: (flush: FlushSummary) => void): Writer {
  return {
    async write(flush: Flush, mayWrite?: () => boolean): Promise<void> {
      await writer.write(flush, mayWrite);
      observe(summariseFlush(flush));
    },
    close: () => writer.close(),
  };
}
