#!/usr/bin/env node
/**
 * Makes test/fixtures: `node scripts/make-sample.js [--check]`, by hand, when the generator or the list of fixtures
 * changed. Everything but loopback.pcap (scripts/capture-loopback.js) comes from here, byte for byte the same each time.
 *
 * For each capture NAME it writes NAME.expected.json from tshark's view of the file, after the generator's own counts
 * were found equal; any difference ends it with exit code 1 and the differing keys. Needs tshark and zstd; with --check
 * nothing is written. See docs/sample-data.md.
 */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { gzipSync } from 'node:zlib';
import { damagedFixtures, sampleFixture, smallFixtures } from './lib/fixtures.js';
import { expectedFromTshark, tsharkVersion } from './expected-from-tshark.js';

const folder = fileURLToPath(new URL('../test/fixtures/', import.meta.url));
const check = process.argv.includes('--check');
const version = tsharkVersion();
if (version === undefined) {
  console.error('make-sample: tshark is not installed (apt-get install tshark)');
  process.exit(1);
}

/** Where two results differ, as lines. @param {any} ours @param {any} theirs @param {string} path @returns {string[]} */
function differences(ours, theirs, path = '') {
  if (isDeepStrictEqual(ours, theirs)) return [];
  const objects = [ours, theirs].every((value) => typeof value === 'object' && value !== null);
  if (!objects) return [`${path}: generated ${JSON.stringify(ours)}, tshark ${JSON.stringify(theirs)}`];
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  return [...keys].flatMap((key) => differences(ours[key], theirs[key], `${path}.${key}`));
}

let failed = false;
const scratch = mkdtempSync(join(tmpdir(), 'make-sample-'));

/** @param {string} name @param {Uint8Array | string} content */
function write(name, content) {
  if (!check) writeFileSync(join(folder, name), content);
}

/** @param {object} value */
const json = (value) => `${JSON.stringify(value, null, 1)}\n`;

/** @param {Uint8Array} bytes @param {string} name */
const identity = (name, bytes) => ({
  file: name,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  size: bytes.length,
});

try {
  const { fixture: sample, sessions, lookups } = sampleFixture();
  for (const fixture of [sample, ...smallFixtures()]) {
    const path = join(scratch, fixture.name);
    writeFileSync(path, fixture.bytes);
    const seen = expectedFromTshark(path);
    const lines = differences(fixture.expected, seen);
    if (lines.length > 0) {
      failed = true;
      console.error([`${fixture.name}: generator and tshark differ`, ...lines.slice(0, 20)].join('\n  '));
      continue;
    }
    write(fixture.name, fixture.bytes);
    write(
      `${fixture.name}.expected.json`,
      json({
        ...identity(fixture.name, fixture.bytes),
        format: fixture.format,
        byte_order: fixture.byteOrder,
        ts_resolution: fixture.resolution,
        link_types: fixture.linkTypes,
        tshark: { version },
        ...seen,
      }),
    );
    console.log(`${fixture.name}: ${fixture.bytes.length} bytes, ${seen.packets} packets`);
  }
  write('sample.sessions.json', json({ tcp: sessions, dns: lookups }));

  // Compressed copies. Their bytes depend on the compressor's version, so the test compares what comes out of them.
  const plain = smallFixtures().find((fixture) => fixture.name === 'pcap-us-le.pcap');
  if (!plain) throw new Error('pcap-us-le.pcap is gone');
  const half = Math.floor(plain.bytes.length / 2);
  write('pcap-us-le.pcap.gz', gzipSync(plain.bytes, { level: 9 }));
  write(
    'pcap-us-le-members.pcap.gz', // two gzip members one after the other (RFC 1952 2.2)
    Buffer.concat([gzipSync(plain.bytes.subarray(0, half)), gzipSync(plain.bytes.subarray(half))]),
  );
  writeFileSync(join(scratch, 'plain'), plain.bytes);
  write('pcap-us-le.pcap.zst', execFileSync('zstd', ['-19', '-q', '-c', join(scratch, 'plain')]));

  const damaged = damagedFixtures();
  for (const file of damaged) write(file.name, file.bytes);
  write(
    'damaged.expected.json',
    json(
      Object.fromEntries(
        damaged.map(({ name, bytes, about, packets, bytes_wire, damage }) => [
          name,
          { ...identity(name, bytes), about, packets, bytes_wire, damage },
        ]),
      ),
    ),
  );
  console.log(`${damaged.length} damaged files`);

  // The real capture cannot be made again bit by bit; its expected file is what tshark says of the committed one.
  const loopback = join(folder, 'loopback.pcap');
  const bytes = readFileSync(loopback);
  write(
    'loopback.pcap.expected.json',
    json({
      ...identity('loopback.pcap', bytes),
      format: 'pcap',
      byte_order: 'little',
      ts_resolution: 'ns',
      link_types: [1],
      tshark: { version },
      ...expectedFromTshark(loopback),
    }),
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
