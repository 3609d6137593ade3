/**
 * The processes of the cluster section: nats-server, the kit's ClickHouse server, engines, probes, the API. All on free
 * ports of loopback, all ended by pid, what they cost read from /proc.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../../backend/bin/netspectra.js', import.meta.url));
const storeProgram = fileURLToPath(new URL('../../kit/clickhouse-server.js', import.meta.url));
const countingProgram = fileURLToPath(new URL('counting-store.js', import.meta.url));
const ticksPerSecond = 100;

export const hasNats = spawnSync('nats-server', ['--version']).status === 0;

/** @typedef {{ child: import('node:child_process').ChildProcess, pid: number, stderr: () => string, stop: (signal?: NodeJS.Signals) => Promise<number | null> }} Running */
/** @typedef {Running & { address: string }} Monitored */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.once(signal, () => process.exit(130));

/** End everything that still runs. */
export async function endAll() {
  await Promise.all(
    [...running].map((child) => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      return ended;
    }),
  );
}

/** @returns {Promise<number>} a loopback port that is free now */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** @returns {{ path: string, remove: () => void }} */
export function temporaryFolder(inside = tmpdir()) {
  const path = mkdtempSync(join(inside, 'netspectra-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const memoryDisk = '/dev/shm';
const memoryDiskBytes = 4e9;

/**
 * A folder on a disk in memory, where there is one with room: the store makes and deletes some hundred files a second, and how
 * long that takes is the file system's doing (docs/benchmarks.md, cluster).
 */
export function memoryFolder() {
  const fits =
    existsSync(memoryDisk) && statfsSync(memoryDisk).bavail * statfsSync(memoryDisk).bsize >= memoryDiskBytes;
  return temporaryFolder(fits ? memoryDisk : tmpdir());
}

/**
 * Ask again until it is so, or fail.
 * @param {string} what
 * @param {() => Promise<boolean> | boolean} check
 * @param {{ milliseconds?: number, everyMs?: number }} [options]
 */
export async function until(what, check, { milliseconds = 60_000, everyMs = 50 } = {}) {
  const end = Date.now() + milliseconds;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`timed out waiting: ${what}`);
    await delay(everyMs);
  }
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, stdio?: import('node:child_process').StdioOptions }} [options]
 * @returns {Running}
 */
export function launch(command, args, { env = {}, stdio = ['ignore', 'pipe', 'pipe'] } = {}) {
  const child = spawn(command, args, { stdio, env: { ...process.env, ...env } });
  running.add(child);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => (said += text));
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) =>
    child.once('exit', (code) => {
      running.delete(child);
      resolve(code);
    }),
  );
  return {
    child,
    pid: child.pid ?? 0,
    stderr: () => said,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

/** Processor seconds of a process so far. @param {number} pid */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Most resident memory of a process so far, and what it has now, MB of 10^6 bytes. @param {number} pid */
export function memoryMegabytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (/** @type {string} */ name) =>
    (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024) / 1e6;
  return { peak: of('VmHWM'), now: of('VmRSS') };
}

/**
 * nats-server with JetStream on a store; a store made before is copied first, so that it can be used again.
 * @param {string} folder
 * @param {string} [copyOf] store of a server that has ended
 */
export async function startNats(folder, copyOf) {
  const port = await freePort();
  const store = join(folder, 'nats');
  if (copyOf === undefined) mkdirSync(store, { recursive: true });
  else cpSync(copyOf, store, { recursive: true });
  const file = join(folder, 'nats.conf');
  writeFileSync(
    file,
    `listen: 127.0.0.1:${port}\nmax_payload: 8MB\njetstream { store_dir: ${JSON.stringify(store)} }\n`,
  );
  const server = launch('nats-server', ['-c', file], { stdio: 'ignore' });
  await until('nats-server answers', () => greets(port));
  return { ...server, url: `nats://127.0.0.1:${port}`, store };
}

