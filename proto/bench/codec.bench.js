/**
 * Processor time of encode and decode per packet, and bytes per packet, on the build:
 *
 *     npx tsc -b proto && node proto/bench/codec.bench.js
 *
 * Least and middle of 40 rounds of 200 batches of 1,000 TCP/IPv4 packets.
 */
import { PacketBatch, batchHeader, decodePacketBatch, encodePacketBatch } from '../dist/index.js';

// Not imported: this package imports nothing of Node.
const { process } = globalThis;

const rows = 1000;
const batches = 200;
const rounds = 40;
const batch = new PacketBatch(rows, 0, undefined, new Uint8Array(rows * 64));
for (let row = 0; row < rows; row += 1) {
  batch.timestampSeconds[row] = 1_700_000_000;
  batch.timestampNanoseconds[row] = row * 1000;
  batch.wireLength[row] = 60 + ((row * 7919) % 1400);
  batch.capturedLength[row] = batch.wireLength[row];
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
let kept = 0;
const work = {
  encode: () => (kept += encodePacketBatch(batch, header).length),
  'encode, payload of every tenth': () => (kept += encodePacketBatch(batch, header, all).length),
  decode: () => (kept += decodePacketBatch(message).ok ? 1 : 0),
  'decode, payload of every tenth': () => (kept += decodePacketBatch(withPayload).ok ? 1 : 0),
};
for (const [name, run] of Object.entries(work)) {
  const times = [];
  for (let round = 0; round < rounds; round += 1) {
    const begin = process.cpuUsage();
    for (let i = 0; i < batches; i += 1) run();
    const { user, system } = process.cpuUsage(begin);
    times.push(((user + system) * 1000) / (rows * batches));
  }
  times.sort((a, b) => a - b);
  process.stdout.write(`${name}: ${times[0].toFixed(1)} .. ${times[rounds >> 1].toFixed(1)} ns/packet\n`);
}
process.stdout.write(
  `${message.length / rows} bytes/packet, ${withPayload.length / rows} with payload of every tenth (${kept ? 'ok' : ''})\n`,
);
