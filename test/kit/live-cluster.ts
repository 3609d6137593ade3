/**
 * The whole way as processes for tests: nats-server, a ClickHouse server, and `netspectra` engines, probes and API
 * processes between them, on loopback. Everything is ended by `close`, whatever a test left behind.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createJetStreamBus } from '@netspectra/collector/bus';
import type { JetStreamBus } from '@netspectra/collector/bus';
import { openStore, rowsOf } from '../../backend/src/storage/index.js';
import type { Store } from '../../backend/src/storage/index.js';
import { start, temporaryFolder, until } from '../integration/process.js';
import type { Ended, Started } from '../integration/process.js';
import { startClickHouse } from './clickhouse.js';
import type { ClickHouse } from './clickhouse.js';
import { startNats } from './nats.js';
import type { NatsOptions, NatsServer } from './nats.js';

export interface LiveClusterOptions extends NatsOptions {
  /** 4 unless given */
  readonly partitions?: number;
  /** settings of every process of ours */
  readonly env?: Readonly<Record<string, string>>;
}

/** A process of ours that serves /metrics, /healthz and /readyz. */
export interface Monitored extends Started {
  /** http://host:port */
  readonly address: string;
  /** Sum of a metric's samples, of those whose labels contain `label`; 0 when there is none. */
  metric(name: string, label?: string): Promise<number>;
  readyz(): Promise<{ readonly status: number; readonly body: string }>;
  /** resident memory now, bytes */
  memoryBytes(): number;
  /** Send a signal (SIGTERM unless given) and wait for the end. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

export interface LiveCluster {
  readonly partitions: number;
  readonly nats: NatsServer;
  readonly clickhouse: ClickHouse;
  /** settings of every process of ours */
  readonly env: Readonly<Record<string, string>>;
  /** the bus, for a test that publishes and looks itself */
  readonly bus: JetStreamBus;
  engine(over?: Readonly<Record<string, string>>): Promise<Monitored>;
  probe(args: readonly string[], over?: Readonly<Record<string, string>>): Promise<Monitored>;
  /** Rows of a statement about the store, once there is one. */
  rows<Row extends object>(sql: string): Promise<Row[]>;
  /** Packets and bytes in the store, of one probe or of all. */
  stored(probe?: string): Promise<{ readonly packets: number; readonly bytes: number }>;
  /** ClickHouse comes back after `clickhouse.kill`, on the same port and folder. */
  restartClickHouse(): Promise<void>;
  close(): Promise<void>;
}

/** Start the servers. Engines and probes are the test's to start. */
export async function startLiveCluster(options: LiveClusterOptions = {}): Promise<LiveCluster> {
  const { partitions = 4 } = options;
  const folder = temporaryFolder();
  const dataDir = join(folder.path, 'clickhouse');
  const nats = await startNats(options);
  let clickhouse = await startClickHouse({ dataDir });
  const env = {
    NETSPECTRA_BUS_SERVERS: nats.url,
    NETSPECTRA_BUS_PARTITIONS: String(partitions),
    NETSPECTRA_BUS_STREAM_BYTES: '1GB',
    NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url,
    NETSPECTRA_DATA_DIR: folder.path,
    NETSPECTRA_ENGINE_LISTEN: '127.0.0.1:0',
    NETSPECTRA_ENGINE_WORKERS: '1',
    NETSPECTRA_ENGINE_LEASE: '2s',
    NETSPECTRA_ENGINE_FLUSH_INTERVAL: '200ms',
    NETSPECTRA_PROBE_LISTEN: '127.0.0.1:0',
    ...options.env,
  };
  const bus = createJetStreamBus({
    connection: { servers: [nats.url], retryMsMax: 200 },
    streams: { partitions, bytesMax: 1 << 30 },
  });
  const begun: Started[] = [];
  let store: Promise<Store> | undefined;
  const rows = async <Row extends object>(sql: string): Promise<Row[]> => {
    const opening = (store ??= openStore({ url: clickhouse.url }, { migrate: false }));
    return rowsOf<Row>(await (await opening).query(sql, {}));
  };
  const monitored = async (args: readonly string[], over: Readonly<Record<string, string>>): Promise<Monitored> => {
    const started = start(args, { env: { ...env, ...over } });
    begun.push(started);
    return monitor(started);
  };
  return {
    partitions,
    nats,
    get clickhouse() {
      return clickhouse;
    },
    env,
    bus,
    engine: (over = {}) => monitored(['engine'], over),
    probe: (args, over = {}) => monitored(['probe', ...args], over),
    rows,
    stored: async (probe) => {
      const where = probe === undefined ? '' : `WHERE probe = '${probe}'`;
      const [sum] = await rows<{ packets: number; bytes: number }>(
        `SELECT sum(packets) AS packets, sum(bytes) AS bytes FROM traffic ${where}`,
      );
      return { packets: Number(sum?.packets ?? 0), bytes: Number(sum?.bytes ?? 0) };
    },
    restartClickHouse: async () => {
      clickhouse = await startClickHouse({ dataDir, port: clickhouse.port });
    },
    close: async () => {
      for (const { child, ended } of begun) {
        child.kill('SIGKILL');
        await ended;
      }
      await bus.close();
      await (await store?.catch(() => undefined))?.close();
      await clickhouse.kill();
      await nats.close();
      folder.remove();
    },
  };
}

/** Wait until a started process says where its metrics are. */
export async function monitor(started: Started): Promise<Monitored> {
  let address = '';
  let ended = false;
  void started.ended.then(() => (ended = true));
  await until('it runs', () => {
    address = /(http:\/\/[^/\s]+)\/metrics/.exec(started.stderr())?.[1] ?? '';
    if (ended) throw new Error(`it ended: ${started.stderr()}`);
    return address !== '';
  });
  const get = async (path: string): Promise<{ status: number; body: string }> => {
    const answer = await fetch(address + path);
    return { status: answer.status, body: await answer.text() };
  };
  return {
    ...started,
    address,
    metric: async (name, label = '') => {
      let sum = 0;
      for (const line of (await get('/metrics')).body.split('\n')) {
        const [, labels = '', value] = new RegExp(`^${name}({.*})? (\\S+)$`).exec(line) ?? [];
        if (value !== undefined && labels.includes(label)) sum += Number(value);
      }
      return sum;
    },
    readyz: () => get('/readyz'),
    memoryBytes: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${started.child.pid}/status`, 'utf8'))![1]) * 1024,
    stop: (signal = 'SIGTERM') => {
      started.child.kill(signal);
      return started.ended;
    },
  };
}
