/** Leases over a real nats-server: engines as processes that come, are stopped and are killed. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJetStreamBus, createNatsRecords } from '@netspectra/collector/bus';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsServer } from '../kit/nats.js';
import { owned, until } from './process.js';

const program = fileURLToPath(new URL('../kit/lease-holder.js', import.meta.url));

describe.runIf(hasNats)('leases on NATS', () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server.close());

  const engine = (name: string) => {
    const child = owned(
      spawn(process.execPath, [program, server.url, name, '4', '1000'], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    const lines: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
    const held = (): number[] =>
      (lines.filter((line) => line.startsWith('held')).at(-1) ?? 'held ')
        .slice(5)
        .split(',')
        .filter((part) => part !== '')
        .map(Number);
    return { child, lines, held };
  };

  it('refuse a holder that was stopped for longer than the lease, and pass on what it had declared', async () => {
    const old = engine('old');
    await until('the first has all', () => old.held().length === 4);
    old.child.stdin.write('declare 2\n');
    await until('declared', () => old.lines.includes('declared true'));
    old.child.kill('SIGSTOP');
    const next = engine('next');
    await until('the second has all', () => next.held().length === 4);
    const bus = createJetStreamBus({ connection: { servers: [server.url] }, streams: { partitions: 4 } });
    const record = await createNatsRecords(bus, 'netspectra-engines').get('partition.2');
    expect(JSON.parse(record!.text)).toMatchObject({ holder: 'next', fence: 2, flush: [['old', '1', 0, 1]] });
    await bus.close();
    old.child.stdin.write('declare 2\n');
    old.child.kill('SIGCONT');
    await until('refused', () => old.lines.includes('declared false'));
    await until('both have half', () => old.held().length === 2 && next.held().length === 2);
    expect([...old.held(), ...next.held()].sort()).toEqual([0, 1, 2, 3]);
    old.child.kill('SIGKILL');
    await until('the second has all again', () => next.held().length === 4);
    next.child.kill('SIGKILL');
  });

  it('tell each key once, however often its record is written while they are listed', async () => {
    const bus = createJetStreamBus({ connection: { servers: [server.url] }, streams: { partitions: 4 } });
    const [reader, writer] = [createNatsRecords(bus, 'listed'), createNatsRecords(bus, 'listed')];
    const keys = ['engine.a', 'engine.b', 'engine.c'];
    let isOver = false;
    const writing = keys.map(async (key) => {
      for (let revision = await writer.put(key, 'here', null); !isOver;)
        revision = await writer.put(key, 'here', revision);
    });
    await until('all are written', async () => (await reader.keys('engine.')).length >= keys.length);
    const listings: (readonly string[])[] = [];
    for (let i = 0; i < 300; i += 1) listings.push(await reader.keys('engine.'));
    isOver = true;
    await Promise.all(writing);
    await bus.close();
    for (const found of listings) expect([...found].sort()).toEqual(keys);
  });

  it('lapse while the server is away, and come back with it', async () => {
    const only = engine('only');
    await until('it has all', () => only.held().length === 4);
    await server.kill();
    await until('it holds none', () => only.held().length === 0);
    await server.start();
    await until('it has all again', () => only.held().length === 4);
    only.child.kill('SIGKILL');
  });
});
