/**
 * Keeps a stream still while a viewer joins: between what is sent and who hears it stands Grafana, which takes a moment to hand a
 * packet on and to count a new viewer in. A packet that is sent just then would come twice, or not at all.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** What Grafana may take, milliseconds. */
const settleMs = 250;
/** A stream is not kept longer than this for all who join. */
const heldMsMax = 5_000;

export class SendGate {
  #holds = 0;
  #sentMs = -Infinity;
  #sending: Promise<void> = Promise.resolve();
  #changed: () => void = () => {};

  /** Send, when nobody is just joining. Rejects as `work` does, and when the signal aborts. */
  async send(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + heldMsMax;
    while (this.#holds > 0 && performance.now() < untilMs && !signal.aborted) {
      await Promise.race([
        new Promise<void>((resolve) => (this.#changed = resolve)),
        pause(untilMs - performance.now(), undefined, { signal, ref: false }),
      ]);
    }
    signal.throwIfAborted();
    const sent = work();
    this.#sending = sent.then(
      () => {},
      () => {},
    );
    await sent;
    this.#sentMs = performance.now();
  }

  /** Nothing is sent until a while after `work`, and what was sent before it is with all viewers. */
  async hold<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#holds += 1;
    try {
      await this.#sending;
      const leftMs = this.#sentMs + settleMs - performance.now();
      if (leftMs > 0) await pause(leftMs);
      return await work();
    } finally {
      setTimeout(() => {
        this.#holds -= 1;
        if (this.#holds === 0) this.#changed();
      }, settleMs).unref();
    }
  }
}
