/**
 * The real-time state of a process: told to Redis, when there is one, and always kept here too when engines run here, so that an
 * answer never depends on Redis. Questions go to Redis first, because it knows of all engines.
 */
import { InProcessState } from './in-process.js';
import type { RedisState } from './redis-state.js';
import type { EngineBeat, RealtimeSink, RealtimeView } from './state.js';
import type { FlushSummary } from './summary.js';
import { Watermark } from './watermark.js';

/** An answer, and who gave it. */
export interface Told<T> {
  readonly source: RealtimeView['source'];
  readonly value: T;
}

export class Realtime implements RealtimeSink {
  readonly inProcess: InProcessState | null;
  readonly redis: RedisState | null;
  /** of the engines of this process */
  readonly watermark = new Watermark();

  /** @param engines engines run in this process */
  constructor(engines: boolean, redis: RedisState | null) {
    this.inProcess = engines ? new InProcessState() : null;
    this.redis = redis;
  }

  observeFlush(flush: FlushSummary): void {
    this.watermark.observe(flush);
    this.inProcess?.observeFlush(flush);
    this.redis?.observeFlush(flush);
  }

  observeEngine(beat: EngineBeat): void {
    this.inProcess?.observeEngine(beat);
    this.redis?.observeEngine(beat);
  }

  /** Ask Redis, or this process when that does not answer; null when there is nobody to ask. Never rejects. */
  async ask<T>(question: (view: RealtimeView) => Promise<T>): Promise<Told<T> | null> {
    for (const view of [this.redis?.ready ? this.redis : null, this.inProcess]) {
      if (!view) continue;
      try {
        return { source: view.source, value: await question(view) };
      } catch {
        continue; // Redis went away meanwhile
      }
    }
    return null;
  }

  close(): void {
    this.redis?.close();
  }
}
