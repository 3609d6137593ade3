/** What tests of processes ask a running API. */
import { start, until } from '../integration/process.js';
import type { Started } from '../integration/process.js';

export interface Serving extends Started {
  readonly url: string;
  /** POST /api/v1/query */
  query(request: object, signal?: AbortSignal): Promise<Response>;
  text(path: string): Promise<{ status: number; body: string }>;
}

const running = new Set<Started>();

/** End what startServing started and is still there, as after a test that failed. */
export async function endServings(): Promise<void> {
  for (const one of running) one.child.kill('SIGKILL');
  await Promise.all([...running].map(({ ended }) => ended));
}

/** Start `netspectra ARGS` on a port of loopback (0: a free one), and wait until it serves. */
export async function startServing(
  args: readonly string[],
  options: { env?: Record<string, string>; port?: number; cwd?: string } = {},
): Promise<Serving> {
  const started = start([...args, '--listen', `127.0.0.1:${options.port ?? 0}`], options);
  running.add(started);
  void started.ended.then(() => running.delete(started));
  let url = '';
  let ended = false;
  void started.ended.then(() => (ended = true));
  await until('it serves', () => {
    url = /"address":"(http:[^"]+)"/.exec(started.stderr())?.[1] ?? '';
    if (ended) throw new Error(`it ended: ${started.stderr()}`);
    return url !== '';
  });
  return {
    ...started,
    url,
    query: (request, signal) =>
      fetch(`${url}/api/v1/query`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
        ...(signal && { signal }),
      }),
    text: async (path) => {
      const answer = await fetch(url + path);
      return { status: answer.status, body: await answer.text() };
    },
  };
}

/** Lines on stderr that are not for people and no log below `warn`: warnings of Node.js and of ours. */
export function warningsOf(stderr: string): string[] {
  return stderr.split('\n').filter((line) => {
    if (line === '' || line.startsWith('netspectra: ')) return false;
    try {
      const { level } = JSON.parse(line) as { level?: unknown };
      return typeof level !== 'number' || level >= 40;
    } catch {
      return true;
    }
  });
}
