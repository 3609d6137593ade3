/**
 * A signal that aborts with another one, or when time is up. In place of AbortSignal.any and AbortSignal.timeout: on Node.js 20
 * a source keeps 1.2 KB of every signal made of it for as long as it lives (a live stream's for days), a timeout one until it
 * fires.
 */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Time does not matter any more; the other signal does. */
  stopClock(): void;
  /** Neither matters any more: call it when what the signal was for is over. */
  end(): void;
}

/** @param timeoutMs until it aborts with a TimeoutError */
export function deadlineOf(source: AbortSignal, timeoutMs: number): Deadline {
  const controller = new AbortController();
  const follow = (): void => controller.abort(source.reason);
  const timer = setTimeout(() => controller.abort(new DOMException('too late', 'TimeoutError')), timeoutMs);
  const stopClock = (): void => clearTimeout(timer);
  if (source.aborted) follow();
  else source.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    stopClock,
    end: () => {
      stopClock();
      source.removeEventListener('abort', follow);
    },
  };
}
