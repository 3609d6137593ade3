/**
 * Processor time of telling copies, a packet, on the build:
 *
 *     npx tsc -b backend && node backend/src/engine/duplicates/recent-packets.bench.js [PACKETS ...]
 *
 * Two probes bring so many different packets each (62,500 is a generation of a second in one of 16 partitions at
 * 1M packets/s), in batches by turns, over six generations. Then the same through a processor with the flow task, all of
 * them counted, and half of them copies, beside one that does not look for copies. Least of 7 rounds, nanoseconds a packet.
 */
import process from 'node:process';
import { Layer } from '@netspectra/proto';
import { RecentPackets } from '../../../dist/engine/duplicates/index.js';
import { PacketProcessor } from '../../../dist/engine/pipeline/packet-processor.js';
import { batchOf } from '../../../dist/engine/sketches/sketch-fixtures.js';

const batchRows = 1024;
const generations = 6;
const rounds = 7;
const flows = 5_000;

/** Batches of a generation; its packets differ from those of all others. */
function batchesOf(packets, generation) {
  const batches = [];
  for (let start = 0; start < packets; start += batchRows) {
    const rows = Array.from({ length: Math.min(batchRows, packets - start) }, (_, i) => {
      const flow = (Math.imul(start + i, 0x9e3779b1) >>> 0) % flows;
      return {
        seconds: 1_700_000_000 + generation,
        source: 0x0a000000 + flow,
        destination: 0x0b000000 + (flow >>> 3),
        sourcePort: 1024 + (flow % 50_000),
        destinationPort: 443,
        protocol: 17,
        bytes: 400,
      };
    });
    const batch = batchOf(rows);
    for (let row = 0; row < batch.count; row += 1) {
      batch.layers[row] = Layer.Ipv4 | Layer.Udp | Layer.HasAddresses | Layer.HasPorts;
      batch.fragmentId[row] = generation * packets + start + row;
    }
    batches.push(batch);
  }
  return batches;
}

const newProcessor = () =>
  new PacketProcessor({
    probe: 'p',
    maxFlows: 100_000,
    fragmentsMax: 16,
    idleTimeoutSeconds: 60,
    counterWindowSeconds: 1,
    flowWindowSeconds: 10,
    sketchWindowSeconds: 60,
    windows: true,
    report: false,
    reportTop: 0,
    tasks: [{ type: 'flow', options: {} }],
  });

function least(packets, run) {
  let best = Infinity;
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / packets);
  }
  return best.toFixed(0);
}

const sizes = process.argv.slice(2).map(Number);
for (const packets of sizes.length > 0 ? sizes : [10_000, 62_500, 250_000]) {
  const all = Array.from({ length: generations }, (_, generation) => batchesOf(packets, generation));
  const marks = new Uint8Array(batchRows);
  const none = new Uint8Array(batchRows);
  const copies = new Uint8Array(batchRows).fill(1);
  const told = least(2 * generations * packets, () => {
    const recent = new RecentPackets({ maxPackets: 4 * packets });
    for (const batches of all) {
      recent.turn();
      for (const batch of batches) for (const probe of [1, 2]) recent.judge(batch, probe, marks);
    }
  });
  const processed = (take) =>
    least(2 * generations * packets, () => {
      const processors = [newProcessor(), newProcessor()];
      for (const batches of all)
        for (const batch of batches) processors.forEach((processor, probe) => take(processor, batch, probe));
    });
  const off = processed((processor, batch) => processor.take(batch));
  const on = processed((processor, batch, probe) => processor.takeWithout(batch, probe === 0 ? none : copies));
  process.stdout.write(
    `${packets} packets a generation: told ${told} ns; processed without ${off} ns, half of them copies ${on} ns\n`,
  );
}
