import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../errors.js';
import type { Flush } from '../../tables/index.js';
import { WriteForbidden } from '../../tables/index.js';
import { makeFlush, temporaryDataDir } from '../testing.js';
import { journalName } from './ndjson-journal.js';
import { openNdjsonWriter } from './ndjson-writer.js';
import type { NdjsonOptions, NdjsonWriter } from './ndjson-writer.js';

const second = 1_700_000_000;
let folder: { path: string; remove: () => void };
let opened: NdjsonWriter[] = [];
beforeEach(() => {
  folder = temporaryDataDir();
});
afterEach(async () => {
  await Promise.all(opened.map((writer) => writer.close()));
  opened = [];
  folder.remove();
});

async function open(options: Partial<NdjsonOptions> = {}): Promise<NdjsonWriter> {
  const writer = await openNdjsonWriter({
    dir: folder.path,
    tables: ['flows', 'dns'],
    rotateBytes: 1 << 30,
    rotateMs: 3_600_000,
    compress: false,
    filesMax: 1000,
    bytesMax: 1 << 30,
    ...options,
  });
  opened.push(writer);
  return writer;
}
/** A kill: nothing is closed, only the lock is as if its holder were gone. */
function kill(): void {
  opened = [];
}

/** A flush of some rows; each row's flow_id names it. */
function flushOf(seq: number, rows = 3, probe = 'p1'): Flush {
  const row = (i: number) => ({ window_start: second, flow_id: seq * 1000 + i, client_ip: '::ffff:192.0.2.1' });
  return makeFlush(
    { probe, epoch: 5n, partition: 0, firstSeq: seq, lastSeq: seq },
    {
      flows: Array.from({ length: rows }, (_, i) => row(i)),
      dns: [{ timestamp: `${second}.000000000`, name: `n${seq}` }],
      traffic: [{ window_start: second, packets: 1 }],
    },
  );
}

const names = (table: string): string[] =>
  readdirSync(folder.path)
    .filter((name) => name.startsWith(`${table}-`))
    .sort();
