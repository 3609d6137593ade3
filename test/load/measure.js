/**
 * Runs programs and says what they cost. Every process is started in a group of its own and is gone, by its id, when
 * the promise settles.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** GNU time reports CPU and peak memory of what it runs; without it /proc is polled. */
const gnuTime = '/usr/bin/time';

/**
 * @typedef {{ wallSeconds: number, cpuSeconds: number, peakMegabytes: number, exitCode: number | null, stdout: string,
 *   stderr: string, timedOut: boolean }} Measured peakMegabytes: resident set, 10^6 bytes
 */

/** CPU seconds and peak bytes of a running process. @param {number} pid */
function procUsage(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
    return { cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100, peakBytes: peak };
  } catch {
    return { cpuSeconds: 0, peakBytes: 0 }; // ended between two looks
  }
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ timeoutSeconds?: number, environment?: Record<string, string>, outputBytesMax?: number }} options
 * @returns {Promise<Measured>} rejects only when the command cannot be started
 */
export async function measure(command, args, options = {}) {
  const scratch = mkdtempSync(join(tmpdir(), 'netspectra-measure-'));
  const report = join(scratch, 'usage');
  const timed = existsSync(gnuTime);
  const full = timed ? [gnuTime, '-q', '-f', '%U %S %M', '-o', report, command, ...args] : [command, ...args];
  const usage = { cpuSeconds: 0, peakBytes: 0 };
  const begin = performance.now();
  const child = spawn(full[0], full.slice(1), {
    detached: true, // its own process group, so that the time limit ends whatever it started
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
  });
  let timedOut = false;
  const limit = setTimeout(
    () => {
      timedOut = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    },
    (options.timeoutSeconds ?? 300) * 1000,
  );
  const poll = timed ? undefined : setInterval(() => Object.assign(usage, procUsage(child.pid ?? 0)), 20);
  const outputBytesMax = options.outputBytesMax ?? 1 << 24;
  /** @param {import('node:stream').Readable} stream */
  const gather = (stream) => {
    /** @type {Buffer[]} */
    const parts = [];
    let length = 0;
    stream.on('data', (part) => {
      length += part.length;
      if (length <= outputBytesMax) parts.push(part);
    });
    return () => Buffer.concat(parts).toString();
  };
  const stdout = gather(child.stdout);
  const stderr = gather(child.stderr);
  try {
    const exitCode = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const wallSeconds = (performance.now() - begin) / 1000;
    if (timed && existsSync(report)) {
      const [user, system, kilobytes] = readFileSync(report, 'utf8').trim().split(/\s+/).slice(-3).map(Number);
      usage.cpuSeconds = user + system;
      usage.peakBytes = kilobytes * 1024;
    }
    return {
      wallSeconds,
      cpuSeconds: usage.cpuSeconds,
      peakMegabytes: usage.peakBytes / 1e6,
      exitCode: /** @type {number | null} */ (exitCode),
      stdout: stdout(),
      stderr: stderr(),
      timedOut,
    };
  } finally {
    clearTimeout(limit);
    clearInterval(poll);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {readonly number[]} values @returns {{ median: number, low: number, high: number }} */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, low: sorted[0], high: sorted[sorted.length - 1] };
}

/**
 * Rows as aligned text: the first column to the left, the others to the right.
 * @param {readonly (readonly string[])[]} rows
 */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  '),
    )
    .join('\n');
}
