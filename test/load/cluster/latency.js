/**
 * From a packet on a wire to an answer that has it: tcpreplay sends at a steady rate over a veth pair, `netspectra probe`
 * captures it, and nats-server, `netspectra engine`, a ClickHouse server and `netspectra api` follow, each a process. Who asks
 * `POST /query` again and again sees each one-second window grow; its latency is the time from the window's end to the first
 * answer that has all of its packets. Everything shares one machine, tcpreplay included.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { layCable } from '../../kit/network.js';
import {
  cpuSeconds,
  memoryMegabytes,
  metrics,
  startMonitored,
  startNats,
  temporaryFolder,
  until,
} from './processes.js';

const windowMs = 1_000;
/** the first windows: code is compiled, partitions are shared */
const warmUpWindows = 4;
const askMs = 40;
const settleMs = 60_000;

/**
 * @param {{ file: string, packetsPerSecond: number, seconds: number, store: { url: string, pid: number },
 *   env?: Record<string, string> }} options
 */
export async function latency({ file, packetsPerSecond, seconds, store, env = {} }) {
  const folder = temporaryFolder();
  const nats = await startNats(folder.path);
  const cable = layCable();
  /** @type {import('./processes.js').Running[]} */
  const started = [];
  try {
    const environment = {
      NETSPECTRA_BUS_SERVERS: nats.url,
      NETSPECTRA_STORAGE_CLICKHOUSE_URL: store.url,
      NETSPECTRA_STORAGE_CLICKHOUSE_DATABASE: `latency_${process.pid}_${Date.now()}`,
      NETSPECTRA_DATA_DIR: folder.path,
      NETSPECTRA_ENGINE_LISTEN: '127.0.0.1:0',
      NETSPECTRA_PROBE_LISTEN: '127.0.0.1:0',
      ...env,
    };
    const start = async (/** @type {string[]} */ args) => {
      const one = await startMonitored(args, environment);
      started.push(one);
      return one;
    };
    const engine = await start(['engine']);
    const api = await start(['api', '--listen', '127.0.0.1:0']);
    const probe = await start(['probe', '--interface', cable.interface]);
    await until('the partitions are taken', async () => {
      return (
        ((await metrics(engine.address, ['netspectra_engine_partitions']))['netspectra_engine_partitions'] ?? 0) > 0
      );
    });
    const from = Math.floor(Date.now() / windowMs) * windowMs;
    /** @type {{ atMs: number, packets: Map<number, number> }[]} */
    const asked = [];
    const ask = async () => {
      const to = Date.now() + windowMs;
      const query = { refId: 'A', type: 'timeseries', measures: ['packets'], intervalMs: windowMs };
      const answer = await fetch(`${api.address}/api/v1/query`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ from, to, queries: [query] }),
      });
      const { results } = /** @type {any} */ (await answer.json());
      const [times = [], counts = []] = results.A.frames[0]?.data.values ?? [];
      asked.push({
        atMs: Date.now(),
        packets: new Map(times.map((time, i) => [Number(time), Number(counts[i] ?? 0)])),
      });
    };
    let asking = true;
    const polling = (async () => {
      while (asking) {
        await ask();
        await delay(askMs);
      }
    })();
    const processes = { probe, nats, engine, store, api };
    const usage = () => Object.entries(processes).map(([name, { pid }]) => [name, cpuSeconds(pid)]);
    const before = Object.fromEntries(usage());
    const sent = await cable.send(file, { packetsPerSecond, packets: packetsPerSecond * seconds });
    const total = () => [...(asked.at(-1)?.packets.values() ?? [])].reduce((sum, count) => sum + count, 0);
    const after = Object.fromEntries(usage());
    const lost = await metrics(probe.address, [
      'netspectra_probe_kernel_dropped_total',
      'netspectra_probe_publish_dropped_total',
    ]);
    const dropped = Object.values(lost).reduce((sum, count) => sum + count, 0);
    await until('an answer has all packets', () => total() >= sent - dropped, { milliseconds: settleMs });
    asking = false;
    await polling;
    const final = /** @type {{ packets: Map<number, number> }} */ (asked.at(-1)).packets;
    const windows = [...final].filter(([, count]) => count > 0).slice(warmUpWindows, -1);
    const latencies = windows
      .map(([beginMs, count]) => {
        const first = asked.find(({ packets }) => (packets.get(beginMs) ?? 0) >= count);
        return (first?.atMs ?? Infinity) - (beginMs + windowMs);
      })
      .sort((a, b) => a - b);
    const quantile = (/** @type {number} */ part) =>
      latencies[Math.min(latencies.length - 1, Math.ceil(part * latencies.length) - 1)] ?? NaN;
    return {
      sent,
      dropped,
      windows: latencies.length,
      answers: asked.length,
      p50: quantile(0.5),
      p99: quantile(0.99),
      max: latencies.at(-1) ?? NaN,
      cpu: Object.fromEntries(Object.keys(processes).map((name) => [name, after[name] - before[name]])),
      engineMegabytes: memoryMegabytes(engine.pid).peak,
      probeMegabytes: memoryMegabytes(probe.pid).peak,
    };
  } finally {
    for (const one of started.reverse()) await one.stop('SIGKILL');
    await nats.stop('SIGKILL');
    cable.remove();
    folder.remove();
  }
}
