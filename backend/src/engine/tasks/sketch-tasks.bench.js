/**
 * Processor time of the cardinality and frequency tasks per packet, on the build (a test runner's module loader makes
 * every imported name a property access, which this loop is too tight for):
 *
 *     npx tsc -b backend && node backend/src/engine/tasks/sketch-tasks.bench.js
 *
 * 2^18 packets in random order over so many flows, four times over; every flow direction is new once. Least and middle of
 * 10 rounds, nanoseconds a packet; and milliseconds for the flush or report at the end.
 */
import process from 'node:process';
import { Value } from '@sinclair/typebox/value';
import { Layer, PacketBatch } from '@netspectra/proto';
import { PacketEvent, createSelection } from '../../../dist/engine/packet-selection.js';
import { RowSink } from '../../../dist/engine/row-sink.js';
import { fakeContext, ipv4Words, randomNumbers } from '../../../dist/engine/sketches/sketch-fixtures.js';
import { cardinalityTask } from '../../../dist/engine/tasks/cardinality.js';
import { frequencyTask } from '../../../dist/engine/tasks/frequency.js';

const packets = 1 << 18;
const batchRows = 4096;
const repeats = 4;
const rounds = 10;

function stream(flows) {
  const next = randomNumbers(1);
  const seen = new Uint8Array(flows);
  const selections = [];
  for (let start = 0; start < packets; start += batchRows) {
    const batch = new PacketBatch(batchRows, 0);
    batch.count = batchRows;
    const selection = createSelection(batch, batchRows);
    selection.count = batchRows;
    for (let row = 0; row < batchRows; row += 1) {
      const flow = next() % flows;
      const fromServer = next() & 1;
      const client = ipv4Words(0x0a000000 + (flow >>> 3)); // 8 flows a client, 1,000 servers
      const server = ipv4Words(0xc0a80000 + ((Math.imul(flow, 0x9e3779b1) >>> 0) % 1000));
      const clientPort = 1024 + ((Math.imul(flow, 0x85ebca6b) >>> 0) % 60_000);
      batch.sourceAddress.set(fromServer ? server : client, row * 4);
      batch.destinationAddress.set(fromServer ? client : server, row * 4);
      batch.sourcePort[row] = fromServer ? 443 : clientPort;
      batch.destinationPort[row] = fromServer ? clientPort : 443;
      batch.layers[row] = Layer.Ipv4 | Layer.HasAddresses | Layer.HasPorts | Layer.HasTcp;
      batch.tcpFlags[row] = 16;
      batch.protocol[row] = 6;
      batch.wireLength[row] = 60 + (next() % 1400);
      batch.timestampSeconds[row] = 1_700_000_000 + Math.floor((start + row) / 65_536);
      selection.rows[row] = row;
      selection.flow[row] = flow;
      selection.direction[row] = fromServer;
      selection.events[row] = seen[flow] ? 0 : PacketEvent.NewFlow;
      seen[flow] = 1;
    }
    selections.push(selection);
  }
  return selections;
}

const milliseconds = (since) => process.cpuUsage(since).user / 1000;

for (const flows of [1_000, 10_000, 200_000]) {
  const selections = stream(flows);
  for (const type of [cardinalityTask, frequencyTask]) {
    for (const windows of [false, true]) {
      const options = Value.Default(type.schema, {});
      const perPacket = [];
      const ends = [];
      for (let round = 0; round < rounds; round += 1) {
        const task = type.create(options, fakeContext(new RowSink('p', 1n, 0), { windows, report: !windows }));
        const begin = process.cpuUsage();
        for (let i = 0; i < repeats; i += 1) for (const selection of selections) task.process(selection);
        perPacket.push((milliseconds(begin) * 1e6) / (packets * repeats));
        const end = process.cpuUsage();
        if (windows) task.flush();
        else task.report();
        ends.push(milliseconds(end));
      }
      perPacket.sort((a, b) => a - b);
      ends.sort((a, b) => a - b);
      const middle = rounds >> 1;
      process.stdout.write(
        `${flows} flows, ${type.type}, ${windows ? 'windows' : 'report'}: ` +
          `${perPacket[0].toFixed(1)} .. ${perPacket[middle].toFixed(1)} ns/packet, end ${ends[middle].toFixed(1)} ms\n`,
      );
    }
  }
}
