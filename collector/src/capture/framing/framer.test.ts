import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PcapngWriter, PcapWriter } from '../pcap-writer.js';
import { frameInPieces, frameWhole, sampleFrame, samplePcap, samplePcapng, type PlainFrame } from '../testing.js';
import { CaptureState, damagePlacesMax, interfacesPerSectionMax, linkTypeUnknown } from './capture-state.js';
import { CaptureDamage, captureDamageNames, describeCaptureDamage } from './damage.js';
import { FrameFlag, FrameTable } from './frame-table.js';
import { CaptureFramer } from './framer.js';

const bytesOf = (file: Uint8Array, frame: PlainFrame) => file.subarray(frame.offset, frame.offset + frame.captured);
const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** The first bytes of a file, as 32-bit words in one byte order. */
function words(littleEndian: boolean, ...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(i * 4, value, littleEndian));
  return bytes;
}

describe('pcap', () => {
  it.each([
    { nanoseconds: false, bigEndian: false },
    { nanoseconds: false, bigEndian: true },
    { nanoseconds: true, bigEndian: false },
    { nanoseconds: true, bigEndian: true },
  ])('gives back what was written: %o', (options) => {
    const file = samplePcap(options);
    const { frames, damage, fatal } = frameWhole(file);
    expect({ damage, fatal }).toEqual({ damage: {}, fatal: '' });
    const nanos = (value: number) => (options.nanoseconds ? value : value - (value % 1_000));
    expect(frames.map(({ offset: _, ...rest }) => rest)).toEqual([
      {
        captured: 60,
        wire: 60,
        seconds: 1_700_000_000,
        nanoseconds: nanos(123_456_789),
        linkType: 1,
        flags: 0,
        interfaceId: 0,
      },
      { captured: 100, wire: 1_514, seconds: 1_700_000_001, nanoseconds: 0, linkType: 1, flags: 0, interfaceId: 0 },
      {
        captured: 1,
        wire: 1,
        seconds: 4_294_967_295,
        nanoseconds: nanos(999_999_999),
        linkType: 1,
        flags: 0,
        interfaceId: 0,
      },
    ]);
    expect(bytesOf(file, frames[0]!)).toEqual(sampleFrame(60, 1));
    expect(bytesOf(file, frames[1]!)).toEqual(sampleFrame(150, 2).subarray(0, 100));
    expect(bytesOf(file, frames[2]!)).toEqual(sampleFrame(1, 3));
  });

  it.each([true, false])("reads Kuznetzov's 24-byte record headers (little-endian: %s)", (le) => {
    const file = concat(
      words(le, 0xa1b2cd34, le ? 0x00040002 : 0x00020004, 0, 0, 65_535, 1),
      ...[1, 2].map((n) => concat(words(le, n, 5, 4, 9, 7, 8), sampleFrame(4, n))),
    );
    const { frames, damage } = frameWhole(file);
    expect(damage).toEqual({});
    expect(frames.map((frame) => [frame.seconds, frame.nanoseconds, frame.captured, frame.wire])).toEqual([
      [1, 5_000, 4, 9],
      [2, 5_000, 4, 9],
    ]);
    expect(bytesOf(file, frames[1]!)).toEqual(sampleFrame(4, 2));
  });

  it.each([0x1c0001ac, 0x1c0001ab])('reads IXIA lcap files: nanoseconds, a longer file header (%i)', (magic) => {
    const file = concat(words(true, magic, 0x00040002, 0, 0, 65_535, 1, 20, 3, 5, 4, 4), sampleFrame(4, 1));
    const { frames, damage } = frameWhole(file);
    expect(damage).toEqual({});
    expect(frames).toMatchObject([{ seconds: 3, nanoseconds: 5, captured: 4, offset: 44 }]);
  });

  it.each([
    ['2.2 has the lengths the other way round', 0x00020002, [90, 4], [4, 90]],
    ['2.3 has them either way', 0x00030002, [90, 4], [4, 90]],
    ['2.3 has them either way', 0x00030002, [4, 90], [4, 90]],
    ['2.4 has the captured length first', 0x00040002, [4, 90], [4, 90]],
  ])('version %s', (_name, version, [first, second], lengths) => {
    const file = concat(words(true, 0xa1b2c3d4, version, 0, 0, 65_535, 1, 3, 5, first!, second!), sampleFrame(4, 1));
    expect(frameWhole(file).frames.map((frame) => [frame.captured, frame.wire])).toEqual([lengths]);
  });

  it('takes FCS bits off the link type and keeps the FCS length', () => {
    const state = new CaptureState();
    const file = samplePcap({ linkType: 0x24000001 });
    new CaptureFramer(state).frame(file, file.length, 0, true, new FrameTable(8));
    expect([state.linkType, state.fcsBytes]).toEqual([1, 4]);
    expect(frameWhole(samplePcap({ linkType: 0x30000001 })).frames[0]!.linkType).toBe(1);
    expect(frameWhole(samplePcap({ linkType: 0x00010001 })).frames[0]!.linkType).toBe(linkTypeUnknown);
  });

  it('clamps a bad fraction of a second, counts it, and keeps captured above wire as written', () => {
    const file = concat(
      words(true, 0xa1b2c3d4, 0x00040002, 0, 0, 65_535, 1, 7, 1_000_000, 4, 3),
      sampleFrame(4, 1),
      words(true, 8, 999_999, 0, 0),
    );
    const { frames, damage, places } = frameWhole(file);
    expect(frames[0]).toMatchObject({
      seconds: 7,
      nanoseconds: 999_999_000,
      captured: 4,
      wire: 3,
      flags: FrameFlag.TimestampClamped | FrameFlag.CapturedOverWire,
    });
    expect(frames[1]).toMatchObject({ seconds: 8, nanoseconds: 999_999_000, flags: 0 });
    expect(damage).toEqual({ timestamp_out_of_range: 1, captured_over_wire: 1 });
    expect(places.map((place) => place.offset)).toEqual([24, 24]);
  });

  it('a header without records is a whole, empty capture', () => {
    const { frames, damage, fatal } = frameWhole(new PcapWriter().finish());
    expect({ frames, damage, fatal }).toEqual({ frames: [], damage: {}, fatal: '' });
  });

  it.each([
    [65_535, 262_144, true],
    [65_535, 262_145, false],
    [1_000_000, 1_000_000, true],
    [1_000_000, 1_000_001, false],
    [0xffffffff, 16 * 1024 * 1024, true],
    [0xffffffff, 16 * 1024 * 1024 + 1, false],
    [65_535, 0xffffffff, false],
  ])('snap length %i, a record of %i bytes: readable %s', (snapLength, captured, good) => {
    const state = new CaptureState();
    const framer = new CaptureFramer(state);
    const file = concat(words(true, 0xa1b2c3d4, 0x00040002, 0, 0, snapLength, 1, 1, 2, captured, captured));
    const consumed = framer.frame(file, file.length, 0, false, new FrameTable(4));
    expect(consumed).toBe(24);
    if (good) {
      expect(framer.neededBytes).toBe(16 + captured);
    } else {
      expect(state.fatalReason).toBe(CaptureDamage.BadRecordLength);
      expect(state.describeFatal()).toContain('byte 24');
      expect(state.describeFatal()).toContain(String(captured));
    }
  });

  it('keeps all records before a damaged length', () => {
    const file = samplePcap();
    const whole = frameWhole(file);
    new DataView(file.buffer).setUint32(24 + 16 + 60 + 8, 0x7fffffff, true);
    const { frames, damage, fatal } = frameWhole(file);
    expect(frames).toEqual(whole.frames.slice(0, 1));
    expect(damage).toEqual({ bad_record_length: 1 });
    expect(fatal).toContain('record at byte 100 claims 2147483647');
  });
});

