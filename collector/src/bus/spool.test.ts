import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bus, OutgoingMessage, PublisherOptions } from './bus.js';
import { createMemoryBus } from './memory-bus.js';
import { createOutbox } from './outbox.js';
import { createWindowPublisher } from './publisher.js';
import { openSpool } from './spool.js';
import type { Spool } from './spool.js';

const folders: string[] = [];
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'netspectra-spool-'));
  folders.push(path);
  return path;
};
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true, force: true })));

const message = (sequence: number, bytes = 100, partition = 0): OutgoingMessage => ({
  partition,
  probe: 'Sonde é',
  epoch: 2n ** 64n - 1n,
  sequence,
  bytes: new Uint8Array(bytes).fill(sequence),
});
const plain = ({ partition, probe, epoch, sequence, bytes }: OutgoingMessage): unknown => [
  partition,
  probe,
  epoch,
  sequence,
  [...bytes],
];
/** Everything unread, confirmed or not. */
function drain(spool: Spool, confirm: boolean): OutgoingMessage[] {
  const found: OutgoingMessage[] = [];
  for (let next = spool.take(); next; next = spool.take()) {
    found.push(next.message);
    if (confirm) next.confirm();
  }
  return found;
}

describe('a spool', () => {
  it('gives back in order what was put in, and leaves nothing when all is confirmed', () => {
    const path = folder();
    const spool = openSpool({ folder: path, bytesMax: 1 << 20, segmentBytes: 500 });
    const messages = Array.from({ length: 20 }, (_, i) => message(i));
    expect(messages.every((one) => spool.append(one))).toBe(true);
    expect(spool.state).toMatchObject({ records: 20, torn: 0 });
    expect(readdirSync(path).filter((name) => name.endsWith('.spool')).length).toBeGreaterThan(4);
    for (const name of readdirSync(path)) expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
    expect(drain(spool, true).map(plain)).toEqual(messages.map(plain));
    expect(spool.state).toMatchObject({ records: 0, bytes: 0 });
    spool.close();
    expect(readdirSync(path)).toEqual([]);
  });

  it('keeps for the next process what was not confirmed', () => {
    const path = folder();
    const spool = openSpool({ folder: path, bytesMax: 1 << 20, segmentBytes: 300 });
    for (let i = 0; i < 6; i += 1) spool.append(message(i));
    for (let i = 0; i < 3; i += 1) spool.take()!.confirm();
    spool.close();
    const next = openSpool({ folder: path, bytesMax: 1 << 20 });
    next.append(message(6));
    const sequences = drain(next, true).map(({ sequence }) => sequence);
    expect(sequences.slice(-4)).toEqual([3, 4, 5, 6]);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(next.state).toMatchObject({ records: 0, bytes: 0 });
    next.close();
  });

  it('refuses beyond its bound, and says so', () => {
    const spool = openSpool({ folder: folder(), bytesMax: 1000 });
    const taken = Array.from({ length: 10 }, (_, i) => spool.append(message(i))).filter(Boolean).length;
    expect(taken).toBe(7);
    expect(spool.state).toMatchObject({ records: 7, full: 3 });
    expect(spool.state.bytes).toBeLessThanOrEqual(1000);
    drain(spool, true);
    expect(spool.append(message(10))).toBe(true);
    spool.close();
  });

  it('cuts off a record torn at any byte, and keeps those before it', () => {
    const path = folder();
    const spool = openSpool({ folder: path, bytesMax: 1 << 20 });
    for (let i = 0; i < 3; i += 1) spool.append(message(i, 20));
    spool.close();
    const file = join(path, readdirSync(path)[0]!);
    const whole = readFileSync(file);
    const record = whole.length / 3;
    for (let length = 2 * record; length < whole.length; length += 1) {
      writeFileSync(file, whole);
      truncateSync(file, length);
      const torn = openSpool({ folder: path, bytesMax: 1 << 20 });
      expect(drain(torn, false).map(({ sequence }) => sequence)).toEqual([0, 1]);
      expect(torn.state).toMatchObject({ torn: length === 2 * record ? 0 : 1, tornBytes: length - 2 * record });
      torn.close();
      expect(statSync(file).size).toBe(2 * record);
    }
  });

  it('never gives back anything but what was written, whatever happens to its bytes', () => {
    const path = folder();
    const spool = openSpool({ folder: path, bytesMax: 1 << 20 });
    const messages = Array.from({ length: 4 }, (_, i) => message(i, 30));
    messages.forEach((one) => spool.append(one));
    spool.close();
    const file = join(path, readdirSync(path)[0]!);
    const whole = readFileSync(file);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= flip;
        writeFileSync(file, damaged);
        const opened = openSpool({ folder: path, bytesMax: 1 << 20 });
        const found = drain(opened, false).map(plain);
        expect(found).toEqual(messages.slice(0, Math.floor((at * 4) / whole.length)).map(plain));
        expect(opened.state.torn).toBe(1);
        opened.close();
      }),
      { numRuns: 300 },
    );
  });

  it('is one process’s; one that died leaves it to the next', () => {
    const path = folder();
    const spool = openSpool({ folder: path, bytesMax: 1 << 20 });
    writeFileSync(join(path, 'lock'), String(process.ppid));
    expect(() => openSpool({ folder: path, bytesMax: 1 << 20 })).toThrow(`is in use by process ${process.ppid}`);
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    writeFileSync(join(path, 'lock'), String(dead));
    const next = openSpool({ folder: path, bytesMax: 1 << 20 });
    expect([spool, next].map(({ state }) => state.previousUnfinished)).toEqual([false, true]);
    next.close();
    spool.close();
    const third = openSpool({ folder: path, bytesMax: 1 << 20 });
    expect(third.state.previousUnfinished).toBe(false);
    third.close();
    writeFileSync(join(path, 'file'), '');
    expect(() => openSpool({ folder: join(path, 'file'), bytesMax: 1 })).toThrow('cannot be used (EEXIST)');
  });

  const mounted = ((): string | null => {
    const path = mkdtempSync(join(tmpdir(), 'netspectra-small-'));
    const done = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', path]).status === 0;
    if (!done) rmSync(path, { recursive: true });
    else
      process.once('exit', () => {
        spawnSync('umount', ['-l', path]);
        rmSync(path, { recursive: true, force: true });
      });
    return done ? path : null;
  })();
  it.runIf(mounted)('counts what a full disk does not take, and goes on when there is space', () => {
    const spool = openSpool({ folder: join(mounted!, 'spool'), bytesMax: 1 << 20, segmentBytes: 16_000 });
    const kept: number[] = [];
    for (let i = 0; i < 30; i += 1) if (spool.append(message(i, 5000))) kept.push(i);
    expect(kept.length).toBeGreaterThan(5);
    expect(spool.state).toMatchObject({ failed: 30 - kept.length, lastError: 'ENOSPC' });
    expect(drain(spool, true).map(({ sequence }) => sequence)).toEqual(kept);
    expect(spool.append(message(99, 5000))).toBe(true);
    spool.close();
    expect(existsSync(join(mounted!, 'spool', 'lock'))).toBe(false);
  });
});

