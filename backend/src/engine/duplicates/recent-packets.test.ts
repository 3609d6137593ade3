import fc from 'fast-check';
import { Layer, PacketBatch } from '@netspectra/proto';
import { describe, expect, it } from 'vitest';
import { probesOfPacketMax, RecentPackets } from './recent-packets.js';

interface TestPacket {
  readonly kind: number;
  readonly over?: (batch: PacketBatch, row: number) => void;
}

/** A batch of TCP packets that differ by `kind` alone. */
function batchOf(packets: readonly TestPacket[]): PacketBatch {
  const batch = new PacketBatch(Math.max(1, packets.length), 0);
  batch.count = packets.length;
  packets.forEach(({ kind, over }, row) => {
    batch.layers[row] = Layer.Ipv4 | Layer.Tcp | Layer.HasAddresses | Layer.HasPorts | Layer.HasTcp;
    batch.sourceAddress.set([0, 0, 0xffff0000, 1], row * 4);
    batch.destinationAddress.set([0, 0, 0xffff0000, 9], row * 4);
    batch.sourcePort[row] = 4000;
    batch.destinationPort[row] = 443;
    batch.protocol[row] = 6;
    batch.tcpSequence[row] = kind;
    batch.transportPayloadLength[row] = 10;
    batch.wireLength[row] = 64;
    over?.(batch, row);
  });
  return batch;
}

/** One packet; true: it is a copy. */
function isCopy(recent: RecentPackets, probe: number, packet: TestPacket): boolean {
  const marks = new Uint8Array(1);
  const found = recent.judge(batchOf([packet]), probe, marks);
  expect(found).toBe(marks[0]);
  return found === 1;
}