/** @param {number} port @returns {Promise<boolean>} */
function greets(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (/** @type {boolean} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** A process that says where it listens as JSON, in its first line. @param {Running} started */
async function listening(started) {
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: /** @type {import('node:stream').Readable} */ (started.child.stdout) }).once(
      'line',
      resolve,
    );
    started.child.once('exit', (code) => reject(new Error(`ended with ${code}: ${started.stderr()}`)));
  });
  return { ...started, url: /** @type {string} */ (JSON.parse(line).url) };
}

/** The kit's ClickHouse server (chDB behind ClickHouse's HTTP interface). @param {string} folder */
export const startStore = (folder) =>
  listening(
    launch(process.execPath, [storeProgram, '--with-parent', '--data', join(folder, 'clickhouse')], {
      env: { UV_THREADPOOL_SIZE: '48' },
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  );

/** A store that counts inserts and drops them; everything else it asks another. @param {string} behind its URL */
export async function startCountingStore(behind) {
  const store = await listening(launch(process.execPath, [countingProgram, behind]));
  return {
    ...store,
    /** @returns {Promise<Record<string, { inserts: number, rows: number, bytes: number }>>} by table, since the last call */
    counted: async () => (await fetch(`${store.url}/counted`)).json(),
  };
}

/**
 * `netspectra ARGS`, until it says where its metrics are.
 * @param {readonly string[]} args
 * @param {Record<string, string>} env
 * @param {{ nodeArgs?: readonly string[], stdin?: boolean }} [options]
 * @returns {Promise<Monitored>}
 */
export async function startMonitored(args, env, { nodeArgs = [], stdin = false } = {}) {
  const started = launch(process.execPath, [...nodeArgs, program, ...args], {
    env,
    stdio: [stdin ? 'pipe' : 'ignore', 'ignore', 'pipe'],
  });
  let address = '';
  await until(`${args[0]} runs`, () => {
    address =
      /(http:\/\/[^/\s"]+)\/metrics|"address":"(http:[^"]+)"/.exec(started.stderr())?.slice(1).find(Boolean) ?? '';
    if (started.child.exitCode !== null) throw new Error(`${args[0]} ended: ${started.stderr()}`);
    return address !== '';
  });
  return { ...started, address };
}

/** Run `netspectra ARGS` to its end. @param {readonly string[]} args @param {Record<string, string>} env */
export async function runToEnd(args, env) {
  const started = launch(process.execPath, [program, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const begin = performance.now();
  let cpu = 0;
  const watch = setInterval(() => {
    if (existsSync(`/proc/${started.pid}/stat`)) cpu = cpuSeconds(started.pid);
  }, 50);
  const code = await new Promise((resolve) => started.child.once('exit', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`netspectra ${args.join(' ')} ended with ${code}: ${started.stderr()}`);
  return { seconds: (performance.now() - begin) / 1000, cpuSeconds: cpu, stderr: started.stderr() };
}

/**
 * Sums of metrics by name, whatever their labels.
 * @param {string} address
 * @param {readonly string[]} names
 * @returns {Promise<Record<string, number>>}
 */
export async function metrics(address, names) {
  const text = await (await fetch(`${address}/metrics`)).text();
  /** @type {Record<string, number>} */
  const sums = Object.fromEntries(names.map((name) => [name, 0]));
  for (const line of text.split('\n')) {
    const [, name = '', value] = /^([a-z_]+)(?:{.*})? (\S+)$/.exec(line) ?? [];
    if (name in sums) sums[name] = (sums[name] ?? 0) + Number(value);
  }
  return sums;
}

/** Of a log of ours, the time of the first line with that message, unix milliseconds; null when there is none. */
export function firstLogged(/** @type {string} */ stderr, /** @type {string} */ message) {
  for (const line of stderr.split('\n')) {
    if (!line.includes(message)) continue;
    const time = /"time":(\d+)/.exec(line)?.[1];
    if (time !== undefined) return Number(time);
  }
  return null;
}
