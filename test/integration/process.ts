/** Run the built command line as a user would, and see to it that it ends. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
export const sampleCapture = join(repository, 'test/fixtures/sample.pcap');
const program = join(repository, 'backend/bin/netspectra.js');

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** See to it that a process ends with the tests, also when the one that started it fails. */
export function owned<Child extends ChildProcess>(child: Child): Child {
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** what it has said on stderr so far */
  stderr(): string;
}

/** Start `netspectra ARGS`. */
export function start(
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; stdin?: Uint8Array } = {},
): Started {
  const child = owned(
    spawn(process.execPath, [program, ...args], {
      cwd: options.cwd ?? repository,
      env: { ...process.env, ...options.env },
      stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    }),
  );
  if (options.stdin) child.stdin!.end(options.stdin);
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return { child, ended, stderr: () => stderr };
}

/** Run `netspectra ARGS` to its end. */
export const run = (args: readonly string[], options: Parameters<typeof start>[1] = {}): Promise<Ended> =>
  start(args, options).ended;

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'netspectra-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A loopback port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Ask again until it is so, or fail. */
export async function until(
  what: string,
  check: () => Promise<boolean> | boolean,
  milliseconds = 30_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`timed out waiting: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
