/**
 * Grafana's plugin host in TypeScript: starts the executable, reads the handshake, connects, scans the log, restarts what
 * ended, and stops it, step by step as Grafana 12.3 with go-plugin does.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import type { Client } from '@grpc/grpc-js';
import { owned, repository } from '../../integration/process.js';
import { PluginClient } from './client.js';
import { clientOf } from './protocol.js';

/** The plugin under test: what the build made, or an unpacked archive that `PLUGIN_DIST` names. */
export const datasourceFolder = join(process.env['PLUGIN_DIST'] ?? join(repository, 'plugin/dist'), 'datasource');
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const architecture = architectures[process.arch] ?? process.arch;

/** The program that Grafana would start on this machine. */
export const executable = join(datasourceFolder, `gpx_netspectra_linux_${architecture}`);

/** An archive with a runtime is to run with it, all others with the Node.js of the tests. */
const hasRuntime = existsSync(join(datasourceFolder, `runtime_linux_${architecture}`));

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface HostOptions {
  readonly path?: string;
  /** more of the environment; undefined takes a variable out */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** milliseconds until the handshake must be there; Grafana waits 60 s */
  readonly startMs?: number;
  /** a folder that is the process's root, and who it is there; needs root */
  readonly chroot?: { readonly root: string; readonly user: number };
}

/** What Grafana sets; nothing else is there, as with `pluginsSkipHostEnvVars`, but what finds Node.js. */
const grafanaEnvironment = {
  grafana_plugin_type: 'datasource',
  PLUGIN_PROTOCOL_VERSIONS: '2',
  PLUGIN_MIN_PORT: '10000',
  PLUGIN_MAX_PORT: '25000',
  GF_VERSION: '12.3.0',
  GF_EDITION: 'Open Source',
  ...(hasRuntime ? {} : { GF_PLUGIN_NODE_PATH: process.execPath }),
} as const;

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/**
 * A line of standard error as go-plugin's client parses it. It asserts that the three keys are text; when one is not, it
 * panics, and that is the end of Grafana: here an error.
 */
export function parseLogLine(line: string): LogLine {
  if (Buffer.byteLength(line) > 64 * 1024) throw new Error('a log line longer than the buffer of the host');
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { level: 'debug', message: line, fields: {} };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { level: 'debug', message: line, fields: {} };
  const { '@level': level, '@message': message, '@timestamp': at, ...fields } = value as Record<string, unknown>;
  for (const [key, text] of Object.entries({ level, message, at })) {
    if (text !== undefined && typeof text !== 'string')
      throw new Error(`@${key} is no text: Grafana would panic: ${line}`);
  }
  if (level === undefined) return { level: 'debug', message: line, fields: {} };
  if (typeof at !== 'string' || !timestamp.test(at)) throw new Error(`@timestamp is not in Go's form: ${line}`);
  return { level: String(level), message: String(message), fields: fields as Record<string, string> };
}

interface Handshake {
  readonly network: string;
  readonly address: string;
  readonly line: string;
}

function parseHandshake(line: string): Handshake {
  const parts = line.trim().split('|');
  if (parts.length < 4) throw new Error(`unrecognized remote plugin message: ${line}`);
  const [core, application, network = '', address = '', transport] = parts;
  if (core !== '1') throw new Error(`incompatible core API version: ${core}`);
  if (application !== '2') throw new Error(`incompatible API version: ${application}`);
  if (transport !== 'grpc') throw new Error(`unsupported plugin transport: ${transport}`);
  if (network !== 'unix' && network !== 'tcp') throw new Error(`unknown network: ${network}`);
  return { network, address, line };
}

