/**
 * How the C library keeps the memory of messages. A capture thread allocates them and the main thread frees them. glibc gives
 * each thread an arena of its own and keeps there what others free; with one arena they share what is free. And it gives
 * back only what is free at the arena's end, so holes between messages are given back from time to time. Large arrays it maps each
 * for itself and gives back at once; but "large" grows from 128 KB to 32 MB with what is freed, so that a table that grew
 * would put everything after it among the holes. Measured in docs/benchmarks.md, "probe" and "cluster".
 */

// malloc.h
const mapThresholdParameter = -3;
const arenaMaxParameter = -8;
/** as it is before it grows */
const mapThresholdBytes = 128 << 10;

/** Gives the system back whole pages that are free; a millisecond. */
export type GiveBack = () => void;

/** Before threads are started. Where the C library is not glibc, nothing is changed, and there is nothing to give back. */
export async function keepMemorySmall(): Promise<GiveBack> {
  if (process.platform !== 'linux') return () => {};
  const { default: koffi } = await import('koffi');
  try {
    const library = koffi.load(null);
    const set = library.func('int mallopt(int, int)');
    set(arenaMaxParameter, 1);
    set(mapThresholdParameter, mapThresholdBytes);
    const trim = library.func('int malloc_trim(size_t)');
    return () => void trim(0);
  } catch {
    return () => {}; // musl has neither, and no arenas
  }
}
