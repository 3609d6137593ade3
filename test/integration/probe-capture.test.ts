/**
 * The live source on a real interface: what tcpreplay sends over a veth pair comes out of the ring frame for frame, and
 * what does not fit is counted.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  FrameTable,
  PcapWriter,
  keepAll,
  keepNothing,
  loadFilterCompiler,
  openLiveSource,
  sampled,
} from '@netspectra/collector';
import type { LiveSource, LiveSourceOptions } from '@netspectra/collector';
import { captureFilter } from '@netspectra/query';
import {
  ethernet,
  extension,
  icmp,
  ipv4,
  ipv6,
  readCapture,
  tcp,
  udp,
  vlan,
} from '../../collector/src/decode/testing.js';
import { backlogDrops, hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';

const sample = fileURLToPath(new URL('../fixtures/sample.pcap', import.meta.url));

interface Seen {
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly linkType: number;
  readonly time: number;
}

/** Read until so many frames came, or five seconds brought none. */
async function take(source: LiveSource, frames: number, capacity = 500): Promise<Seen[]> {
  const table = new FrameTable(capacity);
  const seen: Seen[] = [];
  let last = Date.now();
  while (seen.length < frames && Date.now() - last < 5_000) {
    const count = source.read(table, 20);
    for (let row = 0; row < count; row += 1) {
      const offset = table.offset[row]!;
      seen.push({
        bytes: source.bytes.slice(offset, offset + table.capturedLength[row]!),
        wireLength: table.wireLength[row]!,
        linkType: table.linkType[row]!,
        time: table.seconds[row]! + table.nanoseconds[row]! / 1e9,
      });
    }
    if (count > 0) last = Date.now();
    await nextTurn(); // the process that sends is looked after
  }
  return seen;
}

/** Tagged once and twice, service tags, priority tags, IPv6 with extension headers, fragments, runts and giants. */
function strangeFrames(): Uint8Array[] {
  const datagram = udp(1_000, 2_000, new Uint8Array(40).fill(7));
  const inner = ipv4(17, datagram);
  return [
    ethernet(0x0800, inner),
    ethernet(0x8100, vlan(10, 0x0800, inner)),
    ethernet(0x8100, vlan(0xe00a, 0x0800, inner)), // priority bits
    ethernet(0x8100, vlan(0, 0x0800, inner)),
    ethernet(0x88a8, vlan(100, 0x8100, vlan(200, 0x0800, inner))),
    ethernet(0x8100, vlan(1, 0x8100, vlan(2, 0x8100, vlan(3, 0x86dd, ipv6(17, datagram))))),
    ethernet(0x86dd, ipv6(0, extension(17, datagram))),
    ethernet(0x0800, ipv4(17, datagram, { fragment: 0x2000 })),
    ethernet(0x0800, ipv4(17, new Uint8Array(16), { fragment: 6 })),
    ethernet(0x0800, ipv4(6, tcp(1_000, 80, new Uint8Array(20)))),
    ethernet(0x0800, ipv4(1, icmp(8, 0, new Uint8Array(30)))),
    ethernet(0x0806, new Uint8Array(28)),
    ethernet(0x88cc, new Uint8Array(8)),
    ethernet(100, new Uint8Array(100)), // 802.3
    ethernet(0x0800, ipv4(17, new Uint8Array(8_000))),
  ];
}

const compile = await loadFilterCompiler();