describe('pcapng', () => {
  it.each([false, true])('gives back what was written, over two sections (big-endian: %s)', (bigEndian) => {
    const file = samplePcapng(bigEndian);
    const { frames, damage, fatal, framesWithoutTimestamp } = frameWhole(file);
    expect({ damage, fatal, framesWithoutTimestamp }).toEqual({ damage: {}, fatal: '', framesWithoutTimestamp: 1 });
    const s = 1_700_000_000;
    expect(frames.map(({ offset: _, ...rest }) => rest)).toEqual([
      { captured: 60, wire: 60, seconds: s, nanoseconds: 123_456_000, linkType: 1, flags: 0, interfaceId: 0 },
      { captured: 61, wire: 1_514, seconds: s, nanoseconds: 123_456_789, linkType: 113, flags: 0, interfaceId: 1 },
      {
        captured: 64,
        wire: 99,
        seconds: s,
        nanoseconds: 123_456_789,
        linkType: 1,
        flags: FrameFlag.NoTimestamp,
        interfaceId: 0,
      },
      { captured: 3, wire: 3, seconds: s + 2, nanoseconds: 500_000_000, linkType: 101, flags: 0, interfaceId: 0 },
    ]);
    expect(bytesOf(file, frames[1]!)).toEqual(sampleFrame(61, 2));
    expect(bytesOf(file, frames[2]!)).toEqual(sampleFrame(99, 3).subarray(0, 64));
    expect(bytesOf(file, frames[3]!)).toEqual(sampleFrame(3, 5));
  });

  it('reads sections of both byte orders in one file', () => {
    const file = concat(samplePcapng(false), samplePcapng(true), samplePcapng(false));
    const { frames, damage } = frameWhole(file);
    expect(frames).toHaveLength(12);
    expect(damage).toEqual({});
  });

  it('gives any time and resolution back exactly, wherever the resolution can hold it', () => {
    const resolution = fc.oneof(fc.integer({ min: 9, max: 9 }), fc.integer({ min: 0x80 | 30, max: 0x80 | 32 }));
    fc.assert(
      fc.property(
        resolution,
        fc.integer({ min: 0, max: 4_000_000_000 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        fc.boolean(),
        (timestampResolution, seconds, nanoseconds, bigEndian) => {
          const writer = new PcapngWriter({ bigEndian, interfaces: [{ timestampResolution }] });
          writer.packet(0, seconds, nanoseconds, sampleFrame(1, 1));
          expect(frameWhole(writer.finish()).frames).toMatchObject([{ seconds, nanoseconds }]);
        },
      ),
    );
  });

  it('adds if_tsoffset, also a negative one', () => {
    const writer = new PcapngWriter({ interfaces: [{ timestampOffsetSeconds: -1_000 }] });
    writer.packet(0, 500, 0, sampleFrame(1, 1));
    writer.rawPacket(0, 1_000_000n * 999n, sampleFrame(1, 1));
    const { frames, damage } = frameWhole(writer.finish());
    expect(frames).toMatchObject([
      { seconds: 500, flags: 0 },
      { seconds: 0, flags: FrameFlag.TimestampClamped },
    ]);
    expect(damage).toEqual({ timestamp_out_of_range: 1 });
  });

  it('gives a packet without time the time of the one before, across pieces', () => {
    const writer = new PcapngWriter();
    writer.simplePacket(sampleFrame(5, 0));
    writer.packet(0, 77, 1_000, sampleFrame(5, 1));
    writer.simplePacket(sampleFrame(5, 2));
    const file = writer.finish();
    const whole = frameWhole(file);
    expect(whole.frames.map((frame) => [frame.seconds, frame.nanoseconds, frame.flags])).toEqual([
      [0, 0, FrameFlag.NoTimestamp],
      [77, 1_000, 0],
      [77, 1_000, FrameFlag.NoTimestamp],
    ]);
    expect(whole.framesWithoutTimestamp).toBe(2);
    expect(frameInPieces(file, 1, () => 1)).toEqual(whole);
  });

  it('reads the obsolete Packet Block', () => {
    const writer = new PcapngWriter({ interfaces: [{ linkType: 9 }, { linkType: 12 }] });
    // interface 1, 3 drops, time, lengths
    const head = new Uint8Array(20);
    const view = new DataView(head.buffer);
    view.setUint16(0, 1, true);
    view.setUint16(2, 3, true);
    view.setUint32(8, 42_000_001, true);
    view.setUint32(12, 6, true);
    view.setUint32(16, 60, true);
    writer.block(2, concat(head, sampleFrame(6, 1)));
    const file = writer.finish();
    const { frames, damage } = frameWhole(file);
    expect(damage).toEqual({});
    expect(frames).toMatchObject([
      { captured: 6, wire: 60, seconds: 42, nanoseconds: 1_000, linkType: 12, interfaceId: 1 },
    ]);
    expect(bytesOf(file, frames[0]!)).toEqual(sampleFrame(6, 1));
  });

  it('leaves out packets that cannot be read, counts them, and reads on', () => {
    const writer = new PcapngWriter({ interfaces: [] });
    writer.simplePacket(sampleFrame(8, 0));
    writer.interface({});
    writer.rawPacket(7, 0n, sampleFrame(8, 1));
    const short = words(true, 0, 0, 0, 5, 9); // claims 5 bytes, holds 4
    writer.block(6, concat(short, sampleFrame(4, 1)));
    writer.block(3, concat(words(true, 5), sampleFrame(4, 1)));
    writer.packet(0, 1, 0, sampleFrame(8, 2));
    const { frames, damage, fatal } = frameWhole(writer.finish());
    expect(frames).toHaveLength(1);
    expect({ damage, fatal }).toEqual({ damage: { unknown_interface: 2, bad_packet_block: 2 }, fatal: '' });
  });

  it('uses defaults for an interface with bad options', () => {
    const writer = new PcapngWriter({ interfaces: [] });
    const fixed = words(true, 1, 0);
    writer.block(1, concat(fixed, Uint8Array.of(9, 0, 2, 0, 9, 9, 0, 0))); // if_tsresol of two bytes
    writer.block(1, concat(fixed, Uint8Array.of(9, 0, 200, 0))); // longer than the block
    writer.block(1, concat(fixed, Uint8Array.of(14, 0, 4, 0, 1, 1, 1, 1))); // if_tsoffset of four bytes
    for (let id = 0; id < 3; id += 1) writer.rawPacket(id, 5_000_000n, sampleFrame(1, 1));
    const { frames, damage } = frameWhole(writer.finish());
    expect(frames.map((frame) => frame.seconds)).toEqual([5, 5, 5]);
    expect(damage).toEqual({ bad_interface_block: 3 });
  });

  it('bounds the interfaces of a section and says so', () => {
    const writer = new PcapngWriter({ interfaces: [] });
    for (let i = 0; i < interfacesPerSectionMax + 2; i += 1) writer.interface({ linkType: 101 });
    writer.rawPacket(interfacesPerSectionMax - 1, 0n, sampleFrame(1, 1));
    writer.rawPacket(interfacesPerSectionMax, 0n, sampleFrame(1, 2));
    writer.rawPacket(interfacesPerSectionMax + 2, 0n, sampleFrame(1, 3));
    writer.section([{}]);
    writer.packet(0, 1, 0, sampleFrame(1, 4));
    const { frames, damage } = frameWhole(writer.finish());
    expect(frames.map((frame) => frame.linkType)).toEqual([101, 1]);
    expect(damage).toEqual({ interface_limit: 3, unknown_interface: 1 });
  });

  it('takes a length that leaves the padding out, as some writers do', () => {
    const writer = new PcapngWriter();
    const start = writer.take();
    writer.packet(0, 1, 0, sampleFrame(5, 1));
    const block = writer.take();
    const view = new DataView(block.buffer);
    view.setUint32(4, block.length - 3, true);
    view.setUint32(block.length - 4, block.length - 3, true);
    writer.packet(0, 2, 0, sampleFrame(6, 1));
    const { frames, damage } = frameWhole(concat(start, block, writer.finish()));
    expect(frames.map((frame) => frame.captured)).toEqual([5, 6]);
    expect(damage).toEqual({});
  });

  it.each([0, 4, 8, 11])('a block length of %i is fatal, not an endless loop', (length) => {
    for (const type of [0, 1, 3, 5, 6, 0x0a0d0d0a, 0xdeadbeef]) {
      const file = concat(samplePcapng(), words(true, type, length, 0x1a2b3c4d, length, 0, 0));
      const { frames, damage, fatal } = frameWhole(file);
      expect(frames).toHaveLength(4);
      expect(damage).toEqual({ bad_block_length: 1 });
      expect(fatal).toContain(`byte ${samplePcapng().length}`);
    }
  });

  it('lengths that disagree are fatal at the block, also for one that is skipped', () => {
    for (const type of [5, 6]) {
      const writer = new PcapngWriter();
      writer.packet(0, 1, 0, sampleFrame(4, 1));
      const start = writer.take();
      writer.block(type, new Uint8Array(40));
      const block = writer.take();
      block[block.length - 4] = 1;
      const file = concat(start, block, start);
      const whole = frameWhole(file);
      expect(whole.frames).toHaveLength(1);
      expect(whole.damage).toEqual({ block_length_mismatch: 1 });
      expect(whole.places).toEqual([{ name: 'block_length_mismatch', offset: start.length }]);
      expect(frameInPieces(file, 2, () => 3)).toEqual(whole);
    }
  });

  it('skips a block far larger than the pieces without holding it', () => {
    const writer = new PcapngWriter();
    writer.packet(0, 1, 0, sampleFrame(4, 1));
    writer.block(0x0bad, new Uint8Array(3_000_001));
    writer.packet(0, 2, 0, sampleFrame(4, 2));
    const file = writer.finish();
    const framer = new CaptureFramer(new CaptureState());
    const table = new FrameTable(16);
    let frames = 0;
    for (let at = 0; !framer.state.ended; at = framer.state.nextOffset) {
      const length = Math.min(4_096, file.length - at);
      framer.frame(file.subarray(at, at + length), length, at, at + length === file.length, table);
      expect(framer.neededBytes).toBeLessThanOrEqual(4_096);
      frames += table.count;
    }
    expect(frames).toBe(2);
    expect(framer.state.damageTotal).toBe(0);
  });

  it('refuses another major version with a clear text, at once', () => {
    const file = samplePcapng();
    new DataView(file.buffer).setUint16(12, 0, true);
    new DataView(file.buffer).setUint16(14, 1, true);
    const { frames, damage, fatal } = frameWhole(file.subarray(0, 16));
    expect(frames).toEqual([]);
    expect(damage).toEqual({ unsupported_version: 1 });
    expect(fatal).toMatch(/version 0\.1 at byte 12 is not supported/);
  });

  it('refuses a section without the byte-order magic', () => {
    const file = samplePcapng();
    file[8] = 0;
    expect(frameWhole(file).fatal).toContain('byte-order magic');
  });
});

describe('what is no capture', () => {
  it.each([
    ['nothing', new Uint8Array(0), 'empty_file', /empty \(0 bytes\)/],
    ['text', new TextEncoder().encode('hello, world'), 'unknown_format', /0x68656c6c at byte 0.*editcap/],
    ['three bytes', Uint8Array.of(0xd4, 0xc3, 0xb2), 'unknown_format', /unknown magic/],
    ['xz', words(false, 0xfd377a58, 0, 0), 'unknown_format', /xz -dc/],
    ['bzip2', words(false, 0x425a6839, 0, 0), 'unknown_format', /bzip2 -dc/],
    ['gzip in gzip', words(false, 0x1f8b0800, 0, 0), 'unknown_format', /decompress it once/],
    ['half a pcap header', samplePcap().subarray(0, 20), 'truncated_file', /inside its file header/],
    ['half a section header', samplePcapng().subarray(0, 20), 'truncated_file', /inside its file header/],
    ['pcap version 1', words(true, 0xa1b2c3d4, 0x00040001, 0, 0, 65_535, 1), 'unsupported_version', /version 1\.4/],
  ])('%s', (_name, file, reason, message) => {
    const whole = frameWhole(file);
    expect(whole.frames).toEqual([]);
    expect(whole.damage).toEqual({ [reason]: 1 });
    expect(whole.fatal).toMatch(message);
    expect(whole.fatal).not.toContain('\n');
    expect(frameInPieces(file, 1, () => 1)).toEqual(whole);
  });
});

describe('a file cut at any byte', () => {
  it.each([
    ['pcap', samplePcap()],
    ['pcapng', samplePcapng()],
    ['big-endian pcapng', samplePcapng(true)],
  ])('%s: what is whole stays, the cut is reported once, at the record that is cut', (_name, file) => {
    const whole = frameWhole(file);
    for (let length = 1; length < file.length; length += 1) {
      const cut = frameWhole(file.subarray(0, length));
      const kept = whole.frames.filter((frame) => frame.offset + frame.captured <= length);
      // A pcapng packet is whole only with its padding and trailing length.
      expect(cut.frames).toEqual(kept.slice(0, cut.frames.length));
      expect(kept.length - cut.frames.length).toBeLessThanOrEqual(_name === 'pcap' ? 0 : 1);
      const total = Object.values(cut.damage).reduce((sum, count) => sum + count, 0);
      expect(total).toBeLessThanOrEqual(1);
      if (total === 1 && cut.fatal === '') {
        expect(cut.damage).toEqual({ truncated_file: 1 });
        const last = cut.frames.at(-1);
        expect(cut.places[0]!.offset).toBeGreaterThanOrEqual(last ? last.offset + last.captured : 0);
        expect(cut.places[0]!.offset).toBeLessThan(length);
        expect(cut.nextOffset).toBe(length);
      }
      expect(frameInPieces(file.subarray(0, length), 2, () => 7)).toEqual(cut);
    }
  });
});

describe('the state', () => {
  it('counts on when the list of places is full', () => {
    const writer = new PcapWriter();
    for (let i = 0; i < damagePlacesMax + 4; i += 1) writer.packet(i, 0, sampleFrame(2, i), 1);
    const { damage, places } = frameWhole(writer.finish());
    expect(damage).toEqual({ captured_over_wire: damagePlacesMax + 4 });
    expect(places).toHaveLength(damagePlacesMax);
  });

  it('lives in a shared buffer', () => {
    const buffer = new SharedArrayBuffer(CaptureState.byteLength);
    const file = samplePcap();
    const table = new FrameTable(1);
    const consumed = new CaptureFramer(new CaptureState(buffer)).frame(file, file.length, 0, true, table);
    const other = new CaptureFramer(new CaptureState(buffer));
    expect(other.state.nextOffset).toBe(consumed);
    other.frame(file.subarray(consumed), file.length - consumed, consumed, true, table);
    expect([table.seconds[0], other.state.frames, table.count]).toEqual([1_700_000_001, 2, 1]);
  });

  it('throws when the caller goes on at the wrong place', () => {
    const state = new CaptureState();
    expect(() => new CaptureFramer(state).frame(samplePcap(), 100, 8, false, new FrameTable(1))).toThrow(/byte 0/);
    expect(() => new CaptureFramer(state).frame(new Uint8Array(4), 5, 0, false, new FrameTable(1))).toThrow(/length/);
    expect(() => new CaptureState(new ArrayBuffer(8))).toThrow(/needs/);
    expect(() => new FrameTable(0)).toThrow(/rows/);
  });

  it('has a name and one line of text for every reason', () => {
    for (const reason of Object.values(CaptureDamage)) {
      expect(captureDamageNames[reason]).toMatch(/^[a-z_]+$/);
      if (reason !== CaptureDamage.None) expect(describeCaptureDamage(reason, 77)).not.toMatch(/unknown kind|\n/);
    }
    expect(captureDamageNames).toHaveLength(Object.keys(CaptureDamage).length);
  });
});
