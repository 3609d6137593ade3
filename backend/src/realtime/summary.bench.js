/** What real-time state costs for each flow row of a flush: `node backend/src/realtime/summary.bench.js` after a build. */
/* global process, TextEncoder */
import { performance } from 'node:perf_hooks';
import { summariseFlush } from '../../dist/realtime/summary.js';

const rows = 100_000;
const hosts = 20_000;
const address = (i) =>
  `0000:0000:0000:0000:0000:ffff:0a${(i >> 16).toString(16).padStart(2, '0')}:${(i & 65535).toString(16).padStart(4, '0')}`;
const text = Array.from({ length: rows }, (_, i) => {
  const [client, server] = [address((i * 7919) % hosts), address((i * 104_729) % 500)];
  return `1700000000\t10\t${i}4567890123\t${client}\t${server}\t${1024 + (i % 60000)}\t443\t6\t0\t0\t\t0\ttls\t${i % 100}\t${i}\t${i % 90}\t${i}\t1700000001.000000000\t1700000009.000000000\t${'0\t'.repeat(14)}0\t0\t0\t\t0\t\t\t0\t0\t\t0\t\t\t0\n`;
}).join('');
const flush = {
  probe: 'p1',
  epoch: 1n,
  partition: 0,
  firstSeq: 0,
  lastSeq: 0,
  blocks: [{ table: 'flows', rows, bytes: new TextEncoder().encode(text) }],
};
let best = Infinity;
for (let round = 0; round < 10; round += 1) {
  const begin = performance.now();
  summariseFlush(flush);
  best = Math.min(best, performance.now() - begin);
}
process.stdout.write(`${((best * 1000) / rows).toFixed(2)} us a flow row (${rows} rows, ${hosts} hosts)\n`);
