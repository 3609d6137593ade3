/** `netspectra up` with something on its standard input: the embedded database reads descriptor 0 when it can. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openStore, schemaVersion } from '../../backend/src/storage/index.js';
import { rowsOf } from '../../backend/src/storage/store.js';
import { freePort, owned, repository, run, sampleCapture, temporaryFolder, until } from './process.js';

let folder = temporaryFolder();
afterEach(() => {
  folder.remove();
  folder = temporaryFolder();
});

const upInto = (data: string, ...more: string[]): string[] => [
  'up',
  '--data',
  data,
  '--listen',
  '127.0.0.1:0',
  ...more,
];

async function storedPackets(dataDir: string): Promise<unknown> {
  const store = await openStore({ dataDir }, { migrate: false });
  try {
    const sql = `SELECT (SELECT sum(packets) FROM traffic) AS packets, (SELECT sum(packets) FROM probe_stats) AS probe,
                        (SELECT count() FROM schema_migrations) AS migrations`;
    return rowsOf(await store.query(sql))[0];
  } finally {
    await store.close();
  }
}
const sample = { packets: 1932, probe: 1932, migrations: schemaVersion };

it('a capture on standard input is stored as packets, in a new store', async () => {
  const data = join(folder.path, 'data');
  const stdin = new Uint8Array(readFileSync(sampleCapture));
  expect(await run(upInto(data, '--once', '--read', '-'), { stdin })).toMatchObject({ code: 0, stdout: '' });
  expect(await storedPackets(data)).toEqual(sample);
});

it('text on standard input that nobody asked for goes nowhere', async () => {
  const data = join(folder.path, 'data');
  const stdin = new TextEncoder().encode('4711\tnot-a-migration\tx\n'.repeat(100));
  expect(await run(upInto(data, '--once'), { stdin })).toMatchObject({ code: 0, stdout: '' });
  expect(await storedPackets(data)).toEqual(sample);
});

it('standard input that stays open holds nothing up, and SIGTERM ends it', async () => {
  const data = join(folder.path, 'data');
  const program = join(repository, 'backend/bin/netspectra.js');
  const child = owned(spawn(process.execPath, [program, ...upInto(data, '--read', sampleCapture, '-')]));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  await until('the file before it is stored', () => stderr.includes('"capture read"'));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(await storedPackets(data)).toMatchObject(sample);
});

it('a capture that comes through a pipe is stored as it comes, not when it ends', async () => {
  const data = join(folder.path, 'data');
  const program = join(repository, 'backend/bin/netspectra.js');
  const port = await freePort();
  const args = ['up', '--data', data, '--listen', `127.0.0.1:${port}`, '--read', '-'];
  const child = owned(spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'ignore', 'ignore'] }));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const stored = async (): Promise<number> => {
    const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    );
    return Number(/^netspectra_packets_stored_total (\d+)/m.exec(text)?.[1] ?? -1);
  };
  const capture = readFileSync(sampleCapture);
  const half = recordBoundary(capture, capture.length / 2);
  // Ten bytes into the next record: it must wait for its rest, and nobody for it.
  child.stdin!.write(capture.subarray(0, half.offset + 10));
  await until('the first half is stored', async () => (await stored()) === half.packets);
  child.stdin!.write(capture.subarray(half.offset + 10));
  await until('the second half is stored, though the pipe is open', async () => (await stored()) === sample.packets);
  child.kill('SIGTERM');
  child.stdin!.end();
  expect(await ended).toBe(0);
  expect(await storedPackets(data)).toEqual(sample);
});

/** Where the first record at or behind `from` begins in a little-endian pcap file, and how many come before. */
function recordBoundary(capture: Buffer, from: number): { offset: number; packets: number } {
  let offset = 24;
  let packets = 0;
  while (offset < from) {
    offset += 16 + capture.readUInt32LE(offset + 8);
    packets += 1;
  }
  return { offset, packets };
}
