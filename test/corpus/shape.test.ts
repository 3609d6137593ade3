/**
 * Results do not depend on how the work is cut: any chunk size, any number of rows a chunk, any number of workers, and
 * compressed or not give the same analysis.
 */
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { analyzeFile } from '../../backend/src/cli/analyze.js';
import { capturesWith, corpusFolder, fixturesFolder } from './truth.js';

const folder = mkdtempSync(join(tmpdir(), 'netspectra-shape-'));
afterAll(() => rmSync(folder, { recursive: true }));

const wanted = [
  'sample.pcap',
  'loopback.pcap',
  'dns_fragmented.pcap',
  '1kxun.pcap',
  'gtp1_gn_normal_incl_fragmentation.pcap',
  'le-test201.pcapng',
  'frag-16.pcap',
  'mixed-vlan-mpls.pcap',
];
const captures = [
  ...capturesWith(corpusFolder, '.truth.json'),
  ...capturesWith(fixturesFolder, '.expected.json'),
].filter(({ name }) => wanted.includes(name));

describe('the cut of the work changes nothing', () => {
  it.each(captures)('$name', async ({ path }) => {
    const whole = await analyzeFile(path, { top: 10, workers: 1 });
    const shapes = [
      { workers: 1, chunkBytes: 256, chunkRows: 3 },
      { workers: 2, chunkBytes: 4096, chunkRows: 64 },
      { workers: 3, chunkBytes: 1000, chunkRows: 7 },
    ];
    for (const { workers, ...shape } of shapes) {
      const cut = await analyzeFile(path, { top: 10, workers }, shape);
      expect({ workers, shape, ...cut }).toEqual({ workers, shape, ...whole });
    }
    const packed = join(folder, 'packed.pcap.gz');
    writeFileSync(packed, gzipSync(readFileSync(path)));
    const unpacked = await analyzeFile(packed, { top: 10, workers: 2 }, { chunkBytes: 2048, chunkRows: 16 });
    expect({ ...unpacked.analysis, file: path }).toEqual(whole.analysis);
  });
});
