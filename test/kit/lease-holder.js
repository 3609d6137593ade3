/**
 * An engine that only holds leases: a process of its own, so that a test can stop it. It says `held 0,1` when that changed,
 * and answers a line `declare N` with `declared true` or `declared false`.
 */
import { createInterface } from 'node:readline';
import { createJetStreamBus, createNatsRecords } from '@netspectra/collector/bus';
import { PartitionLeases } from '../../backend/dist/cluster/index.js';

const [url, engine, partitions, ttlMs] = process.argv.slice(2);
const bus = createJetStreamBus({ connection: { servers: [url] }, streams: { partitions: Number(partitions) } });
const leases = new PartitionLeases({
  records: createNatsRecords(bus, 'netspectra-engines'),
  partitions: Number(partitions),
  engine,
  ttlMs: Number(ttlMs),
});
let said = '';
const lease = new Map();

async function round() {
  const { surplus } = await leases.round().catch(() => ({ surplus: [] }));
  for (const partition of surplus) await leases.release(partition);
  for (const [partition, one] of leases.leases) lease.set(partition, one);
  const held = `held ${[...leases.leases.keys()].sort().join(',')}`;
  if (held !== said) console.log(held);
  said = held;
  setTimeout(() => void round(), leases.roundMs);
}
void round();
createInterface({ input: process.stdin }).on('line', (line) => {
  const [, partition] = line.split(' ');
  const flush = [{ probe: engine, epoch: 1n, firstSeq: 0, lastSeq: 1 }];
  void lease
    .get(Number(partition))
    .declare(flush)
    .then((done) => console.log(`declared ${done}`));
});
