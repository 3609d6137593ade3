/**
 * The live probe on a veth pair: tcpreplay sends the sample capture over and over, at given rates and as fast as it goes; the
 * probe captures, decodes and makes messages of it, which a publisher takes and forgets. Beside it, in turns, tcpdump
 * writes the same to /dev/null. Limits: nothing lost at 100,000 packets/s, at most 150 MB. Needs root, ip and tcpreplay.
 */
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createProbe } from '@netspectra/collector/probe';
import { table } from '../measure.js';

const sample = fileURLToPath(new URL('../../fixtures/sample.pcap', import.meta.url));
const samplePackets = 1932;
const secondsPerRun = 5;
const memoryMaxMegabytes = 150;
/** packets a second; 0 = as fast as tcpreplay goes */
const rates = [100_000, 200_000, 0];

function ip(...args) {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

/** A veth pair; the far end in a namespace of its own. */
function layCable() {
  const space = `nsb${process.pid}`;
  const near = `${space}r`;
  const far = `${space}s`;
  ip('netns', 'add', space);
  ip('link', 'add', near, 'mtu', '9000', 'type', 'veth', 'peer', 'name', far, 'netns', space);
  ip('link', 'set', near, 'addrgenmode', 'none', 'arp', 'off', 'up');
  ip('-n', space, 'link', 'set', far, 'addrgenmode', 'none', 'arp', 'off', 'mtu', '9000', 'up');
  writeFileSync(`/proc/sys/net/ipv6/conf/${near}/disable_ipv6`, '1');
  return {
    near,
    far,
    space,
    remove: () => ['link', 'netns'].forEach((what) => spawnSync('ip', [what, 'del', what === 'link' ? near : space])),
  };
}

/** Send for some seconds. @returns {Promise<{ packets: number, rate: number }>} */
function send(cable, rate, times) {
  const speed = rate === 0 ? '--topspeed' : `--pps=${rate}`;
  const args = [
    'netns',
    'exec',
    cable.space,
    'tcpreplay',
    '-i',
    cable.far,
    speed,
    '--preload-pcap',
    `--loop=${times}`,
    sample,
  ];
  const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece));
  return new Promise((resolve, reject) =>
    child.on('close', () => {
      const packets = Number(/Successful packets:\s+(\d+)/.exec(output)?.[1]);
      const found = Number(/([\d.]+) pps/.exec(output)?.[1]);
      if (packets > 0) resolve({ packets, rate: found });
      else reject(new Error(output));
    }),
  );
}

const timesFor = (rate) => Math.ceil(((rate === 0 ? 300_000 : rate) * secondsPerRun) / samplePackets);

async function ourTurn(cable, rate) {
  let messages = 0;
  let bytes = 0;
  const state = { connected: true };
  const probe = createProbe(
    {
      log: { info() {}, warn: (_, text) => console.error(`bench: ${text}`) },
      publisher: ({ onConfirmed }) => ({
        state,
        publish(message) {
          messages += 1;
          bytes += message.bytes.length;
          onConfirmed(message);
          return 'taken';
        },
        room: async () => {},
        close: async () => [],
      }),
    },
    {
      probe: 'bench',
      interfaces: [cable.near],
      ringsPerInterface: 1,
      partitions: 16,
      samplingRate: 1,
      payload: 'applications',
      rowsMax: 16_384,
      messageBytesMax: 1 << 20,
      filter: '',
      flushMilliseconds: 50,
      idleMilliseconds: 60_000,
      queueBytesMax: 32 << 20,
      live: {
        promiscuous: true,
        snapLength: 65_535,
        ringBytes: 32 << 20,
        blockTimeoutMilliseconds: 10,
        hardwareTimestamps: false,
      },
    },
  );
  await probe.start();
  const before = process.cpuUsage();
  let memory = 0;
  const watch = setInterval(() => (memory = Math.max(memory, process.memoryUsage.rss())), 100);
  const sent = await send(cable, rate, timesFor(rate));
  await probe.stop();
  clearInterval(watch);
  const { user, system } = process.cpuUsage(before);
  const { counters } = probe.rings[0].report;
  return {
    sent,
    lost: counters.kernelDropped + counters.publishDropped,
    balance: counters.received - sent.packets,
    cpu: (user + system) / 1e6,
    memory: memory / 1e6,
    bytesPerPacket: bytes / counters.received,
    messages,
  };
}

async function tcpdumpTurn(cable, rate) {
  const child = spawn('tcpdump', ['-i', cable.near, '-B', String(32 << 10), '-w', '/dev/null'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (piece) => (output += piece));
  while (!output.includes('listening')) await delay(20);
  const sent = await send(cable, rate, timesFor(rate));
  await delay(200);
  child.kill('SIGINT');
  await new Promise((resolve) => child.on('close', resolve));
  return { sent, lost: Number(/(\d+) packets dropped by kernel/.exec(output)?.[1]) };
}

/** @param {{ turns: number }} options */
export async function run({ turns }) {
  if (process.getuid?.() !== 0 || spawnSync('tcpreplay', ['--version']).error || spawnSync('ip', ['-V']).error) {
    console.log('probe: skipped, it needs root, ip and tcpreplay');
    return { missed: 0, figures: [] };
  }
  const hasTcpdump = !spawnSync('tcpdump', ['--version']).error;
  const cable = layCable();
  const rows = [
    ['asked/s', 'sent/s', 'sent', 'lost', 'cpu s', 'ns a packet', 'peak MB', 'bytes a packet', 'tcpdump lost'],
  ];
  const figures = [];
  let missed = 0;
  try {
    await ourTurn(cable, 50_000); // to warm up
    for (const rate of rates) {
      for (let turn = 0; turn < turns; turn += 1) {
        const ours = await ourTurn(cable, rate);
        const theirs = hasTcpdump ? await tcpdumpTurn(cable, rate) : null;
        const each = (ours.cpu * 1e9) / ours.sent.packets;
        rows.push([
          rate === 0 ? 'most' : String(rate),
          ours.sent.rate.toFixed(0),
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
    cable.remove();
  }
  console.log(table(rows));
  console.log(`${missed} limits missed`);
  return { missed, figures };
}
