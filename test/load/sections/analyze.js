/**
 * `netspectra analyze` against nfpcapd, softflowd and tcpdump on the same generated files, in turns (A B C D A B C D),
 * after one turn to warm up; then its memory with a million live flows. Limits are those of the project's list of
 * numbers to hold (docs/benchmarks.md).
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import dgram from 'node:dgram';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure, spread, table } from '../measure.js';

const command = fileURLToPath(new URL('../../../backend/bin/netspectra.js', import.meta.url));
const generator = fileURLToPath(new URL('../generate.js', import.meta.url));
const folder = join(tmpdir(), 'netspectra-bench');

/** Wall time of analyze over wall time of the peer, at most. */
const ratioMax = /** @type {Record<string, number>} */ ({ nfpcapd: 0.33, tcpdump: 1.5 });
const liveFlows = 1_000_000;
const liveFlowsMegabytesMax = 600;

/**
 * @typedef {{ name: string, command: string, package: string,
 *   args: (file: string, place: { folder: string, port: number, flows: number }) => string[],
 *   packets: (output: string) => number | undefined }} Peer
 *   packets: how many the peer says it read
 */

/** @type {Peer[]} */
const peers = [
  {
    name: 'nfpcapd',
    command: 'nfpcapd',
    package: 'nfdump',
    // The cache is made to hold all flows; otherwise it spends its time in growing and says so.
    args: (file, place) => ['-r', file, '-w', place.folder, '-B', String(Math.max(524288, 2 * place.flows))],
    packets: (output) => {
      const counts = [...output.matchAll(/Packets: (\d+)/g)].map((match) => Number(match[1]));
      return counts.length > 0 ? counts.reduce((sum, count) => sum + count, 0) : undefined;
    },
  },
  {
    name: 'softflowd',
    command: 'softflowd',
    package: 'softflowd',
    // No control socket (with one, 1.1.0 waits for ever when it reads a file); room for all flows; IPv6, so NetFlow 9.
    args: (file, place) =>
      ['-d', '-r', file, '-n', `127.0.0.1:${place.port}`, '-v', '9', '-6', '-c', 'none', '-p', 'none'].concat([
        '-m',
        String(place.flows + 100_000),
      ]),
    packets: (output) => {
      const match = /Packets processed: (\d+)/.exec(output);
      return match ? Number(match[1]) : undefined;
    },
  },
  {
    name: 'tcpdump',
    command: 'tcpdump',
    package: 'tcpdump',
    args: (file) => ['-r', file, '-w', '/dev/null'],
    packets: () => undefined,
  },
];

