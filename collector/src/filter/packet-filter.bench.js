/**
 * Nanoseconds per packet for a filter over packet batches, marks and compaction, on the build:
 *
 *     npx tsc -b collector && node collector/src/filter/packet-filter.bench.js
 *
 * 64 batches of 1,024 packets (half TCP, half UDP, IPv4, addresses in 10.0.0.0/14, servers on 443 or 53); the filters
 * are run in turn, in several rounds, and the least of each is printed: other load only ever adds.
 */
import { PacketBatch } from '@netspectra/proto';
import { parseFilter } from '@netspectra/query';
import { PacketDecoder } from '../../dist/decode/index.js';
import { ethernet, ipv4, tcp, udp } from '../../dist/decode/testing.js';
import { RowCompactor, compilePacketFilter } from '../../dist/filter/index.js';

const batches = 64;
const rows = 1024;
const rounds = 30;
const filters = [
  'host 10.0.3.7',
  'src net 10.1.0.0/16 and tcp port 443',
  'host in (10.0.0.0/24, 10.1.7.0/24, 192.168.0.0/16) and not udp port 53',
];

// Not imported: this folder has no Node imports, so that it runs in browsers.
const { process } = globalThis;

let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state >>> 8;
};
const host = () => `10.${random() & 3}.${random() & 255}.${random() & 255}`;

const decoder = new PacketDecoder();
const filled = Array.from({ length: batches }, () => {
  const batch = new PacketBatch(rows, rows * 8);
  for (let i = 0; i < rows; i += 1) {
    const isTcp = (random() & 1) === 0;
    const port = 1024 + (random() & 0x7fff);
    const payload = new Uint8Array(20);
    const bytes = ethernet(
      0x0800,
      ipv4(isTcp ? 6 : 17, isTcp ? tcp(port, 443, payload) : udp(port, 53, payload), {
        source: host(),
        destination: host(),
      }),
    );
    decoder.decode(bytes, 0, bytes.length, bytes.length, 1, 1, 1, 0, batch);
  }
  return batch;
});

const marks = new Uint8Array(rows);
const compiled = filters.map((text) => {
  const parsed = parseFilter(text);
  const result = parsed.ok ? compilePacketFilter(parsed.filter) : undefined;
  if (!result?.ok) throw new Error(text);
  return { text, filter: result.filter, least: Infinity, kept: 0 };
});

for (let round = 0; round < rounds; round += 1) {
  for (const entry of compiled) {
    const started = process.hrtime.bigint();
    let kept = 0;
    for (const batch of filled) kept += entry.filter.mark(batch, marks);
    const taken = Number(process.hrtime.bigint() - started) / (batches * rows);
    entry.least = Math.min(entry.least, taken);
    entry.kept = kept / (batches * rows);
  }
}
for (const { text, least, kept } of compiled) {
  process.stdout.write(
    `${least.toFixed(1).padStart(6)} ns/packet  keeps ${(100 * kept).toFixed(1).padStart(5)} %  ${text}\n`,
  );
}

// Every second row goes; what is left is put back each time by decoding's own count.
let least = Infinity;
const half = Uint8Array.from({ length: rows }, (_, i) => i & 1);
const compactor = new RowCompactor();
for (let round = 0; round < rounds; round += 1) {
  const started = process.hrtime.bigint();
  for (const batch of filled) {
    compactor.compact(batch, half);
    batch.count = rows;
  }
  least = Math.min(least, Number(process.hrtime.bigint() - started) / (batches * rows));
}
process.stdout.write(`${least.toFixed(1).padStart(6)} ns/packet  compaction, every second row\n`);
