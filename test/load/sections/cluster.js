/**
 * The cluster: what engines take from JetStream, how two compare with one, how long a packet takes to an answer, memory,
 * the bus by itself, and what many probes cost. Real processes on loopback; docs/benchmarks.md has method and results.
 * Needs nats-server; the latency also root, ip and tcpreplay; parts of a core for each engine also cgroup's cpu controller.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCables } from '../../kit/network.js';
import { generate } from '../generate.js';
import { spread, table } from '../measure.js';
import { drain, hasCpuQuota } from '../cluster/drain.js';
import { latency } from '../cluster/latency.js';
import {
  cpuSeconds,
  endAll,
  hasNats,
  memoryFolder,
  runToEnd,
  startCountingStore,
  startNats,
  startStore,
  temporaryFolder,
} from '../cluster/processes.js';
import { streams } from '../cluster/streams.js';

const limits = {
  drainPacketsPerSecond: 1e6,
  latencyP99Ms: 1_000,
  twoEnginesTimes: 1.8,
  engineMegabytes: 600,
};
const partitions = 16;
const flows = 200_000;
const liveFlows = 1_000_000;
const liveFlowPackets = 2_000_000;
const quotaCores = 0.5;
const latencyPacketsPerSecond = 100_000;
const latencySeconds = 30;
/** of an installation of this size: each partition's flush is a set of inserts of its own */
const latencySettings = { NETSPECTRA_BUS_PARTITIONS: '2', NETSPECTRA_ENGINE_FLUSH_INTERVAL: '300ms' };
/** of an installation of so many: each sends to every partition, so this is what each partition has */
const probesOfPartition = [10, 200, 1_000];
const realSeconds = 30;
const folder = join(tmpdir(), 'netspectra-bench');

/** @param {number} packets @param {number} flowCount */
function capture(packets, flowCount) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `cluster-${packets}-${flowCount}.pcap`);
  if (!existsSync(file)) generate({ packets, flows: flowCount, seed: 1, out: file });
  return file;
}

/** Publish a file to a nats-server of its own, and keep that server's store. @param {string} file */
async function queueOf(file) {
  const place = temporaryFolder();
  const nats = await startNats(place.path);
  const { seconds, cpuSeconds: cpu } = await runToEnd(['probe', '--read', file], {
    NETSPECTRA_BUS_SERVERS: nats.url,
    NETSPECTRA_BUS_PARTITIONS: String(partitions),
    NETSPECTRA_DATA_DIR: place.path,
  });
  const natsCpu = cpuSeconds(nats.pid);
  await nats.stop();
  return { queue: nats.store, seconds, cpu, natsCpu, remove: place.remove };
}

/** @param {{ turns: number, packets: number, only?: string }} options --only drain,two,latency,memory,streams */
export async function run({ turns, packets, only }) {
  if (!hasNats) {
    console.log('cluster: skipped, it needs nats-server');
    return { missed: 0 };
  }
  const wanted = (/** @type {string} */ part) => only === undefined || only.split(',').includes(part);
  const repeats = Math.min(turns, 3);
  const place = memoryFolder();
  /** @type {string[][]} */
  const lines = [];
  /** @type {Record<string, unknown>} */
  const figures = {};
  let missed = 0;
  /** @param {string} what @param {string} value @param {string} limit @param {boolean | null} ok null: no limit */
  const line = (what, value, limit, ok) => {
    if (ok === false) missed += 1;
    const verdict = ok === null ? '' : ok ? 'pass' : 'MISS';
    lines.push([what, value, limit, verdict]);
    process.stderr.write(`${[what, value, limit, verdict].join('  ')}\n`); // it takes minutes
  };
  try {
    const store = await startStore(place.path);
    const counting = await startCountingStore(store.url);
    if (wanted('drain') || wanted('two')) {
      const made = await queueOf(capture(packets, flows));
      try {
        if (wanted('drain')) figures.drain = await drains(made, { packets, repeats, store, counting, line });
        if (wanted('two')) figures.two = await twoEngines(made, { packets, counting, line });
      } finally {
        made.remove();
      }
    }
    if (wanted('latency')) figures.latency = await capturedToAnswered(capture(packets, flows), { store, line });
    if (wanted('memory')) figures.memory = await memory({ counting, line });
    if (wanted('streams')) figures.streams = await manyProbes({ counting, line });
  } finally {
    await endAll();
    place.remove();
  }
  console.log(table([['', 'measured', 'limit', ''], ...lines]));
  console.log(`${missed} limits missed`);
  return { missed, figures };
}

const thousands = (/** @type {number} */ value) => Math.round(value).toLocaleString('en');

async function drains(made, { packets, repeats, store, counting, line }) {
  const runs = [];
  for (let turn = 0; turn < repeats; turn += 1) {
    runs.push(await drain({ queue: made.queue, packets, partitions, store: counting }));
    if (turn === 0) await tellRows(counting, line);
  }
  const real = await drain({ queue: made.queue, packets, partitions, store, seconds: realSeconds });
  const median = (/** @type {(run: typeof real) => number} */ read) => spread(runs.map(read)).median;
  const rate = median((one) => one.packetsPerSecond);
  line(
    `engine drains JetStream, packets/s (${repeats} turns, ${runs.map((one) => thousands(one.packetsPerSecond)).join(', ')})`,
    thousands(rate),
    thousands(limits.drainPacketsPerSecond),
    rate >= limits.drainPacketsPerSecond,
  );
  line(
    '  of these, taken packets/s from 30 to 95 % of them',
    thousands(median((one) => one.steadyPerSecond)),
    '',
    null,
  );
  line('  packets per engine-processor-second', thousands(packets / median((one) => one.cpu.engine)), '', null);
  line('  bytes of messages a packet', median((one) => one.messageBytesPerPacket).toFixed(0), '', null);
  line('  processor s: engine', median((one) => one.cpu.engine).toFixed(2), '', null);
  line('  processor s: nats-server', median((one) => one.cpu.nats).toFixed(2), '', null);
  line('  processor s: store that counts', median((one) => one.cpu.store).toFixed(2), '', null);
  line('  engine, peak MB', median((one) => one.peakMegabytes).toFixed(0), '', null);
  line('the same into chDB, packets/s', thousands(real.packetsPerSecond), '', null);
  line(
    '  processor s: engine, nats-server, chDB',
    Object.values(real.cpu)
      .map((seconds) => seconds.toFixed(2))
      .join(', '),
    '',
    null,
  );
  await tellDisk(store, real, line);
  line('probe --read to JetStream, packets/s', thousands(packets / made.seconds), '', null);
  line('  processor s: probe, nats-server', `${made.cpu.toFixed(2)}, ${made.natsCpu.toFixed(2)}`, '', null);
  return { runs, real };
}

