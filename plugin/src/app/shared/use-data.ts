/** Data of a page: asked when it opens, again every so often and on demand; an old answer never replaces a newer one. */
import { useCallback, useEffect, useState } from 'react';
import { resourceErrorOf } from './resources.js';
import type { ResourceError } from './resources.js';

export interface Loaded<T> {
  /** the last answer; stays while the next one is asked for, and when that fails */
  readonly data: T | undefined;
  readonly error: ResourceError | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
}

interface State<T> {
  readonly ask: () => Promise<T>;
  readonly data?: T;
  readonly error?: ResourceError;
}

/** @param ask stable as long as it asks the same (useCallback) */
export function useData<T>(ask: () => Promise<T>, pollMs?: number): Loaded<T> {
  const [state, setState] = useState<State<T>>();
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);

  useEffect(() => {
    let current = true;
    ask().then(
      (data) => current && setState({ ask, data }),
      (error: unknown) =>
        current &&
        setState((before) => ({ ...(before?.ask === ask ? before : {}), ask, error: resourceErrorOf(error) })),
    );
    return () => {
      current = false;
    };
  }, [ask, round]);

  useEffect(() => {
    if (pollMs === undefined) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState !== 'hidden') reload();
    }, pollMs);
    return () => clearInterval(timer);
  }, [pollMs, reload]);

  const mine = state?.ask === ask ? state : undefined;
  return { data: mine?.data, error: mine?.error, loading: mine === undefined, reload };
}
