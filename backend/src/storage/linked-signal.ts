/**
 * A signal of one's own that aborts with another.
 *
 * Not AbortSignal.any: in Node.js 20 every signal it makes leaves an entry with its source for as long as that lives,
 * 70 bytes each, and 1.3 KB when somebody still listens to it. A live view asks under one signal for as long as somebody
 * looks. And not a listener each, because Node.js takes more than ten for a leak: a source has one, and a set behind it.
 */
const followers = new WeakMap<AbortSignal, Set<AbortController>>();

export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** When the work is done: afterwards the source knows nothing of it. */
  release(): void;
}

/** @param source may be aborted already; its reason is handed on */
export function linkedSignal(source: AbortSignal): LinkedSignal {
  const controller = new AbortController();
  if (source.aborted) {
    controller.abort(source.reason);
    return { signal: controller.signal, release: () => {} };
  }
  let those = followers.get(source);
  if (!those) {
    const all = (those = new Set<AbortController>());
    followers.set(source, all);
    source.addEventListener('abort', () => all.forEach((one) => one.abort(source.reason)), { once: true });
  }
  those.add(controller);
  return { signal: controller.signal, release: () => void those.delete(controller) };
}
