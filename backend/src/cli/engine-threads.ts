/** The threads of an engine, seen from its main thread: started, asked, told, ended. */
import { Worker } from 'node:worker_threads';
import { AggregatorRegistry } from 'prom-client';
import type { EnrichmentData } from '../enrichment/index.js';
import type { EngineThreadData, EngineThreadMessage, EngineThreadRequest } from './engine-thread.js';

/** The built thread entry (bundled, see scripts/bundle.js); a thread cannot load TypeScript. */
function threadUrl(): URL {
  const here = import.meta.url;
  return new URL(`${here.includes('/bundle/') ? '.' : '../bundle'}/engine-thread.js`, here);
}

const metricsMs = 2_000;
/** What is made for a message is dead at the next one: a larger young generation only keeps it longer. */
const youngMegabytes = 3;

export class EngineThreads {
  /** Rejects when a thread ends without having been asked to. */
  readonly failed: Promise<never>;
  /** Newest of each thread; null before its first. */
  readonly states: (EngineThreadState | null)[] = [];
  private readonly threads: Worker[] = [];
  private readonly ended: Promise<void>[] = [];
  private readonly asked = new Map<number, (metrics: MetricsOfThread) => void>();
  private numbers = 0;
  private ending = false;
  private stored = true;

  constructor(data: readonly EngineThreadData[]) {
    let fail: (reason: unknown) => void = () => {};
    this.failed = new Promise<never>((_, reject) => (fail = reject));
    this.failed.catch(() => {}); // whoever runs the engine awaits it beside the signal to end
    for (const [index, one] of data.entries()) {
      const thread = new Worker(threadUrl(), {
        workerData: one,
        resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes },
      });
      this.threads.push(thread);
      this.states.push(null);
      thread.on('message', (message: EngineThreadMessage) => {
        if (message.kind === 'state') this.states[index] = message;
        else if (message.kind === 'ended') this.stored &&= message.stored;
        else this.asked.get(message.number)?.(message.metrics);
      });
      thread.on('error', fail);
      this.ended.push(
        new Promise((resolve) => {
          thread.on('exit', (code) => {
            if (!this.ending) fail(new Error(`engine thread ${one.id} ended early (exit code ${code})`));
            resolve();
          });
        }),
      );
    }
  }

  enrich(data: EnrichmentData): void {
    this.tell({ kind: 'enrichment', data });
  }

  /** What all threads tell Prometheus, added up. A thread that does not answer in time is left out. */
  async metrics(): Promise<string> {
    const found = await Promise.all(this.threads.map((thread) => this.metricsOf(thread)));
    return AggregatorRegistry.aggregate(found.filter((one) => one !== null) as never[]).metrics();
  }

  /** Ask all to end, and wait until they have. @returns whether all that they took is stored */
  async stop(): Promise<{ readonly stored: boolean }> {
    this.ending = true;
    this.tell({ kind: 'stop' });
    await Promise.all(this.ended);
    return { stored: this.stored };
  }

  /** End them, whatever they do. */
  async terminate(): Promise<void> {
    this.ending = true;
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }

  private tell(request: EngineThreadRequest): void {
    for (const thread of this.threads) thread.postMessage(request);
  }

  private async metricsOf(thread: Worker): Promise<MetricsOfThread | null> {
    const number = (this.numbers += 1);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve) => {
        timer = setTimeout(() => resolve(null), metricsMs);
        this.asked.set(number, resolve);
        thread.postMessage({ kind: 'metrics', number } satisfies EngineThreadRequest);
      });
    } finally {
      clearTimeout(timer);
      this.asked.delete(number);
    }
  }
}

export type EngineThreadState = EngineThreadMessage & { readonly kind: 'state' };
type MetricsOfThread = (EngineThreadMessage & { readonly kind: 'metrics' })['metrics'];
