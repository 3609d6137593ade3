/**
 * Processor time of the cardinality and frequency tasks together per flow delta, on the build (a test runner's module loader
 * makes every imported name a property access, which these loops are too tight for):
 *
 *     npx tsc -b backend && node backend/src/engine/tasks/sketch-tasks.bench.js [FLOWS ...]
 *
 * A flow table is filled with so many flows, half of them answered: every second one has a client of its own, and there is
 * a server to eight flows. `report`: closeDeltas and the tasks' reports. `windows`: a packet for every flow in each of
 * three windows, then the flush. From that the time of the same table without the tasks is taken off. Least and middle of 7
 * rounds in turns, nanoseconds a delta; of the least also the part that is the end's (report, or rows of the flush).
 */
import process from 'node:process';
import { Value } from '@sinclair/typebox/value';
import { FlowTable } from '../../../dist/engine/flow-table/index.js';
import { createSelection } from '../../../dist/engine/packet-selection.js';
import { RowSink } from '../../../dist/engine/row-sink.js';
import { batchOf } from '../../../dist/engine/sketches/sketch-fixtures.js';
import { cardinalityTask } from '../../../dist/engine/tasks/cardinality.js';
import { frequencyTask } from '../../../dist/engine/tasks/frequency.js';

const batchRows = 4096;
const rounds = 7;
const windowsFed = 3;

/** A packet for each flow, from its client, then for every second flow the answer. */
function selectionsOf(flows) {
  const selections = [];
  for (let start = 0; start < flows * 1.5; start += batchRows) {
    const packets = Array.from({ length: Math.min(batchRows, Math.ceil(flows * 1.5) - start) }, (_, i) => {
      const flow = start + i < flows ? start + i : (start + i - flows) * 2;
      const client = 0x0a000000 + (flow >>> 1);
      const server = 0x0b000000 + ((Math.imul(flow, 0x9e3779b1) >>> 0) % Math.ceil(flows / 8));
      const port = 1024 + ((Math.imul(flow, 0x85ebca6b) >>> 0) % 60_000);
      const back = start + i >= flows;
      return {
        seconds: 1_700_000_000,
        source: back ? server : client,
        destination: back ? client : server,
        sourcePort: back ? 443 : port,
        destinationPort: back ? port : 443,
        bytes: 60 + (flow % 1400),
      };
    });
    const batch = batchOf(packets);
    const selection = createSelection(batch, batch.count);
    selection.count = batch.count;
    for (let row = 0; row < batch.count; row += 1) selection.rows[row] = row;
    selections.push(selection);
  }
  return selections;
}

/** Milliseconds of processor time: telling the deltas, and the end. */
function run(selections, flows, windows, withTasks) {
  const flowTable = new FlowTable({
    maxFlows: flows * 2,
    windowSeconds: windows ? 10 : 0,
    idleTimeoutSeconds: 0,
  });
  const context = {
    flowTable,
    rows: new RowSink(),
    probe: 'bench',
    counterWindowSeconds: 1,
    flowWindowSeconds: 10,
    sketchWindowSeconds: 60,
    windows,
    report: !windows,
    reportTop: 10,
  };
  const types = withTasks ? [cardinalityTask, frequencyTask] : [];
  const tasks = types.map((type) => type.create(Value.Default(type.schema, {}), context));
  let begin = process.cpuUsage();
  for (let window = 0; window < (windows ? windowsFed : 1); window += 1) {
    for (const { batch } of selections) batch.timestampSeconds.fill(1_700_000_000 + window * 10);
    for (const selection of selections) flowTable.track(selection);
    if (window === 0) begin = process.cpuUsage();
  }
  if (windows) flowTable.flush();
  else flowTable.closeDeltas();
  const told = process.cpuUsage(begin);
  const end = process.cpuUsage();
  for (const task of tasks) {
    if (windows) task.flush();
    else task.report();
  }
  return { told: told.user / 1000, end: process.cpuUsage(end).user / 1000 };
}

const wanted = process.argv.slice(2).map(Number);
for (const flows of wanted.length > 0 ? wanted : [10_000, 200_000, 1_000_000]) {
  const selections = selectionsOf(flows);
  for (const windows of [false, true]) {
    const deltas = windows ? flows * windowsFed : flows;
    const all = [];
    for (let round = 0; round < rounds; round += 1) {
      const without = run(selections, flows, windows, false);
      const withTasks = run(selections, flows, windows, true);
      all.push({ told: withTasks.told - without.told, end: withTasks.end });
    }
    all.sort((a, b) => a.told + a.end - b.told - b.end);
    const perDelta = (milliseconds) => ((milliseconds * 1e6) / deltas).toFixed(0);
    const [least, middle] = [all[0], all[rounds >> 1]];
    process.stdout.write(
      `${flows} flows, ${windows ? 'windows' : 'report'}: ${perDelta(least.told + least.end)} .. ` +
        `${perDelta(middle.told + middle.end)} ns/delta, of it the end ${perDelta(least.end)} (${least.end.toFixed(1)} ms)\n`,
    );
  }
}
