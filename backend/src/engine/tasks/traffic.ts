/** Task `traffic`: packets and bytes per second by VLAN, network protocol, transport and application. */
import { Layer } from '@netspectra/proto';
import { Type } from '@sinclair/typebox';
import { applicationCode, applicationName } from '../application-name.js';
import { CounterTable } from '../counter-table.js';
import { defineTask } from '../task.js';

/** Most keys between two writes; a capture with more of them only gets more rows. */
const tableCapacity = 16_384;

export const trafficTask = defineTask({
  type: 'traffic',
  schema: Type.Object({}, { additionalProperties: false, description: 'packets and bytes per second by protocol' }),
  create(_options, context) {
    const table = new CounterTable(4, 2, tableCapacity);
    const window = context.counterWindowSeconds;
    const drain = (): void => {
      table.drain((key, at) => {
        const row = context.rows.table('traffic');
        row.begin();
        row.number(key[0]!);
        row.number(window);
        row.number(key[1]! & 0xffff);
        row.number(key[1]! >>> 16);
        row.number(key[2]! >>> 8);
        row.number(key[2]! & 0xff);
        row.text(applicationName(key[3]!));
        row.number(table.values[at]!);
        row.number(table.values[at + 1]!);
        row.end();
      });
    };
    return {
      process(selection) {
        if (!context.windows) return;
        const { batch, rows, count, flow, direction } = selection;
        const { layers, wireLength, timestampSeconds, vlan, etherType, protocol, sourcePort, destinationPort } = batch;
        const application = context.flowTable.application;
        const weight = batch.samplingRate;
        for (let i = 0; i < count; i += 1) {
          const row = rows[i]!;
          if (table.full) drain();
          const seconds = timestampSeconds[row]!;
          const bits = layers[row]!;
          // The innermost network layer names version and protocol; a frame without addresses has neither.
          let network = 0;
          if (bits & Layer.HasAddresses) {
            network = ((isIpv4(batch.sourceAddress, row) ? 4 : 6) << 8) | protocol[row]!;
          }
          let code = 0;
          const slot = flow[i]!;
          if (slot >= 0 && bits & Layer.HasPorts) {
            const from = sourcePort[row]!;
            const to = destinationPort[row]!;
            code =
              direction[i] === 0
                ? applicationCode(application[slot]!, to, from)
                : applicationCode(application[slot]!, from, to);
          }
          const at = table.at(
            seconds - (seconds % window),
            (vlan[row]! | (etherType[row]! << 16)) >>> 0,
            network,
            code,
          );
          const { values } = table;
          values[at] = values[at]! + weight;
          values[at + 1] = values[at + 1]! + wireLength[row]! * weight;
        }
      },
      flush: drain,
      finish() {},
      report: () => null,
    };
  },
  merge: () => null,
});

/** ::ffff:0:0/96 as the little- or big-endian words the batch holds. */
const mappedPrefix = new Uint32Array(new Uint8Array([0, 0, 0xff, 0xff]).buffer)[0]!;
function isIpv4(addresses: Uint32Array, row: number): boolean {
  const at = row << 2;
  return addresses[at] === 0 && addresses[at + 1] === 0 && addresses[at + 2] === mappedPrefix;
}