describe('an outbox', () => {
  it('puts on disk what the bus does not take, and brings it in order afterwards', async () => {
    const bus = createMemoryBus({ partitions: 2, bytesMax: 2000, messageBytesMax: 100 });
    const path = folder();
    const outbox = createOutbox(bus, openSpool({ folder: path, bytesMax: 1 << 20 }), { windowBytes: 2000 });
    for (let i = 0; i < 100; i += 1) expect(outbox.publish(message(i))).toBe('taken');
    expect(outbox.publish(message(0, 100, 1))).toBe('taken'); // another partition does not wait behind the disk
    expect(outbox.state.spooled).toBeGreaterThan(50);
    const consumer = bus.consume(0);
    const found: number[] = [];
    for await (const one of consumer.messages) {
      if (one.kind === 'message') found.push(one.sequence);
      await consumer.acknowledge(one.streamSequence);
      if (found.length === 100) break;
    }
    expect(found).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect((await bus.streams())[1]!.messages).toBe(1);
    expect(await outbox.close()).toEqual([]);
    expect(readdirSync(path)).toEqual([]);
  });

  it('lets no small message overtake a large one of its partition that waits on disk', async () => {
    const bus = createMemoryBus({ partitions: 1 });
    const outbox = createOutbox(bus, openSpool({ folder: folder(), bytesMax: 1 << 20 }), { windowBytes: 2000 });
    for (const [sequence, bytes] of [900, 900, 900, 50].entries()) outbox.publish(message(sequence, bytes));
    expect(outbox.state.spooled).toBe(2);
    expect(await outbox.close()).toEqual([]);
    const found: number[] = [];
    for await (const one of bus.consume(0).messages) {
      if (one.kind === 'message') found.push(one.sequence);
      if (found.length === 4) break;
    }
    expect(found).toEqual([0, 1, 2, 3]);
  });

  it('has on disk also what was on its way when the connection broke', async () => {
    const path = folder();
    const carrier = {
      partitions: 1,
      connected: true,
      send: () => new Promise<never>(() => {}), // no answer ever comes
      onConnected: () => () => {},
    };
    const away: Bus = Object.assign(createMemoryBus({ partitions: 1 }), {
      publisher: (options?: PublisherOptions) => createWindowPublisher(carrier, options),
    });
    const first = createOutbox(away, openSpool({ folder: path, bytesMax: 1 << 20 }));
    for (let i = 0; i < 5; i += 1) first.publish({ ...message(i), rows: i });
    expect(first.state).toMatchObject({ unacknowledged: 5, spooled: 0 });
    carrier.connected = false;
    for (let i = 5; i < 8; i += 1) first.publish({ ...message(i), rows: i });
    expect(first.state.spooled).toBe(8);
    writeFileSync(join(path, 'lock'), '0'); // as after a kill: nothing was closed
    const bus = createMemoryBus({ partitions: 1 });
    const told: unknown[] = [];
    const second = createOutbox(bus, openSpool({ folder: path, bytesMax: 1 << 20 }), {
      onConfirmed: ({ sequence, rows }) => told.push([sequence, rows]),
    });
    expect(await second.close()).toEqual([]);
    expect(told).toEqual(Array.from({ length: 8 }, (_, i) => [i, i]));
  });

  it('leaves to the next process what could not be sent, once each', async () => {
    const path = folder();
    const away = createMemoryBus({ partitions: 1, bytesMax: 500, messageBytesMax: 100 });
    const first = createOutbox(away, openSpool({ folder: path, bytesMax: 1 << 20 }), { windowMessages: 4 });
    for (let i = 0; i < 20; i += 1) first.publish(message(i));
    expect(await first.close(0)).toEqual([]);
    const bus = createMemoryBus({ partitions: 1 });
    const second = createOutbox(bus, openSpool({ folder: path, bytesMax: 1 << 20 }));
    expect(await second.close()).toEqual([]);
    const stored = (await bus.streams())[0]!.messages + (await away.streams())[0]!.messages;
    expect(stored).toBeGreaterThanOrEqual(20);
    expect(readdirSync(path)).toEqual([]);
  });
});
