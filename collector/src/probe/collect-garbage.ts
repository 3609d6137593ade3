/**
 * Garbage collection when we know better than V8 when it is worth it: what it frees here is buffers outside of its heap. The
 * `gc` of `--expose-gc`, without that flag on the command line.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8 before 12 (Node 20) takes any object for `true`, which is the young generation: so the whole heap is asked for with nothing. */
type Collect = (options?: { type: 'minor' }) => void;

let collect: Collect | undefined;

function collector(): Collect {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as Collect;
  }
  return collect;
}

/** Collect the young generation of this thread: about a millisecond. */
export const collectYoung = (): void => collector()({ type: 'minor' });

/** Collect everything in this thread: some milliseconds for every 10 MB that live in its heap. */
export const collectAll = (): void => collector()();
