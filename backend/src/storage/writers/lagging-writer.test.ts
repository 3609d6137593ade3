import { describe, expect, it } from 'vitest';
import { UserError } from '../../errors.js';
import type { Flush, Writer } from '../../tables/index.js';
import { makeFlush } from '../testing.js';
import { createFanOutWriter } from './fan-out-writer.js';
import { createLaggingWriter } from './lagging-writer.js';
import type { LaggingOptions } from './lagging-writer.js';

const flushOf = (seq: number): Flush =>
  makeFlush(
    { probe: 'p1', epoch: 1n, partition: 0, firstSeq: seq, lastSeq: seq },
    { flows: [{ flow_id: seq }, { flow_id: seq }], traffic: [{ packets: 1 }] },
  );
const flushBytes = flushOf(1).blocks[0]!.bytes.length;

/** A writer that does what it is told. */
function target() {
  const written: number[] = [];
  const state = { fail: null as unknown, gate: Promise.resolve(), closed: false, tries: 0 };
  const writer: Writer = {
    async write(flush) {
      state.tries += 1;
      await state.gate;
      if (state.fail) throw state.fail;
      expect(flush.blocks.map(({ table }) => table)).toEqual(['flows']);
      written.push(flush.firstSeq);
    },
    close() {
      state.closed = true;
      return Promise.resolve();
    },
  };
  return { writer, written, state };
}
const options = (over: Partial<LaggingOptions> = {}): LaggingOptions => ({
  name: 'files',
  tables: ['flows'],
  queueBytesMax: 1 << 20,
  drainMs: 2_000,
  retryMs: 1,
  ...over,
});
const full = new UserError('NS_FILES_UNWRITABLE', 'the disk is full');

describe('a writer that may lag', () => {
  it('takes flushes at once, writes them in order, and tries again until it works', async () => {
    const { writer, written, state } = target();
    const said: string[] = [];
    const log = (_: object, text: string) => void said.push(text);
    const lagging = createLaggingWriter(writer, options({ logger: { warn: log, info: log } }));
    state.fail = full;
    for (let seq = 1; seq <= 3; seq += 1) await lagging.write(flushOf(seq));
    await expect.poll(() => state.tries).toBeGreaterThan(3);
    expect(lagging.status()).toEqual({
      name: 'files',
      optional: true,
      ok: false,
      detail: 'the disk is full (3 flushes wait, 0 dropped)',
    });
    expect(lagging.queueBytes).toBe(3 * flushBytes);
    state.fail = null;
    await expect.poll(() => written).toEqual([1, 2, 3]);
    expect(lagging.status()).toMatchObject({ ok: true });
    expect(lagging.queueBytes).toBe(0);
    expect(said).toEqual(['files: a flush cannot be written', 'files: writes again']);
    await lagging.close();
    expect(state.closed).toBe(true);
  });

  it('holds a bounded amount: the oldest that waits is dropped, and counted', async () => {
    const { writer, written, state } = target();
    let open: () => void = () => undefined;
    state.gate = new Promise((resolve) => (open = resolve));
    const lagging = createLaggingWriter(writer, options({ queueBytesMax: 3 * flushBytes }));
    for (let seq = 1; seq <= 6; seq += 1) await lagging.write(flushOf(seq));
    // The first is at hand and cannot be dropped.
    expect(lagging.counters).toMatchObject({ dropped: 3, droppedRows: 6 });
    expect(lagging.queueBytes).toBe(3 * flushBytes);
    open();
    await lagging.close();
    expect(written).toEqual([1, 5, 6]);
  });

  it('drops what is refused for good, and goes on', async () => {
    const { writer, written, state } = target();
    state.fail = new Error('a bug');
    const lagging = createLaggingWriter(writer, options());
    await lagging.write(flushOf(1));
    await expect.poll(() => lagging.counters.dropped).toBe(1);
    expect(lagging.status()).toMatchObject({ ok: false, detail: 'a bug (0 flushes wait, 1 dropped)' });
    state.fail = null;
    await lagging.write(flushOf(2));
    await lagging.close();
    expect(written).toEqual([2]);
  });

  it('ends within its bound, however stuck the writer is, and counts what it gives up', async () => {
    const { writer, written, state } = target();
    let open: () => void = () => undefined;
    state.gate = new Promise((resolve) => (open = resolve));
    const lagging = createLaggingWriter(writer, options({ drainMs: 20 }));
    for (let seq = 1; seq <= 3; seq += 1) await lagging.write(flushOf(seq));
    await lagging.close();
    expect(lagging.counters.dropped).toBe(2);
    expect(written).toEqual([]);
    open();
    await expect.poll(() => written).toEqual([1]);
    expect(lagging.queueBytes).toBe(0);
    await lagging.write(flushOf(4));
    expect(lagging.counters.dropped).toBe(3);
  });
});

describe('a fan-out', () => {
  it('gives the others what the first one stored, and only that', async () => {
    const first = target();
    const other = target();
    const seen: boolean[] = [];
    const decisive: Writer = {
      async write(flush, mayWrite) {
        seen.push(mayWrite?.() ?? true);
        if (flush.firstSeq === 2) throw full;
      },
      close: () => first.writer.close(),
    };
    const writer = createFanOutWriter(decisive, [createLaggingWriter(other.writer, options())]);
    await writer.write(flushOf(1), () => true);
    await expect(writer.write(flushOf(2), () => false)).rejects.toBe(full);
    other.state.fail = new Error('never mind');
    await writer.write(flushOf(3));
    await expect.poll(() => other.state.tries).toBe(2);
    await writer.close();
    expect(seen).toEqual([true, false, true]);
    expect(other.written).toEqual([1]);
    expect([first.state.closed, other.state.closed]).toEqual([true, true]);
  });
});
