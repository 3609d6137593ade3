/** Task `tcp_health`: how TCP fares, per second and VLAN: handshakes, resets, retransmissions, zero windows, RTT. */
import { Layer } from '@netspectra/proto';
import { Type } from '@sinclair/typebox';
import { CounterTable } from '../counter-table.js';
import { defineTask, PacketEvent } from '../task.js';

const rttBuckets = 32;
const [packets, bytes, syn, synAck, fin, rst, retransmissions, outOfOrder, zeroWindows, rttCount, rttSum, histogram] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
];
const valueWords = histogram! + rttBuckets;
const names = [
  'packets',
  'bytes',
  'syn',
  'syn_ack',
  'fin',
  'rst',
  'retransmissions',
  'out_of_order',
  'zero_windows',
  'rtt_count',
  'rtt_sum_ns',
];

/** Sums over the run, by the names of the table's columns. */
export type TcpHealthReport = Record<string, number>;

export const tcpHealthTask = defineTask({
  type: 'tcp_health',
  schema: Type.Object(
    {},
    { additionalProperties: false, description: 'TCP handshakes, resets, losses and round trips' },
  ),
  create(_options, context) {
    const table = new CounterTable(2, valueWords, 4096);
    const totals: TcpHealthReport = Object.fromEntries(names.map((name) => [name, 0]));
    const window = context.counterWindowSeconds;
    const drain = (): void => {
      table.drain((key, at) => {
        if (context.report)
          for (const [i, name] of names.entries()) totals[name] = totals[name]! + table.values[at + i]!;
        if (!context.windows) return;
        const row = context.rows.table('tcp_health');
        row.begin();
        row.number(key[0]!);
        row.number(window);
        row.number(key[1]!);
        for (let i = 0; i < names.length; i += 1) row.number(table.values[at + i]!);
        row.numbers(table.values.subarray(at + histogram!, at + valueWords));
        row.end();
      });
    };
    return {
      process(selection) {
        const { batch, rows, count, flow, events } = selection;
        const { layers, tcpFlags, wireLength, timestampSeconds, vlan } = batch;
        // Round trips stay as many as were measured: they are samples, not traffic.
        const weight = batch.samplingRate;
        for (let i = 0; i < count; i += 1) {
          const row = rows[i]!;
          if ((layers[row]! & Layer.HasTcp) === 0) continue;
          const seconds = timestampSeconds[row]!;
          if (table.full) drain();
          const at = context.windows ? table.at(seconds - (seconds % window), vlan[row]!, 0, 0) : table.at(0, 0, 0, 0);
          const { values } = table;
          values[at + packets!] = values[at + packets!]! + weight;
          values[at + bytes!] = values[at + bytes!]! + wireLength[row]! * weight;
          const flags = tcpFlags[row]!;
          if (flags & 7) {
            const which = flags & 4 ? rst! : flags & 2 ? (flags & 16 ? synAck! : syn!) : fin!;
            values[at + which] = values[at + which]! + weight;
          }
          const event = events[i]!;
          if (event === 0) continue;
          if (event & PacketEvent.Retransmission)
            values[at + retransmissions!] = values[at + retransmissions!]! + weight;
          if (event & PacketEvent.OutOfOrder) values[at + outOfOrder!] = values[at + outOfOrder!]! + weight;
          if (event & PacketEvent.ZeroWindow) values[at + zeroWindows!] = values[at + zeroWindows!]! + weight;
          if (event & PacketEvent.RttMeasured) {
            const nanoseconds = context.flowTable.rttNanoseconds(flow[i]!);
            values[at + rttCount!] = values[at + rttCount!]! + 1;
            values[at + rttSum!] = values[at + rttSum!]! + nanoseconds;
            const microseconds = Math.max(1, Math.floor(nanoseconds / 1000));
            const bucket = at + histogram! + Math.min(rttBuckets - 1, 31 - Math.clz32(microseconds));
            values[bucket] = values[bucket]! + 1;
          }
        }
      },
      flush: drain,
      finish() {},
      report() {
        drain();
        return totals;
      },
    };
  },
  merge(reports) {
    const sum: TcpHealthReport = Object.fromEntries(names.map((name) => [name, 0]));
    for (const report of reports) for (const name of names) sum[name] = sum[name]! + (report[name] ?? 0);
    return sum;
  },
});
