/**
 * What enrichment costs a flow row, on the build:
 *
 *     npx tsc -b backend && node --expose-gc backend/src/enrichment/enrichment.bench.js
 *
 * Nanoseconds to write the ten columns of a row, least of 7 rounds in turns: without an enricher; with one and addresses
 * seen before (16,000 clients, 800 servers); and with addresses that are all new (a scan of random public ones), where
 * every row has two walks of a real tree of each of two databases.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { Enricher } from '../../dist/enrichment/index.js';
import { RowSink } from '../../dist/engine/row-sink.js';
import { tables } from '../../dist/tables/index.js';

const rows = 200_000;
const rounds = 7;
const folder = dirname(
  createRequire(import.meta.url).resolve('@ip-location-db/geo-whois-asn-country-mmdb/package.json'),
);
const file = readFileSync(join(folder, 'geo-whois-asn-country.mmdb'));
const shared = new SharedArrayBuffer(file.length);
new Uint8Array(shared).set(file);
const networks = Array.from({ length: 1000 }, (_, i) => ({
  name: `network ${i}`,
  cidr: [`${20 + (i >> 8)}.${i & 255}.0.0/16`],
  local: i < 10,
}));
const data = { networks, country: shared, asn: shared };

let state = 1;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
/** Pairs of addresses, 32 bytes a row. */
function pairs(client, server) {
  const bytes = new Uint8Array(rows * 32);
  const view = new DataView(bytes.buffer);
  for (let row = 0; row < rows; row += 1) {
    for (const [at, word] of [
      [row * 32, client()],
      [row * 32 + 16, server()],
    ]) {
      view.setUint32(at + 8, 0xffff);
      view.setUint32(at + 12, word);
    }
  }
  return bytes;
}
const known = pairs(
  () => 0x14000000 + Math.imul(random() % 16_000, 4099),
  () => 0x05090000 + (random() % 800),
);
const scan = pairs(random, random);

const columns = tables.flows.columns.length - 15;
function measure(bytes, enricher) {
  const row = new RowSink(enricher).table('flows');
  const started = process.hrtime.bigint();
  for (let i = 0; i < rows; i += 1) {
    row.begin();
    for (let column = 0; column < columns; column += 1) row.number(0);
    row.places(bytes, i * 32, i * 32 + 16);
    row.end();
  }
  return Number(process.hrtime.bigint() - started) / rows;
}

const cases = {
  'without an enricher': () => measure(known, null),
  'addresses seen before': (
    (enricher) => () =>
      measure(known, enricher)
  )(new Enricher(data)),
  'networks only, seen before': (
    (enricher) => () =>
      measure(known, enricher)
  )(new Enricher({ ...data, country: null, asn: null })),
  'addresses all new': () => measure(scan, new Enricher(data)),
};
const least = Object.fromEntries(Object.keys(cases).map((name) => [name, Infinity]));
for (let round = 0; round < rounds; round += 1) {
  for (const [name, run] of Object.entries(cases)) least[name] = Math.min(least[name], run());
}
const base = least['without an enricher'];
for (const [name, value] of Object.entries(least)) {
  process.stdout.write(
    `${name.padEnd(30)} ${value.toFixed(0).padStart(6)} ns a row, ${(value - base).toFixed(0)} more\n`,
  );
}

globalThis.gc?.();
const before = process.memoryUsage();
const kept = new Enricher(data);
for (let i = 0; i < rows * 2; i += 1) kept.placeOf(scan, i * 16);
globalThis.gc?.();
const after = process.memoryUsage();
const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
process.stdout.write(
  `an enricher after ${kept.counters.misses} addresses: ${mebibytes(after.heapUsed - before.heapUsed)} MiB heap, ` +
    `${mebibytes(after.arrayBuffers - before.arrayBuffers)} MiB buffers; the file, once a process: ${mebibytes(file.length)} MiB\n`,
);
