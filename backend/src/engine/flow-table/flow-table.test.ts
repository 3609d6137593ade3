import { Layer, PacketBatch } from '@netspectra/proto';
import { flowHash } from '@netspectra/collector/decode';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSelection, PacketEvent } from '../packet-selection.js';
import { FlowTable, hashOfRecord } from './index.js';

interface Packet {
  from: number;
  to: number;
  fromPort: number;
  toPort: number;
  protocol?: number;
  vlan?: number;
  /** seconds */
  time: number;
  bytes?: number;
  flags?: number;
  sequence?: number;
  acknowledgment?: number;
  payload?: number;
  window?: number;
}

const tcp = 6;
const [fin, syn, rst, ack] = [1, 2, 4, 16];
const capacity = 4096;
const batch = new PacketBatch(capacity, 8);
const mapped = new Uint32Array(new Uint8Array([0, 0, 0xff, 0xff]).buffer)[0]!;

function fill(packets: readonly Packet[]): void {
  batch.clear();
  packets.forEach((packet, row) => {
    batch.sourceAddress.set([0, 0, mapped, packet.from], row * 4);
    batch.destinationAddress.set([0, 0, mapped, packet.to], row * 4);
    batch.sourcePort[row] = packet.fromPort;
    batch.destinationPort[row] = packet.toPort;
    const protocol = packet.protocol ?? tcp;
    batch.protocol[row] = protocol;
    batch.vlan[row] = packet.vlan ?? 0;
    batch.innerVlan[row] = 0;
    const whole = Math.floor(packet.time);
    batch.timestampSeconds[row] = whole;
    batch.timestampNanoseconds[row] = Math.round((packet.time - whole) * 1e9);
    batch.wireLength[row] = packet.bytes ?? 60;
    batch.layers[row] =
      Layer.Ipv4 |
      Layer.HasAddresses |
      Layer.HasPorts |
      (protocol === tcp ? Layer.Tcp | Layer.HasTcp : protocol === 17 ? Layer.Udp : 0);
    batch.tcpFlags[row] = packet.flags ?? ack!;
    batch.tcpSequence[row] = packet.sequence ?? 0;
    batch.tcpAcknowledgment[row] = packet.acknowledgment ?? 0;
    batch.transportPayloadLength[row] = packet.payload ?? 0;
    batch.tcpWindow[row] = packet.window ?? 1000;
    batch.flowHash[row] = flowHash(
      0,
      0,
      mapped,
      packet.from,
      0,
      0,
      mapped,
      packet.to,
      packet.fromPort,
      packet.toPort,
      protocol,
    );
  });
  batch.count = packets.length;
}

function track(table: FlowTable, packets: readonly Packet[]) {
  const selection = createSelection(batch, capacity);
  const events: number[] = [];
  const flows: number[] = [];
  const directions: number[] = [];
  for (let start = 0; start < packets.length; start += capacity) {
    const part = packets.slice(start, start + capacity);
    fill(part);
    selection.count = part.length;
    for (let row = 0; row < part.length; row += 1) selection.rows[row] = row;
    table.track(selection);
    events.push(...selection.events.subarray(0, part.length));
    flows.push(...selection.flow.subarray(0, part.length));
    directions.push(...selection.direction.subarray(0, part.length));
  }
  return { events, flows, directions };
}

const whole = { maxFlows: 1_000_000, windowSeconds: 0, idleTimeoutSeconds: 0 };
const client = { from: 1, to: 2, fromPort: 40_000, toPort: 80 };
const server = { from: 2, to: 1, fromPort: 80, toPort: 40_000 };

