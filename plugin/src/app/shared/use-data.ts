/** Data of a page: asked when it opens, again every so often and on demand; an old answer never replaces a newer one. */
import { useCallback, useEffect, useState } from 'react';
import { resourceErrorOf } from './resources.js';
import type { ResourceError } from './resources.js';

export interface Loaded<T> {
  /** the last answer; stays while the next one is asked for, and when that fails */
  readonly data: T | undefined;
  readonly error: ResourceError | undefined;
  readonly reload: () => void;
}

interface State<T> {
  readonly ask: () => Promise<T>;
  readonly data?: T;
  readonly error?: ResourceError;
}

/**
 * @param ask stable as long as it asks the same (useCallback)
 * @param pollMs from an answer, also a failed one, to the next request; absent: asked on demand only
 */
export function useData<T>(ask: () => Promise<T>, pollMs?: number): Loaded<T> {
  const [state, setState] = useState<State<T>>();
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);

  useEffect(() => {
    let current = true;
    let timer: ReturnType<typeof setInterval> | undefined;
    const settle = (change: (before: State<T> | undefined) => State<T>): void => {
      if (!current) return;
      setState(change);
      // Counted from the answer: one that takes longer than the pause is waited for, not asked for again.
      if (pollMs !== undefined) timer = setInterval(() => document.visibilityState !== 'hidden' && reload(), pollMs);
    };
    ask().then(
      (data) => settle(() => ({ ask, data })),
      (error: unknown) =>
        settle((before) => ({ ...(before?.ask === ask ? before : {}), ask, error: resourceErrorOf(error) })),
    );
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, [ask, round, pollMs, reload]);

  const mine = state?.ask === ask ? state : undefined;
  return { data: mine?.data, error: mine?.error, reload };
}
