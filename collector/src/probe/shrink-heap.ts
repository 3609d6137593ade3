/**
 * Gives back what starting has left in a thread's heap. Loading modules and connecting grow V8's young generation to its
 * full 48 MB, and an ordinary collection empties it and keeps its pages. Only the collection that heap tools ask for gives them
 * back, and the inspector is the way to ask: 20 to 50 ms, and the resident memory of a process that has started falls by a third.
 */
/** Collect everything in this thread, and give free pages back. Where Node was built without an inspector, nothing happens. */
export async function shrinkHeap(): Promise<void> {
  try {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    try {
      await session.post('HeapProfiler.enable');
      await session.post('HeapProfiler.collectGarbage');
    } finally {
      session.disconnect();
    }
  } catch {
    // It only costs memory.
  }
}
