import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from './connect.js';
import { lockFileName } from './lock.js';
import type { Store } from './store.js';
import { temporaryDataDir } from './testing.js';

const folder = temporaryDataDir();
let store: Store;
beforeAll(async () => {
  store = await openStore({ dataDir: folder.path });
});
afterAll(async () => {
  await store.close();
  folder.remove();
});

describe('the data folder', () => {
  it('names the process that has it', async () => {
    await expect(openStore({ dataDir: folder.path })).rejects.toMatchObject({
      code: 'NS_DATA_DIR_IN_USE',
      message: expect.stringContaining(`${folder.path} is in use by another netspectra (pid ${process.pid})`) as string,
    });
  });

  it('is refused to a second process by the lock file, and by the engine should that be missing', () => {
    const script =
      "const { createChdbConnection } = require('chdb/connection');" +
      `try { createChdbConnection({ path: ${JSON.stringify(join(folder.path, 'clickhouse'))} }); } catch { process.exit(7); }`;
    expect(spawnSync(process.execPath, ['-e', script]).status).toBe(7);
  });

  it('refuses a second folder in the same process', async () => {
    const other = temporaryDataDir();
    await expect(openStore({ dataDir: other.path })).rejects.toMatchObject({ code: 'NS_DATA_DIR_IN_USE' });
    expect(existsSync(join(other.path, lockFileName))).toBe(false);
    other.remove();
  });

  it('is taken over from a process that is gone, from a reused pid, and from an unreadable lock', async () => {
    await store.close();
    expect(existsSync(join(folder.path, lockFileName))).toBe(false);
    const gone = spawnSync(process.execPath, ['-e', '0']).pid;
    const locks = [
      JSON.stringify({ pid: gone, host: hostname(), started: '1' }),
      JSON.stringify({ pid: process.ppid, host: hostname(), started: 'another start' }),
      JSON.stringify({ pid: process.pid, host: 'elsewhere', started: '' }),
      '{"pid"',
    ];
    for (const lock of locks) {
      writeFileSync(join(folder.path, lockFileName), lock);
      const again = await openStore({ dataDir: folder.path });
      await again.close();
    }
    writeFileSync(
      join(folder.path, lockFileName),
      JSON.stringify({ pid: process.ppid, host: hostname(), started: '' }),
    );
    await expect(openStore({ dataDir: folder.path })).rejects.toMatchObject({ code: 'NS_DATA_DIR_IN_USE' });
  });

  it('that cannot be made is named', async () => {
    const other = temporaryDataDir();
    writeFileSync(join(other.path, 'file'), '');
    await expect(openStore({ dataDir: join(other.path, 'file', 'data') })).rejects.toMatchObject({
      code: 'NS_DATA_DIR_UNUSABLE',
    });
    mkdirSync(join(other.path, 'data'));
    writeFileSync(join(other.path, 'data', 'clickhouse'), 'not a folder');
    await expect(openStore({ dataDir: join(other.path, 'data') })).rejects.toMatchObject({
      code: 'NS_DATA_DIR_UNUSABLE',
    });
    expect(existsSync(join(other.path, 'data', lockFileName))).toBe(false);
    other.remove();
  });

  it('refuses work after it was closed', async () => {
    await expect(store.query('SELECT 1')).rejects.toMatchObject({ code: 'NS_STORE_CLOSED' });
  });
});