/** One running plugin process. */
export class PluginProcess {
  readonly child: ChildProcess;
  readonly log: LogLine[] = [];
  /** mistakes in the log that would hurt Grafana */
  readonly logMistakes: string[] = [];
  /** what stood on standard output after the handshake */
  readonly strayOutput: string[] = [];
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  handshake!: Handshake;
  startMs = 0;
  #clients: Client[] = [];
  #host: Client | undefined;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      try {
        this.log.push(parseLogLine(line));
      } catch (error) {
        this.logMistakes.push(String(error));
      }
    });
  }

  /** Start, wait for the handshake, connect, ping. Rejects as Grafana would give up, with what the log says. */
  static async start({
    path = executable,
    env = {},
    startMs = 60_000,
    chroot,
  }: HostOptions = {}): Promise<PluginProcess> {
    const begin = performance.now();
    const merged = Object.entries({ ...grafanaEnvironment, ...env }).filter(([, value]) => value !== undefined);
    const [program, args] = chroot
      ? (['/usr/sbin/chroot', [`--userspec=${chroot.user}:${chroot.user}`, chroot.root, path]] as const)
      : ([path, []] as const);
    const child = owned(
      spawn(program, args, {
        env: Object.fromEntries(merged) as Record<string, string>,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    const plugin = new PluginProcess(child);
    const late = setTimeout(() => child.kill('SIGKILL'), startMs);
    try {
      plugin.handshake = await plugin.#firstLine();
    } finally {
      clearTimeout(late);
    }
    const { network, address } = plugin.handshake;
    const target = network === 'unix' ? `unix:${chroot?.root ?? ''}${address}` : address;
    const options = { 'grpc.max_receive_message_length': 2 ** 31 - 1, 'grpc.max_send_message_length': 2 ** 31 - 1 };
    const connect = (service: string): Client => {
      const client = new (clientOf(service))(target, credentials.createInsecure(), options);
      plugin.#clients.push(client);
      return client;
    };
    plugin.client = new PluginClient(connect);
    plugin.#host = connect('plugin.GRPCController');
    // The host opens both streams at once and holds them.
    plugin.client.holdHostStreams(connect('plugin.GRPCBroker'), connect('plugin.GRPCStdio'));
    await plugin.client.ping();
    plugin.startMs = performance.now() - begin;
    return plugin;
  }

  client!: PluginClient;

  #firstLine(): Promise<Handshake> {
    return new Promise((resolve, reject) => {
      let first = true;
      const lines = createInterface({ input: this.child.stdout! });
      lines.on('line', (line) => {
        if (!first) return void this.strayOutput.push(line);
        first = false;
        try {
          resolve(parseHandshake(line));
        } catch (error) {
          this.child.kill('SIGKILL');
          reject(error as Error);
        }
      });
      this.child.on('error', reject);
      void this.exited.then(({ code, signal }) => {
        // Standard error may be read a little later than the exit is known.
        setImmediate(() => {
          reject(
            new Error(
              `plugin exited before connecting (${code ?? signal}): ${this.log.map(({ message }) => message).join('\n')}`,
            ),
          );
        });
      });
    });
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Call Shutdown, wait two seconds, then kill: `graceful` says that it ended by itself. */
  async stop(): Promise<{ readonly graceful: boolean; readonly ms: number }> {
    const begin = performance.now();
    const host = this.#host;
    if (this.alive && host) {
      const shutdown = (host as unknown as Record<string, (request: object, done: (error: unknown) => void) => void>)[
        'Shutdown'
      ]!;
      await new Promise<void>((resolve) => shutdown.call(host, {}, () => resolve()));
    }
    let late: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => (late = setTimeout(() => resolve(false), 2_000)));
    const graceful = await Promise.race([this.exited.then(() => true), timeout]);
    clearTimeout(late);
    if (!graceful) this.child.kill('SIGKILL');
    await this.exited;
    this.disconnect();
    return { graceful, ms: performance.now() - begin };
  }

  disconnect(): void {
    for (const client of this.#clients) client.close();
  }
}

/** Grafana's ticker: what ended is started again within a second, for ever. */
export class SupervisedPlugin {
  readonly #options: HostOptions;
  readonly #timer: NodeJS.Timeout;
  #starting = false;
  #current: PluginProcess;
  restarts = 0;

  private constructor(first: PluginProcess, options: HostOptions) {
    this.#current = first;
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), 1_000);
  }

  static async start(options: HostOptions = {}): Promise<SupervisedPlugin> {
    return new SupervisedPlugin(await PluginProcess.start(options), options);
  }

  get current(): PluginProcess {
    return this.#current;
  }

  async #look(): Promise<void> {
    if (this.#starting || this.#current.alive) return;
    this.#starting = true;
    this.#current.disconnect();
    this.#current = await PluginProcess.start(this.#options).finally(() => (this.#starting = false));
    this.restarts += 1;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#current.stop();
  }
}
