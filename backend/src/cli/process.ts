/** What every process of ours has: a version, and how it is asked to end. Loads nothing else. */
import { createRequire } from 'node:module';

export const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/**
 * SIGINT and SIGTERM ask a process to end: `asked` resolves at the first, the second ends it at once.
 * @param onAsk called at the first signal, before `asked` resolves
 */
export function stopSignals(onAsk: () => void = () => {}): { readonly asked: Promise<void>; release(): void } {
  let stopping = false;
  let wake: () => void = () => {};
  const asked = new Promise<void>((resolve) => (wake = resolve));
  const onSignal = (): void => {
    if (stopping) process.exit(1); // asked twice: whoever asks does not want to wait
    stopping = true;
    onAsk();
    wake();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    asked,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
