/** Both sides of a store in another thread, with a message channel between them as threads have it. */
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WriteForbidden } from '../tables/index.js';
import type { Flush } from '../tables/index.js';
import { StoreCaller, StoreServer } from './store-calls.js';
import type { StoreAnswer, StoreCall } from './store-calls.js';

const flushOf = (text: string): Flush => ({
  probe: 'p',
  epoch: 1n,
  partition: 0,
  firstSeq: 0,
  lastSeq: 1,
  blocks: [{ table: 'traffic', rows: 1, bytes: new TextEncoder().encode(text).slice() }],
});

describe('a store of another thread', () => {
  let channel: MessageChannel;
  let written: string[];
  /** what the store says to each write, in turn; then it takes everything */
  let troubles: string[];
  let caller: StoreCaller<string>;
  beforeEach(() => {
    channel = new MessageChannel();
    written = [];
    troubles = [];
    const server = new StoreServer<string>(
      {
        writer: {
          write: async ({ blocks }) => {
            const trouble = troubles.shift();
            if (trouble !== undefined) throw new Error(trouble);
            written.push(new TextDecoder().decode(blocks[0]!.bytes));
          },
          close: async () => {},
        },
        position: async (probe, epoch, partition) => {
          if (probe === 'away') throw new Error('no answer');
          return `${probe} ${epoch} ${partition}`;
        },
      },
      (answer) => channel.port2.postMessage(answer),
    );
    channel.port2.on('message', (call: StoreCall) => void server.hear(call));
    caller = new StoreCaller<string>((call, transfer = []) => channel.port1.postMessage(call, transfer));
    channel.port1.on('message', (answer: StoreAnswer<string>) => caller.hear(answer));
  });
  afterEach(() => channel.port1.close());

  it('takes rows by transfer, and has them still when it is asked to try again', async () => {
    const flush = flushOf('row\n');
    troubles.push('the disk is full', 'the disk is full');
    await expect(caller.write(flush)).rejects.toThrow('the disk is full');
    expect(flush.blocks[0]!.bytes).toHaveLength(0); // they went over
    // As an engine does: the flush is named anew, its blocks are the same.
    await expect(caller.write({ ...flush })).rejects.toThrow('the disk is full');
    await caller.write({ ...flush });
    expect(written).toEqual(['row\n']);
  });

  it('gives up a flush when another comes', async () => {
    const [first, second] = [flushOf('first\n'), flushOf('second\n')];
    troubles.push('away');
    await expect(caller.write(first)).rejects.toThrow('away');
    await caller.write(second);
    await expect(caller.write(first)).rejects.toThrow('given up');
    expect(written).toEqual(['second\n']);
  });

  it('sends nothing when nothing may be written', async () => {
    const flush = flushOf('row\n');
    await expect(caller.write(flush, () => false)).rejects.toThrow(WriteForbidden);
    expect(flush.blocks[0]!.bytes).toHaveLength(4);
    await caller.write(flush, () => true);
    expect(written).toEqual(['row\n']);
  });

  it('that does not answer is waited for until it is given up', async () => {
    const silent = new StoreCaller<string>(() => {});
    const asked = [silent.write(flushOf('row\n')), silent.position('p', 7n, 3)];
    silent.giveUp();
    for (const one of asked) await expect(one).rejects.toThrow('did not answer in time');
    await expect(silent.position('p', 7n, 3)).rejects.toThrow('did not answer in time');
  });

  it('says what it has, and why it does not', async () => {
    expect(await Promise.all([caller.position('p', 7n, 3), caller.position('q', 8n, 4)])).toEqual(['p 7 3', 'q 8 4']);
    await expect(caller.position('away', 1n, 0)).rejects.toThrow('no answer');
  });
});