function rowsOf(table: string): Record<string, unknown>[] {
  const text = names(table)
    .map((name) => readFileSync(join(folder.path, name)))
    .map((bytes) => (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString())
    .join('');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
const idsOf = (table = 'flows'): unknown[] => rowsOf(table).map((row) => row['flow_id']);
const expectedIds = (...flushes: [seq: number, rows: number][]): string[] =>
  flushes.flatMap(([seq, rows]) => Array.from({ length: rows }, (_, i) => String(seq * 1000 + i)));

describe('the writer of NDJSON files', () => {
  it('writes the chosen tables, a file each, and each flush once', async () => {
    const writer = await open();
    await writer.write(flushOf(1));
    await writer.write(flushOf(2));
    await writer.write(flushOf(1));
    await writer.write(flushOf(1, 3, 'p2'));
    expect(idsOf()).toEqual(expectedIds([1, 3], [2, 3], [1, 3]));
    expect(rowsOf('dns').map((row) => [row['name'], row['probe']])).toEqual([
      ['n1', 'p1'],
      ['n2', 'p1'],
      ['n1', 'p2'],
    ]);
    expect(names('traffic')).toEqual([]);
    expect(writer.counters).toMatchObject({ flushes: 3, repeated: 1, rows: 12, failures: 0 });
    expect(writer.bytes).toBe(
      [...names('flows'), ...names('dns')].reduce((sum, name) => sum + statSync(join(folder.path, name)).size, 0),
    );
    await writer.close();
    const again = await open();
    await again.write(flushOf(2));
    await again.write(flushOf(3));
    expect(idsOf()).toEqual(expectedIds([1, 3], [2, 3], [1, 3], [3, 3]));
    expect(names('flows')).toHaveLength(1);
    expect(again.counters).toMatchObject({ flushes: 1, repeated: 1, tornBytes: 0 });
  });

  it('cuts off what a kill left behind the last whole flush, wherever it struck', async () => {
    const writer = await open();
    await writer.write(flushOf(1));
    await writer.close();
    const whole = readdirSync(folder.path).map((name) => [name, readFileSync(join(folder.path, name))] as const);
    const next = await open();
    await next.write(flushOf(2));
    await next.close();
    const [flows] = names('flows');
    const journal = readFileSync(join(folder.path, journalName));
    const grown = readFileSync(join(folder.path, flows!));
    const journalBefore = whole.find(([name]) => name === journalName)![1].length;
    const flowsBefore = whole.find(([name]) => name === flows)![1].length;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: flowsBefore, max: grown.length }),
        fc.integer({ min: journalBefore, max: journal.length - 1 }),
        async (bytes, journalBytes) => {
          for (const [name, content] of whole) writeFileSync(join(folder.path, name), content);
          // As it was after the kill: rows of a flush to somewhere, its line in the journal not to its end.
          writeFileSync(join(folder.path, flows!), grown.subarray(0, bytes));
          writeFileSync(join(folder.path, journalName), journal.subarray(0, journalBytes));
          const reopened = await open();
          expect(idsOf()).toEqual(expectedIds([1, 3]));
          expect(reopened.counters.tornBytes).toBe(bytes - flowsBefore);
          await reopened.write(flushOf(2, 2));
          await reopened.close();
          expect(idsOf()).toEqual(expectedIds([1, 3], [2, 2]));
        },
      ),
      { numRuns: 25 },
    );
  });

  it('removes a file that was begun and never got a whole flush, and keeps files from before its journal', async () => {
    const writer = await open();
    await writer.write(flushOf(1));
    await writer.close();
    const [name] = names('flows');
    writeFileSync(join(folder.path, name!.replace(/\d{3}Z/, '999Z').replace(/-\d{4}/, '-2999')), '{"torn":');
    const again = await open();
    expect(names('flows')).toEqual([name]);
    await again.close();
    rmSync(join(folder.path, journalName));
    const fresh = await open();
    await fresh.write(flushOf(2));
    expect(idsOf()).toEqual(expectedIds([1, 3], [2, 3]));
    expect(names('flows')).toHaveLength(2);
  });

  it('goes on in a new file when the old one is shorter than it was left', async () => {
    const writer = await open();
    await writer.write(flushOf(1));
    await writer.close();
    const line = readFileSync(join(folder.path, names('flows')[0]!)).indexOf(10) + 1;
    truncateSync(join(folder.path, names('flows')[0]!), line);
    const again = await open();
    await again.write(flushOf(2));
    expect(idsOf()).toEqual(['1000', ...expectedIds([2, 3])]);
    expect(names('flows')).toHaveLength(2);
  });

  it('closes files by size and by age, compresses them, and deletes the oldest', async () => {
    const writer = await open({ rotateBytes: 2000, compress: true, filesMax: 3, tables: ['flows'] });
    for (let seq = 1; seq <= 6; seq += 1) await writer.write(flushOf(seq));
    await expect.poll(() => names('flows').every((name) => name.endsWith('.gz'))).toBe(true);
    expect(idsOf()).toEqual(expectedIds([4, 3], [5, 3], [6, 3]));
    expect(writer.counters).toMatchObject({ rotated: 6, deleted: 3, flushes: 6, compressFailures: 0 });
    expect(writer.bytes).toBe(names('flows').reduce((sum, name) => sum + statSync(join(folder.path, name)).size, 0));
    await writer.close();
    const aged = await open({ rotateMs: 20, tables: ['flows'], filesMax: 2 });
    await aged.write(flushOf(7));
    await expect.poll(() => aged.counters.rotated).toBe(1);
    expect(idsOf()).toEqual(expectedIds([6, 3], [7, 3]));
    await aged.close();
    const small = await open({ bytesMax: 1, tables: ['flows'] });
    expect(names('flows')).toEqual([]);
    expect(small.counters.deleted).toBe(2);
  });

  it('finishes what a kill interrupted while it compressed', async () => {
    const writer = await open({ rotateBytes: 1, tables: ['flows'] });
    await writer.write(flushOf(1));
    await writer.write(flushOf(2));
    await writer.close();
    const [first, other] = names('flows');
    writeFileSync(join(folder.path, `${first}.gz.tmp`), 'half');
    writeFileSync(join(folder.path, `${other}.gz`), gzipSync(readFileSync(join(folder.path, other!))));
    await open({ tables: ['flows'], compress: true });
    await expect.poll(() => names('flows')).toEqual([`${first}.gz`, `${other}.gz`]);
    expect(idsOf()).toEqual(expectedIds([1, 3], [2, 3]));
  });

  it('remembers a bounded number of flushes', async () => {
    const writer = await open({ namesMax: 3 });
    for (let seq = 1; seq <= 20; seq += 1) await writer.write(flushOf(seq, 1));
    for (const seq of [18, 19, 20]) await writer.write(flushOf(seq, 1));
    expect(writer.counters).toMatchObject({ flushes: 20, repeated: 3 });
    expect(readFileSync(join(folder.path, journalName), 'utf8').split('\n').length).toBeLessThan(12);
    await writer.write(flushOf(1, 1));
    expect(writer.counters.flushes).toBe(21);
    await writer.close();
    const again = await open({ namesMax: 3 });
    await again.write(flushOf(20, 1));
    await again.write(flushOf(19, 1));
    expect(again.counters.repeated).toBe(2);
  });

  it('leaves nothing of a flush that may not be written any more', async () => {
    const writer = await open();
    await writer.write(flushOf(1));
    await expect(writer.write(flushOf(2), () => false)).rejects.toThrow(WriteForbidden);
    expect(idsOf()).toEqual(expectedIds([1, 3]));
    await writer.write(flushOf(2));
    expect(idsOf()).toEqual(expectedIds([1, 3], [2, 3]));
  });

  it('says which folder it cannot use, and who has it', async () => {
    await open();
    await expect(open()).rejects.toThrow(
      `the folder of NDJSON files ${folder.path} is in use by another netspectra (pid ${process.pid}): stop that one, or choose another folder with storage.files.dir`,
    );
    writeFileSync(join(folder.path, 'file'), '');
    await expect(open({ dir: join(folder.path, 'file', 'x') })).rejects.toThrow(
      'cannot use the folder of NDJSON files',
    );
    mkdirSync(join(folder.path, 'odd'));
    writeFileSync(join(folder.path, 'odd', journalName), '{"version":99}\n');
    await expect(open({ dir: join(folder.path, 'odd') })).rejects.toThrow('move it away');
    await expect(open({ dir: join(folder.path, 'odd') })).rejects.toBeInstanceOf(UserError);
  });

  it('reads no more of a journal than makes sense', async () => {
    const writer = await open();
    await writer.write(flushOf(1));
    await writer.close();
    const whole = statSync(join(folder.path, journalName)).size;
    for (const line of [
      '{"names":[1]}',
      '{"ends":{"flows":{"time":-1,"bytes":0,"closed":false}}}',
      '{"ends":{"../x":{}}}',
      'null',
      '{"ends":7}',
    ]) {
      appendFileSync(join(folder.path, journalName), `${line}\n{"names":["p1:5:0:2-2"]}\n`);
      const again = await open();
      expect(statSync(join(folder.path, journalName)).size, line).toBe(whole);
      await again.write(flushOf(1));
      expect(again.counters.repeated, line).toBe(1);
      await again.close();
    }
    const again = await open();
    await again.write(flushOf(2));
    expect(again.counters.flushes).toBe(1);
  });
});

