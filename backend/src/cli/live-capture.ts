/** The thread that captures and reckons for `up`, seen from the main thread: opened, given the store, asked to end. */
import { Worker } from 'node:worker_threads';
import { CaptureError } from '@netspectra/collector';
import type { RuleSet } from '@netspectra/collector/probe';
import type { StoredPart } from '../cluster/index.js';
import type { AccountingReport } from '../engine/accounting.js';
import type { EnrichmentData } from '../enrichment/index.js';
import type { LiveMessage, LiveRequest, LiveState, LiveThreadData } from './live-thread.js';
import { StoreServer } from './store-calls.js';
import type { StoreSide } from './store-calls.js';

/** The built thread entry (bundled, see scripts/bundle.js); a thread cannot load TypeScript. */
function threadUrl(): URL {
  const here = import.meta.url;
  return new URL(`${here.includes('/bundle/') ? '.' : '../bundle'}/live-thread.js`, here);
}

/** beyond the drain times of the configuration */
const endMilliseconds = 5_000;

export interface LiveStore extends StoreSide<StoredPart> {
  readonly enrichment: EnrichmentData;
  /** told of every stretch that is stored. @param latencyMs since its last packet; null: none, or an old one */
  readonly onStored: (accounting: AccountingReport, latencyMs: number | null) => void;
}

export class LiveCapture {
  /** Rejects when a thread fails; never resolves. */
  readonly failed: Promise<never>;
  /** newest that was told; null before the first */
  state: LiveState | null = null;
  private readonly thread: Worker;
  private readonly ready: Promise<void>;
  private readonly ended: Promise<number | null>;
  private server: StoreServer<StoredPart> | null = null;
  private onStored: LiveStore['onStored'] = () => {};
  private ending = false;
  private readonly drainMs: number;

  private constructor(data: LiveThreadData) {
    const { probe, engine } = data.config;
    this.drainMs = (probe.drain_timeout + engine.drain_timeout) * 1000 + endMilliseconds;
    let fail: (reason: unknown) => void = () => {};
    let capturing: () => void = () => {};
    let refuse: (reason: unknown) => void = () => {};
    let end: (left: number | null) => void = () => {};
    this.failed = new Promise<never>((_, reject) => (fail = reject));
    this.failed.catch(() => {}); // whoever runs it awaits it beside the signal to end
    const open = new Promise<void>((resolve, reject) => {
      capturing = resolve;
      refuse = reject;
    });
    this.ready = Promise.race([open, this.failed]);
    this.ended = new Promise((resolve) => (end = resolve));
    this.thread = new Worker(threadUrl(), { workerData: data });
    this.thread.on('message', (message: LiveMessage) => {
      switch (message.kind) {
        case 'capturing':
          capturing();
          break;
        case 'refused':
          refuse(new CaptureError(message.code, message.text));
          break;
        case 'state':
          ({ state: this.state } = message);
          break;
        case 'stored':
          this.onStored(message.accounting, message.latencyMs);
          break;
        case 'failed':
          fail(new Error(message.text));
          break;
        case 'ended':
          end(message.left);
          break;
        default:
          void this.server?.hear(message);
      }
    });
    this.thread.on('error', (error) => fail(error));
    this.thread.on('exit', (code) => {
      if (!this.ending) fail(new Error(`the capturing thread ended early (exit code ${code})`));
      end(null);
    });
  }

  /**
   * Open the interfaces. What is captured waits, within bounds, until the store is there.
   * @throws CaptureError when one cannot be captured; nothing runs then
   */
  static async open(data: LiveThreadData): Promise<LiveCapture> {
    const live = new LiveCapture(data);
    await live.ready.catch(async (error: unknown) => {
      await live.terminate();
      throw error;
    });
    return live;
  }

  /** Begin to store. */
  store(store: LiveStore): void {
    this.onStored = store.onStored;
    this.server = new StoreServer(store, (answer) => this.tell(answer));
    this.tell({ kind: 'store', enrichment: store.enrichment });
  }

  enrich(data: EnrichmentData): void {
    this.tell({ kind: 'enrichment', data });
  }

  /** From now on these capture rules, which the plan of the probe takes. */
  rules(rules: RuleSet): void {
    this.tell({ kind: 'rules', rules });
  }

  /**
   * Read out the rings, store what they held, end.
   * @returns messages that could not be stored in time; null when that is not known
   */
  async stop(): Promise<number | null> {
    this.ending = true;
    this.tell({ kind: 'stop' });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), this.drainMs)));
    const left = await Promise.race([this.ended, late]);
    clearTimeout(timer);
    return left;
  }

  /** End it, whatever it does. */
  async terminate(): Promise<void> {
    this.ending = true;
    await this.thread.terminate();
  }

  private tell(request: LiveRequest): void {
    this.thread.postMessage(request);
  }
}
