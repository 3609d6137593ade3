import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { batchHeader, batchTimes, decodePacketBatch, encodePacketBatch, swapElements, wireLimits } from './codec.js';
import type { BatchHeader } from './codec.js';
import { Layer, PacketBatch, outerColumns, packetColumns } from './packet-batch.js';
import type { OuterColumn, PacketColumn } from './packet-batch.js';

const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
const here = (path: string) => new URL(path, import.meta.url);
const schema = protobuf.parse(readFileSync(here('../traffic.proto'), 'utf8')).root;
const schemaBatch = schema.lookupType('netspectra.v1.PacketBatch');
const packetNames = Object.keys(packetColumns) as PacketColumn[];
const outerNames = Object.keys(outerColumns) as OuterColumn[];

/** mulberry32: the same numbers for the same seed on every machine. */
function random(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** A batch with room to spare, all columns random (or zero), payload pieces inside the payload. */
function randomBatch(rows: number, outerRows: number, start: number): PacketBatch {
  const next = random(start);
  const payload = Uint8Array.from({ length: rows * 7 }, () => next() & 255);
  const batch = new PacketBatch(rows + 3, outerRows + 2, undefined, payload);
  for (const name of [...packetNames, ...outerNames]) {
    if (next() % 4 === 0) continue; // an all-zero column
    const view = batch[name];
    for (let i = 0; i < view.length; i += 1) view[i] = next();
  }
  for (let row = 0; row < rows; row += 1) {
    batch.timestampNanoseconds[row] = next() % 1e9;
    batch.payloadOffset[row] = next() % (payload.length + 1);
    batch.payloadLength[row] = next() % (payload.length - batch.payloadOffset[row]! + 1);
  }
  for (let entry = 0; entry < outerRows; entry += 1) batch.outerRow[entry] = next() % rows;
  batch.count = rows;
  batch.outerCount = rows === 0 ? 0 : outerRows;
  return batch;
}

const header64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const headers: fc.Arbitrary<BatchHeader> = fc.record({
  probe: fc.string({ unit: 'grapheme', maxLength: 40 }),
  epoch: header64,
  sequence: count,
  samplingRate: fc.integer({ min: 1, max: 0xffffffff }),
  partition: fc.integer({ min: 0, max: 63 }),
  partitions: fc.constant(64),
  firstSeconds: fc.nat(),
  firstNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  lastSeconds: fc.integer({ min: 0, max: 0xffffffff }),
  lastNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  counters: fc.record({
    received: count,
    kernelDropped: count,
    filtered: count,
    decoded: count,
    undecodable: count,
    bytes: count,
    capturedBytes: count,
    publishDropped: count,
    held: count,
    reasons: fc.dictionary(fc.nat({ max: 255 }).map(String), count, { maxKeys: 20 }) as fc.Arbitrary<
      Record<number, number>
    >,
  }),
  source: fc.string({ maxLength: 100 }),
  position: count,
  complete: fc.boolean(),
});

function decoded(message: Uint8Array) {
  const result = decodePacketBatch(message);
  if (!result.ok) throw new Error(`refused: ${result.error}`);
  return result;
}

describe('packet batch codec', () => {
  it('gives back every column, the header and the asked-for payload', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(9), fc.nat(), headers, (rows, outers, start, header) => {
        const batch = randomBatch(rows, outers, start);
        const mask = Uint8Array.from({ length: rows }, (_, row) => row & 1);
        const { batch: got, header: gotHeader } = decoded(encodePacketBatch(batch, header, mask));
        expect({ ...gotHeader, counters: { ...gotHeader.counters, reasons: {} } }).toEqual({
          ...header,
          counters: { ...header.counters, reasons: {} },
        });
        expect({ ...gotHeader.counters.reasons }).toEqual({ ...header.counters.reasons });
        expect([got.count, got.outerCount]).toEqual([batch.count, batch.outerCount]);
        for (const name of packetNames) {
          if (name === 'payloadOffset' || name === 'payloadLength') continue;
          const width = packetColumns[name].width;
          expect(got[name], name).toEqual(batch[name].subarray(0, rows * width));
        }
        for (const name of outerNames) {
          const width = outerColumns[name].width;
          expect(got[name].subarray(0, got.outerCount * width), name).toEqual(
            batch[name].subarray(0, batch.outerCount * width),
          );
        }
        for (let row = 0; row < rows; row += 1) {
          const length = got.payloadLength[row]!;
          expect(length).toBe(mask[row] ? batch.payloadLength[row] : 0);
          const from = batch.payloadOffset[row]!;
          const at = got.payloadOffset[row]!;
          expect(got.payload.slice(at, at + length)).toEqual(batch.payload.slice(from, from + length));
        }
      }),
      { seed, numRuns: 150 },
    );
  });

  it('sends rows in use only, no payload unless asked, and no column of zeros', () => {
    const batch = new PacketBatch(1000, 10, undefined, new Uint8Array(5000));
    batch.count = 2;
    batch.payloadLength.fill(100);
    batch.wireLength.fill(60);
    const message = encodePacketBatch(batch, batchHeader());
    expect(message.length).toBeLessThan(60);
    const { batch: got } = decoded(message);
    expect([got.count, got.capacity, got.payload.length, got.payloadLength[0], got.wireLength[1]]).toEqual([
      2, 2, 0, 0, 60,
    ]);
  });

  it('reads a message at any alignment', () => {
    const message = encodePacketBatch(randomBatch(33, 4, 5), batchHeader({ probe: 'p' }));
    const moved = new Uint8Array(message.length + 3);
    moved.set(message, 3);
    expect(decoded(moved.subarray(3)).batch.flowHash).toEqual(decoded(message).batch.flowHash);
  });

  it('reads into a batch that held others, as far as it has room', () => {
    const reuse = new PacketBatch(30, 6);
    fc.assert(
      fc.property(fc.nat(40), fc.nat(9), fc.nat(), (rows, outers, start) => {
        const before = randomBatch(rows, outers, start);
        const message = encodePacketBatch(
          before,
          batchHeader({ samplingRate: 1 + (start & 1) }),
          new Uint8Array(rows).fill(1),
        );
        const fresh = decoded(message).batch;
        const result = decodePacketBatch(message, reuse);
        if (!result.ok) throw new Error(result.error);
        const { batch } = result;
        expect(batch === reuse).toBe(rows <= 30 && before.outerCount <= 6);
        expect([batch.count, batch.outerCount, batch.samplingRate, batch.payload]).toEqual([
          fresh.count,
          fresh.outerCount,
          fresh.samplingRate,
          fresh.payload,
        ]);
        for (const name of packetNames) {
          const elements = fresh.count * packetColumns[name].width;
          expect(batch[name].subarray(0, elements), name).toEqual(fresh[name].subarray(0, elements));
        }
        for (const name of outerNames) {
          const elements = fresh.outerCount * outerColumns[name].width;
          expect(batch[name].subarray(0, elements), name).toEqual(fresh[name].subarray(0, elements));
        }
      }),
      { seed, numRuns: 150 },
    );
  });

  it('agrees with traffic.proto, read by protobufjs reflection', () => {
    const header = batchHeader({ probe: 'edge-1', sequence: 77, epoch: 5n, partitions: 4, partition: 3 });
    header.counters.reasons = { 3: 9 };
    header.counters.received = 12;
    const batch = randomBatch(5, 2, 9);
    batch.wireLength.set([1, 2, 3, 4, 0x01020304]);
    const plain = schemaBatch.toObject(schemaBatch.decode(encodePacketBatch(batch, header)), {
      longs: String,
    }) as Record<string, unknown>;
    expect(plain).toMatchObject({ probe: 'edge-1', sequence: '77', epoch: '5', partition: 3, rows: 5, outerRows: 2 });
    expect(plain['counters']).toMatchObject({ received: '12', reasons: [{ reason: 3, packets: '9' }] });
    const lengths = plain['wireLength'] as Uint8Array;
    expect([...lengths.subarray(0, 4), ...lengths.subarray(16)]).toEqual([1, 0, 0, 0, 4, 3, 2, 1]);
    for (const [name, spec] of Object.entries({ ...packetColumns, ...outerColumns })) {
      const field = schemaBatch.fields[name];
      expect([name, field?.id, field?.type]).toEqual([name, spec.field, 'bytes']);
    }
    const known = Object.keys(packetColumns).length + Object.keys(outerColumns).length;
    expect(schemaBatch.fieldsArray.filter((field) => field.id >= 32)).toHaveLength(known);
  });

  it('skips what a newer peer adds: every wire type, nested groups, unknown columns', () => {
    const batch = randomBatch(4, 1, 3);
    const message = encodePacketBatch(batch, batchHeader({ probe: 'old' }));
    const extra = protobuf.Writer.create();
    extra.uint32((30 << 3) | 0).uint32(7);
    extra
      .uint32((31 << 3) | 1)
      .fixed32(1)
      .fixed32(2);
    extra.uint32((79 << 3) | 2).bytes(new Uint8Array(99));
    extra.uint32((1000 << 3) | 5).fixed32(3);
    extra
      .uint32((90 << 3) | 3)
      .uint32((1 << 3) | 0)
      .uint32(1)
      .uint32((90 << 3) | 4);
    for (const bytes of [Buffer.concat([message, extra.finish()]), Buffer.concat([extra.finish(), message])]) {
      const got = decoded(bytes);
      expect(got.header.probe).toBe('old');
      expect(got.batch.flowHash).toEqual(decoded(message).batch.flowHash);
    }
  });

  it('takes what an older peer leaves out as zero', () => {
    const seconds = new Uint8Array(8);
    const old = schemaBatch.encode({ version: 1, probe: 'p', rows: 2, timestampSeconds: seconds }).finish();
    const { batch, header } = decoded(old);
    expect([...batch.tunnelId, ...batch.sourceAddress]).toEqual(new Array(10).fill(0));
    expect([header.samplingRate, header.partitions, header.complete]).toEqual([1, 1, false]);
    expect(batch.samplingRate).toBe(1);
    const sampled = decoded(schemaBatch.encode({ version: 1, probe: 'p', samplingRate: 512 }).finish());
    expect(sampled.batch.samplingRate).toBe(512);
    expect(decoded(new Uint8Array(0)).batch.count).toBe(0);
  });

  it('refuses what does not hold together, and says why', () => {
    const encode = (fields: Record<string, unknown>) => schemaBatch.encode(fields).finish();
    const column = (rows: number, value: number) => new Uint8Array(new Uint32Array(rows).fill(value).buffer);
    const two = { rows: 2, timestampSeconds: column(2, 1) };
    const error = (bytes: Uint8Array) => {
      const result = decodePacketBatch(bytes);
      return result.ok ? 'ok' : result.error;
    };
    expect(error(encode(two))).toBe('ok');
    expect(error(encode({ rows: 1 << 20 }))).toBe('column_missing'); // a few bytes must not cost 100 MB
    expect(error(encode({ ...two, outerRows: 1 << 20 }))).toBe('column_missing');
    expect(error(encode({ rows: (1 << 20) + 1 }))).toBe('too_large');
    expect(error(encode({ rows: 0xffffffff }))).toBe('too_large');
    expect(error(encode({ ...two, version: 2 }))).toBe('unknown_version');
    expect(error(encode({ ...two, wireLength: column(3, 1) }))).toBe('column_length');
    expect(error(encode({ ...two, sourceAddress: column(2, 1) }))).toBe('column_length');
    expect(error(Buffer.concat([encode(two), Uint8Array.of(0x92, 0x02, 0)]))).toBe('column_length'); // field 34, empty
    expect(error(encode({ ...two, timestampNanoseconds: column(2, 1e9) }))).toBe('time_range');
    expect(error(encode({ ...two, firstNanoseconds: 1e9 }))).toBe('time_range');
    expect(error(encode({ ...two, payloadLength: column(2, 1) }))).toBe('payload_range');
    expect(
      error(
        encode({ ...two, payload: column(1, 0), payloadOffset: column(2, 0xffffffff), payloadLength: column(2, 2) }),
      ),
    ).toBe('payload_range');
    expect(error(encode({ ...two, outerRows: 1, outerRow: column(1, 2) }))).toBe('outer_row_range');
    expect(error(encode({ ...two, sequence: '9007199254740992' }))).toBe('number_range');
    expect(error(encode({ ...two, counters: { bytes: '9007199254740992' } }))).toBe('number_range');
    expect(error(encode({ ...two, counters: { reasons: new Array(257).fill({}) } }))).toBe('too_large');
    expect(error(encode({ ...two, partition: 4, partitions: 4 }))).toBe('number_range');
    expect(error(encode({ ...two, probe: 'x'.repeat(wireLimits.textLength + 1) }))).toBe('too_large');
    expect(error(encode(two).subarray(0, -1))).toBe('malformed');
    expect(error(Uint8Array.of(0, 0))).toBe('malformed');
    expect(error(Uint8Array.of(0x0e))).toBe('malformed'); // wire type 6
    expect(error(new Uint8Array(100_000).fill(0x0b))).toBe('malformed'); // groups in groups
  });

  it('neither throws nor answers an unsafe batch on mutated and random bytes', () => {
    const next = random(seed);
    const whole = encodePacketBatch(
      randomBatch(6, 2, 1),
      batchHeader({ probe: 'probe', source: 'eth0', counters: { ...batchHeader().counters, reasons: { 1: 2 } } }),
      new Uint8Array(6).fill(1),
    );
    const until = performance.now() + 2500;
    let runs = 0;
    let accepted = 0;
    while (performance.now() < until) {
      runs += 1;
      let bytes: Uint8Array;
      if (runs % 4 === 0) bytes = Uint8Array.from({ length: next() % 64 }, () => next() & 255);
      else {
        bytes = Uint8Array.from(whole);
        for (let edits = next() % 6; edits >= 0; edits -= 1) bytes[next() % bytes.length] = next() & 255;
        if (runs % 3 === 0) bytes = bytes.subarray(0, next() % bytes.length);
      }
      const result = decodePacketBatch(bytes);
      if (!result.ok) continue;
      accepted += 1;
      const { batch } = result;
      for (let row = 0; row < batch.count; row += 1) {
        if (batch.payloadOffset[row]! + batch.payloadLength[row]! > batch.payload.length)
          throw new Error(`seed ${seed}`);
      }
      if (batch.payload.byteOffset < bytes.byteOffset && batch.payload.length > 0) throw new Error(`seed ${seed}`);
    }
    expect(runs, `seed ${seed}`).toBeGreaterThan(1000);
    expect(accepted, `seed ${seed}`).toBeGreaterThan(100);
  });

  it('throws on a broken batch or header of our own', () => {
    const batch = randomBatch(2, 0, 1);
    expect(() => encodePacketBatch(batch, batchHeader({ sequence: -1 }))).toThrow(RangeError);
    expect(() => encodePacketBatch(batch, batchHeader({ partition: 2 ** 32 }))).toThrow(RangeError);
    batch.payloadOffset[0] = batch.payload.length;
    batch.payloadLength[0] = 1;
    expect(() => encodePacketBatch(batch, batchHeader(), new Uint8Array(2).fill(1))).toThrow(/row 0/);
    batch.count = 99;
    expect(() => encodePacketBatch(batch, batchHeader())).toThrow(/capacity/);
  });

  it('finds the times of a batch out of order', () => {
    const batch = new PacketBatch(3, 0);
    batch.count = 3;
    batch.timestampSeconds.set([5, 4, 5]);
    batch.timestampNanoseconds.set([1, 9, 2]);
    expect(batchTimes(batch)).toEqual({ firstSeconds: 4, firstNanoseconds: 9, lastSeconds: 5, lastNanoseconds: 2 });
    expect(batchTimes(new PacketBatch(0, 0)).lastSeconds).toBe(0);
  });

  it('swaps elements for machines of the other byte order', () => {
    expect([...swapElements(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4)]).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
    expect([...swapElements(Uint8Array.of(1, 2, 3, 4), 2)]).toEqual([2, 1, 4, 3]);
  });

  it('keeps Layer within 32 bits', () => {
    for (const bit of Object.values(Layer)) expect(bit >>> 0).toBe(bit);
  });
});
