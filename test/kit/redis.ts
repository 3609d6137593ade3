/** A real redis-server for tests: nothing on disk, a free port on loopback, ended by pid. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { freePort, owned, temporaryFolder, until } from '../integration/process.js';

const program = 'redis-server';

/** The tests of Redis run where Debian's package `redis-server` is (`.ci/run` installs it). */
export const hasRedis = spawnSync(program, ['--version']).status === 0;

export interface RedisOptions {
  readonly password?: string;
  /** PEM files; the server speaks TLS only */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** kill -9, and wait until it is gone */
  kill(): Promise<void>;
  /** Start again on the same port, empty. */
  start(): Promise<void>;
  /** Tell the process something, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void;
  close(): Promise<void>;
}

/** Start a server and wait until it listens. */
export async function startRedis({ password, tls }: RedisOptions = {}): Promise<RedisServer> {
  const folder = temporaryFolder();
  const port = await freePort();
  const args = [
    ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder.path],
    ...(tls ? ['--port', '0', '--tls-port', `${port}`] : ['--port', `${port}`]),
    ...(tls ? ['--tls-cert-file', tls.cert, '--tls-key-file', tls.key, '--tls-ca-cert-file', tls.ca] : []),
    ...(tls ? ['--tls-auth-clients', 'no'] : []),
    ...(password === undefined ? [] : ['--requirepass', password]),
  ];
  let child: ChildProcess;
  const launch = async (): Promise<void> => {
    child = owned(spawn(program, args, { stdio: 'ignore' }));
    await until('redis-server listens', () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended at once; try redis-server ${args.join(' ')}`);
      return listens(port);
    });
  };
  await launch();
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    url: `${tls ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    port,
    get process() {
      return child;
    },
    kill,
    async start() {
      await kill();
      await launch();
    },
    signal: (signal) => void child.kill(signal),
    async close() {
      await kill();
      folder.remove();
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
