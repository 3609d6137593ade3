import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeKinds } from '../../../test/kit/stores.js';
import type { TestTarget } from '../../../test/kit/stores.js';
import { UserError } from '../errors.js';
import type { Flush } from '../tables/index.js';
import { createClickHouseWriter, sliceBlock } from './clickhouse-writer.js';
import { readPosition, readTablePosition } from './position.js';
import { rowsOf } from './store.js';
import type { InsertBlock, Store } from './store.js';
import { makeFlush, rowBlock } from './testing.js';

describe.each(storeKinds)('the $kind store:', ({ start }) => {
  let place: TestTarget;
  let store: Store;
  const open = () => place.open();
  beforeAll(async () => {
    place = await start();
    store = await open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  const day = 86_400;
  const noon = 1_700_000_000 - (1_700_000_000 % day) + day / 2;

  /** A flush whose flow rows lie in several days, some in the window that ends at midnight. */
  function sampleFlush(seq: number, probe = 'p1', epoch = 11n): Flush {
    const stamp = { probe, epoch, partition: 3, firstSeq: seq, lastSeq: seq + 9 };
    const flows = Array.from({ length: 25 }, (_, i) => ({
      window_start: noon + (i % 3) * day,
      window_seconds: 10,
      flow_id: i,
      client_ip: `::ffff:192.0.2.${i}`,
      client_bytes: 100 + i,
      client_packets: 1,
    }));
    const traffic = [{ window_start: noon, window_seconds: 1, packets: 25, bytes: 2800 }];
    const probeStats = [
      {
        timestamp: `${noon}.000000000`,
        partitions: 4,
        position: seq * 1000,
        packets: 25,
        bytes: 2800,
        complete: seq === 20 ? 1 : 0,
      },
    ];
    return makeFlush(stamp, { probe_stats: probeStats, flows, traffic });
  }

  const sums = async () =>
    rowsOf(
      await store.query(
        `SELECT (SELECT (count(), sum(client_bytes), sum(client_packets)) FROM flows) AS flows,
              (SELECT (count(), sum(bytes)) FROM traffic) AS traffic,
              (SELECT (count(), sum(bytes)) FROM probe_stats) AS stats`,
      ),
    )[0];

  /** Passes inserts on, and fails those the plan names. */
  function faultyStore(
    fail: (nth: number, block: InsertBlock) => { before?: UserError; after?: UserError } | undefined,
  ) {
    let nth = 0;
    let underWay = 0;
    const seen: string[] = [];
    /** how many others were being inserted when the accounting row was begun */
    const besideAccounting: number[] = [];
    const faulty: Store = Object.create(store, {
      insert: {
        value: async (block: InsertBlock) => {
          const plan = fail((nth += 1), block);
          seen.push(`${block.table}:${block.token}`);
          if (block.table === 'probe_stats') besideAccounting.push(underWay);
          underWay += 1;
          try {
            if (plan?.before) throw plan.before;
            await store.insert(block);
            if (plan?.after) throw plan.after;
          } finally {
            underWay -= 1;
          }
        },
      },
    }) as Store;
    return { faulty, seen, besideAccounting };
  }

  describe('the ClickHouse writer', () => {
    it('stores a flush once, however often and by whatever writer it is written', async () => {
      const writer = createClickHouseWriter(store, { rowsMax: 4 });
      const flushes = [sampleFlush(10), sampleFlush(20)];
      for (const flush of flushes) await writer.write(flush);
      const once = await sums();
      expect(once).toEqual({ flows: [50, 2 * (2500 + 300), 50], traffic: [2, 5600], stats: [2, 5600] });
      for (const flush of flushes) await writer.write(flush);
      expect(await sums()).toEqual(once);
      await writer.close();
      await store.close();
      store = await open();
      const again = createClickHouseWriter(store, { rowsMax: 4 });
      for (const flush of [...flushes].reverse()) await again.write(flush);
      await store.command('OPTIMIZE TABLE flows FINAL');
      for (const flush of flushes) await again.write(flush);
      expect(await sums()).toEqual(once);
      // 25 rows in three days (9, 8, 8) at 4 a slice: 3 + 2 + 2 inserts, one each for traffic and probe_stats.
      expect(again.counters).toMatchObject({ flushes: 4, inserts: 4 * 9, rows: 4 * 27, retries: 0, failures: 0 });
      await again.close();
    });

    it('keeps streams apart: another probe, epoch, or stretch is other content', async () => {
      const before = (await sums()) as { flows: number[] };
      const writer = createClickHouseWriter(store);
      await writer.write(sampleFlush(10, 'p2'));
      await writer.write(sampleFlush(10, 'p1', 12n));
      await writer.write(sampleFlush(30));
      expect(((await sums()) as { flows: number[] }).flows[0]).toBe(before.flows[0]! + 75);
    });

    it('tries again after a transient error, also when the insert was done, and writes the accounting row last', async () => {
      const before = (await sums()) as { flows: number[]; stats: number[] };
      const gone = new UserError('NS_STORE_UNAVAILABLE', 'away for a moment');
      const { faulty, seen, besideAccounting } = faultyStore((nth) =>
        nth === 2 ? { before: gone } : nth === 4 || nth === 7 ? { after: gone } : undefined,
      );
      const writer = createClickHouseWriter(faulty, { retryMs: 1 });
      await writer.write(sampleFlush(100));
      const after = (await sums()) as { flows: number[]; stats: number[] };
      expect(after.flows[0]).toBe(before.flows[0]! + 25);
      expect(after.stats[0]).toBe(before.stats[0]! + 1);
      expect(writer.counters).toMatchObject({ retries: 3, flushes: 1 });
      expect(seen.findIndex((insert) => insert.startsWith('probe_stats:'))).toBe(seen.length - besideAccounting.length);
      expect(new Set(besideAccounting)).toEqual(new Set([0]));
      expect(seen[0]).toMatch(/^traffic:/);
      expect(new Set(seen).size).toBe(5); // three days of flows, traffic, probe_stats
    });

    it('rejects after its tries, at once when the store refuses, and what comes again completes the flush', async () => {
      const gone = new UserError('NS_STORE_UNAVAILABLE', 'away for good');
      const away = faultyStore((nth) => (nth > 2 ? { before: gone } : undefined));
      const writer = createClickHouseWriter(away.faulty, { triesMax: 3, retryMs: 1 });
      const before = (await sums()) as { flows: number[]; stats: number[] };
      await expect(writer.write(sampleFlush(200))).rejects.toBe(gone);
      expect(writer.counters).toMatchObject({ retries: 2, failures: 1, flushes: 0 });
      expect(((await sums()) as { stats: number[] }).stats[0]).toBe(before.stats[0]);
      expect((await readTablePosition(store, 'flows', 'p1', 11n)).get(3)).toBe(209);

      const refused = faultyStore(() => ({ before: new UserError('NS_STORE_REJECTED', 'no') }));
      const second = createClickHouseWriter(refused.faulty, { retryMs: 1 });
      await expect(second.write(sampleFlush(200))).rejects.toMatchObject({ code: 'NS_STORE_REJECTED' });
      expect(new Set(refused.seen).size).toBe(refused.seen.length); // what other tables had begun, and nothing again
      expect(refused.besideAccounting).toEqual([]);

      await createClickHouseWriter(store).write(sampleFlush(200));
      const after = (await sums()) as { flows: number[]; stats: number[] };
      expect(after.flows[0]).toBe(before.flows[0]! + 25);
      expect(after.stats[0]).toBe(before.stats[0]! + 1);
    });

    it('makes one part of the largest insert, so that it is atomic', async () => {
      const rows = 200_000;
      const stamp = { probe: 'big', epoch: 5n, partition: 0, firstSeq: 1, lastSeq: 2 };
      const keys = Array.from({ length: rows }, (_, i) => ({
        window_start: noon + (i % 1000),
        key: `192.0.2.${i}`,
        bytes: i,
      }));
      const writer = createClickHouseWriter(store);
      await writer.write(makeFlush(stamp, { top_keys: keys }));
      expect(writer.counters.inserts).toBe(1);
      const parts = await store.query(
        "SELECT count() AS parts, sum(rows) AS rows FROM system.parts WHERE table = 'top_keys'",
      );
      expect(rowsOf(parts)).toEqual([{ parts: 1, rows }]);
    });

    it('stores packets of any time a capture file can hold', async () => {
      const seconds = [
        0,
        7,
        999,
        1000,
        1234,
        9999,
        10_000,
        123_456,
        19_700_101,
        20_010_203,
        99_999_999,
        999_999_999,
        2 ** 32 - 1,
      ];
      const stamp = { probe: 'old', epoch: 6n, partition: 0, firstSeq: 1, lastSeq: 2 };
      await createClickHouseWriter(store).write(
        makeFlush(stamp, {
          flows: seconds.map((s) => ({
            window_start: s,
            first: `${s}.000000001`,
            last: `${s}.999999999`,
            client_bytes: s,
          })),
          probe_stats: seconds.map((s) => ({ timestamp: `${noon}.000000000`, first_packet: `${s}.500000000` })),
        }),
      );
      const found = await store.query(
        `SELECT toUnixTimestamp(window_start) AS at, toUnixTimestamp64Nano(first) AS first, toUnixTimestamp64Nano(last) AS last
         FROM flows WHERE probe = 'old' ORDER BY at`,
        {},
        { exactIntegers: true },
      );
      expect(rowsOf(found)).toEqual(
        seconds.map((s) => ({
          at: s,
          first: String(BigInt(s) * 10n ** 9n + 1n),
          last: String(BigInt(s) * 10n ** 9n + 999_999_999n),
        })),
      );
      const stats = await store.query(
        "SELECT toUnixTimestamp(first_packet) AS s FROM probe_stats WHERE probe = 'old' ORDER BY s",
      );
      expect(stats.columns[0]!.values).toEqual(seconds);
    });

    it('finishes running flushes when it is closed, and takes none afterwards', async () => {
      const writer = createClickHouseWriter(store);
      const writing = writer.write(sampleFlush(300));
      await writer.close();
      expect(writer.counters.flushes).toBe(1);
      await writing;
      await expect(writer.write(sampleFlush(310))).rejects.toThrow('after close');
    });
  });

  describe('slices of a block', () => {
    it('hold every row once, one day each, within the limits, the same way every time', () => {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.string({ unit: 'binary', maxLength: 30 })), {
            minLength: 1,
            maxLength: 60,
          }),
          fc.integer({ min: 1, max: 7 }),
          fc.integer({ min: 1, max: 600 }),
          (rows, rowsMax, bytesMax) => {
            const block = rowBlock(
              'top_keys',
              rows.map(([time, key]) => ({ window_start: time, subject: 'name', key, bytes: 3 })),
            );
            const stretch = { probe: 'pröbe\t', epoch: 9n, partition: 2, firstSeq: 5, lastSeq: 123 };
            const slices = sliceBlock(block, stretch, rowsMax, bytesMax);
            const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).split('\n').slice(0, -1);
            const want = decode(block.bytes).map(
              (line) => `pröbe\\t\t9\t2\t5\t123\t${line.replace(/^\d+/, (time) => time.padStart(10, '0'))}`,
            );
            const got = slices.flatMap((slice) => decode(Buffer.concat([...slice.bytes])));
            expect([...got].sort()).toEqual([...want].sort());
            for (const slice of slices) {
              const bytes = Buffer.concat([...slice.bytes]);
              expect(slice.bytes).toHaveLength(bytes.length);
              const lines = decode(bytes);
              expect(lines).toHaveLength(slice.rows);
              expect(slice.rows).toBeLessThanOrEqual(rowsMax);
              if (slice.rows > 1) expect(slice.bytes.length).toBeLessThanOrEqual(bytesMax);
              for (const line of lines) expect(Math.floor(Number(line.split('\t')[5]) / day)).toBe(slice.day);
            }
            expect(new Set(slices.map((slice) => `${slice.day}.${slice.part}`)).size).toBe(slices.length);
            const told = (some: typeof slices) =>
              some.map(({ bytes, ...rest }) => ({ ...rest, lines: [...bytes].map(decode) }));
            expect(told(sliceBlock(block, stretch, rowsMax, bytesMax))).toEqual(told(slices));
          },
        ),
        { numRuns: 100 },
      );
    });

    it('come in pieces of whole rows, however long those are, and again when they are sent again', () => {
      const keys = Array.from({ length: 3_000 }, (_, i) => `${i}.`.padEnd(i === 2_000 ? 400_000 : i % 700, 'x'));
      const block = rowBlock(
        'top_keys',
        keys.map((key) => ({ window_start: noon, subject: 'name', key, bytes: 3 })),
      );
      const stretch = { probe: 'p', epoch: 9n, partition: 2, firstSeq: 5, lastSeq: 123 };
      const [slice, ...more] = sliceBlock(block, stretch, 10_000, 1e9);
      expect(more).toEqual([]);
      const pieces = [...slice!.bytes];
      expect(pieces.length).toBeGreaterThan(4);
      for (const piece of pieces) expect(piece.at(-1)).toBe('\n'.charCodeAt(0));
      const whole = Buffer.concat(pieces);
      expect(slice!.bytes).toHaveLength(whole.length);
      const lines = new TextDecoder().decode(block.bytes).split('\n').slice(0, -1);
      expect(whole.toString()).toBe(lines.map((line) => `p\t9\t2\t5\t123\t${line}\n`).join(''));
      expect(Buffer.concat([...slice!.bytes]).equals(whole)).toBe(true);
    });

    it('refuse a block that breaks its promises', () => {
      const stretch = { probe: 'p', epoch: 1n, partition: 0, firstSeq: 1, lastSeq: 2 };
      const block = rowBlock('traffic', [{ window_start: noon }, { window_start: noon }]);
      expect(() => sliceBlock({ ...block, rows: 3 }, stretch, 9, 999)).toThrow('2 rows that says 3');
      expect(() => sliceBlock({ ...block, bytes: block.bytes.subarray(0, -1) }, stretch, 9, 999)).toThrow('newline');
      const named = new TextEncoder().encode('p\t1\t0\t1\t2\t1700000000\n');
      expect(() => sliceBlock({ ...block, rows: 1, bytes: named }, stretch, 9, 999)).toThrow('begin with its time');
    });
  });

  describe('the stored position', () => {
    it('is that of the partition that is furthest behind, or null', async () => {
      const writer = createClickHouseWriter(store);
      const at = (partition: number, lastSeq: number, position: number, complete: number) =>
        makeFlush(
          { probe: 'file', epoch: 2n ** 64n - 1n, partition, firstSeq: lastSeq - 9, lastSeq },
          { probe_stats: [{ timestamp: `${noon}.000000000`, partitions: 2, position, complete }] },
        );
      const position = () => readPosition(store, 'file', 2n ** 64n - 1n);
      expect(await position()).toBeNull();
      const stamp = { probe: 'file', epoch: 2n ** 64n - 1n, partition: 1, firstSeq: 1, lastSeq: 25 };
      await writer.write(makeFlush(stamp, { traffic: [{ window_start: noon }] }));
      expect(await position()).toEqual({
        lastSeq: -1,
        position: 0,
        partitions: 0,
        complete: false,
        byPartition: [],
        aheadSeq: 25,
      });
      await writer.write(at(0, 10, 1000, 0));
      await writer.write(at(0, 20, 2000, 0));
      expect(await position()).toMatchObject({ lastSeq: -1, position: 0, partitions: 2, aheadSeq: 25 });
      await writer.write(at(1, 10, 1000, 0));
      expect(await position()).toEqual({
        lastSeq: 10,
        position: 1000,
        partitions: 2,
        complete: false,
        byPartition: [
          { partition: 0, lastSeq: 20, position: 2000, complete: false },
          { partition: 1, lastSeq: 10, position: 1000, complete: false },
        ],
        aheadSeq: 25,
      });
      await writer.write(at(0, 30, 2500, 1));
      await writer.write(at(1, 30, 2500, 1));
      expect(await readPosition(store, 'file', 2n ** 64n - 1n)).toMatchObject({
        lastSeq: 30,
        position: 2500,
        complete: true,
      });
      expect(await readPosition(store, 'file', 1n)).toBeNull();
    });
  });
});

