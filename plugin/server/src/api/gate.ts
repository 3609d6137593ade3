/** How many requests of one datasource run at once; others wait in the order they came, and too many are refused. */
import { PluginError } from '../errors.js';

const waitingMax = 200;

export class Gate {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get running(): number {
    return this.#running;
  }

  /** Wait for a place. The result gives it back; call it once. Rejects when too many wait, and when `signal` aborts. */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw new PluginError('cancelled', 'the request was cancelled');
    if (this.#running < this.#max) {
      this.#running += 1;
      return this.#place();
    }
    if (this.#waiting.length >= waitingMax) {
      throw new PluginError('overloaded', `${waitingMax} requests wait for this datasource already; try again later`);
    }
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        const timedOut = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
        reject(
          timedOut
            ? new PluginError('timeout', 'other requests of this datasource took all the time')
            : new PluginError('cancelled', 'the request was cancelled'),
        );
      };
      this.#waiting.push(turn);
      signal.addEventListener('abort', leave, { once: true });
    });
    return this.#place();
  }

  /** A place that is handed to the next in line, so that nobody slips in between. */
  #place(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    };
  }
}
