/**
 * The live source over libpcap: on one cable, at the same time, it, the ring of packet sockets and tcpdump see the same
 * packets, to the byte and the nanosecond.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
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
import type { LiveSource, LiveSourceKind, LiveSourceOptions } from '@netspectra/collector';
import { captureFilter } from '@netspectra/query';
import { ethernet, icmp, ipv4, readCapture, tcp, udp, vlan } from '../../collector/src/decode/testing.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { owned, sampleCapture, until } from './process.js';

const hasTcpdump = spawnSync('tcpdump', ['--version']).error === undefined;
const compile = await loadFilterCompiler();
const sampleFrames = readCapture(new Uint8Array(readFileSync(sampleCapture))).length;

interface Seen {
  readonly bytes: string;
  readonly wireLength: number;
  readonly time: string;
}

describe.runIf(hasCables && hasTcpdump && compile)('the libpcap source on a veth pair', () => {
  let cable: Cable;
  let folder = '';
  const open: LiveSource[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'probe-libpcap-'));
    cable = layCable();
  });
  afterEach(() => open.splice(0).forEach((source) => source.close()));
  afterAll(() => {
    cable?.remove();
    rmSync(folder, { recursive: true });
  });

  async function source(
    kind: LiveSourceKind,
    over: Partial<LiveSourceOptions> = {},
    name = cable.interface,
  ): Promise<LiveSource> {
    const snapLength = over.snapLength ?? 65_535;
    const opened = await openLiveSource(
      name,
      {
        promiscuous: true,
        snapLength,
        ringBytes: 8 << 20,
        blockTimeoutMilliseconds: 10,
        hardwareTimestamps: false,
        program: keepAll(snapLength),
        ...over,
      },
      kind,
    );
    open.push(opened);
    return opened;
  }

  /** What comes until so many frames came, or nothing for a while. */
  async function take(live: LiveSource, frames: number, capacity = 500): Promise<Seen[]> {
    const table = new FrameTable(capacity);
    const seen: Seen[] = [];
    for (let silent = 0; seen.length < frames && silent < 5;) {
      const count = live.read(table, 20);
      silent = count === 0 ? silent + 1 : 0;
      for (let row = 0; row < count; row += 1) {
        const offset = table.offset[row]!;
        seen.push({
          bytes: Buffer.from(live.bytes.subarray(offset, offset + table.capturedLength[row]!)).toString('hex'),
          wireLength: table.wireLength[row]!,
          time: `${table.seconds[row]}.${String(table.nanoseconds[row]).padStart(9, '0')}`,
        });
      }
      await nextTurn();
    }
    return seen;
  }

  function captureOf(name: string, frames: readonly Uint8Array[]): string {
    const writer = new PcapWriter();
    frames.forEach((bytes, i) => writer.packet(i, 0, bytes));
    const path = join(folder, name);
    writeFileSync(path, writer.finish());
    return path;
  }

  /** tcpdump on the interface; `end` gives what it wrote. */
  async function tcpdump(name: string, snapLength: number) {
    const file = join(folder, `${name}.pcap`);
    const options = ['-i', cable.interface, '-U', '--time-stamp-precision=nano', '-s', String(snapLength), '-w', file];
    const child = owned(spawn('tcpdump', options, { stdio: ['ignore', 'ignore', 'pipe'] }));
    let said = '';
    child.stderr!.on('data', (piece: Buffer) => (said += piece.toString()));
    await until('tcpdump listens', () => said.includes('listening on'));
    return async (frames: number): Promise<Seen[]> => {
      const written = () => records(new Uint8Array(readFileSync(file)));
      await until('tcpdump wrote them', () => written().length >= frames);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
      return written();
    };
  }

  it.each([65_535, 60])('sees what the ring and tcpdump see, to the byte, cut to %i', async (snapLength) => {
    const tagged = ethernet(0x8100, vlan(0xe00a, 0x0800, ipv4(17, udp(1, 2, new Uint8Array(40).fill(7)))));
    const twice = ethernet(0x88a8, vlan(100, 0x8100, vlan(200, 0x0800, ipv4(6, tcp(1, 2, new Uint8Array(300))))));
    const strange = captureOf('strange.pcap', [tagged, twice, ethernet(0x0806, new Uint8Array(46))]);
    const ended = await tcpdump(`beside-${snapLength}`, snapLength);
    const ring = await source('af_packet', { snapLength });
    const live = await source('pcap', { snapLength });
    expect([live.linkType, live.filterLinkType, live.warnings]).toEqual([1, 1, []]);
    await cable.send(sampleCapture, { packetsPerSecond: 50_000 });
    await cable.send(strange, { packetsPerSecond: 1_000 });
    const frames = sampleFrames + 3;
    const [seen, expected, dumped] = [await take(live, frames), await take(ring, frames), await ended(frames)];
    expect(seen).toHaveLength(frames);
    // Each socket's copy is stamped when the first of them asks, so even the times are one.
    expect(seen).toEqual(expected);
    expect(seen).toEqual(dumped);
    expect(live.counters()).toEqual({ received: frames, delivered: frames, dropped: 0, freezes: 0, badBlocks: 0 });
  });

  it('takes all interfaces at once as the ring does', async () => {
    const live = await source('pcap', {}, 'any');
    const ring = await source('af_packet', {}, 'any');
    expect([live.linkType, live.filterLinkType]).toEqual([113, 101]);
    const find = async (source: LiveSource, mark: string): Promise<Seen | undefined> => {
      for (const end = performance.now() + 2_000; performance.now() < end;) {
        const found = (await take(source, 1, 1)).find(({ bytes }) => bytes.endsWith(mark));
        if (found) return found;
      }
      return undefined;
    };
    // Other traffic of this machine passes, too, and may leave no room for ours: then another one is sent.
    for (let turn = 0; ; turn += 1) {
      const payload = new Uint8Array(9).fill(0xe0 + turn);
      await cable.send(captureOf('any.pcap', [ethernet(0x8100, vlan(33, 0x0800, ipv4(17, udp(1, 2, payload))))]));
      const mark = Buffer.from(payload).toString('hex');
      const [ours, theirs] = [await find(live, mark), await find(ring, mark)];
      if ((ours === undefined || theirs === undefined) && turn < 9) continue;
      expect(ours).toBeDefined();
      expect(ours).toEqual(theirs);
      break;
    }
  });

  it('filters in the kernel, gives what was there before the filter changed, and samples', async () => {
    const filter = captureFilter('icmp', { vlanTags: 'offloaded' });
    if (!filter.ok) throw new Error(filter.reasons[0]!.message);
    const ping = ethernet(0x0800, ipv4(1, icmp(8, 0, new Uint8Array(30))));
    const other = ethernet(0x0800, ipv4(17, udp(1, 2, new Uint8Array(40))));
    const path = captureOf('two.pcap', [ping, other]);
    const live = await source('pcap', { program: compile!(filter.text, 1, 65_535) });
    await cable.send(path);
    expect((await take(live, Infinity)).map(({ bytes }) => bytes)).toEqual([Buffer.from(ping).toString('hex')]);
    live.filter(keepAll(65_535));
    await cable.send(path);
    live.filter(keepNothing);
    await cable.send(path);
    expect(await take(live, Infinity)).toHaveLength(2);
    live.filter(sampled(keepAll(65_535), 10));
    const sent = await cable.send(sampleCapture, { packetsPerSecond: 50_000 });
    const kept = (await take(live, Infinity)).length;
    // Binomial: six standard deviations around a tenth.
    expect(Math.abs(kept - sent / 10)).toBeLessThan(6 * Math.sqrt(sent * 0.1 * 0.9));
  });

  it('counts what a full buffer had no room for', async () => {
    const live = await source('pcap', { ringBytes: 1 });
    const sent = await cable.send(sampleCapture, { times: 3, packetsPerSecond: 20_000 });
    const seen = await take(live, Infinity);
    const { received, delivered, dropped } = live.counters();
    expect(delivered).toBe(seen.length);
    expect(dropped).toBeGreaterThan(0);
    expect(received).toBe(sent);
  });

  it('tells that the interface is down, works on when it is up again, and tells when it is gone', async () => {
    const own = layCable();
    try {
      const live = await source('pcap', {}, own.interface);
      const state = (): string => {
        live.read(new FrameTable(8), 20);
        live.counters();
        return live.state;
      };
      own.setUp(false);
      await until('it is down', () => state() === 'down');
      own.setUp(true);
      await until('it is up', () => state() === 'up');
      expect(await own.send(sampleCapture, { packetsPerSecond: 50_000 })).toBe(sampleFrames);
      expect(await take(live, sampleFrames)).toHaveLength(sampleFrames);
      own.remove();
      await until('it is gone', () => state() === 'gone');
    } finally {
      own.remove();
    }
  });

  it('gives everything back when it is closed; reading on is harmless', async () => {
    const live = await source('pcap');
    live.close();
    live.close();
    expect(live.bytes.length).toBe(0);
    expect(live.read(new FrameTable(1), 0)).toBe(0);
    expect(live.counters().received).toBe(0);
  });

  it.each(['no-such-if0', 'a'.repeat(40), ''])('names the interfaces there are for %j', async (name) => {
    await expect(source('pcap', {}, name)).rejects.toMatchObject({
      code: 'NS_CAPTURE_NO_INTERFACE',
      message: expect.stringMatching(/^.*: no such interface; there are .*\blo\b/) as string,
    });
  });

  it('says that it has one ring', async () => {
    await expect(source('pcap', { fanout: { id: 1 } })).rejects.toMatchObject({
      code: 'NS_CAPTURE_NOT_SUPPORTED',
      message: `${cable.interface}: libpcap has one ring for an interface; set capture.rings to 1`,
    });
  });
});

/** Whole records of a capture with nanoseconds, in this machine's byte order. */
function records(capture: Uint8Array): Seen[] {
  const view = new DataView(capture.buffer, capture.byteOffset, capture.length);
  const found: Seen[] = [];
  for (let at = 24; at + 16 <= capture.length;) {
    const captured = view.getUint32(at + 8, true);
    if (at + 16 + captured > capture.length) break;
    found.push({
      bytes: Buffer.from(capture.subarray(at + 16, at + 16 + captured)).toString('hex'),
      wireLength: view.getUint32(at + 12, true),
      time: `${view.getUint32(at, true)}.${String(view.getUint32(at + 4, true)).padStart(9, '0')}`,
    });
    at += 16 + captured;
  }
  return found;
}
