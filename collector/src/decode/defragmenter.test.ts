import fc from 'fast-check';
import { Layer, PacketBatch, TunnelType } from '@netspectra/proto';
import { describe, expect, it } from 'vitest';
import { DefragmentResult, Defragmenter, PacketDecoder } from './index.js';
import type { DefragmenterOptions } from './index.js';
import { bytesOf, ethernet, gtpu, ipv4, ipv6, ipv6Fragment, rowOf, tcp, udp, vlan, vxlan } from './testing.js';

interface Piece {
  start: number;
  bytes: Uint8Array;
  more: boolean;
}

const cut = (payload: Uint8Array, size: number): Piece[] => {
  const pieces: Piece[] = [];
  for (let start = 0; start < payload.length; start += size) {
    pieces.push({ start, bytes: payload.subarray(start, start + size), more: start + size < payload.length });
  }
  return pieces;
};
const frame4 = (piece: Piece, protocol = 17, id = 1): Uint8Array =>
  ethernet(0x0800, ipv4(protocol, piece.bytes, { id, fragment: (piece.more ? 0x2000 : 0) | (piece.start / 8) }));
const frame6 = (piece: Piece, next = 17, id = 1): Uint8Array =>
  ethernet(0x86dd, ipv6(44, ipv6Fragment(next, piece.start, piece.more, id, piece.bytes)));

/** A decoder and a defragmenter, fed frame by frame. */
function createKit(options: Partial<DefragmenterOptions> = {}) {
  const decoder = new PacketDecoder();
  const defragmenter = new Defragmenter(options, decoder);
  const batch = new PacketBatch(1, 8);
  const feed = (bytes: Uint8Array, seconds = 0, captured = bytes.length): number => {
    batch.clear();
    batch.payload = bytes;
    decoder.decode(bytes, 0, captured, bytes.length, 1, seconds, 5, 0, batch);
    return defragmenter.add(batch, 0);
  };
  const { completed, counters } = defragmenter;
  return { defragmenter, batch, feed, completed, counters };
}
const { Held, Completed, NotKept } = DefragmentResult;
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 255);
const payloadOf = (batch: PacketBatch): Uint8Array =>
  batch.payload.subarray(batch.payloadOffset[0]!, batch.payloadOffset[0]! + batch.payloadLength[0]!);