describe('flow table', () => {
  it('knows client and server by the first packet, by SYN, and by SYN-ACK', () => {
    const table = new FlowTable(whole);
    const { flows } = track(table, [
      { ...server, time: 1, flags: syn! | ack! },
      { ...client, time: 1.01 },
    ]);
    expect(flows).toEqual([0, 0]);
    expect(table.clientPort(0)).toBe(40_000);
    expect([table.clientPackets(0), table.serverPackets(0)]).toEqual([1, 1]);

    // The server's last packet of an older connection first, then a SYN from the other side: they change places.
    const late = new FlowTable(whole);
    const seen = track(late, [
      { ...server, time: 1, bytes: 100 },
      { ...client, time: 1.01, flags: syn!, bytes: 70 },
    ]);
    expect(late.clientPort(0)).toBe(40_000);
    expect([late.clientBytes(0), late.serverBytes(0)]).toEqual([70, 100]);
    expect(seen.directions[1]).toBe(0);
  });

  it('measures the handshake round trip, also when the SYN was sent twice', () => {
    const table = new FlowTable(whole);
    const { events } = track(table, [
      { ...client, time: 10, flags: syn!, sequence: 100 },
      { ...client, time: 10.5, flags: syn!, sequence: 100 },
      { ...server, time: 10.52, flags: syn! | ack!, sequence: 500, acknowledgment: 101 },
      { ...client, time: 10.53, sequence: 101, acknowledgment: 501 },
    ]);
    expect(table.rttNanoseconds(0)).toBeCloseTo(0.53e9, -3);
    expect(events[1]! & PacketEvent.Retransmission).toBeTruthy();
    expect(events[3]! & PacketEvent.RttMeasured).toBeTruthy();
  });

  it('sees SYNs sent again, and holes that are filled bit by bit, in the upper half of sequence numbers too', () => {
    for (const base of [1_000, 0x90000000, 0xfffffff0]) {
      const at = (offset: number): number => (base + offset) >>> 0;
      const { events } = track(new FlowTable(whole), [
        { ...client, time: 1, flags: syn!, sequence: at(0) },
        { ...client, time: 1.1, flags: syn!, sequence: at(0) },
        { ...server, time: 1.2, flags: syn! | ack!, sequence: at(0), acknowledgment: at(1) },
        { ...server, time: 1.3, flags: syn! | ack!, sequence: at(0), acknowledgment: at(1) },
        { ...client, time: 1.4, sequence: at(1), acknowledgment: at(1) },
        { ...client, time: 1.5, flags: syn!, sequence: at(0) }, // no new connection
        { ...client, time: 2, sequence: at(1), payload: 100 },
        { ...client, time: 2.1, sequence: at(201), payload: 100 }, // 101..200 missing
        { ...client, time: 2.101, sequence: at(101), payload: 50 },
        { ...client, time: 2.102, sequence: at(151), payload: 50 }, // all there
        { ...client, time: 2.1025, sequence: at(101), payload: 50 }, // again
      ]);
      const { Retransmission, OutOfOrder, Reopened } = PacketEvent;
      expect(events.map((event) => event & (Retransmission | OutOfOrder | Reopened))).toEqual([
        0,
        Retransmission,
        0,
        Retransmission,
        0,
        Retransmission,
        0,
        0,
        OutOfOrder,
        OutOfOrder,
        Retransmission,
      ]);
    }
  });

  it('tells retransmission, reordering, keep-alive and zero window apart, across the sequence wrap', () => {
    const table = new FlowTable(whole);
    const base = 0xffffff00;
    const at = (offset: number): number => (base + offset) >>> 0;
    const { events } = track(table, [
      { ...client, time: 1, sequence: at(0), payload: 100 },
      { ...client, time: 1.1, sequence: at(100), payload: 200 }, // wraps
      { ...client, time: 1.2, sequence: at(100), payload: 200 }, // again
      { ...client, time: 1.3, sequence: at(400), payload: 100 }, // 300..399 missing
      { ...client, time: 1.301, sequence: at(300), payload: 100 }, // 1 ms later: reordered
      { ...client, time: 1.4, sequence: at(600), payload: 100 }, // 500..599 missing
      { ...client, time: 1.7, sequence: at(500), payload: 100 }, // 300 ms later: sent again
      { ...client, time: 9, sequence: at(699), payload: 0 }, // keep-alive
      { ...client, time: 9.1, sequence: at(699), payload: 1 }, // keep-alive with a byte
      { ...server, time: 9.2, sequence: 7, window: 0 },
    ]);
    const only = events.map((event) => event & ~PacketEvent.NewFlow);
    const { Retransmission, OutOfOrder, ZeroWindow } = PacketEvent;
    expect(only).toEqual([0, 0, Retransmission, 0, OutOfOrder, 0, Retransmission, 0, 0, ZeroWindow]);
    expect([table.retransmissions(0, 0), table.outOfOrder(0, 0), table.zeroWindows(0, 1)]).toEqual([2, 1, 1]);
  });

  it('opens a flow anew when a SYN follows its end', () => {
    const rows: number[] = [];
    const table = new FlowTable({ ...whole, windowSeconds: 10 });
    table.onRow = (flow, reason) => rows.push(table.clientPackets(flow) + table.serverPackets(flow), reason);
    const { events } = track(table, [
      { ...client, time: 1, flags: syn!, sequence: 1 },
      { ...client, time: 2, flags: fin! | ack!, sequence: 2 },
      { ...server, time: 2, flags: fin! | ack!, sequence: 2 },
      { ...client, time: 3, flags: syn!, sequence: 9 },
      { ...server, time: 4, flags: rst! },
    ]);
    expect(events[3]! & PacketEvent.Reopened).toBeTruthy();
    table.flush();
    expect(rows).toEqual([3, 3, 2, 2]);
  });

  it('keeps every packet and byte, per window and in total, for random packets in any order of time', () => {
    const packet = fc.record({
      from: fc.integer({ min: 1, max: 12 }),
      to: fc.integer({ min: 1, max: 12 }),
      fromPort: fc.integer({ min: 1, max: 3 }),
      toPort: fc.integer({ min: 1, max: 3 }),
      protocol: fc.constantFrom(6, 17, 1),
      vlan: fc.constantFrom(0, 0, 5),
      time: fc.integer({ min: 1000, max: 1040 }),
      bytes: fc.integer({ min: 40, max: 9000 }),
      flags: fc.constantFrom(2, 16, 18, 17, 4),
      sequence: fc.integer({ min: 0, max: 0xffffffff }),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 400 }), fc.boolean(), (packets, small) => {
        const table = new FlowTable({ maxFlows: small ? 8 : 10_000, windowSeconds: 10, idleTimeoutSeconds: 15 });
        const windows = new Map<number, { packets: number; bytes: number }>();
        table.onRow = (flow) => {
          const sum = windows.get(table.windowStart(flow)) ?? { packets: 0, bytes: 0 };
          sum.packets += table.clientPackets(flow) + table.serverPackets(flow);
          sum.bytes += table.clientBytes(flow) + table.serverBytes(flow);
          windows.set(table.windowStart(flow), sum);
        };
        for (let i = 0; i < packets.length; i += 50) {
          track(table, packets.slice(i, i + 50));
          table.expire(packets[i]!.time + 20);
        }
        table.flush();
        const expected = new Map<number, { packets: number; bytes: number }>();
        for (const { time, bytes } of packets) {
          const start = time - (time % 10);
          const sum = expected.get(start) ?? { packets: 0, bytes: 0 };
          sum.packets += 1;
          sum.bytes += bytes;
          expected.set(start, sum);
        }
        expect([...windows].sort()).toEqual([...expected].sort());
      }),
      { numRuns: 150 },
    );
  });

  it('counts bidirectional flows as a plain map does, past growth', () => {
    const packets: Packet[] = [];
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const keys = new Map<string, number>();
    for (let i = 0; i < 60_000; i += 1) {
      const packet = {
        from: 1 + random(150),
        to: 1 + random(150),
        fromPort: random(3),
        toPort: random(3),
        protocol: 17,
        time: 5,
        bytes: 10,
      };
      packets.push(packet);
      const ends = [`${packet.from}:${packet.fromPort}`, `${packet.to}:${packet.toPort}`].sort().join(' ');
      keys.set(ends, (keys.get(ends) ?? 0) + 1);
    }
    const table = new FlowTable(whole);
    track(table, packets);
    expect(table.live).toBe(keys.size);
    let total = 0;
    for (let flow = 0; flow < table.slots; flow += 1) total += table.clientPackets(flow) + table.serverPackets(flow);
    expect(total).toBe(packets.length);
  });

  it('never holds more than its limit: the smallest flows fold into "other", the big one stays', () => {
    const table = new FlowTable({ maxFlows: 1000, windowSeconds: 0, idleTimeoutSeconds: 0 });
    const packets: Packet[] = [];
    for (let i = 0; i < 20_000; i += 1) {
      packets.push({ from: 10 + i, to: 5, fromPort: 1, toPort: 2, protocol: 17, time: 1, bytes: 50 });
      if (i % 100 === 0) packets.push({ from: 1, to: 2, fromPort: 9, toPort: 9, protocol: 17, time: 1, bytes: 1500 });
    }
    track(table, packets);
    expect(table.live).toBeLessThanOrEqual(1000 + 256);
    expect(table.foldedFlows).toBeGreaterThan(18_000);
    let bytes = 0;
    let big = 0;
    for (let flow = 0; flow < table.slots; flow += 1) {
      if (!table.hasPackets(flow)) continue;
      const sum = table.clientBytes(flow) + table.serverBytes(flow);
      bytes += sum;
      if (!table.isOther(flow)) big = Math.max(big, sum);
    }
    expect(bytes).toBe(packets.reduce((sum, packet) => sum + packet.bytes!, 0));
    expect(big).toBe(200 * 1500);
  });

  it('moves flows to the partition that owns them, whichever side was taken for the client', () => {
    const here = new FlowTable(whole);
    const there = new FlowTable(whole);
    track(here, [
      { ...client, time: 1, bytes: 100 },
      { from: 8, to: 9, fromPort: 1, toPort: 1, time: 1, bytes: 1 },
    ]);
    track(there, [{ ...server, time: 0.5, bytes: 30 }]);
    const moved = here.exportForeign((hash) => hash !== there.idLow(0));
    expect(moved.map(hashOfRecord)).toEqual([there.idLow(0)]);
    there.absorb(moved[0]!);
    expect([there.clientBytes(0), there.serverBytes(0), there.live, here.live]).toEqual([30, 100, 1, 1]);
    expect(there.lastSeconds(0)).toBe(1);
  });
});

