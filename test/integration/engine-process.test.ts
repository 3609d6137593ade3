/** An engine starts itself anew with flags of V8: whoever started it notices nothing. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect, it } from 'vitest';
import { start, until } from './process.js';

it('is the same process, with the same arguments and streams', async () => {
  const sockets: Socket[] = [];
  const store = createServer((socket) => sockets.push(socket)); // it never answers
  await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
  const { port } = store.address() as AddressInfo;
  const args = ['engine', '--config', 'test/fixtures/näme with spaces.yaml', '--listen', '127.0.0.1:0'];
  const missing = await start(args).ended;
  expect(missing).toMatchObject({ code: 2, stdout: '' });
  expect(missing.stderr).toMatch(/^netspectra: [^\n]*näme with spaces\.yaml[^\n]*\n$/);

  const engine = start(['engine', '--listen', '127.0.0.1:0'], {
    env: { NETSPECTRA_STORAGE_CLICKHOUSE_URL: `http://127.0.0.1:${port}` },
  });
  try {
    await until('it asks the store', () => sockets.length > 0);
    const [node, ...rest] = readFileSync(`/proc/${engine.child.pid}/cmdline`, 'utf8').split('\0');
    expect(node).toBe(process.execPath);
    expect(rest.slice(0, 3)).toEqual([
      '--single-threaded-gc',
      '--no-incremental-marking',
      '--heap-growing-percent=100',
    ]);
    expect(rest.slice(4)).toEqual(['engine', '--listen', '127.0.0.1:0', '']);
  } finally {
    engine.child.kill('SIGKILL');
    await engine.ended;
    sockets.forEach((socket) => socket.destroy());
    store.close();
  }
});
