/** A real VictoriaMetrics for tests: its own folder, a free port on loopback, ended by pid. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { freePort, owned, temporaryFolder, until } from '../integration/process.js';

const program = 'victoria-metrics';

/** The tests run where Debian's package `victoria-metrics` is (`.ci/run` installs it). */
export const hasVictoriaMetrics = spawnSync(program, ['--version']).error === undefined;

export interface VictoriaMetrics {
  readonly url: string;
  /** kill, and wait until it is gone. SIGKILL loses what it confirmed in the last second; SIGINT writes it out. */
  kill(signal: 'SIGKILL' | 'SIGINT'): Promise<void>;
  /** Start again, on the same port and data. */
  start(): Promise<void>;
  /** An instant query. @returns value by labels, as JSON text without __name__ */
  select(query: string, headers?: Record<string, string>): Promise<ReadonlyMap<string, number>>;
  /** The one value of an instant query; NaN when there is none. */
  value(query: string): Promise<number>;
  close(): Promise<void>;
}

/** @param flags besides address and data */
export async function startVictoriaMetrics(
  flags: readonly string[] = [],
  headers: Record<string, string> = {},
): Promise<VictoriaMetrics> {
  const folder = temporaryFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child = launch();
  function launch(): ChildProcess {
    return owned(
      spawn(
        program,
        [
          `-httpListenAddr=127.0.0.1:${port}`,
          `-storageDataPath=${folder.path}`,
          // Else it answers as of half a minute ago.
          '-search.latencyOffset=0s',
          '-search.disableCache',
          // It would take most of the machine's memory for caches.
          '-memory.allowedBytes=64MB',
          ...flags,
        ],
        { stdio: 'ignore' },
      ),
    );
  }
  const answers = (): Promise<void> =>
    until('VictoriaMetrics answers', () => {
      if (child.exitCode !== null) throw new Error('victoria-metrics ended at once');
      return fetch(`${url}/health`, { headers }).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  const select: VictoriaMetrics['select'] = async (query) => {
    // What was taken a moment ago is not visible before it is flushed.
    await fetch(`${url}/internal/force_flush`, { headers });
    // Whole seconds only: the next one has all samples of this one behind it.
    const time = Math.floor(Date.now() / 1000) + 1;
    const answer = await fetch(`${url}/api/v1/query?time=${time}&query=${encodeURIComponent(query)}`, { headers });
    const { data, error } = (await answer.json()) as {
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
      error?: string;
    };
    if (!data) throw new Error(`${query}: ${error}`);
    return new Map(
      data.result.map(({ metric: { __name__, ...labels }, value }) => [JSON.stringify(labels), Number(value[1])]),
    );
  };
  await answers();
  return {
    url,
    kill,
    async start() {
      await kill('SIGKILL');
      child = launch();
      await answers();
    },
    select,
    value: async (query) => [...(await select(query)).values()][0] ?? NaN,
    async close() {
      await kill('SIGKILL');
      folder.remove();
    },
  };
}
