/**
 * Many probes for one engine: each sends a small message a second to one partition, as each of 1,000 probes would. What a
 * stream (probe, epoch) of a partition costs an engine in processor time, memory, inserts and bytes of rows a second.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openCaptureFile } from '@netspectra/collector';
import { createJetStreamBus } from '@netspectra/collector/bus';
import { publishFile } from '@netspectra/collector/probe';
import { generate } from '../generate.js';
import {
  cpuSeconds,
  memoryMegabytes,
  metrics,
  startMonitored,
  startNats,
  temporaryFolder,
  until,
} from './processes.js';

const messageBytesMax = 256 << 10;
/** What a stream's flush may take at most, on a machine that does other things too. */
const millisecondsPerStreamMax = 500;
const storedName = 'netspectra_packets_stored_total';

/**
 * @param {{ probes: number, packetsPerMessage: number, rounds: number, counting: Awaited<ReturnType<typeof import('./processes.js').startCountingStore>> }} options
 */
export async function streams({ probes, packetsPerMessage, rounds, counting }) {
  const folder = temporaryFolder();
  const nats = await startNats(folder.path);
  const bus = createJetStreamBus({
    connection: { servers: [nats.url] },
    streams: { partitions: 1, bytesMax: 4 << 30, messageBytesMax },
  });
  try {
    await bus.ready(10_000);
    await bus.ensureStreams();
    const file = join(folder.path, 'small.pcap');
    generate({ packets: packetsPerMessage * rounds, flows: 40, seed: 3, out: file });
    const messages = [];
    for (let probe = 0; probe < probes; probe += 1)
      messages.push(await messagesOf(file, `p${probe}`, packetsPerMessage));
    const engine = await startMonitored(['engine'], {
      NETSPECTRA_BUS_SERVERS: nats.url,
      NETSPECTRA_BUS_PARTITIONS: '1',
      NETSPECTRA_BUS_STREAM_BYTES: '4GB',
      NETSPECTRA_STORAGE_CLICKHOUSE_URL: counting.url,
      NETSPECTRA_STORAGE_CLICKHOUSE_DATABASE: `streams_${process.pid}_${Date.now()}`,
      NETSPECTRA_DATA_DIR: folder.path,
      NETSPECTRA_ENGINE_LISTEN: '127.0.0.1:0',
      NETSPECTRA_ENGINE_WORKERS: '1',
      NETSPECTRA_ENGINE_MAX_STREAMS: '65536',
    });
    try {
      await until('the partition is taken', () => engine.stderr().includes('partitions taken'));
      const idle = memoryMegabytes(engine.pid).now;
      const publisher = bus.publisher({ windowBytes: 64 << 20 });
      let packets = 0;
      let before = { cpu: 0, atMs: 0 };
      for (let round = 0; round < rounds; round += 1) {
        const beganMs = Date.now();
        for (const of of messages) {
          const message = of[round];
          if (!message) throw new Error('a probe made too few messages');
          while (publisher.publish(message) === 'full') await publisher.room();
          packets += packetsPerMessage;
        }
        await until(
          'a round is stored',
          async () => ((await metrics(engine.address, [storedName]))[storedName] ?? 0) >= packets,
          {
            milliseconds: 60_000 + probes * millisecondsPerStreamMax,
            everyMs: 250,
          },
        );
        if (round === 0) {
          // Streams are opened and code is compiled in the first round.
          await counting.counted();
          before = { cpu: cpuSeconds(engine.pid), atMs: Date.now() };
        }
        await delay(Math.max(0, 1_000 - (Date.now() - beganMs)));
      }
      const counted = Object.values(await counting.counted());
      const flushes = probes * (rounds - 1);
      const sum = (/** @type {(of: { inserts: number, rows: number, bytes: number }) => number} */ read) =>
        counted.reduce((total, of) => total + read(of), 0);
      return {
        probes,
        packetsPerMessage,
        cpuMsPerStretch: ((cpuSeconds(engine.pid) - before.cpu) * 1000) / flushes,
        secondsPerRound: (Date.now() - before.atMs) / 1000 / (rounds - 1),
        insertsPerStretch: sum(({ inserts }) => inserts) / flushes,
        rowBytesPerStretch: sum(({ bytes }) => bytes) / flushes,
        rowsPerStretch: sum(({ rows }) => rows) / flushes,
        megabytesPerStream: (memoryMegabytes(engine.pid).now - idle) / probes,
        peakMegabytes: memoryMegabytes(engine.pid).peak,
      };
    } finally {
      await engine.stop('SIGKILL');
    }
  } finally {
    await bus.close();
    await nats.stop('SIGKILL');
    folder.remove();
  }
}

/** What a probe of that name makes of a file, one message for so many packets. */
async function messagesOf(/** @type {string} */ file, /** @type {string} */ probe, /** @type {number} */ rowsMax) {
  /** @type {import('@netspectra/collector/bus').OutgoingMessage[]} */
  const made = [];
  const publisher = /** @type {any} */ ({
    publish(/** @type {import('@netspectra/collector/bus').OutgoingMessage} */ message) {
      made.push(message);
      return 'taken';
    },
    room: async () => {},
  });
  await publishFile(await openCaptureFile(file), publisher, {
    probe,
    epoch: 1n,
    source: 'eth0',
    partitions: 1,
    payload: 'applications',
    rowsMax,
    messageBytesMax,
    filter: '',
    stop: new AbortController().signal,
  });
  return made;
}
