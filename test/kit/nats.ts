/** A real nats-server with JetStream for tests: its own configuration, a free port on loopback, ended by pid. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:net';
import { freePort, owned, temporaryFolder, until } from '../integration/process.js';

const program = 'nats-server';

/** The tests of the bus run where Debian's package `nats-server` is (`.ci/run` installs it). */
export const hasNats = spawnSync(program, ['--version']).status === 0;

export interface NatsOptions {
  /** lines of its configuration besides port and store */
  readonly configuration?: string;
  /** `tls` when the configuration asks for it */
  readonly scheme?: 'nats' | 'tls';
}

export interface NatsServer {
  readonly url: string;
  readonly process: ChildProcess;
  /** where its streams lie */
  readonly storeDir: string;
  /** kill -9, and wait until it is gone */
  kill(): Promise<void>;
  /** Start again, on the same port and store. */
  start(): Promise<void>;
  /**
   * Kill it, and start it again with the streams of packets as they were some milliseconds before: what a machine without power
   * makes of it, and older servers by themselves (docs/bus.md).
   */
  setBack(milliseconds: number): Promise<void>;
  /** Tell the process something, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void;
  /** End it and remove its store. */
  close(): Promise<void>;
}

/** Start a server and wait until it answers. */
export async function startNats({ configuration = '', scheme = 'nats' }: NatsOptions = {}): Promise<NatsServer> {
  const folder = temporaryFolder();
  const port = await freePort();
  const file = join(folder.path, 'nats.conf');
  mkdirSync(join(folder.path, 'store'));
  writeFileSync(
    file,
    `listen: 127.0.0.1:${port}\njetstream { store_dir: ${JSON.stringify(join(folder.path, 'store'))} }\n${configuration}\n`,
  );
  let child = launch(file);
  const answers = async (): Promise<void> => {
    await until(
      'nats-server answers',
      () => {
        if (child.exitCode !== null)
          throw new Error(`nats-server ended at once; try nats-server -c with:\n${configuration}`);
        return greets(port);
      },
      10_000,
    );
  };
  await answers();
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const start = async (): Promise<void> => {
    await kill();
    child = launch(file);
    await answers();
  };
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    storeDir: join(folder.path, 'store'),
    get process() {
      return child;
    },
    kill,
    start,
    async setBack(milliseconds) {
      const copy = temporaryFolder();
      const streams = join(folder.path, 'store', 'jetstream', '$G', 'streams');
      const names = readdirSync(streams).filter((name) => name.startsWith('NETSPECTRA_PACKETS_'));
      child.kill('SIGSTOP');
      for (const name of names) cpSync(join(streams, name), join(copy.path, name), { recursive: true });
      child.kill('SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      await kill();
      for (const name of names) {
        rmSync(join(streams, name), { recursive: true });
        cpSync(join(copy.path, name), join(streams, name), { recursive: true });
      }
      copy.remove();
      await start();
    },
    signal: (signal) => void child.kill(signal),
    async close() {
      await kill();
      folder.remove();
    },
  };
}

const launch = (file: string): ChildProcess => owned(spawn(program, ['-c', file], { stdio: 'ignore' }));

/** It says INFO to whoever connects, before TLS too. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (bytes) => done(bytes.toString('latin1').startsWith('INFO')));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}