describe('the memory of what is sent', () => {
  const flushOf = (firstSeq: number): Flush =>
    makeFlush(
      { probe: 'p', epoch: 1n, partition: 0, firstSeq, lastSeq: firstSeq },
      {
        top_keys: Array.from({ length: 3_000 }, (_, i) => ({
          window_start: 1_700_000_000,
          subject: 'name',
          key: 'k'.repeat(200),
          bytes: i,
        })),
      },
    );

  it('is used again, but not before its insert is stored', async () => {
    const tries: { memory: Set<ArrayBufferLike>; end: (error?: UserError) => void }[] = [];
    const insert = ({ bytes }: InsertBlock): Promise<void> =>
      new Promise((resolve, reject) => {
        const memory = new Set([...(bytes as Iterable<Uint8Array>)].map(({ buffer }) => buffer));
        expect(memory.size).toBeGreaterThan(2);
        tries.push({ memory, end: (error) => (error ? reject(error) : resolve()) });
      });
    const writer = createClickHouseWriter({ insert } as unknown as Store, { retryMs: 0 });
    const shared = (a: number, b: number): number =>
      [...tries[a]!.memory].filter((one) => tries[b]!.memory.has(one)).length;

    const first = writer.write(flushOf(1));
    const second = writer.write(flushOf(2));
    await expect.poll(() => tries.length).toBe(2);
    expect(shared(0, 1)).toBe(0);
    tries[0]!.end(new UserError('NS_STORE_UNAVAILABLE', 'gone for a moment'));
    await expect.poll(() => tries.length).toBe(3);
    expect(shared(2, 0) + shared(2, 1)).toBe(0);
    tries[1]!.end();
    tries[2]!.end();
    await Promise.all([first, second]);

    const later = [3, 4, 5].map((firstSeq) => writer.write(flushOf(firstSeq)));
    await expect.poll(() => tries.length).toBe(6);
    expect(shared(3, 1) + shared(3, 2)).toBe(tries[3]!.memory.size);
    // What was sent in vain may be read by a connection that is breaking.
    for (const one of [3, 4, 5]) expect(shared(one, 0)).toBe(0);
    for (const one of [3, 4, 5]) tries[one]!.end();
    await Promise.all(later);
  });
});
