/**
 * Cost of the cardinality and frequency tasks per packet: `npx vitest bench backend/src/engine/tasks/sketch-tasks.bench.ts --run`.
 * A round is the same 2^18 packets over so many flows; "mean" in ms / 262.144 is microseconds a packet.
 */
import { Layer, PacketBatch } from '@netspectra/proto';
import { Value } from '@sinclair/typebox/value';
import { bench, describe } from 'vitest';
import { PacketEvent, createSelection } from '../packet-selection.js';
import type { PacketSelection } from '../packet-selection.js';
import { RowSink } from '../row-sink.js';
import { fakeContext, ipv4Words, randomNumbers } from '../sketches/sketch-fixtures.js';
import { cardinalityTask } from './cardinality.js';
import { frequencyTask } from './frequency.js';

const packets = 1 << 18;
const batchRows = 4096;

/** Packets of `flows` flows between clients (a flow each of 8) and 1,000 servers, in random order; 1 s every 2^16. */
function stream(flows: number): PacketSelection[] {
  const next = randomNumbers(1);
  const seen = new Uint8Array(flows);
  const selections: PacketSelection[] = [];
  for (let start = 0; start < packets; start += batchRows) {
    const batch = new PacketBatch(batchRows, 0);
    batch.count = batchRows;
    const selection = createSelection(batch, batchRows);
    selection.count = batchRows;
    for (let row = 0; row < batchRows; row += 1) {
      const flow = next() % flows;
      const fromServer = next() & 1;
      const client = ipv4Words(0x0a000000 + (flow >>> 3));
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

const types = { cardinality: cardinalityTask, frequency: frequencyTask };
for (const flows of [1_000, 10_000, 200_000]) {
  const selections = stream(flows);
  describe(`${flows} flows, ${packets} packets`, () => {
    for (const [name, type] of Object.entries(types)) {
      for (const windows of [false, true]) {
        const options = Value.Default(type.schema, {}) as never;
        bench(
          `${name}, ${windows ? 'windows and a flush' : 'report only'}`,
          () => {
            const rows = new RowSink('p', 1n, 0);
            const task = type.create(options, fakeContext(rows, { windows, report: !windows }));
            for (const selection of selections) task.process(selection);
            if (windows) task.flush();
            else task.report();
          },
          { time: 1000, warmupIterations: 2, iterations: 8 },
        );
      }
    }
  });
}