describe('packets that several probes bring', () => {
  it('are told as by a plain count of what each probe brought in this generation and the one before', () => {
    const step = fc.oneof(
      { weight: 12, arbitrary: fc.record({ kind: fc.nat(3), probe: fc.integer({ min: 1, max: 4 }) }) },
      { weight: 1, arbitrary: fc.constant('turn' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
        const recent = new RecentPackets({ maxPackets: 1_000, seed });
        let before = new Map<string, number>();
        let now = new Map<string, number>();
        for (const one of steps) {
          if (one === 'turn') {
            before = now;
            now = new Map();
            recent.turn();
            continue;
          }
          const brought = (probe: number): number =>
            (before.get(`${one.kind} ${probe}`) ?? 0) + (now.get(`${one.kind} ${probe}`) ?? 0);
          const most = Math.max(...[1, 2, 3, 4].filter((probe) => probe !== one.probe).map(brought));
          expect(isCopy(recent, one.probe, { kind: one.kind })).toBe(brought(one.probe) < most);
          const key = `${one.kind} ${one.probe}`;
          now.set(key, (now.get(key) ?? 0) + 1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are told alike by who was only shown the generation before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.record({ kind: fc.nat(20), probe: fc.integer({ min: 1, max: 3 }) }), { maxLength: 40 }), {
          minLength: 3,
          maxLength: 6,
        }),
        fc.integer({ min: 4, max: 200 }),
        (generations, maxPackets) => {
          const old = new RecentPackets({ maxPackets, seed: 1 });
          const fresh = new RecentPackets({ maxPackets, seed: 2 });
          generations.forEach((packets, i) => {
            const isShown = i >= generations.length - 2;
            const isJudged = i === generations.length - 1;
            old.turn();
            if (isShown) fresh.turn();
            for (const { kind, probe } of packets) {
              const told = isCopy(old, probe, { kind });
              if (!isShown) continue;
              const toldByFresh = isCopy(fresh, probe, { kind });
              if (isJudged) expect(toldByFresh).toBe(told);
            }
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are known by what no hop changes, and by all of that', () => {
    const set =
      (change: (batch: PacketBatch, row: number) => void) =>
      (recent: RecentPackets): boolean => {
        isCopy(recent, 1, { kind: 7 });
        return isCopy(recent, 2, { kind: 7, over: change });
      };
    const same = [
      set((batch, row) => (batch.hopLimit[row] = 63)),
      set((batch, row) => (batch.vlan[row] = 12)),
      set((batch, row) => (batch.innerVlan[row] = 13)),
      set((batch, row) => (batch.wireLength[row] = 68)),
      set((batch, row) => (batch.trafficClass[row] = 1)),
      set((batch, row) => (batch.tunnelId[row] = 5)),
      set((batch, row) => (batch.timestampSeconds[row] = 5)),
      set((batch, row) => (batch.layers[row] = batch.layers[row]! | Layer.Vlan)),
    ];
    const other = [
      set((batch, row) => (batch.sourceAddress[row * 4 + 3] = 2)),
      set((batch, row) => (batch.destinationAddress[row * 4] = 2)),
      set((batch, row) => (batch.sourcePort[row] = 4001)),
      set((batch, row) => (batch.destinationPort[row] = 444)),
      set((batch, row) => (batch.protocol[row] = 17)),
      set((batch, row) => (batch.tcpSequence[row] = 8)),
      set((batch, row) => (batch.tcpAcknowledgment[row] = 8)),
      set((batch, row) => (batch.tcpFlags[row] = 16)),
      set((batch, row) => (batch.tcpWindow[row] = 16)),
      set((batch, row) => (batch.transportPayloadLength[row] = 11)),
      set((batch, row) => (batch.fragmentId[row] = 11)),
      set((batch, row) => (batch.fragmentOffset[row] = 8)),
      set((batch, row) => (batch.icmpType[row] = 8)),
      set((batch, row) => (batch.icmpCode[row] = 8)),
      // There and back is not the same packet.
      set((batch, row) => {
        batch.sourceAddress.set([0, 0, 0xffff0000, 9], row * 4);
        batch.destinationAddress.set([0, 0, 0xffff0000, 1], row * 4);
        batch.sourcePort[row] = 443;
        batch.destinationPort[row] = 4000;
      }),
    ];
    const judge = (one: (recent: RecentPackets) => boolean): boolean => one(new RecentPackets({ maxPackets: 100 }));
    expect(same.map(judge)).toEqual(same.map(() => true));
    expect(other.map(judge)).toEqual(other.map(() => false));
  });

  it('are not taken for others among a hundred thousand', () => {
    const recent = new RecentPackets({ maxPackets: 1_000_000 });
    const kinds = Array.from({ length: 100_000 }, (_, kind) => ({ kind }));
    const marks = new Uint8Array(kinds.length);
    expect(recent.judge(batchOf(kinds), 1, marks)).toBe(0);
    expect(recent.size).toBe(kinds.length);
    expect(recent.judge(batchOf(kinds.map(({ kind }) => ({ kind: kind + 100_000 }))), 2, marks)).toBe(0);
    expect(recent.judge(batchOf(kinds), 2, marks)).toBe(kinds.length);
  });

  it('are forgotten with their generation when there are too many, and that is counted', () => {
    const recent = new RecentPackets({ maxPackets: 20 });
    for (let kind = 0; kind < 1_000; kind += 1) {
      isCopy(recent, 1, { kind });
      expect(recent.size).toBeLessThanOrEqual(20);
      if (kind >= 2) expect(isCopy(recent, 2, { kind: kind - 2 })).toBe(true);
    }
    expect(recent.counters.overflows).toBeGreaterThan(90);
    expect(isCopy(recent, 2, { kind: 100 })).toBe(false);
  });

  it('count as new, and are counted, where they cannot be compared', () => {
    const recent = new RecentPackets({ maxPackets: 100 });
    const marks = new Uint8Array(4).fill(9);
    const bare = (batch: PacketBatch, row: number): void => void (batch.layers[row] = Layer.Arp);
    for (const probe of [1, 2]) expect(recent.judge(batchOf([{ kind: 1, over: bare }]), probe, marks)).toBe(0);
    const sampled = batchOf([{ kind: 2 }]);
    sampled.samplingRate = 10;
    for (const probe of [1, 2]) expect(recent.judge(sampled, probe, marks)).toBe(0);
    for (const probe of [1, 0]) expect(recent.judge(batchOf([{ kind: 3 }]), probe, marks)).toBe(0);
    expect(marks[0]).toBe(0);
    expect(recent.counters.unjudged).toBe(5);
  });

  it('are recognised also when more probes bring one than are counted by name', () => {
    const recent = new RecentPackets({ maxPackets: 100 });
    expect(isCopy(recent, 1, { kind: 1 })).toBe(false);
    for (let probe = 2; probe < probesOfPacketMax + 20; probe += 1)
      expect(isCopy(recent, probe, { kind: 1 })).toBe(true);
  });
});