describe.each([
  ['IPv4', frame4, Layer.Ipv4],
  ['IPv6', frame6, Layer.Ipv6],
] as const)('%s', (_, frame, version) => {
  const body = pattern(1000);
  const pieces = cut(udp(4000, 53, body), 400);

  it('puts a datagram together, on the row of the frame that completes it', () => {
    const { feed, batch, completed, counters } = createKit();
    expect(feed(frame(pieces[0]!))).toBe(Held);
    expect(feed(frame(pieces[1]!))).toBe(Held);
    expect(counters.held).toBe(1);
    expect(feed(frame(pieces[2]!), 7)).toBe(Completed);
    const row = rowOf(completed, 0);
    expect(row).toMatchObject({
      source: rowOf(batch, 0).source,
      sourcePort: 4000,
      destinationPort: 53,
      protocol: 17,
      timestampSeconds: 7,
      timestampNanoseconds: 5,
      wireLength: batch.wireLength[0],
      capturedLength: batch.wireLength[0],
      transportPayloadLength: 1000,
      payloadLength: 1000,
      hopLimit: 64,
      reason: 0,
      outer: [],
    });
    expect(row.layers).toBe(version | Layer.Udp | Layer.HasAddresses | Layer.HasPorts | Layer.Fragmented);
    expect(payloadOf(completed)).toEqual(body);
    expect(counters).toMatchObject({ held: 0, reassembled: 1, overlapped: 0 });
  });

  it('gives the ports of the first fragment to those after it', () => {
    const { feed, batch } = createKit();
    feed(frame(pieces[1]!));
    expect((batch.layers[0]! & Layer.HasPorts) === 0 && batch.sourcePort[0] === 0).toBe(true);
    feed(frame(pieces[0]!));
    expect([batch.sourcePort[0], batch.destinationPort[0]]).toEqual([4000, 53]);
    const hash = batch.flowHash[0]!;
    const { feed: feed2, batch: batch2 } = createKit();
    feed2(frame(pieces[0]!));
    feed2(frame(pieces[1]!));
    expect([batch2.sourcePort[0], batch2.destinationPort[0], batch2.flowHash[0]]).toEqual([4000, 53, hash]);
    expect(batch2.layers[0]! & (Layer.HasPorts | Layer.Udp)).toBe(Layer.HasPorts);
    // The hash is that of the datagram's flow.
    const whole = new PacketBatch(1, 8);
    const bytes =
      version === Layer.Ipv4
        ? ethernet(0x0800, ipv4(17, udp(4000, 53, body)))
        : ethernet(0x86dd, ipv6(17, udp(4000, 53, body)));
    new PacketDecoder().decode(bytes, 0, bytes.length, bytes.length, 1, 0, 0, 0, whole);
    expect(hash).toBe(whole.flowHash[0]);
  });

  it('remembers the ports of a first fragment that was not captured whole', () => {
    const { feed, batch, counters } = createKit();
    expect(feed(frame(pieces[0]!), 0, 90)).toBe(NotKept);
    expect(batch.layers[0]! & Layer.Fragment).toBe(0);
    feed(frame(pieces[1]!));
    expect([batch.sourcePort[0], batch.destinationPort[0]]).toEqual([4000, 53]);
    expect(counters.unusable).toBe(1);
  });

  it('puts any cut in any order, with repeats, together', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 1, max: 40 }),
        fc.infiniteStream(fc.nat()),
        (length, units, numbers) => {
          const datagram = udp(1, 2, pattern(length));
          const parts = cut(datagram, units * 8);
          if (parts.length === 1) return;
          const order = [...parts, ...parts.filter(() => numbers.next().value! % 3 === 0)]
            .map((part) => ({ part, rank: numbers.next().value! }))
            .sort((a, b) => a.rank - b.rank)
            .map(({ part }) => part);
          const { feed, completed, counters } = createKit();
          const came = new Set<number>();
          let done = false;
          for (const part of order) {
            came.add(part.start);
            const result = feed(frame(part));
            if (done) continue; // repeats of a finished datagram begin a new one
            done = came.size === parts.length;
            expect(result === Completed).toBe(done);
            if (done) expect(payloadOf(completed)).toEqual(pattern(length));
          }
          expect(counters.overlapped).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('gives a datagram up after 30 s of event time', () => {
    const { feed, counters } = createKit();
    feed(frame(pieces[0]!), 100);
    feed(frame(pieces[1]!), 130);
    expect(counters.expired).toBe(0);
    expect(feed(frame(pieces[2]!), 131)).toBe(Held);
    expect(counters).toMatchObject({ expired: 1, held: 1, reassembled: 0 });
  });

  it('gives the oldest up when there are too many, or too many bytes', () => {
    const many = createKit({ datagramsMax: 3 });
    for (let id = 0; id < 10; id += 1) many.feed(frame(pieces[0]!, 17, id));
    expect(many.counters).toMatchObject({ held: 3, limitReached: 7 });
    const big = createKit({ bytesMax: 65_536 });
    const far = { start: 60_000, bytes: pattern(800), more: true };
    for (let id = 0; id < 5; id += 1) expect(big.feed(frame(far, 17, id))).toBe(Held);
    expect(big.counters).toMatchObject({ held: 1, limitReached: 4 });
  });

  it('keeps datagrams of other ids, and of other VLANs, apart', () => {
    const { feed, counters } = createKit();
    const tagged = (piece: Piece, id: number): Uint8Array => {
      const bytes = frame(piece);
      return ethernet(0x8100, vlan(id, version === Layer.Ipv4 ? 0x0800 : 0x86dd, bytes.subarray(14)));
    };
    feed(frame(pieces[0]!, 17, 1));
    feed(frame(pieces[0]!, 17, 2));
    feed(tagged(pieces[0]!, 5));
    feed(tagged(pieces[0]!, 6));
    expect(counters.held).toBe(4);
    feed(tagged(pieces[1]!, 5));
    expect(feed(tagged(pieces[2]!, 5))).toBe(Completed);
  });

  it('refuses what goes beyond 65,535 bytes', () => {
    const { feed, counters } = createKit();
    expect(feed(frame({ start: 65_528, bytes: pattern(800), more: false }))).toBe(NotKept);
    expect(feed(frame({ start: 8, bytes: new Uint8Array(0), more: true }))).toBe(NotKept);
    expect(counters).toMatchObject({ unusable: 2, held: 0 });
  });

  it('decodes what only the whole shows: TCP, nested tunnels with their outer entries', () => {
    const { feed, completed } = createKit();
    const inner = ipv4(6, tcp(7, 8, pattern(900)), { source: '10.0.0.1' });
    const datagram = udp(50_000, 4789, vxlan(77, ethernet(0x0800, inner)));
    for (const piece of cut(datagram, 504)) feed(frame(piece));
    const row = rowOf(completed, 0);
    expect(row).toMatchObject({ sourcePort: 7, destinationPort: 8, tunnelType: TunnelType.Vxlan, tunnelId: 77 });
    expect(row.outer).toMatchObject([{ ports: [50_000, 4789], protocol: 17 }]);
    expect(completed.layers[0]! & (Layer.Vxlan | Layer.Udp | Layer.Tcp | Layer.HasTcp)).not.toBe(0);
  });

  it('goes on with fragments inside the datagram', () => {
    const { feed, completed, counters } = createKit();
    const inner = cut(tcp(7, 8, pattern(900)), 480).map((piece) =>
      ipv4(6, piece.bytes, { source: '10.0.0.1', fragment: (piece.more ? 0x2000 : 0) | (piece.start / 8) }),
    );
    const results = inner.flatMap((packet, id) =>
      cut(udp(2152, 2152, gtpu(5, packet)), 304).map((piece) => feed(frame(piece, 17, id))),
    );
    expect(results.filter((result) => result === Completed).length).toBe(2);
    const row = rowOf(completed, 0);
    expect(row).toMatchObject({ sourcePort: 7, destinationPort: 8, tunnelId: 5, payloadLength: 900 });
    expect(row.outer).toMatchObject([{ ports: [2152, 2152] }]);
    expect(payloadOf(completed)).toEqual(pattern(900));
    expect(counters).toMatchObject({ reassembled: 3, held: 0 });
  });

  it('counts what is left at the end', () => {
    const { feed, defragmenter, counters } = createKit();
    feed(frame(pieces[0]!));
    defragmenter.finish();
    expect(counters).toMatchObject({ held: 0, expired: 1 });
  });
});

