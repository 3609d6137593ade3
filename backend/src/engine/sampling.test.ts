/** Sampled packets: what is stored is what all packets would have made, multiplied where packets are counted and nowhere else. */
import { Value } from '@sinclair/typebox/value';
import { expect, it } from 'vitest';
import { tables } from '../tables/index.js';
import type { TableName } from '../tables/index.js';
import { Accounting } from './accounting.js';
import { createSelection } from './packet-selection.js';
import { batchOf, TaskBench } from './sketches/sketch-fixtures.js';
import type { FakePacket } from './sketches/sketch-fixtures.js';
import type { Task, TaskContext } from './task.js';
import { flowTask } from './tasks/flow.js';
import { frequencyTask } from './tasks/frequency.js';
import { tcpHealthTask } from './tasks/tcp_health.js';
import { trafficTask } from './tasks/traffic.js';

const side = { source: 1, destination: 2, sourcePort: 1000, destinationPort: 80, protocol: 6, bytes: 100 };
const packets: FakePacket[] = [
  { ...side, seconds: 20, tcpFlags: 2, tcpSequence: 10 },
  { ...side, seconds: 20, tcpFlags: 18, source: 2, destination: 1, sourcePort: 80, destinationPort: 1000 },
  // Seen before: a retransmission.
  { ...side, seconds: 21, tcpFlags: 2, tcpSequence: 10 },
];

/** Rows that a task makes of these packets, as objects by column. */
function rowsOf(
  create: (context: TaskContext) => Task,
  table: TableName,
  samplingRate: number,
): Record<string, string>[] {
  const bench = new TaskBench(create, { report: false });
  const batch = batchOf(packets);
  batch.samplingRate = samplingRate;
  const selection = createSelection(batch, batch.count);
  selection.rows.forEach((_, row) => (selection.rows[row] = row));
  selection.count = batch.count;
  bench.flowTable.track(selection);
  bench.task.process(selection);
  bench.flush();
  const block = bench.rows.take().find((each) => each.table === table);
  const columns = tables[table].rowColumns.map(({ name }) => name);
  return new TextDecoder()
    .decode(block?.bytes)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Object.fromEntries(line.split('\t').map((text, i) => [columns[i], text])));
}

const sum = (rows: readonly Record<string, string>[], column: string): number =>
  rows.reduce((all, row) => all + Number(row[column]), 0);

it.each([
  [
    'flows',
    (context: TaskContext) => flowTask.create({}, context),
    ['client_packets', 'client_bytes', 'server_packets', 'server_bytes', 'client_retransmissions'],
    ['new_flow'],
  ],
  ['traffic', (context: TaskContext) => trafficTask.create({}, context), ['packets', 'bytes'], []],
  [
    'tcp_health',
    (context: TaskContext) => tcpHealthTask.create({}, context),
    ['tcp_packets', 'tcp_bytes', 'syn', 'syn_ack', 'retransmissions'],
    ['rtt_count'],
  ],
] as const)('%s', (table, create, multiplied, kept) => {
  const all = rowsOf(create as (context: TaskContext) => Task, table, 1);
  const sampled = rowsOf(create as (context: TaskContext) => Task, table, 1000);
  expect(sampled).toHaveLength(all.length);
  for (const column of multiplied) {
    expect(sum(all, column), column).toBeGreaterThan(0);
    expect(sum(sampled, column), column).toBe(1000 * sum(all, column));
  }
  for (const column of kept) expect(sum(sampled, column), column).toBe(sum(all, column));
});

it('the most frequent keys', () => {
  const options = Value.Default(frequencyTask.schema, {}) as Parameters<typeof frequencyTask.create>[0];
  const create = (context: TaskContext) => frequencyTask.create(options, context) as Task;
  const all = rowsOf(create, 'top_keys', 1);
  const sampled = rowsOf(create, 'top_keys', 64);
  expect(sum(all, 'bytes')).toBeGreaterThan(0);
  expect(sum(sampled, 'bytes')).toBe(64 * sum(all, 'bytes'));
  expect(sum(sampled, 'packets')).toBe(64 * sum(all, 'packets'));
});

it('the accounts hold the packets that were kept, and the rate', () => {
  const accounting = new Accounting();
  const batch = batchOf(packets);
  batch.samplingRate = 1000;
  const selection = createSelection(batch, batch.count);
  selection.rows.forEach((_, row) => (selection.rows[row] = row));
  selection.count = batch.count;
  accounting.count(selection);
  expect(accounting.take()).toMatchObject({ packets: 3, bytes: 300, samplingRate: 1000 });
  expect(accounting.take()).toMatchObject({ packets: 0, samplingRate: 1 });
});

it('counters of 32 bits stop at their end', () => {
  const rows = rowsOf((context) => flowTask.create({}, context) as Task, 'flows', 0xffffffff);
  expect(sum(rows, 'client_retransmissions')).toBe(0xffffffff);
  expect(sum(rows, 'client_packets')).toBe(2 * 0xffffffff);
});