/** @param {string} name */
const installed = (name) =>
  (process.env.PATH ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .map((place) => join(place, name))
    .find((path) => existsSync(path));

/** Peers that can be run, installing what is missing where that is allowed. @param {boolean} install */
function availablePeers(install) {
  const missing = peers.filter((peer) => !installed(peer.command)).map((peer) => peer.package);
  if (!existsSync('/usr/bin/time')) missing.push('time');
  if (missing.length > 0 && install && process.getuid?.() === 0 && installed('apt-get')) {
    console.log(`installing ${missing.join(' ')}`);
    for (const args of [
      ['update', '-q'],
      ['install', '-y', '-q', '--no-install-recommends', ...missing],
    ]) {
      try {
        execFileSync('apt-get', args, {
          stdio: 'ignore',
          timeout: 300_000,
          env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        });
      } catch {
        console.log(`apt-get ${args[0]} failed`);
      }
    }
  }
  return peers.filter((peer) => {
    if (installed(peer.command)) return true;
    console.log(`skipped: ${peer.name} (not installed: apt-get install ${peer.package})`);
    return false;
  });
}

/**
 * The generated file and its counts, made when it is not there yet. Files of an older generator are removed.
 * @param {number} packets
 * @param {number} flows
 */
async function captureFile(packets, flows) {
  mkdirSync(folder, { recursive: true });
  const version = createHash('sha256').update(readFileSync(generator)).digest('hex').slice(0, 8);
  for (const name of readdirSync(folder)) {
    if (/^load-.*\.pcap(\.json|\.part)?$/.test(name) && !name.includes(version)) rmSync(join(folder, name));
  }
  const path = join(folder, `load-${version}-${packets}-${flows}.pcap`);
  if (!existsSync(path)) {
    const args = [generator, '--packets', String(packets), '--flows', String(flows), '--seed', '1', '--out', path];
    const made = await measure(process.execPath, args);
    if (made.exitCode !== 0) throw new Error(`the generator failed: ${made.stderr.trim()}`);
    console.log(`made ${path} in ${made.wallSeconds.toFixed(1)} s`);
  }
  return { path, counts: JSON.parse(readFileSync(`${path}.json`, 'utf8')) };
}

/** @param {string} file */
const analyze = (file) => measure(process.execPath, [command, 'analyze', file, '--format', 'json']);

/**
 * Runs analyze once and compares what it found with what the generator put in.
 * @param {string} file
 * @param {any} counts
 * @returns {Promise<string[]>} differences besides packets and bytes; those two must agree
 */
async function check(file, counts) {
  const run = await analyze(file);
  if (run.exitCode !== 0) {
    throw new Error(
      `analyze ended with ${run.timedOut ? 'the time limit' : run.exitCode}: ${run.stderr.trim().split('\n').slice(-3).join(' | ')}`,
    );
  }
  const found = JSON.parse(run.stdout);
  if (found.packets !== counts.packets || found.bytes !== counts.bytes) {
    throw new Error(
      `analyze counts ${found.packets} packets, ${found.bytes} bytes; the file holds ${counts.packets}, ${counts.bytes}`,
    );
  }
  const pairs = /** @type {[string, number, number][]} */ ([
    ['ipv4 packets', found.protocols?.ipv4?.packets, counts.ipv4],
    ['ipv6 packets', found.protocols?.ipv6?.packets, counts.ipv6],
    ['tcp packets', found.protocols?.tcp?.packets, counts.tcp],
    ['udp packets', found.protocols?.udp?.packets, counts.udp],
    ['conversations', (found.conversations?.tcp ?? 0) + (found.conversations?.udp ?? 0), counts.flows],
    ['dns queries', found.dns?.queries, counts.dns_queries],
    ['dns responses', found.dns?.responses, counts.dns_responses],
    ['http requests', found.http?.requests, counts.http_requests],
    ['tls client hellos', found.tls?.client_hellos, counts.client_hellos],
  ]);
  return pairs
    .filter(([, ours, truth]) => ours !== truth)
    .map(([name, ours, truth]) => `${name}: ${ours}, generated ${truth}`);
}

/**
 * How often V8 threw code away that it had compiled, at most, in a few runs: some thirty times while it learns. Hundreds mean that
 * something makes it do so again and again, which no test would show (docs/decisions/019-compiled-code-is-kept.md).
 * @param {string} file
 */
function thrownAway(file) {
  const counts = [1, 2, 3].map(() => {
    const output = execFileSync(process.execPath, ['--trace-deopt', command, 'analyze', file, '--format', 'json'], {
      maxBuffer: 256 << 20,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return output.toString('latin1').split('[bailout (').length - 1;
  });
  return Math.max(...counts);
}

/** @param {number} value */
const seconds = (value) => value.toFixed(2);

/**
 * One file, all programs in turns.
 * @param {Peer[]} available
 * @param {number} flows
 * @param {number} port where the NetFlow packets go
 * @param {{ turns: number, packets: number, peersOnly: boolean }} options
 */
async function compare(available, flows, port, options) {
  const { path, counts } = await captureFile(options.packets, flows);
  console.log(`\n${counts.packets} packets, ${flows} flows, mean ${counts.mean_bytes} bytes`);
  if (!options.peersOnly) {
    const differences = await check(path, counts);
    console.log(
      differences.length === 0
        ? 'check: packets, bytes, protocols, conversations, DNS, HTTP and TLS equal what was generated'
        : `check: packets and bytes equal what was generated; DIFFERENT: ${differences.join('; ')}`,
    );
    console.log(`compiled code thrown away: ${thrownAway(path)} times`);
  }
  const programs = [
    ...(options.peersOnly ? [] : [{ name: 'analyze', run: () => analyze(path), packets: () => undefined }]),
    ...available.map((peer) => ({
      name: peer.name,
      packets: peer.packets,
      run: async () => {
        const place = mkdtempSync(join(folder, 'peer-'));
        try {
          return await measure(
            installed(peer.command) ?? peer.command,
            peer.args(path, { folder: place, port, flows }),
          );
        } finally {
          rmSync(place, { recursive: true, force: true });
        }
      },
    })),
  ];
  /** @type {Record<string, import('../measure.js').Measured[]>} */
  const runs = Object.fromEntries(programs.map(({ name }) => [name, []]));
  for (let turn = 0; turn <= options.turns; turn += 1) {
    for (const program of programs) {
      const run = await program.run();
      if (run.exitCode !== 0) {
        throw new Error(
          `${program.name} ended with ${run.timedOut ? 'the time limit' : run.exitCode}: ${run.stderr.trim().slice(-300)}`,
        );
      }
      const packets = program.packets(run.stdout + run.stderr);
      if (turn === 0 && packets !== undefined && packets !== counts.packets) {
        console.log(`note: ${program.name} counted ${packets} packets of ${counts.packets}`);
      }
      if (turn > 0) runs[program.name].push(run); // turn 0 warms up
    }
  }
  const summary = Object.entries(runs).map(([name, all]) => {
    const wall = spread(all.map((run) => run.wallSeconds));
    return {
      name,
      wall,
      cpuSeconds: spread(all.map((run) => run.cpuSeconds)).median,
      peakMegabytes: Math.max(...all.map((run) => run.peakMegabytes)),
      packetsPerSecond: Math.round(counts.packets / wall.median),
    };
  });
  console.log(
    table([
      ['', 'wall s', 'min', 'max', 'cpu s', 'peak MB', 'packets/s'],
      ...summary.map((row) => [
        row.name,
        seconds(row.wall.median),
        seconds(row.wall.low),
        seconds(row.wall.high),
        seconds(row.cpuSeconds),
        row.peakMegabytes.toFixed(0),
        row.packetsPerSecond.toLocaleString('en-US'),
      ]),
    ]),
  );
  const ours = summary.find((row) => row.name === 'analyze');
  const ratios = !ours
    ? []
    : summary
        .filter((row) => row !== ours)
        .map((row) => ({
          peer: row.name,
          ratio: ours.wall.median / row.wall.median,
          cpuRatio: ours.cpuSeconds / row.cpuSeconds, // no limit; it says whether other load moved the wall times
          limit: ratioMax[row.name],
        }));
  for (const { peer, ratio, cpuRatio, limit } of ratios) {
    const word =
      limit === undefined ? 'no limit set' : ratio <= limit ? `pass, limit ${limit}` : `MISS, limit ${limit}`;
    console.log(`analyze / ${peer}: ${ratio.toFixed(2)}x wall time (${word}), ${cpuRatio.toFixed(2)}x processor time`);
  }
  const missed = ratios.filter(({ ratio, limit }) => limit !== undefined && ratio > limit).length;
  return { packets: counts.packets, flows, mean_bytes: counts.mean_bytes, programs: summary, ratios, missed };
}

/** Peak memory with a million flows alive at once (the file's flows all last to its end). @param {number} packets */
async function memory(packets) {
  const flows = Math.min(liveFlows, packets);
  const { path, counts } = await captureFile(packets, flows);
  const run = await analyze(path);
  if (run.exitCode !== 0) throw new Error(`analyze ended with ${run.exitCode}: ${run.stderr.trim().slice(-300)}`);
  const judged = flows === liveFlows; // fewer packets cannot make a million flows
  const missed = judged && run.peakMegabytes > liveFlowsMegabytesMax;
  console.log(
    `\nanalyze, ${counts.flows} live flows: peak ${run.peakMegabytes.toFixed(0)} MB ` +
      `(${!judged ? `the limit is for ${liveFlows} flows` : `${missed ? 'MISS' : 'pass'}, limit ${liveFlowsMegabytesMax} MB`}), ${seconds(run.wallSeconds)} s`,
  );
  return { flows: counts.flows, peakMegabytes: run.peakMegabytes, missed: missed ? 1 : 0 };
}

/**
 * @param {{ turns: number, packets: number, flows: number[], peersOnly: boolean, install: boolean }} options
 * @returns {Promise<{ missed: number, files: unknown[], memory?: unknown }>} rejects when it could not run
 */
export async function run(options) {
  if (!options.peersOnly && !existsSync(command)) {
    throw new Error('backend/bin/netspectra.js is not there; --peers-only measures the other programs');
  }
  const available = availablePeers(options.install);
  const collector = dgram.createSocket('udp4'); // takes the NetFlow packets and forgets them
  await new Promise((resolve) => collector.bind(0, '127.0.0.1', () => resolve(undefined)));
  try {
    const files = [];
    for (const flows of options.flows) {
      files.push(await compare(available, Math.min(flows, options.packets), collector.address().port, options));
    }
    const used = options.peersOnly ? undefined : await memory(options.packets);
    const missed = files.reduce((sum, file) => sum + file.missed, used?.missed ?? 0);
    return { missed, files, ...(used ? { memory: used } : {}) };
  } finally {
    collector.close();
  }
}
