/**
 * How the C library keeps the memory of messages. A capture thread allocates them and the main thread frees them. glibc gives
 * each thread an arena of its own and keeps there what others free; with one arena they share what is free.
 * Measured in docs/benchmarks.md, "probe".
 */

// malloc.h
const arenaMaxParameter = -8;

/** Before threads are started. Where the C library is not glibc, nothing is changed. */
export async function shareOneArena(): Promise<void> {
  if (process.platform !== 'linux') return;
  const { default: koffi } = await import('koffi');
  try {
    koffi.load(null).func('int mallopt(int, int)')(arenaMaxParameter, 1);
  } catch {
    // musl has no mallopt, and no arenas
  }
}
