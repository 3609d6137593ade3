import { useEffect, useState } from 'react';

/** What `load` gives, undefined until then; what it throws is thrown while drawing. @param load always the same function */
export function useLoaded<T>(load: () => Promise<T>): T | undefined {
  const [state, setState] = useState<{ readonly value?: T; readonly error?: unknown }>({});
  useEffect(() => {
    load().then(
      (value) => setState({ value }),
      (error: unknown) => setState({ error }),
    );
  }, [load]);
  if (state.error !== undefined) throw state.error;
  return state.value;
}
