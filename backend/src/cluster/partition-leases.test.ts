import { createMemoryRecords } from '@netspectra/collector/bus';
import type { Records } from '@netspectra/collector/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRecord, parseRecord } from './lease.js';
import { PartitionLeases, shareOf } from './partition-leases.js';

const ttlMs = 4000;
const stretch = { probe: 'a "b"', epoch: 2n ** 64n - 1n, firstSeq: 3, lastSeq: 9 };

function cluster(partitions: number) {
  let time = 0;
  const records = createMemoryRecords();
  const engine = (name: string, over: Records = records): PartitionLeases =>
    new PartitionLeases({ records: over, partitions, engine: name, ttlMs, now: () => time });
  return { records, engine, pass: (milliseconds: number) => (time += milliseconds) };
}
const heldBy = (leases: PartitionLeases): number[] => [...leases.leases.keys()].sort((a, b) => a - b);
/** Rounds until nothing changes, giving back what is surplus. */
async function settle(pass: (milliseconds: number) => void, ...engines: PartitionLeases[]): Promise<void> {
  for (let i = 0; i < 12; i += 1) {
    for (const engine of engines)
      for (const partition of (await engine.round()).surplus) await engine.release(partition);
    pass(1000);
  }
}

describe('leases of partitions', () => {
  it('are shared out, handed over and given back', async () => {
    const { engine, pass } = cluster(8);
    const a = engine('a');
    await settle(pass, a);
    expect(heldBy(a)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const b = engine('b');
    const c = engine('c');
    await settle(pass, a, b, c);
    expect([a, b, c].map((one) => heldBy(one).length)).toEqual([3, 3, 2]);
    expect([a, b, c].flatMap(heldBy).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await b.close();
    await settle(pass, a, c);
    expect([a, c].map((one) => heldBy(one).length)).toEqual([4, 4]);
  });

  it('of an engine that fell silent are taken after their time, with the flush it had declared', async () => {
    const { engine, pass } = cluster(1);
    const old = engine('old');
    await old.round();
    const lease = old.leases.get(0)!;
    expect(await lease.declare([stretch])).toBe(true);
    const next = engine('new');
    await next.round(); // sees it for the first time
    pass(ttlMs - 1);
    await next.round();
    expect(heldBy(next)).toEqual([]);
    expect(lease.ended).toBeNull();
    pass(2);
    expect(lease.ended).toBe('lapsed'); // before anybody has it
    await settle(pass, next);
    expect(heldBy(next)).toEqual([0]);
    expect(next.leases.get(0)).toMatchObject({ fence: lease.fence + 1, inherited: [stretch] });
    expect(await lease.declare([stretch])).toBe(false);
    expect((await old.round()).lost).toEqual([0]);
  });

  it('cannot be declared in by who was stopped, whatever its clock says', async () => {
    const { records, engine, pass } = cluster(1);
    let stopped = 0;
    const zombie = new PartitionLeases({ records, partitions: 1, engine: 'zombie', ttlMs, now: () => stopped });
    await zombie.round();
    const other = engine('other');
    await other.round();
    pass(ttlMs + 1);
    await other.round();
    expect(heldBy(other)).toEqual([0]);
    stopped += 1;
    const lease = zombie.leases.get(0)!;
    expect(lease.remainingMs).toBeGreaterThan(0); // it believes so
    expect(await lease.declare([stretch])).toBe(false);
    expect(lease.ended).toBe('taken');
  });

  it('survive an answer that was lost', async () => {
    const { records, engine } = cluster(1);
    let lose = false;
    const flaky: Records = {
      ...records,
      async put(key, text, revision) {
        const written = await records.put(key, text, revision);
        if (lose) throw new Error('timeout');
        return written;
      },
    };
    const a = engine('a', flaky);
    await a.round();
    const lease = a.leases.get(0)!;
    lose = true;
    await expect(lease.declare([stretch])).rejects.toThrow('timeout');
    lose = false;
    expect(await lease.declare([stretch])).toBe(true);
    expect(parseRecord((await records.get('partition.0'))!.text)).toMatchObject({ holder: 'a', flush: [stretch] });
  });

  it('are taken over from a record that nobody of us wrote, after its time', async () => {
    const { records, engine, pass } = cluster(1);
    await records.put('partition.0', '{"holder":1}', null);
    const a = engine('a');
    expect((await a.round()).taken).toEqual([]);
    pass(ttlMs + 1);
    expect((await a.round()).taken).toEqual([0]);
  });

  it('are written again, with the flush that is declared, when somebody removes or overwrites the record', async () => {
    const { records, engine } = cluster(1);
    const holder = engine('holder');
    await holder.round();
    const lease = holder.leases.get(0)!;
    await lease.declare([stretch]);
    const spoil = [
      async (revision: number) => records.put('partition.0', '', revision), // as a deletion is read
      async (revision: number) => records.put('partition.0', 'nonsense', revision),
    ];
    for (const act of spoil) {
      await act((await records.get('partition.0'))!.revision);
      const other = engine('other');
      expect((await other.round()).taken).toEqual([]);
      expect((await holder.round()).lost).toEqual([]);
      const { text } = (await records.get('partition.0'))!;
      expect(parseRecord(text)).toMatchObject({ holder: 'holder', fence: lease.fence, flush: [stretch] });
      await other.close();
    }
    expect(await lease.declare([])).toBe(true);
  });

  it('are told of in the next round when one failed in its middle', async () => {
    const { records, engine } = cluster(3);
    let puts = 0;
    const flaky: Records = {
      ...records,
      async put(key, text, revision) {
        if (key === 'partition.1' && (puts += 1) === 1) throw new Error('timeout');
        return records.put(key, text, revision);
      },
    };
    const a = engine('a', flaky);
    await expect(a.round()).rejects.toThrow('timeout');
    expect(heldBy(a)).toEqual([0]);
    expect((await a.round()).taken).toEqual([0, 1, 2]);
  });
});

it('a record is read as it was written, and anything else is not', () => {
  const text = fc.string();
  const count = fc.maxSafeNat();
  fc.assert(
    fc.property(
      text,
      count,
      fc.array(fc.tuple(text, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), count)),
      (holder, fence, all) => {
        const flush = all.map(([probe, epoch, firstSeq]) => ({ probe, epoch, firstSeq, lastSeq: firstSeq }));
        const record = { holder, fence, ttlMs: 5, flush };
        expect(parseRecord(formatRecord(record))).toEqual(record);
      },
    ),
  );
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (anything) => {
      expect(() => parseRecord(anything)).not.toThrow();
    }),
  );
});

it('shares leave no partition over', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1024 }), fc.integer({ min: 1, max: 50 }), (partitions, count) => {
      const engines = Array.from({ length: count }, (_, i) => `e${i}`);
      const shares = engines.map((engine) => shareOf(partitions, engines, engine));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(partitions);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }),
  );
});
