/**
 * Puts a bounded queue before a writer, so that whoever writes never waits for it: flushes go in their order, one that
 * fails is tried again with growing waits, and when the queue is full the oldest that waits is dropped and counted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../errors.js';
import type { Flush, TableName, Writer } from '../../tables/index.js';
import { onlyTables } from './side-writer.js';
import type { SideWriter, WriterLogger } from './side-writer.js';

export interface LaggingOptions {
  /** how it is called where it is told of */
  readonly name: string;
  readonly tables: readonly TableName[];
  /** most bytes of rows that wait, the flush at hand included */
  readonly queueBytesMax: number;
  /** longest wait for the queue when it is closed */
  readonly drainMs: number;
  /** wait before the second try; doubles up to 30 s */
  readonly retryMs?: number;
  readonly logger?: WriterLogger;
}

export interface LaggingCounters {
  /** flushes that were dropped: the queue was full, the writer refused them for good, or the process ended */
  dropped: number;
  droppedRows: number;
  /** writes that were tried again */
  retries: number;
}

export interface LaggingWriter extends SideWriter {
  readonly counters: Readonly<LaggingCounters>;
  readonly queueBytes: number;
}

const retryMsMax = 30_000;

interface Waiting {
  readonly flush: Flush;
  readonly bytes: number;
}

export function createLaggingWriter(target: Writer, options: LaggingOptions): LaggingWriter {
  const { name, queueBytesMax, drainMs, retryMs = 200, logger } = options;
  const wanted = new Set(options.tables);
  const counters: LaggingCounters = { dropped: 0, droppedRows: 0, retries: 0 };
  const queue: Waiting[] = [];
  const closing = new AbortController();
  let queueBytes = 0;
  let atHand: Waiting | null = null;
  let failure = '';
  let working: Promise<void> | null = null;
  let givenUp = false;

  function drop({ flush, bytes }: Waiting): void {
    queueBytes -= bytes;
    counters.dropped += 1;
    for (const { rows } of flush.blocks) counters.droppedRows += rows;
  }

  function failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    // Told once until it changes: a disk that stays full must not fill the log too.
    if (reason !== failure) logger?.warn({ writer: name, err: reason }, `${name}: a flush cannot be written`);
    failure = reason;
  }

  /** @returns when it is written, or is not to be tried again */
  async function writeOne(item: Waiting): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await target.write(item.flush);
        if (failure !== '') logger?.info({ writer: name }, `${name}: writes again`);
        failure = '';
        queueBytes -= item.bytes;
        return;
      } catch (error) {
        failed(error);
        if (!(error instanceof UserError) || !error.retry || givenUp || closing.signal.aborted) return drop(item);
        counters.retries += 1;
        const wait = Math.min(retryMs * 2 ** (tries - 1), retryMsMax);
        await delay(wait, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  }

  async function work(): Promise<void> {
    for (let item = queue.shift(); item; item = queue.shift()) {
      atHand = item;
      await writeOne(item);
      atHand = null;
    }
    working = null;
  }

  return {
    counters,
    get queueBytes() {
      return queueBytes;
    },
    write(flush) {
      const kept = onlyTables(flush, wanted);
      const bytes = kept.blocks.reduce((sum, block) => sum + block.bytes.length, 0);
      if (bytes === 0) return Promise.resolve();
      const item = { flush: kept, bytes };
      queueBytes += bytes;
      if (closing.signal.aborted) drop(item);
      else {
        queue.push(item);
        while (queueBytes > queueBytesMax && queue.length > 0) drop(queue.shift()!);
        working ??= work();
      }
      return Promise.resolve();
    },
    status: () => ({
      name,
      optional: true,
      ok: failure === '',
      detail:
        failure === ''
          ? `${queue.length + (atHand ? 1 : 0)} flushes wait, ${counters.dropped} dropped`
          : `${failure} (${queue.length + (atHand ? 1 : 0)} flushes wait, ${counters.dropped} dropped)`,
    }),
    async close() {
      closing.abort();
      let bound: NodeJS.Timeout | undefined;
      const over = new Promise<void>((resolve) => {
        bound = setTimeout(() => {
          givenUp = true;
          for (const item of queue.splice(0)) drop(item);
          resolve();
        }, drainMs);
      });
      await Promise.race([working, over]);
      clearTimeout(bound);
      const closed = target.close();
      // A write that hangs (a network disk that is gone) must not keep the process.
      if (working) closed.catch(() => undefined);
      else await closed;
    },
  };
}
