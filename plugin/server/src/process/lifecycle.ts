/**
 * The end of the process. The host calls Shutdown and waits two seconds; a service manager sends SIGTERM; a host that was
 * killed calls nobody, so the parent is looked at each second. SIGINT is the terminal's and goes to the host as well,
 * which then calls Shutdown.
 */
import type { Logger } from './logger.js';

export interface LifecycleDeps {
  readonly logger: Logger;
  /** Stop serving; what is not done after `graceMs` is cut. */
  readonly stop: (graceMs: number) => Promise<void>;
}

/** Less than the host's two seconds, so that it need not kill. */
const graceMs = 1_200;
const parentEveryMs = 1_000;

export interface Lifecycle {
  /** End the process; a second call changes nothing. */
  end(reason: string, code?: number): void;
}

/** Watch for every reason to end. @param watchParent false where the process is not its host's child (development) */
export function watchLifecycle({ logger, stop }: LifecycleDeps, watchParent = true): Lifecycle {
  let ending = false;
  const end = (reason: string, code = 0): void => {
    if (ending) return;
    ending = true;
    logger.debug('the datasource is stopping', { reason });
    const late = setTimeout(() => process.exit(code), graceMs + 300);
    void stop(graceMs)
      .catch((error: unknown) => logger.error('the datasource did not stop cleanly', { error }))
      .finally(() => {
        clearTimeout(late);
        process.exit(code);
      });
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => {
    if (!watchParent) end('SIGINT');
  });
  // What broke is not known, so nothing of this process is to be trusted: the host starts another within a second.
  process.on('uncaughtException', (error) => {
    logger.error('a mistake in the datasource: it starts again', { error });
    end('uncaught exception', 1);
  });
  process.on('unhandledRejection', (error) => {
    logger.error('a mistake in the datasource: it starts again', { error });
    end('unhandled rejection', 1);
  });
  if (watchParent) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) end('the host is gone');
    }, parentEveryMs).unref();
  }
  return { end };
}