describe.runIf(hasCables)('a live source on a veth pair', () => {
  let cable: Cable;
  let folder = '';
  const open: LiveSource[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'probe-capture-'));
    cable = layCable();
  });
  afterEach(() => open.splice(0).forEach((source) => source.close()));
  afterAll(() => {
    cable?.remove();
    rmSync(folder, { recursive: true });
  });

  async function source(over: Partial<LiveSourceOptions> = {}, name = cable.interface): Promise<LiveSource> {
    const snapLength = over.snapLength ?? 65_535;
    const opened = await openLiveSource(name, {
      promiscuous: true,
      snapLength,
      ringBytes: 8 << 20,
      blockTimeoutMilliseconds: 10,
      hardwareTimestamps: false,
      program: keepAll(snapLength),
      ...over,
    });
    open.push(opened);
    return opened;
  }

  function captureOf(name: string, frames: readonly Uint8Array[]): string {
    const writer = new PcapWriter();
    frames.forEach((bytes, i) => writer.packet(i, 0, bytes));
    const path = join(folder, name);
    writeFileSync(path, writer.finish());
    return path;
  }

  it('hands over the frames of a capture, byte for byte, in order, stamped now', async () => {
    const frames = readCapture(new Uint8Array(readFileSync(sample)));
    const live = await source();
    const before = Date.now() / 1000;
    const sending = cable.send(sample, { packetsPerSecond: 20_000 });
    const seen = await take(live, frames.length);
    expect(await sending).toBe(frames.length);
    expect(seen.length).toBe(frames.length);
    frames.forEach(({ bytes }, i) => {
      expect(Buffer.compare(seen[i]!.bytes, bytes), `frame ${i}`).toBe(0);
      expect(seen[i]!.wireLength).toBe(bytes.length);
    });
    expect(live.linkType).toBe(1);
    const times = seen.map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times[0]).toBeGreaterThan(before - 0.1);
    expect(times.at(-1)).toBeLessThan(Date.now() / 1000 + 0.1);
    expect(live.counters()).toEqual({
      received: frames.length,
      delivered: frames.length,
      dropped: 0,
      freezes: 0,
      badBlocks: 0,
    });
  });

  it.each([65_535, 64, 15])('puts back what the kernel took off, and cuts to %i bytes', async (snapLength) => {
    const frames = strangeFrames();
    const live = await source({ snapLength });
    const sending = cable.send(captureOf('strange.pcap', frames), { packetsPerSecond: 1_000 });
    const seen = await take(live, frames.length, 4);
    await sending;
    expect(seen.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(
      frames.map((bytes) => Buffer.from(bytes.subarray(0, snapLength)).toString('hex')),
    );
    expect(seen.map(({ wireLength }) => wireLength)).toEqual(frames.map((bytes) => bytes.length));
  });

  it('counts what a full ring had no room for', async () => {
    const live = await source({ ringBytes: 1 });
    const before = backlogDrops();
    const asked = await cable.send(sample, { times: 12, preload: true });
    const sent = asked - (backlogDrops() - before);
    const seen = await takeAll(live);
    const counters = live.counters();
    expect(seen.length).toBe(counters.delivered);
    expect(counters.dropped).toBeGreaterThan(0);
    expect(counters.freezes).toBeGreaterThan(0);
    expect(counters.received).toBe(sent);
    // The ring works on: room is room.
    const frames = strangeFrames();
    const sending = cable.send(captureOf('after.pcap', frames), { packetsPerSecond: 1_000 });
    expect((await take(live, frames.length)).length).toBe(frames.length);
    await sending;
    expect(live.counters().received).toBe(sent + frames.length);
  });

  it('shares flows among the rings of a group, each packet in one ring', async () => {
    const group = { id: process.pid & 0xffff };
    const rings = [];
    for (let i = 0; i < 3; i += 1) rings.push(await source({ fanout: group, program: keepNothing }));
    rings.forEach((ring) => ring.filter(keepAll(65_535)));
    const frames = readCapture(new Uint8Array(readFileSync(sample)));
    await cable.send(sample, { packetsPerSecond: 20_000 });
    const perRing = rings.map(() => 0);
    for (const [i, ring] of rings.entries()) {
      // All is sent, so what a ring has stands in it or is in its last block.
      for (let idle = 0; idle < 3;) {
        const count = ring.read(new FrameTable(5_000), 20);
        perRing[i]! += count;
        idle = count === 0 ? idle + 1 : 0;
      }
    }
    expect(perRing.reduce((sum, count) => sum + count, 0)).toBe(frames.length);
    perRing.forEach((count) => expect(count).toBeGreaterThan(frames.length / 50));
    expect(rings.reduce((sum, ring) => sum + ring.counters().received, 0)).toBe(frames.length);
  });

  it('samples in the kernel: one packet of so many, at random', async () => {
    const live = await source({ program: sampled(keepAll(65_535), 10) });
    const sent = await cable.send(sample, { times: 3, packetsPerSecond: 50_000 });
    await takeAll(live);
    const { received, dropped } = live.counters();
    expect(dropped).toBe(0);
    // Binomial: six standard deviations around a tenth.
    expect(Math.abs(received - sent / 10)).toBeLessThan(6 * Math.sqrt(sent * 0.1 * 0.9));
  });

  it.runIf(compile)('filters in the kernel what the filter language says, behind tags too', async () => {
    const frames = strangeFrames();
    const pinged = ethernet(0x8100, vlan(7, 0x0800, ipv4(1, icmp(8, 0, new Uint8Array(30)))));
    const filter = captureFilter('icmp', { vlanTags: 'offloaded' });
    if (!filter.ok) throw new Error(filter.reasons[0]!.message);
    const live = await source({ snapLength: 48, program: compile!(filter.text, 1, 48) });
    const path = captureOf('filtered.pcap', [...frames, pinged]);
    await cable.send(path, { packetsPerSecond: 1_000 });
    const seen = (await takeAll(live)).map(({ bytes }) => bytes);
    // Besides the two: what the probe has to look into (fragments, three tags, 802.3, extension headers).
    const kept = seen.map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(kept).toContain(Buffer.from(frames[10]!.subarray(0, 48)).toString('hex'));
    expect(kept.at(-1)).toBe(Buffer.from(pinged.subarray(0, 48)).toString('hex'));
    for (const other of [0, 1, 4, 9, 11]) {
      expect(kept).not.toContain(Buffer.from(frames[other]!.subarray(0, 48)).toString('hex'));
    }
    live.filter(keepNothing);
    await cable.send(path, { packetsPerSecond: 1_000 });
    expect(await takeAll(live)).toEqual([]);
  });

  /** Everything that was sent before. */
  async function takeAll(live: LiveSource): Promise<Seen[]> {
    const seen: Seen[] = [];
    for (let idle = 0; idle < 3;) {
      const table = new FrameTable(500);
      const count = live.read(table, 20);
      idle = count === 0 ? idle + 1 : 0;
      for (let row = 0; row < count; row += 1) {
        const offset = table.offset[row]!;
        const bytes = live.bytes.slice(offset, offset + table.capturedLength[row]!);
        seen.push({ bytes, wireLength: table.wireLength[row]!, linkType: table.linkType[row]!, time: 0 });
      }
      await nextTurn();
    }
    return seen;
  }

  it('takes all interfaces at once, without their link headers', async () => {
    const live = await source({}, 'any');
    const tagged = ethernet(0x8100, vlan(33, 0x0800, ipv4(17, udp(1, 2, new Uint8Array(9).fill(0xee)))));
    await cable.send(captureOf('any.pcap', [tagged]));
    const seen = (await takeAll(live)).filter(({ bytes }) => bytes.at(-1) === 0xee && bytes.at(-9) === 0xee);
    expect(seen).toHaveLength(1);
    expect(seen[0]!.linkType).toBe(113);
    expect(seen[0]!.wireLength).toBe(tagged.length + 2);
    // The tag, then what stood behind it.
    expect(Buffer.from(seen[0]!.bytes.subarray(14)).toString('hex')).toBe(
      Buffer.from(tagged.subarray(12)).toString('hex'),
    );
  });

  it('tells that the interface is down, works on when it is up again, and tells when it is gone', async () => {
    const own = layCable();
    try {
      const live = await source({}, own.interface);
      const frames = strangeFrames();
      const path = captureOf('down.pcap', frames);
      own.setUp(false);
      expect(live.read(new FrameTable(8), 1_000)).toBe(0);
      expect(live.state).toBe('down');
      own.setUp(true);
      await own.send(path, { packetsPerSecond: 1_000 });
      expect((await take(live, frames.length)).length).toBe(frames.length);
      expect(live.state).toBe('up');
      own.remove();
      expect(live.read(new FrameTable(8), 1_000)).toBe(0);
      expect(live.state).toBe('gone');
    } finally {
      own.remove();
    }
  });

  it('gives everything back when it is closed; reading on is harmless', async () => {
    const live = await source();
    const kept = live.bytes;
    live.close();
    live.close();
    expect(live.bytes.length).toBe(0);
    expect(kept[1_000]).toBe(0);
    expect(live.read(new FrameTable(1), 0)).toBe(0);
    expect(live.counters().received).toBe(0);
  });
});

describe.runIf(process.platform === 'linux')('an interface that cannot be captured', () => {
  const options: LiveSourceOptions = {
    promiscuous: true,
    snapLength: 96,
    ringBytes: 1,
    blockTimeoutMilliseconds: 10,
    hardwareTimestamps: false,
    program: keepAll(96),
  };

  it.each(['no-such-if0', 'a'.repeat(40), ''])('is none: %j', async (name) => {
    await expect(openLiveSource(name, options)).rejects.toMatchObject({
      code: 'NS_CAPTURE_NO_INTERFACE',
      message: expect.stringMatching(/^.*: no such interface; there are .*\blo\b/) as string,
    });
  });

  it.runIf(process.getuid?.() !== 0)('says which right is missing', async () => {
    await expect(openLiveSource('lo', options)).rejects.toMatchObject({ code: 'NS_CAPTURE_NO_PERMISSION' });
  });
});
