import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeKinds } from '../../../test/kit/stores.js';
import type { TestTarget } from '../../../test/kit/stores.js';
import { createClickHouseWriter } from './clickhouse-writer.js';
import type { Store } from './store.js';
import { readStretches } from './stretches.js';
import { makeFlush } from './testing.js';

describe.each(storeKinds)('stored stretches in the $kind store', ({ start }) => {
  let place: TestTarget;
  let store: Store;
  beforeAll(async () => {
    place = await start();
    store = await place.open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  it('say what is there, what is missing between, and what was told of losses, of this partition alone', async () => {
    const writer = createClickHouseWriter(store);
    const stream = { probe: 'p', epoch: 2n ** 64n - 1n };
    const write = (partition: number, firstSeq: number, lastSeq: number, kernel_dropped = 0): Promise<void> =>
      writer.write(
        makeFlush(
          { ...stream, partition, firstSeq, lastSeq },
          { probe_stats: [{ timestamp: '1767225600.000000000', kernel_dropped, filtered: 2 * kernel_dropped }] },
        ),
      );
    const nothing = { lastSeq: -1, gaps: [], filtered: 0, kernelDropped: 0 };
    expect(await readStretches(store, 'p', stream.epoch, 0)).toEqual(nothing);
    // Out of order, one of them twice.
    await write(0, 8, 9, 5);
    await write(0, 3, 4, 1);
    await write(0, 3, 4, 1);
    await write(0, 12, 20);
    await write(0, 10, 10);
    await write(1, 0, 100, 7);
    expect(await readStretches(store, 'p', stream.epoch, 0)).toEqual({
      lastSeq: 20,
      gaps: [
        { first: 0, last: 2 },
        { first: 5, last: 7 },
        { first: 11, last: 11 },
      ],
      filtered: 12,
      kernelDropped: 6,
    });
    expect(await readStretches(store, 'p', stream.epoch, 1)).toMatchObject({ lastSeq: 100, gaps: [] });
    expect(await readStretches(store, 'p', 1n, 0)).toEqual(nothing);
    await writer.close();
  });
});