describe('overlaps', () => {
  const datagram = udp(1, 2, pattern(92));
  const [first, second] = cut(datagram, 56) as [Piece, Piece];
  const other = { start: 48, bytes: new Uint8Array(24).fill(0xee), more: true };

  it('drops an IPv6 datagram, and what still comes of it', () => {
    const { feed, counters } = createKit();
    feed(frame6(first));
    expect(feed(frame6(other))).toBe(NotKept);
    expect(feed(frame6(second))).toBe(NotKept);
    expect(feed(frame6(first))).toBe(NotKept);
    expect(counters).toMatchObject({ overlapped: 1, reassembled: 0 });
  });

  it('keeps the bytes that came first in an IPv4 datagram', () => {
    const { feed, counters, completed } = createKit();
    feed(frame4(first));
    expect(feed(frame4(other))).toBe(Held);
    expect(feed(frame4(second))).toBe(Completed);
    expect(counters).toMatchObject({ overlapped: 2, reassembled: 1 });
    // Bytes 56 to 72 of the datagram are the overlapping fragment's, those before and behind are not.
    const wanted = datagram.slice();
    wanted.fill(0xee, 56, 72);
    expect(payloadOf(completed)).toEqual(wanted.subarray(8));
  });

  it('does not take an exact repeat for an overlap', () => {
    const { feed, counters } = createKit();
    feed(frame6(first));
    expect(feed(frame6(first))).toBe(NotKept);
    expect(feed(frame6(second))).toBe(Completed);
    expect(counters).toMatchObject({ overlapped: 0, repeated: 1 });
  });

  it('keeps the end that an IPv4 datagram named first (teardrop)', () => {
    const { feed, counters, completed } = createKit();
    feed(frame4({ start: 48, bytes: datagram.subarray(48), more: false }));
    expect(feed(frame4({ start: 40, bytes: new Uint8Array(8), more: false }))).toBe(NotKept);
    expect(feed(frame4({ start: 0, bytes: bytesOf(datagram.subarray(0, 48), new Uint8Array(160)), more: true }))).toBe(
      Completed,
    );
    expect(payloadOf(completed)).toEqual(datagram.subarray(8));
    expect(counters.overlapped).toBeGreaterThan(0);
  });
});

describe('limits of the options', () => {
  it('must allow one datagram', () => {
    expect(() => new Defragmenter({ datagramsMax: 0 })).toThrow(RangeError);
    expect(() => new Defragmenter({ bytesMax: 1000 })).toThrow(RangeError);
  });
});