/** A disk of 64 KB, where the tests may mount one. */
function smallDisk(): { path: string; remove(): void } | null {
  const place = temporaryDataDir();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', place.path]).status === 0;
  if (!mounted) place.remove();
  return mounted
    ? {
        path: place.path,
        remove() {
          spawnSync('umount', ['-l', place.path]);
          place.remove();
        },
      }
    : null;
}
const disk = smallDisk();
afterAll(() => disk?.remove());

describe.runIf(disk)('a full disk', () => {
  it('is told, leaves nothing half written, and the flush can be tried again', async () => {
    const before = folder;
    folder = { path: disk!.path, remove: () => before.remove() };
    const writer = await open();
    let seq = 0;
    let failure: unknown;
    while (!failure && seq < 100) {
      seq += 1;
      await writer.write(flushOf(seq, 10)).catch((error: unknown) => (failure = error));
    }
    expect(failure).toBeInstanceOf(UserError);
    expect(failure).toMatchObject({ code: 'NS_FILES_UNWRITABLE', retry: true });
    expect((failure as Error).message).toMatch(
      /^cannot write NDJSON files in .*ENOSPC.*; free space there, or change storage\.files$/,
    );
    const kept = Array.from({ length: seq - 1 }, (_, i): [number, number] => [i + 1, 10]);
    expect(seq).toBeGreaterThan(3);
    expect(idsOf()).toEqual(expectedIds(...kept));
    // Space for a few rows, but not for all of it: still nothing of it stays.
    await expect(writer.write(flushOf(seq, 10))).rejects.toBeInstanceOf(UserError);
    expect(idsOf()).toEqual(expectedIds(...kept));
    spawnSync('mount', ['-o', 'remount,size=256k', disk!.path]);
    await writer.write(flushOf(seq, 10));
    expect(idsOf()).toEqual(expectedIds(...kept, [seq, 10]));
    expect(writer.counters).toMatchObject({ flushes: seq, failures: 2 });
    await writer.close();
    kill();
  });
});