/** What rows take on disk, with what of merging was done by then. */
async function tellDisk({ url }, { database, stored }, line) {
  const sql = `SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts
    WHERE active AND database = '${database}' GROUP BY table HAVING rows > 100 ORDER BY bytes DESC FORMAT JSON`;
  const { data } = await (await fetch(`${url}/?query=${encodeURIComponent(sql)}`)).json();
  let total = 0;
  for (const { table: name, rows, bytes, parts } of data) {
    total += Number(bytes);
    const each = (Number(bytes) / Number(rows)).toFixed(0);
    line(`  ${name}: rows, bytes a row on disk, parts`, `${thousands(rows)}, ${each}, ${parts}`, '', null);
  }
  line('  bytes on disk a packet', (total / stored).toFixed(1), '', null);
}

async function tellRows(counting, line) {
  const counted = await counting.counted();
  for (const [name, { inserts, rows, bytes }] of Object.entries(counted)) {
    if (rows > 100)
      line(
        `  ${name}: inserts, rows, bytes a row`,
        `${inserts}, ${thousands(rows)}, ${(bytes / rows).toFixed(0)}`,
        '',
        null,
      );
  }
}

/** Each engine has half a core of its own where that can be had, so that the second does not take from the first. */
async function twoEngines(made, { packets, counting, line }) {
  const quota = hasCpuQuota() ? quotaCores : undefined;
  const options = { queue: made.queue, packets, partitions, store: counting, workers: 1, ...(quota && { quota }) };
  const one = await drain(options);
  const two = await drain({ ...options, engines: 2 });
  const times = two.steadyPerSecond / one.steadyPerSecond;
  const how = quota ? `each ${quotaCores} cores` : 'sharing the cores with nats-server';
  line(
    `two engines against one, one thread each, ${how}`,
    `${times.toFixed(2)}x`,
    `${limits.twoEnginesTimes}x`,
    times >= limits.twoEnginesTimes,
  );
  line(
    '  packets/s taken, one and two',
    `${thousands(one.steadyPerSecond)}, ${thousands(two.steadyPerSecond)}`,
    '',
    null,
  );
  return { one, two };
}

async function capturedToAnswered(file, { store, line }) {
  if (!hasCables) {
    console.log('cluster: latency skipped, it needs root, ip and tcpreplay');
    return undefined;
  }
  const found = await latency({
    file,
    packetsPerSecond: latencyPacketsPerSecond,
    seconds: latencySeconds,
    store,
    env: latencySettings,
  });
  line(
    `capture to answer at ${thousands(latencyPacketsPerSecond)} packets/s, p99 ms (${found.windows} windows of 1 s)`,
    found.p99.toFixed(0),
    String(limits.latencyP99Ms),
    found.p99 <= limits.latencyP99Ms,
  );
  line('  p50 and most, ms', `${found.p50.toFixed(0)}, ${found.max.toFixed(0)}`, '', null);
  line('  sent, lost', `${thousands(found.sent)}, ${found.dropped}`, '', null);
  for (const [name, seconds] of Object.entries(found.cpu)) {
    line(`  processor s: ${name}`, Number(seconds).toFixed(1), '', null);
  }
  line('  probe, engine, peak MB', `${found.probeMegabytes.toFixed(0)}, ${found.engineMegabytes.toFixed(0)}`, '', null);
  return found;
}

async function memory({ counting, line }) {
  const made = await queueOf(capture(liveFlowPackets, liveFlows));
  try {
    const found = await drain({
      queue: made.queue,
      packets: liveFlowPackets,
      partitions,
      store: counting,
      env: { NETSPECTRA_ENGINE_FLOW_TABLE_IDLE_TIMEOUT: '10m' },
    });
    line(
      `engine with ${thousands(liveFlows)} live flows, peak MB`,
      found.peakMegabytes.toFixed(0),
      String(limits.engineMegabytes),
      found.peakMegabytes <= limits.engineMegabytes,
    );
    return found;
  } finally {
    made.remove();
  }
}

async function manyProbes({ counting, line }) {
  const found = [];
  for (const probes of probesOfPartition) {
    const one = await streams({ probes, packetsPerMessage: 20, rounds: 3, counting });
    found.push(one);
    line(
      `${probes} probes in a partition: processor ms, inserts, row KB a stream and flush`,
      `${one.cpuMsPerStretch.toFixed(1)}, ${one.insertsPerStretch.toFixed(1)}, ${(one.rowBytesPerStretch / 1e3).toFixed(1)}`,
      '',
      null,
    );
    line(
      '  seconds a flush of all, MB a stream',
      `${one.secondsPerRound.toFixed(1)}, ${one.megabytesPerStream.toFixed(2)}`,
      '',
      null,
    );
  }
  return found;
}
