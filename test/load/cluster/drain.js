/**
 * Engines that take what waits in JetStream: packets/s from the first partition taken to the last packet stored, and the
 * processor seconds of each process meanwhile, since on one machine they share its cores.
 */
import { closeSync, mkdirSync, openSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  cpuSeconds,
  firstLogged,
  memoryMegabytes,
  metrics,
  startMonitored,
  startNats,
  temporaryFolder,
} from './processes.js';

const pollMs = 100;
const storedName = 'netspectra_packets_stored_total';
const takenName = 'netspectra_engine_packets_total';
const bytesName = 'netspectra_engine_message_bytes_total';
const partitionsName = 'netspectra_engine_partitions';
const secondsMax = 60;
/** what an engine takes before it is measured, as a part of all packets */
const warmUpPart = 0.3;
let databases = 0;

/**
 * @typedef {{ stored: number, taken: number, each: readonly number[], shared: boolean, atMs: number }} Sample
 *   each: taken by each engine; shared: each engine has its part of the partitions
 */

/**
 * @param {{ queue: string, packets: number, partitions: number, store: { url: string, pid: number }, engines?: number,
 *   workers?: number, quota?: number, env?: Record<string, string>, nodeArgs?: readonly string[], seconds?: number }} options queue: the
 *   store of a nats-server that has the messages; quota: cores each engine may use (cgroup)
 */
export async function drain({
  queue,
  packets,
  partitions,
  store,
  engines = 1,
  workers = 0,
  quota,
  env = {},
  nodeArgs,
  seconds = secondsMax,
}) {
  const folder = temporaryFolder();
  const database = `bench_${process.pid}_${(databases += 1)}`;
  const nats = await startNats(folder.path, queue);
  const limit = quota === undefined ? null : cpuQuota(quota, engines);
  try {
    const environment = {
      NETSPECTRA_BUS_SERVERS: nats.url,
      NETSPECTRA_BUS_PARTITIONS: String(partitions),
      NETSPECTRA_STORAGE_CLICKHOUSE_URL: store.url,
      NETSPECTRA_STORAGE_CLICKHOUSE_DATABASE: database,
      NETSPECTRA_DATA_DIR: folder.path,
      NETSPECTRA_ENGINE_LISTEN: '127.0.0.1:0',
      NETSPECTRA_ENGINE_WORKERS: String(workers),
      ...env,
    };
    const first = await startMonitored(['engine'], environment, nodeArgs ? { nodeArgs } : {});
    limit?.add(0, first.pid);
    // The second finds the schema made; both announce themselves before either takes everything.
    const others = await Promise.all(
      Array.from({ length: engines - 1 }, () => startMonitored(['engine'], environment, nodeArgs ? { nodeArgs } : {})),
    );
    others.forEach((one, i) => limit?.add(i + 1, one.pid));
    const all = [first, ...others];
    const usage = () => ({
      engine: all.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
      nats: cpuSeconds(nats.pid),
      store: cpuSeconds(store.pid),
    });
    const atStart = usage();
    /** @type {Sample[]} */
    const samples = [];
    let messageBytes = 0;
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = await Promise.all(
        all.map(({ address }) => metrics(address, [storedName, takenName, bytesName, partitionsName])),
      );
      const sum = (/** @type {string} */ name) => found.reduce((total, one) => total + (one[name] ?? 0), 0);
      const least = Math.min(...found.map((one) => one[partitionsName] ?? 0));
      const shared = least >= Math.floor(partitions / engines);
      const each = found.map((one) => one[takenName] ?? 0);
      samples.push({ stored: sum(storedName), taken: sum(takenName), each, shared, atMs: Date.now() });
      messageBytes = sum(bytesName);
      if (sum(storedName) >= packets) break;
      const gone = all.find(({ child }) => child.exitCode !== null);
      if (gone) throw new Error(`an engine ended: ${gone.stderr()}`);
      if (Date.now() > end) break; // what was stored until then tells the rate as well
      await delay(pollMs);
    }
    const atEnd = usage();
    const began = Math.min(...all.map((one) => firstLogged(one.stderr(), 'partitions taken') ?? Infinity));
    const last = samples.at(-1) ?? { stored: 0, taken: 0, each: [], shared: false, atMs: began };
    const takenAt = samples.find(({ taken }) => taken >= packets)?.atMs ?? last.atMs;
    const memory = Math.max(...all.map(({ pid }) => memoryMegabytes(pid).peak));
    for (const one of all) await one.stop();
    return {
      database,
      stored: last.stored,
      messageBytesPerPacket: messageBytes / last.taken,
      seconds: (last.atMs - began) / 1000,
      packetsPerSecond: last.stored / ((last.atMs - began) / 1000),
      takenPerSecond: last.taken / ((takenAt - began) / 1000),
      // When every engine has taken so much that its code is compiled.
      steadyPerSecond: rateBetween(samples, packets * warmUpPart * engines, packets * 0.95),
      cpu: {
        engine: atEnd.engine - atStart.engine,
        nats: atEnd.nats - atStart.nats,
        store: atEnd.store - atStart.store,
      },
      peakMegabytes: memory,
    };
  } finally {
    await nats.stop('SIGKILL');
    limit?.remove();
    folder.remove();
  }
}

/**
 * Packets taken a second between two counts, from the samples next to them, while each engine has its part of the partitions and something
 * left to take: parts are not alike, and who is done first waits for the other.
 * @param {readonly Sample[]} samples
 */
function rateBetween(samples, /** @type {number} */ from, /** @type {number} */ to) {
  const begin = samples.find(({ taken, shared }) => shared && taken >= from);
  const all = samples.at(-1)?.each ?? [];
  const end = samples.find(({ taken, each }) => taken >= to || each.some((packets, i) => packets === all[i]));
  if (!begin || !end || end.atMs === begin.atMs) return NaN;
  return ((end.taken - begin.taken) * 1000) / (end.atMs - begin.atMs);
}

const cpuGroups = '/sys/fs/cgroup/cpu';
const periodMicroseconds = 20_000;

/** Whether processes can be given a part of a core (cgroup v1, as root). */
export function hasCpuQuota() {
  try {
    cpuQuota(1, 1).remove();
    return true;
  } catch {
    return false;
  }
}

/** A control group for each process, with so many cores. @param {number} cores @param {number} count */
function cpuQuota(cores, count) {
  const paths = Array.from({ length: count }, (_, i) => join(cpuGroups, `netspectra-bench-${process.pid}-${i}`));
  for (const path of paths) {
    mkdirSync(path);
    closeSync(openSync(join(path, 'cpu.cfs_quota_us'), 'r+')); // no such group: another file system
    writeFileSync(join(path, 'cpu.cfs_period_us'), String(periodMicroseconds));
    writeFileSync(join(path, 'cpu.cfs_quota_us'), String(Math.round(periodMicroseconds * cores)));
  }
  return {
    /** @param {number} i @param {number} pid all its threads */
    add: (i, pid) => writeFileSync(join(paths[i] ?? '', 'cgroup.procs'), String(pid)),
    remove: () => paths.forEach((path) => rmdirSync(path)),
  };
}
