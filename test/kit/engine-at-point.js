// @ts-check
/**
 * An engine to which something happens at a named point of a flush: it kills itself (-9), stops itself, or does not get on
 * for a while. What `netspectra engine` has in a thread, in a process of its own, with a store between that
 * tells of every insert.
 *
 *   node test/kit/engine-at-point.js '{"nats", "clickhouse", "partitions", "id", "leaseMs", "flushMs", "at", "after",
 *     "act", "blockMs", "insertMs", "forgetful"}'
 *
 * `at` is one of a runner's points (cut, declared, written, acknowledged) or "before TABLE", "after TABLE"; it counts from
 * the flush `after` (0 = the first) on. `act`: kill, stop or block (each time; `blockMs`); without one nothing
 * happens. `insertMs` makes every insert slow; who is `forgetful` never acknowledges anything. It says `at POINT` when it is there, `took N` and `lost N` of partitions, and ends with SIGTERM.
 */
import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createJetStreamBus, createNatsRecords, silentLog } from '@netspectra/collector/bus';
import { EngineWorker } from '../../backend/dist/cluster/index.js';
import { PacketProcessor } from '../../backend/dist/engine/pipeline/packet-processor.js';
import { allTasks } from '../../backend/dist/engine/tasks/index.js';
import { createClickHouseWriter, openStore, readStretches } from '../../backend/dist/storage/index.js';

const { nats, clickhouse, partitions, id, leaseMs, flushMs, at, after, act, blockMs, insertMs, forgetful } = JSON.parse(
  process.argv[2] ?? '{}',
);
const say = (/** @type {string} */ line) => writeSync(1, `${line}\n`);

const target = { url: clickhouse, user: 'default', password: '', database: 'netspectra' };
const store = await openStore(target, { migrate: false });
const bus = createJetStreamBus({ connection: { servers: [nats], retryMsMax: 200 }, streams: { partitions } });
if (forgetful) {
  const { consume } = bus;
  bus.consume = (partition, options) =>
    Object.assign(consume.call(bus, partition, options), { acknowledge: async () => {} });
}

let flushes = 0;
let done = false;
function reach(/** @type {string} */ point) {
  if (point === 'cut') flushes += 1;
  if (point !== at || flushes <= after || done) return;
  if (act !== 'block') done = true;
  say(`at ${point}`);
  if (act === 'kill') process.kill(process.pid, 'SIGKILL');
  if (act === 'stop') process.kill(process.pid, 'SIGSTOP');
  // Not a timer: nothing of this process goes on meanwhile, as when the machine has no time for it.
  if (act === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
}

const writer = createClickHouseWriter(
  /** @type {typeof store} */ ({
    /** @type {typeof store.insert} */
    async insert(block) {
      if (insertMs > 0) await delay(insertMs);
      reach(`before ${block.table}`);
      await store.insert(block);
      reach(`after ${block.table}`);
    },
  }),
  { triesMax: 2 },
);
const told = new Set([
  'partitions taken',
  'handing a partition over',
  'the lease of a partition was lost; what was not stored is read again',
]);
const log = {
  ...silentLog,
  info: (/** @type {object} */ fields, /** @type {string} */ message) =>
    told.has(message) && say(`${message} ${JSON.stringify(fields)}`),
  warn: (/** @type {object} */ fields, /** @type {string} */ message) => say(`${message} ${JSON.stringify(fields)}`),
  error: (/** @type {object} */ fields, /** @type {string} */ message) => say(`${message} ${JSON.stringify(fields)}`),
};
const worker = new EngineWorker(
  {
    bus,
    writer,
    log,
    records: createNatsRecords(bus, 'netspectra-engines'),
    readStored: (probe, epoch, partition) => readStretches(store, probe, epoch, partition),
    newProcessor: (probe) =>
      new PacketProcessor({
        probe,
        maxFlows: 65_536,
        fragmentsMax: 64,
        idleTimeoutSeconds: 60,
        counterWindowSeconds: 1,
        flowWindowSeconds: 10,
        sketchWindowSeconds: 60,
        windows: true,
        report: false,
        reportTop: 0,
        tasks: allTasks().filter(({ type }) => ['flow', 'traffic', 'dns'].includes(type)),
      }),
    reached: reach,
  },
  {
    id,
    leaseMs,
    flushMs,
    maxFlows: 65_536,
    messageBytesMax: 8 << 20,
    rowBytesMax: 16 << 20,
    packetsMax: 100_000,
    holeMs: 2_000,
    streamsMax: 64,
  },
);
worker.start();
say('running');

process.once('SIGTERM', () => {
  void (async () => {
    await worker.stop(20_000);
    await writer.close();
    await store.close();
    await bus.close();
    process.exit(0);
  })();
});
process.stdin.resume().once('close', () => process.exit(1)); // the test is gone
