/** Encode and decode cost per packet and bytes per packet: `npx vitest bench proto/src/codec.bench.ts --run`. */
import { bench, describe } from 'vitest';
import { batchHeader, decodePacketBatch, encodePacketBatch } from './codec.js';
import { PacketBatch } from './packet-batch.js';

const rows = 1000; // packets a batch: the benchmark's "hz" times 1000 is packets per second
const batch = new PacketBatch(rows, 0, undefined, new Uint8Array(rows * 64));
for (let row = 0; row < rows; row += 1) {
  batch.timestampSeconds[row] = 1_700_000_000;
  batch.timestampNanoseconds[row] = row * 1000;
  batch.wireLength[row] = 60 + ((row * 7919) % 1400);
  batch.capturedLength[row] = batch.wireLength[row]!;
  batch.layers[row] = 9;
  batch.flowHash[row] = Math.imul(row, 0x9e3779b1);
  batch.sourceAddress.set([0, 0, 0xffff0000, row], row * 4);
  batch.destinationAddress.set([0, 0, 0xffff0000, row * 3], row * 4);
  batch.tcpSequence[row] = row;
  batch.tcpAcknowledgment[row] = row;
  batch.transportPayloadLength[row] = 40;
  batch.sourcePort[row] = row;
  batch.destinationPort[row] = 443;
  batch.etherType[row] = 0x800;
  batch.tcpFlags[row] = 16;
  batch.tcpWindow[row] = 500;
  batch.protocol[row] = 6;
  batch.hopLimit[row] = 64;
  batch.payloadOffset[row] = row * 64;
  batch.payloadLength[row] = row % 10 === 0 ? 64 : 0;
}
batch.count = rows;
const header = batchHeader({ probe: 'bench' });
const all = new Uint8Array(rows).fill(1);
const message = encodePacketBatch(batch, header);
const withPayload = encodePacketBatch(batch, header, all);
console.log(`bytes per packet: ${message.length / rows}, payload of every tenth: ${withPayload.length / rows}`);

describe('1000 TCP/IPv4 packets', () => {
  bench('encode', () => void encodePacketBatch(batch, header));
  bench('encode, payload of every tenth', () => void encodePacketBatch(batch, header, all));
  bench('decode', () => void decodePacketBatch(message));
  bench('decode, payload of every tenth', () => void decodePacketBatch(withPayload));
});
