/** Starts the kit's ClickHouse server (clickhouse-server.js) as a process, and sees to it that it ends with the tests. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Fault, Seen } from './clickhouse/faults.js';

export interface ClickHouseOptions {
  /** folder of the data; a server that is started on it again has what was there */
  readonly dataDir: string;
  /** 0 takes a free one */
  readonly port?: number;
  /** NAME:PASSWORD[:readonly=1|readonly=2|nodatabases]; default `default` with an empty password */
  readonly users?: readonly string[];
  /** NAME:COMMON-NAME of a client certificate */
  readonly certificateUsers?: readonly string[];
  /** name of a cluster of which it is to be the only server */
  readonly cluster?: string;
  /** PEM files */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
}

export interface ClickHouse {
  readonly url: string;
  readonly port: number;
  /** of the engine */
  readonly version: string;
  /** What is to go wrong: each fault takes the next statement that it matches. */
  fail(...faults: readonly Fault[]): Promise<void>;
  /** Requests since the last call, without /ping and these. */
  requests(): Promise<Seen[]>;
  /** Statements that the engine works on. */
  running(): Promise<number>;
  /** It hangs: connections are taken, nothing is answered. `kill` ends it. */
  hang(): void;
  /** End it as an administrator would; resolves when its folder is free. */
  stop(): Promise<void>;
  /** End it as a power cut would. */
  kill(): Promise<void>;
}

const program = fileURLToPath(new URL('clickhouse-server.js', import.meta.url));
const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Start a server; resolves when it answers. Rejects with what it said when it ends at once. */
export async function startClickHouse(options: ClickHouseOptions): Promise<ClickHouse> {
  const { tls } = options;
  const args = [
    ...['--with-parent', '--data', options.dataDir, '--port', String(options.port ?? 0)],
    ...(options.users ?? []).flatMap((user) => ['--user', user]),
    ...(options.certificateUsers ?? []).flatMap((user) => ['--certificate-user', user]),
    ...(options.cluster === undefined ? [] : ['--cluster', options.cluster]),
    ...(tls ? ['--tls-cert', tls.cert, '--tls-key', tls.key] : []),
    ...(tls?.clientCa === undefined ? [] : ['--client-ca', tls.clientCa]),
  ];
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '48' },
    stdio: 'pipe',
  });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      running.delete(child);
      resolve();
    });
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const first = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('close', (code) => reject(new Error(`the ClickHouse server of the tests ended with ${code}: ${said}`)));
  });
  const { url, version } = JSON.parse(first) as { url: string; version: string };
  // Over TLS the tests ask for nothing here: that would need their certificates.
  const control = async (path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${url}/kit/${path}`, { method: 'POST', body: JSON.stringify(body ?? null) });
    return answer.json();
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return {
    url,
    port: Number(new URL(url).port),
    version,
    fail: async (...faults) => void (await control('faults', faults)),
    requests: async () => (await control('requests')) as Seen[],
    running: async () => (await control('running')) as number,
    hang: () => void child.kill('SIGSTOP'),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
