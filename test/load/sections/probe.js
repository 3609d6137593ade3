/**
 * The live probe on a veth pair: tcpreplay sends the sample capture over and over, at given rates and as fast as it goes;
 * `netspectra probe` captures, decodes and publishes it to a NATS server. Beside it, in turns, tcpdump writes the same to
 * /dev/null. Limits: nothing lost at 100,000 packets/s, at most 150 MB. Needs root, ip, tcpreplay and nats-server.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { hasCables, layCable } from '../../kit/network.js';
import { table } from '../measure.js';

const sample = fileURLToPath(new URL('../../fixtures/sample.pcap', import.meta.url));
const program = fileURLToPath(new URL('../../../backend/bin/netspectra.js', import.meta.url));
const samplePackets = 1932;
const secondsPerRun = 5;
const memoryMaxMegabytes = 150;
/** packets a second; 0 = as fast as tcpreplay goes */
const rates = [100_000, 200_000, 0];

/** Send for some seconds. */
const send = (cable, rate) =>
  cable.replay(sample, {
    ...(rate > 0 && { packetsPerSecond: rate }),
    times: Math.ceil(((rate === 0 ? 300_000 : rate) * secondsPerRun) / samplePackets),
    preload: true,
  });

/** A NATS server with a store of its own. */
async function startBus() {
  const folder = mkdtempSync(join(tmpdir(), 'netspectra-bench-'));
  const port = await freePort();
  const configuration = join(folder, 'nats.conf');
  writeFileSync(configuration, `listen: 127.0.0.1:${port}\njetstream { store_dir: ${JSON.stringify(folder)} }\n`);
  const child = spawn('nats-server', ['-c', configuration], { stdio: 'ignore' });
  return {
    url: `nats://127.0.0.1:${port}`,
    close: async () => {
      await ended(child, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ended(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

/** Sums over a process's metrics by name. */
async function metricsOf(url) {
  const sums = {};
  for (const line of (await (await fetch(`${url}/metrics`)).text()).split('\n')) {
    const [, name, value] = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name !== undefined) sums[name] = (sums[name] ?? 0) + Number(value);
  }
  return sums;
}

/** The command itself, as people run it: its memory is that of the whole process, from its start on. */
async function ourTurn(cable, bus, rate) {
  const folder = mkdtempSync(join(tmpdir(), 'netspectra-bench-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(
    process.execPath,
    [program, 'probe', '--interface', cable.interface, '--listen', url.slice('http://'.length)],
    {
      stdio: 'ignore',
      env: {
        ...process.env,
        NETSPECTRA_BUS_SERVERS: bus.url,
        NETSPECTRA_BUS_SPOOL_DIR: folder,
        NETSPECTRA_LOG_LEVEL: 'error',
        NETSPECTRA_PROBE_ID: `bench${rate}`,
      },
    },
  );
  try {
    while (!(await fetch(`${url}/readyz`).catch(() => null))?.ok) {
      if (child.exitCode !== null) throw new Error(`the probe ended with ${child.exitCode}`);
      await delay(50);
    }
    const cpuBefore = usageOf(child.pid).cpuSeconds;
    const sent = await send(cable, rate);
    let told = await metricsOf(url);
    for (let before = -1; before !== told.netspectra_probe_packets_total;) {
      before = told.netspectra_probe_packets_total;
      await delay(1_000);
      told = await metricsOf(url);
    }
    const { cpuSeconds, peakBytes } = usageOf(child.pid);
    const received = told.netspectra_probe_packets_total;
    return {
      sent,
      lost: told.netspectra_probe_kernel_dropped_total + told.netspectra_probe_publish_dropped_total,
      balance: received - sent.packets,
      cpu: cpuSeconds - cpuBefore,
      memory: peakBytes / 1e6,
      bytesPerPacket: told.netspectra_probe_bytes_confirmed_total / received,
    };
  } finally {
    await ended(child, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Processor seconds and peak bytes of a process. */
function usageOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100, peakBytes: Number(peak) * 1024 };
}

async function tcpdumpTurn(cable, rate) {
  const child = spawn('tcpdump', ['-i', cable.interface, '-B', String(32 << 10), '-w', '/dev/null'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (piece) => (output += piece));
  while (!output.includes('listening')) await delay(20);
  const sent = await send(cable, rate);
  await delay(200);
  child.kill('SIGINT');
  await new Promise((resolve) => child.on('close', resolve));
  return { sent, lost: Number(/(\d+) packets dropped by kernel/.exec(output)?.[1]) };
}

/** @param {{ turns: number }} options */
export async function run({ turns }) {
  if (!hasCables || spawnSync('nats-server', ['--version']).error) {
    console.log('probe: skipped, it needs root, ip, tcpreplay and nats-server');
    return { missed: 0, figures: [] };
  }
  const hasTcpdump = !spawnSync('tcpdump', ['--version']).error;
  const cable = layCable();
  const bus = await startBus();
  const rows = [
    ['asked/s', 'sent/s', 'sent', 'lost', 'cpu s', 'ns a packet', 'peak MB', 'bytes a packet', 'tcpdump lost'],
  ];
  const figures = [];
  let missed = 0;
  try {
    for (const rate of rates) {
      for (let turn = 0; turn < turns; turn += 1) {
        const ours = await ourTurn(cable, bus, rate);
        const theirs = hasTcpdump ? await tcpdumpTurn(cable, rate) : null;
        const each = (ours.cpu * 1e9) / ours.sent.packets;
        rows.push([
          rate === 0 ? 'most' : String(rate),
          ours.sent.packetsPerSecond.toFixed(0),
          String(ours.sent.packets),
          String(ours.lost),
          ours.cpu.toFixed(2),
          each.toFixed(0),
          ours.memory.toFixed(0),
          ours.bytesPerPacket.toFixed(0),
          theirs ? `${theirs.lost} of ${theirs.sent.packets}` : '',
        ]);
        if (ours.balance !== 0) console.log(`probe: ${ours.balance} packets more or fewer than were sent`);
        figures.push({ rate, ...ours });
        if (ours.memory > memoryMaxMegabytes) missed += 1;
        if (rate === rates[0] && ours.lost > 0) missed += 1;
      }
    }
  } finally {
    await bus.close();
    cable.remove();
  }
  console.log(table(rows));
  console.log(`${missed} limits missed`);
  return { missed, figures };
}