describe('growing', () => {
  const packets = (from: number, count: number): Packet[] =>
    Array.from({ length: count }, (_, i) => ({ from: from + i, to: 9, fromPort: 1000, toPort: 80, time: 1 }));
  const hosts = (table: FlowTable): Set<string> =>
    new Set(
      Array.from({ length: table.slots }, (_, flow) => {
        const at = table.clientAddressOffset(flow);
        return table.addressBytes.slice(at, at + 16).join('.');
      }),
    );

  it('copies no records as long as there is address space, and frees the index it has grown out of', () => {
    const table = new FlowTable({ ...whole, windowSeconds: 10, initialFlows: 8_192 });
    const indexOf = (): Uint32Array => (table as unknown as { index: Uint32Array }).index;
    const { buffer, length } = table.addressBytes;
    for (let from = 10_000; from < 110_000; from += 4_000) track(table, packets(from, 4_000));
    const smaller = indexOf();
    expect(smaller.length).toBeGreaterThan(100_000);
    for (let from = 110_000; from < 210_000; from += 4_000) track(table, packets(from, 4_000));
    track(table, packets(10_000, 1));
    expect(table.addressBytes.length).toBeGreaterThan(length);
    expect(table.addressBytes.buffer).toBe(buffer);
    expect([table.live, hosts(table).size]).toEqual([200_000, 200_000]);
    expect([smaller.length, indexOf().length]).toEqual([0, 2 ** 20]);
  });

  it('moves to another place when the limit has risen beyond the address space', () => {
    const table = new FlowTable({ ...whole, maxFlows: 1_024 });
    track(table, packets(10_000, 500));
    const { buffer } = table.addressBytes;
    const generation = table.generation(0);
    table.application[0] = 5;
    table.maxFlows = 100_000;
    for (let from = 10_500; from < 40_000; from += 500) track(table, packets(from, 500));
    expect(table.addressBytes.buffer).not.toBe(buffer);
    expect([table.live, table.foldedFlows, hosts(table).size]).toEqual([30_000, 0, 30_000]);
    expect([table.clientPackets(0), table.clientPort(0), table.serverPort(0)]).toEqual([1, 1000, 80]);
    expect([generation, table.generation(0), table.application[0]]).toEqual([1, 1, 5]);
  });
});
